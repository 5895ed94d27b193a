"""Faults that no error message reports, each seen in one signal: a bonus with the wrong sign in the
entropy, a critic without a gradient in the explained variance, a sum in the place of a mean in the
gradient's norm. And a bonus without a gradient: ten times the weight changes nothing.
"""

import math
from collections.abc import Callable, Iterable
from functools import partial
from itertools import groupby
from types import SimpleNamespace

import gymnasium as gym
from torch import Tensor

from a3c_lib.actor_critic import Config, Loss, actor_critic_loss, train
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic
from a3c_lib.returns import n_step_returns

SETTINGS = [{"run": name} for name in ("healthy", "A", "B", "C", "D", "D, weight × 10")]
SEEDS = range(5)

WORLD = "a3c_lib/Trap-v0"
EVERY = 200  # steps from one row to the next

LossFunction = Callable[[Tensor, Tensor, Tensor, Tensor], Loss]


def wrong_sign(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float,
    entropy_weight: float,
) -> Loss:
    loss = a2c_loss(logits, values, actions, returns, value_weight, entropy_weight)
    total = loss.policy + value_weight * loss.value + entropy_weight * loss.entropy
    return loss._replace(total=total)


def critic_cut(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, **weights: float
) -> Loss:
    return a2c_loss(logits, values.detach(), actions, returns, **weights)


def sum_for_mean(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, **weights: float
) -> Loss:
    loss = a2c_loss(logits, values, actions, returns, **weights)
    return loss._replace(total=loss.total * returns.numel())


def bonus_cut(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float,
    entropy_weight: float,
) -> Loss:
    loss = actor_critic_loss(logits, values, actions, returns, value_weight)
    log_pi = logits.log_softmax(dim=-1)
    entropy = -(log_pi.exp().detach() * log_pi).sum(dim=-1).mean()
    return loss._replace(total=loss.total - entropy_weight * entropy, entropy=entropy)


LOSSES: dict[str, LossFunction] = {
    "healthy": partial(a2c_loss, value_weight=0.5, entropy_weight=0.07),
    "A": partial(wrong_sign, value_weight=0.5, entropy_weight=0.07),
    "B": partial(critic_cut, value_weight=0.5, entropy_weight=0.07),
    "C": partial(sum_for_mean, value_weight=0.5, entropy_weight=0.07),
    "D": partial(bonus_cut, value_weight=0.5, entropy_weight=0.07),
    "D, weight × 10": partial(bonus_cut, value_weight=0.5, entropy_weight=10 * 0.07),
}


def config(seed: int, **setting: str) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=WORLD,
        model=ActorCritic.for_env(gym.make(WORLD), hidden=(32,), seed=seed),
        training=Config(
            total_steps=4_000,
            t_max=10,
            gamma=0.95,
            learning_rate=0.02,
            anneal=False,
            seed=seed,
        ),
        targets=n_step_returns,
        loss=LOSSES[setting["run"]],
    )


def run(seed: int, **setting: str) -> list[dict[str, float]]:
    its = config(seed, **setting)
    rows = []
    with train(its.model, its.world, its.training, targets=its.targets, loss=its.loss) as training:
        for steps, group in groupby(training, lambda u: -(-u.steps // EVERY) * EVERY):
            updates = list(group)
            rows.append(
                {
                    "steps": steps,
                    "episode_return": mean(e.episode_return for u in updates for e in u.episodes),
                    "entropy": mean(u.entropy for u in updates),
                    "explained_variance": mean(u.explained_variance for u in updates),
                    "gradient_norm": mean(u.gradient_norm for u in updates),
                }
            )
    return rows


def mean(numbers: Iterable[float]) -> float:
    known = [number for number in numbers if not math.isnan(number)]
    return sum(known) / len(known) if known else math.nan
