"""A2C with 8 environments in one process and A3C with 2 workers in 2 processes, on a machine with 2
cores: how far each is after the same number of seconds. Whichever way it comes out.

A3C has the steps of `a2c_equal_steps`, 60,000 in CartPole-v1 and 30,000 in Catch; A2C has as many as
it takes in about the same time. Both have the settings that were best there. Those were found with
eight workers; A3C with two has fewer stale gradients, so on CartPole it has a second setting, with a
larger learning rate, and A2C, to be fair, a second one as well. In CartPole A2C has Gymnasium's own
fast vector environment. `seconds` count from the first update on, `startup` is what passed before
it. Run it with one run at a time, on a machine that does nothing else.
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
        "total_steps": total_steps,
        "learning_rate": rate,
        "value_weight": weight,
    }
    for world, algorithm, total_steps, rate, weight in (
        ("CartPole", "A2C", 200_000, 0.03, 0.1),
        ("CartPole", "A2C", 200_000, 0.01, 0.1),
        ("CartPole", "A3C", BUDGET["CartPole"], 0.003, 0.01),
        ("CartPole", "A3C", BUDGET["CartPole"], 0.01, 0.1),
        ("Catch", "A2C", 90_000, 0.03, 0.5),
        ("Catch", "A3C", BUDGET["Catch"], 0.01, 0.5),
    )
]
SEEDS = range(5)


def config(seed: int, world: str, algorithm: str, **options: Any) -> SimpleNamespace:
    """All that a run is made of."""
    options |= {"t_max": 16, "seed": seed}
    training: a2c.Config | a3c.Config
    if algorithm == "A2C":
        training = a2c.Config(num_envs=8, **options)
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
