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

from a3c_lib.actor_critic import Loss, lesson_of
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic
from a3c_lib.playing import Played, Player
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import make_envs, sampled
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
    players = [
        Player(make_envs(its.world), seeds(seed, 0, rank), its.model)
        for rank in range(its.num_workers)
    ]
    gradients = [gradients_from(players[k % its.num_workers], its) for k in range(its.updates)]
    parts = {name: torch.stack([each[name] for each in gradients]) for name in gradients[0]}
    return [
        {"distance": distance, **{name: cosine(part, distance) for name, part in parts.items()}}
        for distance in range(1, FARTHEST + 1)
    ]


def cosine(gradients: Tensor, distance: int) -> float:
    """Of gradients (K, weights) that are `distance` rows apart, their mean taken away."""
    directions = torch.nn.functional.normalize(gradients - gradients.mean(dim=0), dim=1)
    return (directions[:-distance] * directions[distance:]).sum(dim=1).mean().item()


def gradients_from(player: Player, its: SimpleNamespace) -> dict[str, Tensor]:
    """Of the player's next rollout, for the critic's part of the loss, the actor's, and the whole."""
    played = player.play(sampled(its.model, player.generator), its.t_max)
    return {
        part: torch.cat([each.flatten() for each in gradients_of(part, its, played)])
        for part in ("critic", "actor", "both")
    }


def gradients_of(part: str, its: SimpleNamespace, played: Played) -> tuple[Tensor, ...]:
    def loss(*args: Tensor) -> Loss:
        loss = its.loss(*args)
        total = {"critic": loss.value, "actor": loss.policy, "both": loss.total}[part]
        return loss._replace(total=total)

    return lesson_of(its.model, played, its.targets, loss, its.gamma).gradients
