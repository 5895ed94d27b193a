"""The critic's V comes within 0.05 of V^π in every cell of the noisy corridor, 5 of 5 seeds.

The policy is fixed: right with probability 0.7 in every cell. V is a network on one-hot
observations, trained on one-step targets; V^π is the linear system's solution for that policy.
"""

import gymnasium as gym
import torch
from torch import Tensor

from a3c_lib.actor_critic import Config, Loss, actor_critic_loss, train
from a3c_lib.networks import ActorCritic
from a3c_lib.worlds.exact import state_values

SETTINGS = [{"learning_rate": 5e-4}]
SEEDS = range(5)
WORLD = "a3c_lib/NoisyCorridor-v0"
GAMMA = 0.95
STEPS, EVERY = 600_000, 24_000


def critic_only(logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor) -> Loss:
    loss = actor_critic_loss(logits, values, actions, returns)
    return loss._replace(total=loss.value)


def run(seed: int, learning_rate: float) -> list[dict[str, float]]:
    env = gym.make(WORLD)
    # Two torsos: with one, the critic's gradient would move the policy too.
    model = ActorCritic.for_env(env, hidden=(32,), shared=False, seed=seed)
    with torch.no_grad():
        model.policy_head.weight.zero_()
        model.policy_head.bias.copy_(torch.tensor([0.3, 0.7]).log())
    exact = values_of_policy(model)
    config = Config(
        total_steps=STEPS,
        t_max=16,
        num_envs=16,
        gamma=GAMMA,
        learning_rate=learning_rate,
        seed=seed,
    )
    rows = [row(0, model, exact)]
    with train(model, WORLD, config, loss=critic_only) as training:
        for update in training:
            if update.steps // EVERY >= len(rows):
                rows.append(row(EVERY * len(rows), model, exact))
    return rows


def row(steps: int, model: ActorCritic, exact: Tensor) -> dict[str, float]:
    values = model.values(torch.arange(len(exact))).detach()
    learned = {f"V_{cell}": V.item() for cell, V in enumerate(values)}
    return {"steps": steps, "error": (values - exact).abs().max().item(), **learned}


def values_of_policy(model: ActorCritic) -> Tensor:
    mdp = gym.make(WORLD).unwrapped.mdp
    with torch.no_grad():
        pi = model.logits(torch.arange(mdp.num_states)).softmax(dim=-1)
    return state_values(mdp, pi, GAMMA)[:-1]  # of the cells: nothing is asked of the goal
