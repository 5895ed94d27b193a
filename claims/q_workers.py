"""Does one-step Q learn more from the same number of steps if more workers share them? 1, 4 and 16
workers in turn on a Catch of 6 rows, with the same learning rate. Whichever way it comes
out.

Workers that take turns save no time, so what is compared is the use of data alone. `episode_return`
is the mean of the latest 100 episodes of training; `evaluated` is the mean of 200 episodes of greedy
actions after it.
"""

from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import DtypeObservation, FlattenObservation, RescaleObservation

from a3c_lib.evaluation import evaluate
from a3c_lib.q_learning import Config, OneStepQ, train
from a3c_lib.q_networks import QNetwork
from claims.curves import training_curve

SETTINGS = [
    {"workers": workers, "learning_rate": learning_rate}
    for workers in (1, 4, 16)
    for learning_rate in (0.003,)
]
SEEDS = range(10)

EVERY = 2_000  # steps from one row to the next


def small_catch() -> gym.Env[Any, Any]:
    """Catch with 6 rows, as 30 numbers, 0 or 1, for a network without convolutions."""
    env = DtypeObservation(FlattenObservation(gym.make("a3c_lib/Catch-v0", rows=6)), np.float32)
    return RescaleObservation(env, np.float32(0), np.float32(1))


def config(seed: int, workers: int, learning_rate: float) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=small_catch,
        model=QNetwork.for_env(small_catch(), hidden=(64,), seed=seed),
        training=Config(
            total_steps=20_000,
            t_max=5,
            num_workers=workers,
            schedule="round-robin",
            learning_rate=learning_rate,
            target_period=500,
            final_epsilons=(0.1,),  # the same for all: only their number is to differ
            epsilon_chances=(1.0,),
            epsilon_steps=10_000,
            seed=seed,
        ),
        method=OneStepQ,
        evaluation={"episodes": 200, "actions": "greedy"},
    )


def run(seed: int, workers: int, learning_rate: float) -> list[dict[str, float]]:
    its = config(seed, workers, learning_rate)
    with train(its.model, its.world, its.training, method=its.method) as training:
        rows = training_curve(training, EVERY)
    played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed, num_envs=50)
    return [{**row, "evaluated": played.mean} for row in rows]
