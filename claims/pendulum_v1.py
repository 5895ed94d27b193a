"""Plain A2C on Pendulum-v1, with one change at a time, and with all of them together: how many of
20 seeds learn it in 400,000 steps? Whichever way it comes out.

`greedy` is the mean return of 20 episodes of the policy's mean action, every 50,000 steps, in
Gymnasium's own Pendulum-v1. After the last step, −250 or more is a success; one that
never pushes gets some −1,200. Training plays in `Pendulums`, the same world as arrays, all cut at
the same time or `staggered`.
"""

from functools import partial
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
from torch import Tensor

from a3c_lib import a2c
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.returns import lambda_returns
from a3c_lib.worlds.pendulum import Pendulums

WORLD = "Pendulum-v1"
PLAIN: dict[str, Any] = {"gamma": 0.99, "lambda_": 1.0, "scale": 1.0, "staggered": False}
ALL: dict[str, Any] = {"gamma": 0.9, "lambda_": 0.9, "scale": 0.1, "staggered": True}
CHANGES: dict[str, dict[str, Any]] = {
    "none": {},
    "all four": ALL,
    "γ = 0.9": {"gamma": 0.9},
    "λ = 0.9": {"lambda_": 0.9},
    "rewards × 0.1": {"scale": 0.1},
    "staggered": {"staggered": True},
}
SETTINGS = [{"change": change} for change in CHANGES]
SEEDS = range(20)

EVERY = 50_000  # steps from one row to the next


def of_scaled_rewards(rewards: Tensor, *others: Any, scale: float, lambda_: float) -> Tensor:
    """λ-returns of the rewards times `scale`; λ = 1 are n-step returns. Scores stay the world's."""
    return lambda_returns(scale * rewards, *others, lambda_=lambda_)


def config(seed: int, change: str) -> SimpleNamespace:
    """All that a run is made of."""
    its = PLAIN | CHANGES[change]
    return SimpleNamespace(
        world=partial(Pendulums, staggered=its["staggered"]),
        model=ActorCritic.for_env(gym.make(WORLD), shared=False, seed=seed),
        training=a2c.Config(
            total_steps=400_000,
            t_max=8,
            num_envs=32,
            gamma=its["gamma"],
            learning_rate=2e-3,
            optimizer="adam",
            entropy_weight=0.0,
            lambda_=its["lambda_"],
            seed=seed,
        ),
        targets=partial(of_scaled_rewards, scale=its["scale"], lambda_=its["lambda_"]),
        evaluation={"make_env": WORLD, "episodes": 20, "actions": "greedy", "num_envs": 20},
    )


def run(seed: int, change: str) -> list[dict[str, float]]:
    """A row for every 50,000 steps."""
    its, rows = config(seed, change), list[dict[str, float]]()
    pendulums = its.world(its.training.num_envs)
    with a2c.train(its.model, pendulums, its.training, targets=its.targets) as training:
        for update in training:
            if update.steps // EVERY > len(rows):
                played = evaluate(its.model, **its.evaluation, seed=1000 + seed)
                rows.append({"steps": EVERY * (len(rows) + 1), "greedy": played.mean})
    return rows
