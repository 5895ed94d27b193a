"""A2C with 8 environments in one process and A3C with 2 workers in 2 processes, of one environment
or of 8 each, on a machine with 2 cores: how far each is after the same number of seconds. Whichever
way it comes out.

A3C with one environment a worker has the steps of `a2c_equal_steps`, 60,000 in CartPole-v1 and 30,000
in Catch; the others have numbers of steps that take from half of that time to all of it. All have the settings that were
best there. Those of A3C were found with eight workers; with two there are fewer stale gradients, so
on CartPole it has a second setting, with a larger learning rate, and A2C, to be fair, a second one as
well. A3C with 8 environments a worker has batches as large as A2C's, and A2C's settings.

In CartPole A2C has Gymnasium's own fast vector environment, which A3C's workers do not have; so there
is A2C without it as well (`fast_envs`). `seconds` count from the first update on, `startup` is what
passed before it. Run it with one run at a time, on a machine that does nothing else.
"""

import time
from collections import deque
from types import SimpleNamespace
from typing import Any

from a3c_lib import a2c, a3c
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.rollout import make_env
from claims.a2c_equal_steps import BUDGET, HIDDEN, ROWS, WORLDS

SETTINGS = [
    {
        "world": world,
        "algorithm": algorithm,
        "num_envs": num_envs,  # of A2C's process, or of each of A3C's two workers
        "fast_envs": fast_envs,
        "total_steps": total_steps,
        "learning_rate": rate,
        "value_weight": weight,
    }
    for world, algorithm, num_envs, fast_envs, total_steps, rate, weight in (
        ("CartPole", "A2C", 8, True, 200_000, 0.03, 0.1),
        ("CartPole", "A2C", 8, True, 200_000, 0.01, 0.1),
        ("CartPole", "A2C", 8, False, 120_000, 0.01, 0.1),
        ("CartPole", "A3C", 1, False, BUDGET["CartPole"], 0.003, 0.01),
        ("CartPole", "A3C", 1, False, BUDGET["CartPole"], 0.01, 0.1),
        ("CartPole", "A3C", 8, False, 200_000, 0.03, 0.1),
        ("CartPole", "A3C", 8, False, 200_000, 0.01, 0.1),
        ("Catch", "A2C", 8, False, 90_000, 0.03, 0.5),
        ("Catch", "A3C", 1, False, BUDGET["Catch"], 0.01, 0.5),
        ("Catch", "A3C", 8, False, 150_000, 0.03, 0.5),
    )
]
SEEDS = range(5)
ALONE = True  # each run has all cores


def config(
    seed: int, world: str, algorithm: str, fast_envs: bool, **options: Any
) -> SimpleNamespace:
    """All that a run is made of."""
    options |= {"t_max": 16, "seed": seed}
    training: a2c.Config | a3c.Config
    if algorithm == "A2C":
        training = a2c.Config(fast_envs=fast_envs, **options)
    else:
        training = a3c.Config(num_workers=2, **options)
    return SimpleNamespace(
        world=WORLDS[world],
        model=ActorCritic.for_env(make_env(WORLDS[world]), hidden=HIDDEN[world], seed=seed),
        training=training,
        evaluation={"episodes": 100, "actions": "sampled"},
    )


def run(seed: int, **setting: Any) -> list[dict[str, float]]:
    its = config(seed, **setting)
    train: Any = a2c.train if setting["algorithm"] == "A2C" else a3c.train
    asked = time.perf_counter()
    training = train(its.model, its.world, its.training)
    every = its.training.total_steps // ROWS
    latest: deque[float] = deque(maxlen=50)
    rows: list[dict[str, float]] = []
    began = 0.0
    with training:
        for update in training:
            began = began or time.perf_counter()
            latest.extend(episode.episode_return for episode in update.episodes)
            if update.steps // every > len(rows):
                rows.append(
                    {
                        "steps": update.steps,
                        "seconds": time.perf_counter() - began,
                        "episode_return": sum(latest) / max(len(latest), 1),
                    }
                )
    played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed, num_envs=50)
    return [{**row, "startup": began - asked, "evaluated": played.mean} for row in rows]
