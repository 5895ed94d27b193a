"""Does it help what is learned that a batch comes from many environments? A2C with batches of 128
steps: 1 environment for 128 steps, 8 for 16, or 32 for 4. Whichever way it comes out.

The batch, the number of updates and all other settings are the same. A longer rollout also looks
farther ahead, so there are two series: in one a return looks ahead as far as its rollout goes; in the
other all returns look at most 4 steps ahead, as those of rollouts of 4 steps do. In the second only
the environments differ. `evaluated` is the mean return of 100 episodes with sampled actions after the
last step.
"""

import math
from collections import deque
from functools import partial
from types import SimpleNamespace
from typing import Any

from torch import Tensor

from a3c_lib import a2c
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import make_env
from claims.a2c_equal_steps import WORLDS as TWO_WORLDS

BATCH = 128
LEARNING: dict[str, dict[str, Any]] = {
    "CartPole": {"total_steps": 40_000, "learning_rate": 0.01, "value_weight": 0.1},
    "Catch": {"total_steps": 20_000, "learning_rate": 0.01, "value_weight": 0.5},
    "Trap": {
        "total_steps": 20_000,
        "learning_rate": 0.02,
        "value_weight": 0.5,
        "entropy_weight": 0.07,
        "gamma": 0.95,
    },
}
SHAPES = {1: (128, 4), 8: (16, 4), 32: (4,)}  # environments → how far a return looks ahead
SETTINGS = [
    {"world": world, "num_envs": num_envs, "look_ahead": steps}
    for world in LEARNING
    for num_envs, looks in SHAPES.items()
    for steps in looks
]
SEEDS = range(10)

WORLDS = {**TWO_WORLDS, "Trap": "a3c_lib/Trap-v0"}
HIDDEN = {"CartPole": (64, 64), "Catch": (128,), "Trap": (32,)}
ROWS = 20  # of a run


def returns_looking(
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    look_ahead: int = BATCH,
) -> Tensor:
    """n-step returns of a rollout that is cut into pieces of `look_ahead` steps."""
    cut = truncated.clone()
    cut[look_ahead - 1 :: look_ahead] = True  # a return bootstraps where a piece stops
    return n_step_returns(rewards, next_values, terminated, cut, gamma)


def config(seed: int, world: str, num_envs: int, look_ahead: int) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=WORLDS[world],
        model=ActorCritic.for_env(make_env(WORLDS[world]), hidden=HIDDEN[world], seed=seed),
        training=a2c.Config(
            num_envs=num_envs,
            t_max=BATCH // num_envs,
            fast_envs=False,
            seed=seed,
            **LEARNING[world],
        ),
        targets=partial(returns_looking, look_ahead=look_ahead),
        evaluation={"episodes": 100, "actions": "sampled"},
    )


def run(seed: int, **setting: Any) -> list[dict[str, float]]:
    its = config(seed, **setting)
    every = its.training.total_steps // ROWS
    latest: deque[float] = deque(maxlen=50)
    rows: list[dict[str, float]] = []
    with a2c.train(its.model, its.world, its.training, targets=its.targets) as training:
        for update in training:
            latest.extend(episode.episode_return for episode in update.episodes)
            if update.steps // every > len(rows):
                mean = sum(latest) / len(latest) if latest else math.nan  # none has ended yet
                rows.append({"steps": every * (len(rows) + 1), "episode_return": mean})
    played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed, num_envs=50)
    return [{**row, "evaluated": played.mean} for row in rows]
