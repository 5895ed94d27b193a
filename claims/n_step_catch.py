"""On Catch, n-step returns need at most a fifth of the steps that one-step targets need, at equal
rollout length, number of updates, network and tuning.

Solved means: the last 100 training episodes had a mean return of at least 0.9. Both kinds of target
get the same grid of learning rates and value weights, each setting 5 seeds. A run that is not
solved counts as its budget.
"""

from collections import deque
from functools import partial
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import DtypeObservation, FlattenObservation, RescaleObservation

from a3c_lib.actor_critic import Config, actor_critic_loss, one_step_targets, train
from a3c_lib.networks import ActorCritic
from a3c_lib.returns import n_step_returns

TARGETS = {"one step": one_step_targets, "n steps": n_step_returns}
SETTINGS = [
    {"targets": targets, "learning_rate": learning_rate, "value_weight": value_weight}
    for targets in TARGETS
    for learning_rate in (0.003, 0.01, 0.03)
    for value_weight in (0.1, 0.5)
]
SEEDS = range(5)

BUDGET = 60_000
SOLVED = 0.9
EVERY = 2_000  # steps from one row to the next


def flat_catch() -> gym.Env[Any, Any]:
    """Catch as 50 numbers, 0 or 1, for a network without convolutions."""
    env = DtypeObservation(FlattenObservation(gym.make("a3c_lib/Catch-v0")), np.float32)
    return RescaleObservation(env, np.float32(0), np.float32(1))


def config(seed: int, targets: str, learning_rate: float, value_weight: float) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=flat_catch,
        model=ActorCritic.for_env(flat_catch(), hidden=(128,), seed=seed),
        training=Config(
            total_steps=BUDGET,
            t_max=16,
            num_envs=8,
            learning_rate=learning_rate,
            anneal=False,
            seed=seed,
        ),
        targets=TARGETS[targets],
        loss=partial(actor_critic_loss, value_weight=value_weight),
    )


def run(seed: int, **setting: Any) -> list[dict[str, float]]:
    its = config(seed, **setting)
    latest: deque[float] = deque(maxlen=100)
    rows: list[dict[str, float]] = []
    solved_at = BUDGET
    with train(its.model, its.world, its.training, targets=its.targets, loss=its.loss) as training:
        for update in training:
            latest.extend(episode.episode_return for episode in update.episodes)
            mean = sum(latest) / len(latest)
            if len(latest) == 100 and mean >= SOLVED:
                solved_at = min(solved_at, update.steps)
            if update.steps // EVERY > len(rows):
                rows.append({"steps": EVERY * (len(rows) + 1), "episode_return": mean})
    return [{**row, "solved_at": solved_at, "solved": int(solved_at < BUDGET)} for row in rows]
