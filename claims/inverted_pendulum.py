"""How many seeds balance InvertedPendulum-v5 in 100,000 steps, with a tenth of the rewards where they
are learned from, and with the rewards as they are? Whichever way it comes out.

A2C with λ-returns. `greedy` is the mean return of 20 episodes of the policy's mean action after the
last step, and `shortest` the least of the 20; an episode is cut at 1,000.
"""

from functools import partial
from types import SimpleNamespace
from typing import Any

import gymnasium as gym

from a3c_lib import a2c
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from claims.pendulum_v1 import of_scaled_rewards

WORLD = "InvertedPendulum-v5"
SETTINGS: list[dict[str, Any]] = [{"scale": 0.1}, {"scale": 1.0}]
SEEDS = range(10)


def config(seed: int, scale: float) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=WORLD,
        model=ActorCritic.for_env(gym.make(WORLD), shared=False, seed=seed),
        training=a2c.Config(
            total_steps=100_000,
            t_max=16,
            num_envs=8,
            gamma=0.95,
            learning_rate=3e-3,
            optimizer="adam",
            entropy_weight=0.0,
            seed=seed,
        ),
        targets=partial(of_scaled_rewards, scale=scale, lambda_=0.95),
        evaluation={"episodes": 20, "actions": "greedy"},
    )


def run(seed: int, scale: float) -> list[dict[str, float]]:
    """One row."""
    its = config(seed, scale)
    with a2c.train(its.model, its.world, its.training, targets=its.targets) as training:
        for _ in training:
            pass
    played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed, num_envs=20)
    return [{"greedy": played.mean, "shortest": min(played.returns)}]
