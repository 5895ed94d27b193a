"""What becomes of A3C on CartPole-v1 when gradients pile up: two workers in turn, with torch's RMSprop, with
the hand-over of gradients that public programs have ("piling up" since PyTorch 2) and with a right one.
Whichever way it comes out.

`episode_return` is the mean of the latest 50 episodes; `alignment` the mean cosine between what the
optimiser got and the rollout's own gradient since the last row.
"""

from collections import deque
from copy import deepcopy
from functools import partial
from itertools import cycle
from types import SimpleNamespace

import gymnasium as gym
import torch
from torch import nn

from a3c_lib.actor_critic import look_back
from a3c_lib.exercises.hogwild import hand_over, hand_over_with_a_bug
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic
from a3c_lib.playing import Player
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import Rollout, make_envs, sampled
from a3c_lib.training import seeds

SETTINGS = [{"gradients": name} for name in ("piling up", "fresh")]
SEEDS = range(10)

WORLD = "CartPole-v1"
EVERY = 2_000  # steps from one row to the next
HAND_OVERS = {"piling up": hand_over_with_a_bug, "fresh": hand_over}


def config(seed: int, gradients: str) -> SimpleNamespace:
    """All that a run is made of. The learning rate stays as it is, and no gradient is shortened."""
    return SimpleNamespace(
        world=WORLD,
        model=ActorCritic.for_env(gym.make(WORLD), seed=seed),
        hand_over=HAND_OVERS[gradients],
        num_workers=2,
        total_steps=40_000,
        t_max=20,
        gamma=0.99,
        targets=n_step_returns,
        loss=partial(a2c_loss, value_weight=0.05, entropy_weight=0.001),
        optimizer=partial(Noting, lr=0.003, alpha=0.99, eps=0.003),
    )


def run(seed: int, gradients: str) -> list[dict[str, float]]:
    its = config(seed, gradients)
    shared = [nn.Parameter(parameter.detach().clone()) for parameter in its.model.parameters()]
    optimizer = its.optimizer(shared)
    workers = [Worker(rank, seed, its) for rank in range(its.num_workers)]
    rows: list[dict[str, float]] = []
    latest: deque[float] = deque(maxlen=50)
    cosines: list[float] = []
    for worker in workers:
        worker.act(shared)
    for count, worker in enumerate(cycle(workers), start=1):
        latest.extend(episode.episode_return for episode in worker.rollout.episodes)
        loss, steps = worker.loss(), count * its.t_max
        own = torch.autograd.grad(loss, list(worker.model.parameters()), retain_graph=True)
        its.hand_over(list(worker.model.parameters()), shared, optimizer, loss)
        cosines.append(torch.cosine_similarity(flat(own), optimizer.noted, dim=0).item())
        if steps % EVERY == 0:
            mean = sum(latest) / max(len(latest), 1)
            alignment = sum(cosines) / len(cosines)
            rows.append({"steps": steps, "episode_return": mean, "alignment": alignment})
            cosines.clear()
        if steps >= its.total_steps:
            return rows
        worker.act(shared)
    raise AssertionError("a cycle does not end")


class Noting(torch.optim.RMSprop):
    """torch's RMSprop, which notes the gradient with which it takes a step."""

    def step(self, closure=None):  # type: ignore[no-untyped-def, override]
        self.noted = flat([p.grad for p in self.param_groups[0]["params"]])
        return super().step(closure)


class Worker:
    """A player, and its copy of the parameters."""

    def __init__(self, rank: int, seed: int, its: SimpleNamespace) -> None:
        self.its, self.model = its, deepcopy(its.model)
        self.player = Player(make_envs(its.world), seeds(seed, 0, rank), self.model)
        self.rollout: Rollout

    def act(self, shared: list[nn.Parameter]) -> None:
        with torch.no_grad():
            for mine, theirs in zip(self.model.parameters(), shared, strict=True):
                mine.copy_(theirs)
        policy = sampled(self.model, self.player.generator)
        self.rollout = self.player.play(policy, self.its.t_max).rollout

    def loss(self) -> torch.Tensor:
        logits, values, next_values = look_back(self.model, self.rollout)
        ends = self.rollout.terminated, self.rollout.truncated
        returns = self.its.targets(self.rollout.rewards, next_values, *ends, self.its.gamma)
        return self.its.loss(logits, values, self.rollout.actions, returns).total


def flat(tensors) -> torch.Tensor:  # type: ignore[no-untyped-def]
    return torch.cat([each.detach().flatten() for each in tensors]).clone()
