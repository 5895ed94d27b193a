"""Does one-step Q learn more from the same number of steps if more workers share them? As in
`q_workers`, 1, 4 and 16 workers in turn, on a second world, CartPole-v1. Whichever way it comes out.

The learning rates were chosen after one run of each number of workers with these, with 0.001 and
with 0.003; its seed is none of the record's. `episode_return` is the mean of the latest 100 episodes of training; `evaluated` is the
mean of 50 episodes of greedy actions after it.
"""

from dataclasses import replace
from types import SimpleNamespace

import gymnasium as gym

from a3c_lib.evaluation import evaluate
from a3c_lib.q_learning import train
from a3c_lib.q_networks import QNetwork
from claims import q_workers
from claims.curves import training_curve

SETTINGS = [
    {"workers": workers, "learning_rate": learning_rate}
    for workers in (1, 4, 16)
    for learning_rate in (0.01, 0.03)
]
SEEDS = range(10)

WORLD = "CartPole-v1"


def config(seed: int, workers: int, learning_rate: float) -> SimpleNamespace:
    """All that a run is made of."""
    its = q_workers.config(seed, workers, learning_rate)
    return SimpleNamespace(
        world=WORLD,
        model=QNetwork.for_env(gym.make(WORLD), hidden=(64,), seed=seed),
        training=replace(its.training, total_steps=40_000),
        method=its.method,
        evaluation={"episodes": 50, "actions": "greedy"},
    )


def run(seed: int, workers: int, learning_rate: float) -> list[dict[str, float]]:
    its = config(seed, workers, learning_rate)
    with train(its.model, its.world, its.training, method=its.method) as training:
        rows = training_curve(training, q_workers.EVERY)
    played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed, num_envs=50)
    return [{**row, "evaluated": played.mean} for row in rows]
