"""A3C with two workers in processes learns CartPole-v1 to a mean of at least 475 over 100 episodes in
at least 4 of 5 seeds, in some 30 s of training each on two cores.

`seconds` are those of training alone; starting the processes is among them. `sampled` and `greedy` are
mean returns of 100 episodes after it. Processes do not repeat: another run of a seed gives another
number.
"""

import time
from collections import deque
from types import SimpleNamespace
from typing import Literal

import gymnasium as gym

from a3c_lib import a3c
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic

SETTINGS = [{"workers": 2}]
SEEDS = range(5)
ALONE = True  # each run has all cores

WORLD = "CartPole-v1"
EVERY = 5_000  # steps from one row to the next


def config(seed: int, workers: int) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=WORLD,
        model=ActorCritic.for_env(gym.make(WORLD), seed=seed),
        training=a3c.Config(
            total_steps=150_000,
            t_max=32,
            num_workers=workers,
            learning_rate=0.01,
            value_weight=0.05,
            entropy_weight=0.001,
            seed=seed,
        ),
        evaluation={"episodes": 100},
    )


def run(seed: int, workers: int) -> list[dict[str, float]]:
    its = config(seed, workers)
    latest: deque[float] = deque(maxlen=50)
    rows: list[dict[str, float]] = []
    began = time.perf_counter()
    with a3c.train(its.model, its.world, its.training) as training:
        for update in training:
            latest.extend(episode.episode_return for episode in update.episodes)
            if update.steps // EVERY > len(rows):
                mean = sum(latest) / max(len(latest), 1)
                rows.append({"steps": EVERY * (len(rows) + 1), "episode_return": mean})
    measured = {"seconds": time.perf_counter() - began}
    kinds: tuple[Literal["sampled", "greedy"], ...] = ("sampled", "greedy")
    for actions in kinds:
        measured[actions] = evaluate(
            its.model,
            its.world,
            **its.evaluation,
            seed=1000 + seed,
            actions=actions,
            num_envs=50,
        ).mean
    return [{**row, **measured} for row in rows]
