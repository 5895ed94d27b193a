"""Chapter 00: a player has environments, the dice of a policy, and the place where it stopped.

Every trainer has one, each of A3C's workers its own. A policy acts in it for T steps; the next time
it goes on from there.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from numpy.random import SeedSequence

from a3c_lib.making import Envs, closed_on_error
from a3c_lib.restoring import restore, set_statistics, statistics_of, world_state
from a3c_lib.rollout import (
    Policy,
    Rollout,
    State,
    collect,
    collect_episode,
    initial_state,
    start,
)


class Played(NamedTuple):
    """A rollout, and what belongs to it."""

    rollout: Rollout
    state: State = None  # what the policy carried along when the rollout began


class Player:
    """Environments in which a policy acts, with random numbers of their own.

    `seeds` are two: for the environments, and for the `generator` from which a policy draws its
    actions. `model` is asked for the memory with which episodes begin, if it has one (chapter 04).

    >>> from a3c_lib.reinforce import TabularPolicy
    >>> from a3c_lib.rollout import make_envs, sampled
    >>> model, seeds = TabularPolicy(4, 2), SeedSequence(0).spawn(2)
    >>> player = Player(make_envs("a3c_lib/Corridor-v0"), seeds, model)
    >>> policy = sampled(model, player.generator)
    >>> first, second = player.play(policy, t_max=3).rollout, player.play(policy, t_max=3).rollout
    >>> torch.equal(first.seen[-1], second.seen[0])
    True
    """

    def __init__(self, envs: Envs, seeds: tuple[SeedSequence, SeedSequence], model: object) -> None:
        self._for_envs, for_actions = seeds
        self.envs = envs
        self.generator = torch.Generator().manual_seed(int(for_actions.generate_state(1)[0]))
        self._closed = False
        with closed_on_error(envs.close):
            self.position = start(envs, self._for_envs, initial_state(model, envs.num_envs))

    def play(self, policy: Policy, t_max: int) -> Played:
        """Act for `t_max` steps, from where the last rollout stopped; once more if all of them only
        reset environments, so that there is something to learn from."""
        began = self.position
        rollout, self.position = collect(self.envs, policy, began, t_max)
        if rollout.dummies.all():
            return self.play(policy, t_max)
        return Played(rollout, began.policy_state)

    def play_episode(self, policy: Policy) -> Rollout:
        """Act until the episode ends, in one environment."""
        rollout, self.position = collect_episode(self.envs, policy, self.position)
        return rollout

    @property
    def closed(self) -> bool:
        """Whether the environments are closed. (Not every vector environment says so itself.)"""
        return self._closed or self.envs.closed

    def close(self) -> None:
        """Close the environments. Twice is fine."""
        if not self.closed:
            self._closed = True
            self.envs.close()

    def state_dict(self) -> dict[str, Any]:
        """The state of the random numbers; where the environments stand, None if they cannot be
        restored; and the statistics of those that normalise (see `restoring`)."""
        return {
            "generator": self.generator.get_state(),
            "world": world_state(self.envs, self.position),
            "statistics": statistics_of(self.envs),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> bool:
        """Go on from there; with new episodes if the environments cannot be restored.   → whether
        they can."""
        self.generator.set_state(state["generator"])
        position = restore(self.envs, state.get("world"), self.position)
        if position is None and state.get("statistics"):
            # The first observations, too, are to be normalised with them.
            set_statistics(self.envs, state["statistics"])
            self.position = start(self.envs, self._for_envs, self.position.policy_state)
        self.position = position or self.position
        return position is not None
