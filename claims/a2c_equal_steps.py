"""A2C with 8 environments and A3C with 8 workers of one environment each, on the same number of
steps: how CartPole-v1 (60,000 steps) and Catch (30,000) are learned by each, at the best of the same
settings. Whichever way it comes out.

A3C's workers act in turn, so that a run can be repeated: a gradient is seven updates old when it is
applied. Both algorithms have the same environments, rollouts of 16 steps, network, optimiser
(RMSProp, its statistics shared) and loss. `evaluated` is the mean return of 100 episodes with sampled
actions after the last step.
"""

from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import DtypeObservation, FlattenObservation, RescaleObservation

from a3c_lib import a2c, a3c
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.rollout import make_env

BUDGET = {"CartPole": 60_000, "Catch": 30_000}
HIDDEN = {"CartPole": (64, 64), "Catch": (128,)}
VALUE_WEIGHTS = {"CartPole": (0.01, 0.1), "Catch": (0.5,)}
SETTINGS = [
    {"world": world, "algorithm": algorithm, "learning_rate": rate, "value_weight": weight}
    for world in BUDGET
    for algorithm in ("A2C", "A3C")
    for weight in VALUE_WEIGHTS[world]
    for rate in (0.001, 0.003, 0.01, 0.03)
]
SEEDS = range(5)

TOGETHER = 8  # environments, or workers
ROWS = 20  # of a run


def flat_catch() -> gym.Env[Any, Any]:
    """Catch as 50 numbers, 0 or 1."""
    env = DtypeObservation(FlattenObservation(gym.make("a3c_lib/Catch-v0")), np.float32)
    return RescaleObservation(env, np.float32(0), np.float32(1))


WORLDS: dict[str, str | Callable[[], gym.Env[Any, Any]]] = {
    "CartPole": "CartPole-v1",
    "Catch": flat_catch,
}


def config(seed: int, world: str, algorithm: str, **options: Any) -> SimpleNamespace:
    """All that a run is made of."""
    options |= {"total_steps": BUDGET[world], "t_max": 16, "seed": seed}
    training: a2c.Config | a3c.Config
    if algorithm == "A2C":
        training = a2c.Config(num_envs=TOGETHER, fast_envs=False, **options)
    else:
        training = a3c.Config(num_workers=TOGETHER, schedule="round-robin", **options)
    return SimpleNamespace(
        world=WORLDS[world],
        model=ActorCritic.for_env(make_env(WORLDS[world]), hidden=HIDDEN[world], seed=seed),
        training=training,
        evaluation={"episodes": 100, "actions": "sampled"},
    )


def run(seed: int, **setting: Any) -> list[dict[str, float]]:
    its = config(seed, **setting)
    train: Any = a2c.train if setting["algorithm"] == "A2C" else a3c.train
    training = train(its.model, its.world, its.training)
    every = its.training.total_steps // ROWS
    latest: deque[float] = deque(maxlen=50)
    rows: list[dict[str, float]] = []
    with training:
        for update in training:
            latest.extend(episode.episode_return for episode in update.episodes)
            if update.steps // every > len(rows):
                mean = sum(latest) / max(len(latest), 1)
                rows.append({"steps": every * (len(rows) + 1), "episode_return": mean})
    played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed, num_envs=50)
    return [{**row, "evaluated": played.mean} for row in rows]
