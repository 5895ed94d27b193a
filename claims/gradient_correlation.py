"""Successive gradients of one worker on CartPole-v1 resemble each other; those of several workers
that take turns do not, until a worker's own turn comes again. It is the critic's part that shows it;
the actor's depends on the coin more than on the state.

Nothing is learned here: the network stays as it was made, so that all gradients are of one and the
same policy. `critic`, `actor` and `both` are mean cosines of two gradients that are `distance` updates
apart, after the mean of all gradients has been taken away.
"""

from functools import partial
from types import SimpleNamespace

import gymnasium as gym
import torch
from torch import Tensor

from a3c_lib.actor_critic import Loss, learn
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import Rollout, collect, make_envs, sampled, start
from a3c_lib.training import seeds

SETTINGS = [{"workers": workers} for workers in (1, 2, 4, 8)]
SEEDS = range(10)

WORLD = "CartPole-v1"
FARTHEST = 10  # updates


def config(seed: int, workers: int) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=WORLD,
        model=ActorCritic.for_env(gym.make(WORLD), seed=seed),
        num_workers=workers,
        updates=800,  # of all workers together
        t_max=5,
        gamma=0.99,
        targets=n_step_returns,
        loss=partial(a2c_loss, value_weight=0.05, entropy_weight=0.001),
    )


def run(seed: int, workers: int) -> list[dict[str, float]]:
    its = config(seed, workers)
    players = [Player(rank, seed, its) for rank in range(its.num_workers)]
    gradients = [players[k % its.num_workers].gradients() for k in range(its.updates)]
    parts = {name: torch.stack([each[name] for each in gradients]) for name in gradients[0]}
    return [
        {"distance": distance, **{name: cosine(part, distance) for name, part in parts.items()}}
        for distance in range(1, FARTHEST + 1)
    ]


def cosine(gradients: Tensor, distance: int) -> float:
    """Of gradients (K, weights) that are `distance` rows apart, their mean taken away."""
    directions = torch.nn.functional.normalize(gradients - gradients.mean(dim=0), dim=1)
    return (directions[:-distance] * directions[distance:]).sum(dim=1).mean().item()


class Player:
    """One worker's environment, in which it plays on from rollout to rollout."""

    def __init__(self, rank: int, seed: int, its: SimpleNamespace) -> None:
        for_envs, for_actions = seeds(seed, 0, rank)
        generator = torch.Generator().manual_seed(int(for_actions.generate_state(1)[0]))
        self.its, self.policy = its, sampled(its.model, generator)
        self.envs = make_envs(its.world)
        self.position = start(self.envs, for_envs)

    def gradients(self) -> dict[str, Tensor]:
        rollout, self.position = collect(self.envs, self.policy, self.position, self.its.t_max)
        return {
            part: torch.cat([each.flatten() for each in self.of(part, rollout)])
            for part in ("critic", "actor", "both")
        }

    def of(self, part: str, rollout: Rollout) -> tuple[Tensor, ...]:
        def loss(*args: Tensor) -> Loss:
            loss = self.its.loss(*args)
            total = {"critic": loss.value, "actor": loss.policy, "both": loss.total}[part]
            return loss._replace(total=total)

        its = self.its
        return learn(its.model, rollout, its.targets, loss, its.gamma).gradients
