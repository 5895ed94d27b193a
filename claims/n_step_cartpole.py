"""On CartPole-v1 with rollouts of 64 steps, and thus few updates, n-step returns reach a median
return more than 1.5 times that of one-step targets, each at the best of the same settings. With
rollouts of 16 steps, four times as many updates, there is no such gap.

80,000 steps, then 100 evaluation episodes with sampled actions. At 64 steps both kinds of target get
the same grid of learning rates and value weights; at 16 steps each has one setting, the best of
earlier trials. Rollouts of 16 and 32 steps were tried before those of 64.
"""

from functools import partial
from types import SimpleNamespace
from typing import Any

import gymnasium as gym

from a3c_lib.actor_critic import Config, actor_critic_loss, one_step_targets, train
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.returns import n_step_returns
from claims.curves import training_curve

TARGETS = {"one step": one_step_targets, "n steps": n_step_returns}
GRID = [
    {"targets": targets, "t_max": 64, "learning_rate": learning_rate, "value_weight": value_weight}
    for targets in TARGETS
    for learning_rate in (0.005, 0.01, 0.02)
    for value_weight in (0.01, 0.5)
]
SHORTER = [
    {"targets": "one step", "t_max": 16, "learning_rate": 0.005, "value_weight": 0.5},
    {"targets": "n steps", "t_max": 16, "learning_rate": 0.005, "value_weight": 0.01},
]
SETTINGS = [*GRID, *SHORTER]
SEEDS = range(5)

WORLD = "CartPole-v1"
EVERY = 4_000  # steps from one row to the next


def config(
    seed: int, targets: str, t_max: int, learning_rate: float, value_weight: float
) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=WORLD,
        model=ActorCritic.for_env(gym.make(WORLD), seed=seed),
        training=Config(
            total_steps=80_000, t_max=t_max, num_envs=4, learning_rate=learning_rate, seed=seed
        ),
        targets=TARGETS[targets],
        loss=partial(actor_critic_loss, value_weight=value_weight),
        evaluation={"episodes": 100, "actions": "sampled"},
    )


def run(seed: int, **setting: Any) -> list[dict[str, float]]:
    its = config(seed, **setting)
    with train(its.model, its.world, its.training, targets=its.targets, loss=its.loss) as training:
        rows = training_curve(training, EVERY, latest=30)
    played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed, num_envs=50)
    return [{**row, "evaluated": played.mean} for row in rows]
