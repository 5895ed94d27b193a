"""Without a lock some of the workers' changes of θ are lost, and gradients are old when they are
applied; with a lock none is lost, and they are as old. A count with a slot for each worker loses
nothing either way.

Every worker adds 1 to each element of a ledger as large as θ, right after it has changed that part of
θ. What is missing there in the end was overwritten. `lost` is the share of all additions that are
missing, `naive` the share of updates missing in one counter that all workers increase. `count` is
how many updates were applied `lag` updates of other workers after their θ′ was read.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import torch
from torch import Tensor

from a3c_lib import a3c
from a3c_lib.networks import ActorCritic
from a3c_lib.optim import RMSProp

SETTINGS = [{"workers": workers, "lock": lock} for lock in (False, True) for workers in (1, 2, 4)]
SEEDS = range(3)
ALONE = True  # each run has all cores

WORLD = "CartPole-v1"


class Ledger(RMSProp):
    """RMSProp that adds 1 to everything that it changes, in a ledger of the same size."""

    def __init__(self, parameters: Iterable[Tensor], decay: float, epsilon: float) -> None:
        super().__init__(parameters, decay, epsilon)
        self.ledger = [torch.zeros_like(theta) for theta in self.parameters]
        self.naive = torch.zeros((), dtype=torch.int64)

    @property
    def statistics(self) -> dict[str, list[Tensor]]:
        return {"g": self.g, "ledger": self.ledger, "naive": [self.naive]}

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        for theta, g, ledger, d_theta in zip(
            self.parameters, self.g, self.ledger, gradients, strict=True
        ):
            g.mul_(self.decay).addcmul_(d_theta, d_theta, value=1 - self.decay)
            theta.addcdiv_(d_theta, (g + self.epsilon).sqrt_(), value=-learning_rate)
            ledger.add_(1)
        self.naive += 1


class Config(a3c.Config):
    def make_optimizer(self, parameters: Iterable[Tensor]) -> Ledger:
        return Ledger(parameters, self.decay, self.rmsprop_epsilon)


def config(seed: int, workers: int, lock: bool) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=WORLD,
        model=ActorCritic.for_env(gym.make(WORLD), seed=seed),
        training=Config(total_steps=40_000, t_max=5, num_workers=workers, lock=lock, seed=seed),
    )


def run(seed: int, workers: int, lock: bool) -> list[dict[str, Any]]:
    its = config(seed, workers, lock)
    with a3c.train(its.model, its.world, its.training) as training:
        lags = Counter(update.policy_lag for update in training)
        optimizer = training.shared.optimizer
    assert isinstance(optimizer, Ledger)
    updates = training.updates
    assert updates == lags.total()
    ledger = torch.cat([part.flatten() for part in optimizer.ledger])
    return [
        {
            "lag": lag,
            "count": lags[lag],
            "updates": updates,
            "lost": 1 - ledger.double().mean().item() / updates,
            "naive": 1 - int(optimizer.naive) / updates,
        }
        for lag in sorted(lags)
    ]
