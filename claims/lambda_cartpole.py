"""λ-returns beside n-step returns on CartPole, each with the same two learning rates, on the same
number of steps: a second world beside the point mass. Whichever way it comes out.

Rollouts are 32 steps long, so n = 32 is λ = 1. `evaluated` is the mean return of 50 episodes with
drawn actions after the last step; an episode is cut at 500.
"""

from types import SimpleNamespace
from typing import Any

import gymnasium as gym

from a3c_lib import a2c
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from claims.lambda_point_mass import targets

WORLD = "CartPole-v1"
LENGTHS, LAMBDAS = (4, 8, 16, 32), (0.8, 0.9, 0.95, 0.98)
SETTINGS = [
    {"looks": looks, "learning_rate": rate}
    for looks in (*(f"n = {n}" for n in LENGTHS), *(f"λ = {lambda_}" for lambda_ in LAMBDAS))
    for rate in (0.01, 0.03)
]
SEEDS = range(10)


def config(seed: int, looks: str, learning_rate: float) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=WORLD,
        model=ActorCritic.for_env(gym.make(WORLD), hidden=(32,), shared=False, seed=seed),
        training=a2c.Config(
            total_steps=40_000,
            t_max=32,
            num_envs=8,
            gamma=0.98,
            learning_rate=learning_rate,
            optimizer="adam",
            seed=seed,
        ),
        targets=targets(looks),
        evaluation={"episodes": 50, "actions": "sampled"},
    )


def run(seed: int, **setting: Any) -> list[dict[str, float]]:
    """One row."""
    its = config(seed, **setting)
    with a2c.train(its.model, its.world, its.training, targets=its.targets) as training:
        for _ in training:
            pass
    played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed, num_envs=50)
    return [{"evaluated": played.mean}]
