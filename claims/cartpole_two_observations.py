"""CartPole without velocities, played by an agent without memory that sees the last two
observations side by side: the baseline of the agent with an LSTM (`cartpole_memory`), with the same
settings. Whichever way it comes out.
"""

from functools import partial
from itertools import groupby
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import FlattenObservation, FrameStackObservation

from a3c_lib.actor_critic import Config, train
from a3c_lib.evaluation import evaluate
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic
from a3c_lib.returns import n_step_returns
from claims.cartpole_memory import EVERY, SCALE, blind_cartpole

SETTINGS = [{"agent": "two observations"}]
SEEDS = range(5)


def config(seed: int, agent: str) -> SimpleNamespace:
    """All that a run is made of."""
    world = partial(two_observations, reward_scale=SCALE)
    return SimpleNamespace(
        world=world,
        model=ActorCritic.for_env(world(), hidden=(64, 64), seed=seed),
        training=Config(total_steps=200_000, t_max=16, num_envs=8, learning_rate=5e-3, seed=seed),
        targets=n_step_returns,
        loss=a2c_loss,
        evaluation={"episodes": 100},
    )


def run(seed: int, agent: str) -> list[dict[str, float]]:
    its = config(seed, agent)
    rows: list[dict[str, float]] = []
    with train(its.model, its.world, its.training, targets=its.targets, loss=its.loss) as training:
        for steps, updates in groupby(training, lambda u: -(-u.steps // EVERY) * EVERY):
            ended = [e.episode_return / SCALE for update in updates for e in update.episodes]
            rows.append({"steps": steps, "episode_return": float(np.mean(ended))})
    unscaled = partial(two_observations, reward_scale=1.0)
    for actions in "sampled", "greedy":
        score = evaluate(its.model, unscaled, **its.evaluation, seed=seed + 1000, actions=actions)
        rows[-1][actions] = score.mean
    return rows


def two_observations(reward_scale: float) -> gym.Env[Any, Any]:
    """What is seen now, and what was seen a step before; at first the same twice."""
    env: gym.Env[Any, Any] = FrameStackObservation(blind_cartpole(reward_scale), stack_size=2)
    return FlattenObservation(env)
