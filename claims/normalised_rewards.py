"""A2C on Pendulum-v1, with all four changes of `pendulum_v1` but that the rewards are not times 0.1.
Does a deviation that is measured on the way do as well as that factor, which was looked for? Does it
matter whether all environments are measured together? Whichever way it comes out.

Rewards are learned from as the world pays them; or divided by the deviation of the returns so far,
of all environments together (`normalised_rewards`), or of each environment's own, as wrappers around
environments have it. `greedy` is as in `pendulum_v1`: the mean return of 20 episodes of the policy's
mean action, every 50,000 steps, in Gymnasium's own Pendulum-v1.
"""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from a3c_lib import a2c
from a3c_lib.actor_critic import Targets
from a3c_lib.evaluation import evaluate
from a3c_lib.normalising import FARTHEST, TINY, RewardStatistics, normalised_rewards
from claims import pendulum_v1
from claims.pendulum_v1 import EVERY

ALL, OWN = "normalised together", "normalised each by its own"
SETTINGS = [{"rewards": rewards} for rewards in ("as they are", ALL, OWN)]
SEEDS = range(10)


class EachByItsOwn:
    """`targets` of rewards that are divided by the deviation of the returns so far of their own
    environment."""

    def __init__(self, targets: Targets) -> None:
        self.targets = targets
        self.so_far: Tensor | float = 0.0  # (N,)
        self.seen: list[Tensor] = []  # (N,) each

    def __call__(
        self,
        rewards: Tensor,
        next_values: Tensor,
        terminated: Tensor,
        truncated: Tensor,
        gamma: float,
    ) -> Tensor:
        rows = []
        for reward, ended in zip(rewards.double(), terminated | truncated, strict=True):
            rows.append(reward + gamma * self.so_far)
            self.so_far = rows[-1].masked_fill(ended, 0.0)
        self.seen.append(torch.stack(rows))
        deviation = (torch.cat(self.seen).var(dim=0, correction=0) + TINY).sqrt()
        normal = (rewards / deviation).clamp(-FARTHEST, FARTHEST).to(rewards.dtype)
        return self.targets(normal, next_values, terminated, truncated, gamma)


def config(seed: int, rewards: str) -> SimpleNamespace:
    """All that a run is made of; what is not told here is as `pendulum_v1` has it."""
    its = pendulum_v1.config(seed, change="all four")
    its.targets, its.rewards = its.training.returns, rewards
    return its


def learned_from(its: SimpleNamespace) -> Targets:
    """The targets of a run, of rewards as its setting has them."""
    if its.rewards == ALL:
        its.model.reward_statistics = RewardStatistics()
        return normalised_rewards(its.model, its.training, its.targets)
    targets: Targets = its.targets
    return EachByItsOwn(targets) if its.rewards == OWN else targets


def run(seed: int, rewards: str) -> list[dict[str, Any]]:
    """A row for every 50,000 steps."""
    its, rows = config(seed, rewards), list[dict[str, Any]]()
    pendulums, targets = its.world(its.training.num_envs), learned_from(its)
    with a2c.train(its.model, pendulums, its.training, targets=targets) as training:
        for update in training:
            if update.steps // EVERY > len(rows):
                played = evaluate(its.model, **its.evaluation, seed=1000 + seed)
                rows.append({"steps": EVERY * (len(rows) + 1), "greedy": played.mean})
    return rows
