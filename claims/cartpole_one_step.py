"""One-step actor-critic learns CartPole-v1 in 80 000 steps at one of three learning rates, and there
with one torso more often than with two. At the smallest rate no run gets to 450, and the critic
expects less than is really paid; at the largest most runs are lost.

Tried are one torso for both heads, the same with a smaller weight on the critic's loss, and two
torsos. The last row of a run says how its policy plays (`sampled`, mean of 100 episodes), what the
critic says at an episode's start (`predicted`) and what is really paid from there (`paid`, mean
discounted return).
"""

from functools import partial
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import torch

from a3c_lib.actor_critic import Config, actor_critic_loss, one_step_targets, train
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.reinforce import discounted_returns
from a3c_lib.rollout import collect_episode, make_envs, sampled, start

SETTINGS = [
    {"torsos": torsos, "value_weight": weight, "learning_rate": rate}
    for torsos, weight in ((1, 0.5), (1, 0.05), (2, 0.5))
    for rate in (0.001, 0.005, 0.02)
]
SEEDS = range(5)
WORLD = "CartPole-v1"
EVERY = 4_000  # steps from one row to the next


def config(seed: int, torsos: int, value_weight: float, learning_rate: float) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=WORLD,
        model=ActorCritic.for_env(gym.make(WORLD), shared=torsos == 1, seed=seed),
        training=Config(
            total_steps=80_000, t_max=16, num_envs=4, learning_rate=learning_rate, seed=seed
        ),
        targets=one_step_targets,
        loss=partial(actor_critic_loss, value_weight=value_weight),
        evaluation={"episodes": 100, "actions": "sampled"},
    )


def run(seed: int, **setting: Any) -> list[dict[str, float]]:
    its = config(seed, **setting)
    rows: list[dict[str, float]] = []
    returns: list[float] = []
    with train(its.model, its.world, its.training, targets=its.targets, loss=its.loss) as training:
        for update in training:
            returns += [episode.episode_return for episode in update.episodes]
            if update.steps // EVERY > len(rows) and returns:
                row = {"steps": EVERY * (len(rows) + 1)}
                rows.append({**row, "episode_return": sum(returns) / len(returns)})
                returns = []
    predicted, paid = starts(its.model, its.training.gamma, episodes=30, seed=1000 + seed)
    played = evaluate(its.model, its.world, **its.evaluation, seed=2000 + seed)
    rows[-1] |= {"sampled": played.mean}
    rows[-1] |= {"predicted": predicted, "paid": paid}
    return rows


def starts(model: ActorCritic, gamma: float, episodes: int, seed: int) -> tuple[float, float]:
    """V at the beginning of episodes, and the mean discounted return from there."""
    envs = make_envs(WORLD)
    act, position = sampled(model, torch.Generator().manual_seed(seed)), start(envs, seed)
    predicted, paid = 0.0, 0.0
    for _ in range(episodes):
        rollout, position = collect_episode(envs, act, position)
        predicted += model.values(rollout.observations[0, 0]).item() / episodes
        paid += discounted_returns(rollout.rewards[:, 0], gamma)[0].item() / episodes
    envs.close()
    return predicted, paid
