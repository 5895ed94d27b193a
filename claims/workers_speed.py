"""Two workers in processes take at least 1.8 times the environment steps per second of one, on two
cores; four take no more than two do. A lock around reading and changing θ costs little.

The steps per second of all settings are measured one after another within a run, and then compared
as ratios: what else the machine does changes from minute to minute. The clock begins when every
worker has reported once, so that starting processes does not count.
"""

import time
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import gymnasium as gym

from a3c_lib import a3c
from a3c_lib.networks import ActorCritic

SETTINGS: list[dict[str, Any]] = [{}]
SEEDS = range(5)  # repetitions
ALONE = True  # each run has all cores

WORLD = "CartPole-v1"
MEASURED = [(1, False), (2, False), (4, False), (2, True)]  # workers, lock


def config(seed: int) -> SimpleNamespace:
    """All that a run is made of."""
    order = MEASURED if seed % 2 == 0 else MEASURED[::-1]
    return SimpleNamespace(
        world=WORLD,
        model=ActorCritic.for_env(gym.make(WORLD), seed=seed),
        trainings=[
            a3c.Config(total_steps=24_000, t_max=20, num_workers=workers, lock=lock, seed=seed)
            for workers, lock in order
        ],
    )


def run(seed: int) -> list[dict[str, Any]]:
    its = config(seed)
    return [
        {
            "workers": training.num_workers,
            "lock": training.lock,
            "steps_per_second": steps_per_second(deepcopy(its.model), its.world, training),
        }
        for training in its.trainings
    ]


def steps_per_second(model: ActorCritic, world: str, config: a3c.Config) -> float:
    reported: set[int] = set()
    began = steps = 0.0
    with a3c.train(model, world, config) as training:
        for update in training:
            reported.add(update.worker)
            if began == 0 and len(reported) == config.num_workers:
                began, steps = time.perf_counter(), update.steps
        return (training.steps - steps) / (time.perf_counter() - began)
