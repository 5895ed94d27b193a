"""Faults that no error message reports, each seen in one signal: a bonus with the wrong sign in the
entropy, a critic without a gradient in the explained variance, a sum in the place of a mean in the
gradient's norm. And a bonus without a gradient: ten times the weight changes nothing.
"""

import math
from collections.abc import Callable, Iterable
from functools import partial
from itertools import groupby

import gymnasium as gym
from torch import Tensor

from a3c_lib.actor_critic import Config, Loss, actor_critic_loss, train
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic
from a3c_lib.returns import n_step_returns

SETTINGS = [{"run": name} for name in ("healthy", "A", "B", "C", "D", "D, weight × 10")]
SEEDS = range(5)

VALUE_WEIGHT, ENTROPY_WEIGHT = 0.5, 0.07
EVERY = 200  # steps from one row to the next

LossFunction = Callable[[Tensor, Tensor, Tensor, Tensor], Loss]

healthy = partial(a2c_loss, value_weight=VALUE_WEIGHT, entropy_weight=ENTROPY_WEIGHT)


def wrong_sign(logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor) -> Loss:
    loss = healthy(logits, values, actions, returns)
    total = loss.policy + VALUE_WEIGHT * loss.value + ENTROPY_WEIGHT * loss.entropy
    return loss._replace(total=total)


def critic_cut(logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor) -> Loss:
    return healthy(logits, values.detach(), actions, returns)


def sum_for_mean(logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor) -> Loss:
    loss = healthy(logits, values, actions, returns)
    return loss._replace(total=loss.total * returns.numel())


def bonus_cut(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, entropy_weight: float
) -> Loss:
    loss = actor_critic_loss(logits, values, actions, returns, VALUE_WEIGHT)
    log_pi = logits.log_softmax(dim=-1)
    entropy = -(log_pi.exp().detach() * log_pi).sum(dim=-1).mean()
    return loss._replace(total=loss.total - entropy_weight * entropy, entropy=entropy)


LOSSES: dict[str, LossFunction] = {
    "healthy": healthy,
    "A": wrong_sign,
    "B": critic_cut,
    "C": sum_for_mean,
    "D": partial(bonus_cut, entropy_weight=ENTROPY_WEIGHT),
    "D, weight × 10": partial(bonus_cut, entropy_weight=10 * ENTROPY_WEIGHT),
}


def run(seed: int, **setting: str) -> list[dict[str, float]]:
    model = ActorCritic.for_env(gym.make("a3c_lib/Trap-v0"), hidden=(32,), seed=seed)
    config = Config(
        total_steps=4_000,
        t_max=10,
        gamma=0.95,
        learning_rate=0.02,
        anneal=False,
        seed=seed,
    )
    loss = LOSSES[setting["run"]]
    rows = []
    with train(model, "a3c_lib/Trap-v0", config, targets=n_step_returns, loss=loss) as training:
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
