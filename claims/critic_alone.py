"""The critic's V comes within 0.05 of V^π in every cell of the noisy corridor, 5 of 5 seeds.

The policy is fixed: right with probability 0.7 in every cell. V is a network on one-hot
observations, trained on one-step targets; V^π is the linear system's solution for that policy.
"""

from types import SimpleNamespace

import gymnasium as gym
import torch
from torch import Tensor

from a3c_lib.actor_critic import Config, Loss, actor_critic_loss, one_step_targets, train
from a3c_lib.networks import ActorCritic
from a3c_lib.worlds.exact import state_values

SETTINGS = [{"learning_rate": 5e-4}]
SEEDS = range(5)
WORLD = "a3c_lib/NoisyCorridor-v0"
EVERY = 24_000  # steps from one row to the next


def critic_only(logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor) -> Loss:
    loss = actor_critic_loss(logits, values, actions, returns)
    return loss._replace(total=loss.value)


def config(seed: int, learning_rate: float) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=WORLD,
        # Two torsos: with one, the critic's gradient would move the policy too.
        model=ActorCritic.for_env(gym.make(WORLD), hidden=(32,), shared=False, seed=seed),
        policy=[0.3, 0.7],  # left, right
        training=Config(
            total_steps=600_000,
            t_max=16,
            num_envs=16,
            gamma=0.95,
            learning_rate=learning_rate,
            seed=seed,
        ),
        targets=one_step_targets,
        loss=critic_only,
    )


def run(seed: int, learning_rate: float) -> list[dict[str, float]]:
    its = config(seed, learning_rate)
    model = its.model
    with torch.no_grad():
        model.policy_head.weight.zero_()
        model.policy_head.bias.copy_(torch.tensor(its.policy).log())
    exact = values_of_policy(model, its.training.gamma)
    rows = [row(0, model, exact)]
    with train(model, its.world, its.training, targets=its.targets, loss=its.loss) as training:
        for update in training:
            if update.steps // EVERY >= len(rows):
                rows.append(row(EVERY * len(rows), model, exact))
    return rows


def row(steps: int, model: ActorCritic, exact: Tensor) -> dict[str, float]:
    values = model.values(torch.arange(len(exact))).detach()
    learned = {f"V_{cell}": V.item() for cell, V in enumerate(values)}
    return {"steps": steps, "error": (values - exact).abs().max().item(), **learned}


def values_of_policy(model: ActorCritic, gamma: float) -> Tensor:
    mdp = gym.make(WORLD).unwrapped.mdp
    with torch.no_grad():
        pi = model.logits(torch.arange(mdp.num_states)).softmax(dim=-1)
    return state_values(mdp, pi, gamma)[:-1]  # of the cells: nothing is asked of the goal
