"""Chapter 00: how good is an agent? Play episodes, and say how sure we are."""

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from a3c_lib.playing import Player
from a3c_lib.rollout import (
    Episode,
    HasLogits,
    MakeEnv,
    Policy,
    greedy,
    make_envs,
    sampled,
    seed_sequence,
)

Actions = Literal["sampled", "greedy"]


class Evaluation(NamedTuple):
    """Returns of whole episodes, and their mean with a 95 % interval (mean ± 1.96 standard
    errors)."""

    returns: NDArray[np.float64]  # (episodes,) undiscounted
    lengths: NDArray[np.int64]  # (episodes,) in steps
    actions: Actions  # how actions were chosen

    @property
    def mean(self) -> float:
        """Of the returns."""
        return float(self.returns.mean())

    @property
    def margin(self) -> float:
        """Half the width of the interval."""
        return 1.96 * float(self.returns.std(ddof=1)) / math.sqrt(len(self.returns))

    @property
    def low(self) -> float:
        """Where the interval begins."""
        return self.mean - self.margin

    @property
    def high(self) -> float:
        """Where it ends."""
        return self.mean + self.margin

    def __str__(self) -> str:
        played = f"{len(self.returns)} episodes, {self.actions} actions"
        return f"{self.mean:.2f} ± {self.margin:.2f} ({played})"


def evaluate(
    model: HasLogits,
    make_env: MakeEnv,
    episodes: int = 100,
    seed: int = 0,
    actions: Actions = "sampled",
    num_envs: int = 10,
) -> Evaluation:
    """Play `episodes` episodes in environments of its own; nothing of a training run is touched.

    Every environment plays the same number of episodes: to take whichever end first would favour
    short ones.

    >>> from a3c_lib.reinforce import TabularPolicy
    >>> evaluate(TabularPolicy(4, 2), "a3c_lib/Corridor-v0", episodes=20, seed=1).mean
    1.0
    """
    if episodes < 2:
        raise ValueError(f"episodes is at least 2, for an interval; got {episodes}")
    if actions not in ("sampled", "greedy"):
        raise ValueError(f"actions is 'sampled' or 'greedy'; got {actions!r}")
    num_envs = min(num_envs, episodes)
    for_envs, for_actions = seed_sequence(seed).spawn(2)
    player = Player(make_envs(make_env, num_envs), (for_envs, for_actions), model)
    policy = sampled(model, player.generator) if actions == "sampled" else greedy(model)
    try:
        played = _play(player, policy, math.ceil(episodes / num_envs))
    finally:
        player.close()
    kept = played[:episodes]
    return Evaluation(
        np.array([episode.episode_return for episode in kept]),
        np.array([episode.length for episode in kept]),
        actions,
    )


def _play(player: Player, policy: Policy, each: int) -> list[Episode]:
    """The first `each` episodes of every environment: all first ones, then all second ones, …"""
    played: list[list[Episode]] = [[] for _ in range(player.envs.num_envs)]
    while min(map(len, played)) < each:
        for episode in player.play(policy, t_max=16).rollout.episodes:
            played[episode.env].append(episode)
    return [episodes[k] for k in range(each) for episodes in played]
