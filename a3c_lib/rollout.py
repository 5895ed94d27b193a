"""Chapter 00: a policy acts in N environments for T steps, and a `Rollout` remembers them.

A rollout goes on where the last one stopped, and through episode ends: the environments reset
themselves within the step that ends an episode (Gymnasium's SAME_STEP; where a vector environment
has NEXT_STEP, the step after an end only resets, and is marked as a dummy). The paper's Algorithm
S3 stops a rollout at an episode's end instead; a return looks the same either way, since it never
looks past an end.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._pytree import keystr, tree_flatten_with_path, tree_map

from a3c_lib.distributions import NoActionError, PolicyDistribution, distribution
from a3c_lib.making import (
    Envs as Envs,
    HasLives,
    MakeEnv as MakeEnv,
    MakesEnvs as MakesEnvs,
    check_distinct,
    check_spaces,
    executed,
    lives_of,
    make_env as make_env,
    make_envs as make_envs,
)
from a3c_lib.settings import Count, check_setting

# Of a model with memory: a tensor (N, …), or any tuples, lists and dicts of such. None: no memory.
State = Any
# (observation, state) → (action, state); actions (N,) count from 0, those of a Box are (N, D), and
# may lie outside of it; either may be an array
Policy = Callable[[Tensor, Any], tuple[Tensor, Any]]


class HasLogits(Protocol):
    """A model that `sampled` and `greedy` can make a policy of. One with memory (chapter 04) has an
    `initial_state(num_envs)` too, and its `logits(observations, state)` gives `logits, state`."""

    @property
    def logits(self) -> Callable[..., Any]:
        """(N, *O) → (N, A), the logits of π(· | o); or a policy distribution (chapter 10)."""


class Episode(NamedTuple):
    """What is known of an episode once it has ended."""

    episode_return: float  # rewards summed without discount
    length: int  # steps
    env: int  # which of the N environments played it


class Position(NamedTuple):
    """Where a rollout stopped, and the next one goes on."""

    observation: Tensor  # (N, *O)
    policy_state: Any  # what the policy carries along
    rewards_so_far: NDArray[np.float64]  # (N,) of the episodes under way
    steps_so_far: NDArray[np.int64]  # (N,)
    resetting: NDArray[np.bool_]  # (N,) environments whose next step only resets


class Rollout(NamedTuple):
    """T steps of N environments. Every observation is held once.

    `seen` are T + 1 observations of each environment: T to act on, and the one after the last step.
    Where an episode ended, the row after it is the next episode's first; what the world showed at
    the end, before the reset, stands in `final`. `observations` and `next_observations` read them
    as pairs (o_t, o_{t+1}).

    Where environments reset in the step after an end (NEXT_STEP), that step is one of the
    `dummies`: it must not be learned from. With SAME_STEP there are none.
    """

    seen: Tensor  # (T+1, N, *O)  what each action was chosen on, and what came last
    actions: Tensor  # (T, N)      a_t ~ π(· | o_t), counted from 0; of a Box (T, N, D), unclipped
    rewards: Tensor  # (T, N)      r_t, paid for a_t
    terminated: Tensor  # (T, N)      the world ended here: nothing comes after
    truncated: Tensor  # (T, N)      a time limit cut here: something would have come
    final: Tensor  # (K, *O)     what was shown at the K ends, in the order of `ended`
    dummies: Tensor  # (T, N)      steps that only reset an environment, and belong to no episode
    episodes: tuple[Episode, ...]  # those that ended during the rollout

    @classmethod
    def of(
        cls,
        observations: Tensor,
        actions: Tensor,
        rewards: Tensor,
        next_observations: Tensor,
        terminated: Tensor,
        truncated: Tensor,
        episodes: tuple[Episode, ...] = (),
    ) -> "Rollout":
        """The rollout with these pairs (o_t, o_{t+1}), (T, N, *O) each, and no dummies.

        Raises ValueError where o_{t+1} is not the next row's observation although no episode ended.

        >>> column = lambda *numbers: torch.tensor(numbers)[:, None]
        >>> no, end = column(False, False), column(True, False)
        >>> walk = Rollout.of(column(5, 0), column(1, 1), column(0, 0), column(6, 1), no, end)
        >>> walk.seen[:, 0], walk.final
        (tensor([5, 0, 1]), tensor([6]))
        """
        ended = terminated | truncated
        goes_on = ~ended[:-1]
        if not torch.equal(next_observations[:-1][goes_on], observations[1:][goes_on]):
            raise ValueError(
                "next_observations[t] is observations[t + 1] wherever no episode ended; got others"
            )
        seen = torch.cat([observations, next_observations[-1:]])
        final = next_observations[ended]
        dummies = torch.zeros_like(ended)
        return cls(seen, actions, rewards, terminated, truncated, final, dummies, episodes)

    @property
    def observations(self) -> Tensor:
        """o_t, what each action was chosen on.   (T, N, *O)"""
        return self.seen[:-1]

    @property
    def next_observations(self) -> Tensor:
        """o_{t+1} as the world showed it, before any reset.   (T, N, *O), a copy"""
        shown = self.seen[1:].clone()
        shown[self.ended] = self.final
        return shown

    @property
    def ended(self) -> Tensor:
        """Where an episode ended, in one way or the other.   (T, N)"""
        return self.terminated | self.truncated

    @property
    def unseen(self) -> Tensor:
        """Where o_{t+1} is not the next row's observation: at ends, in the last row.   (T, N)"""
        unseen = self.ended
        unseen[-1] = True
        return unseen

    @property
    def shown_unseen(self) -> Tensor:
        """o_{t+1} where it is `unseen`, in the order of that mask.   (K', *O)"""
        ended, last = self.ended[-1], self.seen[-1].clone()
        earlier = len(self.final) - int(ended.sum())  # ends before the last row
        last[ended] = self.final[earlier:]
        return torch.cat([self.final[:earlier], last])

    def map(self, f: Callable[[Tensor], Tensor]) -> "Rollout":
        """The rollout with f of each tensor, such as `rollout.map(Tensor.cuda)`."""
        return Rollout(*map(f, self[:-1]), episodes=self.episodes)  # type: ignore[misc, arg-type]

    def column(self, n: int) -> "Rollout":
        """What environment n did: a rollout (T, 1), without the list of episodes. As in a list, −1
        is the last one, and IndexError is raised where there is none.

        >>> two = torch.tensor([[1, 10], [2, 20]])
        >>> no = torch.zeros(2, 2, dtype=torch.bool)
        >>> Rollout.of(two, two, two, two + torch.tensor([1, 10]), no, no).column(1).seen
        tensor([[10],
                [20],
                [30]])
        """
        n = range(self.actions.shape[1])[n]
        _, env = self.ended.nonzero(as_tuple=True)
        return Rollout(
            self.seen[:, n : n + 1],
            self.actions[:, n : n + 1],
            self.rewards[:, n : n + 1],
            self.terminated[:, n : n + 1],
            self.truncated[:, n : n + 1],
            self.final[env == n],
            self.dummies[:, n : n + 1],
            episodes=(),
        )


def check_shapes(**tensors: Tensor) -> None:
    """Refuse tensors of different shapes: (T, 1) against (T,) would become (T, T), and train badly.

    Raises ValueError, with the names and the shapes.

    >>> check_shapes(rewards=torch.zeros(3, 1), values=torch.zeros(3))
    Traceback (most recent call last):
    ...
    ValueError: these must have one shape: rewards (3, 1), values (3,)
    """
    if len({tensor.shape for tensor in tensors.values()}) > 1:
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in tensors.items())
        raise ValueError(f"these must have one shape: {shapes}")


def seed_sequence(seed: int | np.random.SeedSequence, *path: int) -> np.random.SeedSequence:
    """What seeds are drawn from. Another `path` gives other seeds for the same `seed`; but a path
    that ends in zeros gives those of the path without them, as numpy fills up with zeros."""
    if isinstance(seed, np.random.SeedSequence):
        return seed
    if seed < 0:
        raise ValueError(f"a seed is an integer, at least 0; got {seed}")
    return np.random.SeedSequence([seed, *path])


def env_seeds(seed: int | np.random.SeedSequence, num_envs: int) -> list[int]:
    """A seed of 32 bits for each environment."""
    return [int(s) for s in seed_sequence(seed).generate_state(num_envs)]


def seeds_of_31_bits(seeds: list[int]) -> list[int]:
    """The same seeds where they are small enough. So are the numbers after them, which a vector
    environment gives to its second environment, its third, …

    >>> seeds_of_31_bits([7, 2**31 + 7, 2**31 - 1])
    [7, 10, 2]
    """
    return [s % (2**31 - len(seeds)) for s in seeds]


def start(envs: Envs, seed: int | np.random.SeedSequence, policy_state: Any = None) -> Position:
    """Begin an episode in every environment, each with a seed of its own.

    `policy_state` is what the policy carries along: `initial_state(model, num_envs)`. Raises
    ValueError for environments that do not reset themselves, for one that stands in two places, for
    observations that are no single array, actions that are neither Discrete nor a Box with one
    axis, and a memory whose tensors are not (N, …).
    """
    mode = envs.metadata.get("autoreset_mode")
    if mode not in (AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP):
        raise ValueError(
            "rollouts need environments that reset themselves, with AutoresetMode.SAME_STEP or "
            f"NEXT_STEP; these have {mode}"
        )
    check_spaces(envs)
    check_distinct(envs)
    _check_memory(policy_state, envs.num_envs)
    seeds = env_seeds(seed, envs.num_envs)
    try:
        observation = _first_observation(envs, seeds)
    except (OverflowError, TypeError):  # many a simulator's seeds are signed numbers of 32 bits
        observation = _first_observation(envs, seeds_of_31_bits(seeds))
    return Position(
        _copied(observation),
        policy_state,
        np.zeros(envs.num_envs),
        np.zeros(envs.num_envs, dtype=np.int64),
        np.zeros(envs.num_envs, dtype=np.bool_),
    )


def _first_observation(envs: Envs, seeds: list[int]) -> Any:
    one_by_one = isinstance(envs.unwrapped, SyncVectorEnv | AsyncVectorEnv)
    # Environments that compute as one array draw from one generator.
    observation, _ = envs.reset(seed=seeds if one_by_one else seeds[0])  # type: ignore[arg-type]
    return observation


def initial_state(model: object, num_envs: int) -> State:
    """What a policy of `model` carries along when episodes begin: None if it has no memory.

    Raises ValueError for a memory that is not made of tensors (N, …).
    """
    begin = getattr(model, "initial_state", None)
    if begin is None:
        return None
    state = begin(num_envs)
    _check_memory(state, num_envs, tensors_only=True)
    return tree_map(torch.detach, state)


def _check_memory(state: Any, num_envs: int, tensors_only: bool = False) -> None:
    """One part of a memory for each environment, so that each can begin anew by itself."""
    for path, part in tree_flatten_with_path(state)[0]:
        if not isinstance(part, Tensor) and not tensors_only:
            continue
        if not isinstance(part, Tensor) or part.shape[:1] != (num_envs,):
            got = tuple(part.shape) if isinstance(part, Tensor) else repr(part)
            raise ValueError(
                f"a memory is made of tensors (N, …), here with N = {num_envs}, in tuples, lists "
                f"and dicts; got {got} as state{keystr(path)}"
            )


def collect(
    envs: Envs,
    policy: Policy,
    position: Position,
    t_max: int,
    infos: list[dict[str, Any]] | None = None,
) -> tuple[Rollout, Position]:
    """Act for `t_max` steps from `position` on.   → rollout (T = t_max, N), position after it.

    The `info` of every step is added to the list `infos`, if one is given; nothing in it is
    otherwise used, but what Gymnasium itself puts there. Raises FloatingPointError, with the
    environment and the step, if an observation or the policy's logits are not numbers.
    """
    check_setting("t_max", t_max, Count)
    return _collect(envs, policy, position, lambda steps: len(steps) == t_max, infos)


def collect_episode(envs: Envs, policy: Policy, position: Position) -> tuple[Rollout, Position]:
    """Act until the episode ends, however long it takes.   → rollout (T, 1), position after it."""
    mode = envs.metadata["autoreset_mode"]
    if envs.num_envs != 1 or mode is not AutoresetMode.SAME_STEP:
        raise ValueError(
            "one episode needs one environment that resets in the step that ends; "
            f"got {envs.num_envs} with {mode}"
        )
    return _collect(envs, policy, position, lambda steps: bool(steps[-1].episodes))


def _collect(
    envs: Envs,
    policy: Policy,
    position: Position,
    enough: Callable[[Sequence["_Step"]], bool],
    infos: list[dict[str, Any]] | None = None,
) -> tuple[Rollout, Position]:
    lives, steps = lives_of(envs), list[_Step]()
    try:
        while not (steps and enough(steps)):
            step, position, info = _advance(envs, policy, position, lives)
            steps.append(step)
            if infos is not None:
                infos.append(info)
    except FloatingPointError as error:
        raise FloatingPointError(f"step {len(steps)} of the rollout: {error}") from None
    rollout = _stack(steps, position)
    _check_numbers(rollout)
    return rollout, position


def sampled(model: HasLogits, generator: torch.Generator) -> Policy:
    """a ~ π(· | o): the policy that explores, and the one that the policy gradient is about."""
    return ModelPolicy(model, lambda pi: pi.sample(generator))


def greedy(model: HasLogits) -> Policy:
    """a = argmax π(· | o)."""
    return ModelPolicy(model, attrgetter("mode"))


class ModelPolicy:
    """Acts as a model says. Where an episode begins, its memory is the model's `initial_state`."""

    def __init__(self, model: HasLogits, choose: Callable[[PolicyDistribution], Tensor]) -> None:
        self.model, self.choose = model, choose

    @torch.no_grad()
    def __call__(self, observation: Tensor, state: Any) -> tuple[Tensor, Any]:
        """(N, *O), state → actions (N), or (N, D) of a Box, state after them."""
        pi, state = _policy_at(self.model, observation, state)
        try:
            return self.choose(pi), state
        except NoActionError:
            raise FloatingPointError(_what_is_not_finite(observation, pi)) from None

    def initial_state(self, num_envs: int) -> State:
        """What is carried along when episodes begin."""
        return self.model.initial_state(num_envs)  # type: ignore[attr-defined]


def _what_is_not_finite(observation: Tensor, pi: PolicyDistribution) -> str:
    for env, shown in enumerate(observation):
        if not shown.isfinite().all():
            return f"what environment {env} shows is not finite"
        if said := pi[env].wrong():
            return f"what environment {env} shows has no policy: {said}"
    return "the policy is not finite"


def _check_numbers(rollout: Rollout) -> None:
    """Refuse what is not a number among observations."""
    if not rollout.seen.is_floating_point():
        return
    for shown, where in (rollout.seen, None), (rollout.final, rollout.ended):
        if shown.isnan().any():
            first = shown.isnan().nonzero()[0].tolist()
            t, env = first[:2] if where is None else where.nonzero()[first[0]].tolist()
            raise FloatingPointError(
                f"step {t} of the rollout: what environment {env} shows is not finite"
            )


def _policy_at(model: HasLogits, observation: Tensor, state: Any) -> tuple[PolicyDistribution, Any]:
    observation = observation.to(device_of(model))
    if hasattr(model, "initial_state"):
        logits, state = model.logits(observation, state)
    else:
        logits = model.logits(observation)
    return distribution(logits.cpu()), state


def device_of(model: object) -> torch.device:
    """Where a model computes. Environments, actions and random numbers stay on the CPU."""
    parameters = model.parameters() if isinstance(model, nn.Module) else iter(())
    first = next(parameters, None)
    return torch.device("cpu") if first is None else first.device


class _Step(NamedTuple):
    """One step of N environments: a rollout's row."""

    observation: Tensor  # (N, *O)
    action: Tensor  # (N,), of a Box (N, D)
    reward: NDArray[Any]  # (N,)
    terminated: NDArray[np.bool_]  # (N,)
    truncated: NDArray[np.bool_]  # (N,)
    dummy: NDArray[np.bool_]  # (N,)
    final: list[NDArray[Any]]  # K of (*O), what was shown where an episode ended
    episodes: list[Episode]  # that ended


def _advance(
    envs: Envs, policy: Policy, position: Position, lives: HasLives | None
) -> tuple[_Step, Position, dict[str, Any]]:
    """One step of each environment.   → a rollout's row, position after it, info"""
    action, policy_state = policy(position.observation, position.policy_state)
    action = torch.as_tensor(action)
    taken = executed(action.numpy(), envs.single_action_space)
    observation, reward, terminated, truncated, info = envs.step(taken)
    ended, dummy, next_step = terminated | truncated, position.resetting, _next_step(envs)
    rewards_so_far = position.rewards_so_far + np.where(dummy, 0, reward)
    steps_so_far = position.steps_so_far + ~dummy
    final, episodes = list[NDArray[Any]](), list[Episode]()
    if ended.any():
        # A lost life may be an end to learn from, but is none of the game (chapter 07).
        over = ended if lives is None else lives.game_over
        shown: Any = observation if next_step else info.get("final_obs", observation)
        final = [np.array(shown[i]) for i in np.flatnonzero(ended)]
        episodes = [
            Episode(_score(info, i, rewards_so_far[i]), int(steps_so_far[i]), i)
            for i in np.flatnonzero(over).tolist()
        ]
        rewards_so_far = np.where(over, 0, rewards_so_far)
        steps_so_far = np.where(over, 0, steps_so_far)
    # Copies: a vector environment may write its next step into the same arrays.
    step = _Step(
        position.observation,
        action,
        np.array(reward),
        np.array(terminated),
        np.array(truncated),
        dummy,
        final,
        episodes,
    )
    if policy_state is not None:
        policy_state = begin_anew(policy, policy_state, ended | dummy)
    position = Position(
        _copied(observation),
        policy_state,
        rewards_so_far,
        steps_so_far,
        ended if next_step else dummy,
    )
    return step, position, info


def _copied(values: Any) -> Tensor:
    """A tensor with memory of its own."""
    return torch.as_tensor(np.array(values))


def _next_step(envs: Envs) -> bool:
    return envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP


def _score(info: dict[str, Any], env: int, rewards: float) -> float:
    """What an episode returned: as Gymnasium's RecordEpisodeStatistics says, if it is there, since
    a wrapper around it may pay other rewards; else the sum of its `rewards`."""
    for place in info.get("final_info"), info:
        match place:
            case {"episode": {"r": returns, "l": _, "t": _}, "_episode": ended} if ended[env]:
                return float(returns[env])
    return float(rewards)


def begin_anew(policy: Policy, policy_state: Any, begins: NDArray[np.bool_]) -> Any:
    """A policy's memory, as it is at first for the environments in which an episode `begins`, (N,).

    That is `policy.initial_state(N)`, if the policy has one, as those of `sampled` and `greedy`
    have; else zeros. Whatever a policy carries along that is no tensor stays as it is.
    """
    if policy_state is None or not begins.any():
        return policy_state
    first = getattr(policy, "initial_state", None)
    at_first = tree_map(_zeros, policy_state) if first is None else first(len(begins))
    anew = torch.as_tensor(begins)

    def begun(part: Any, at_first: Any) -> Any:
        if not isinstance(part, Tensor):
            return part
        mask = anew.to(part.device).reshape(-1, *[1] * (part.dim() - 1))
        return torch.where(mask, at_first.detach(), part)

    try:
        return tree_map(begun, policy_state, at_first)
    except ValueError as error:
        raise ValueError(
            f"a memory keeps the form that it has where an episode begins: {error}"
        ) from None


def _zeros(part: Any) -> Any:
    return torch.zeros_like(part) if isinstance(part, Tensor) else part


def _stack(steps: Sequence[_Step], after: Position) -> Rollout:
    """The rollout of steps in a row, with the position that they led to."""
    observations, actions, *columns, finals, episodes = zip(*steps, strict=True)
    seen = torch.stack([*observations, after.observation])
    rewards, *marks = (torch.as_tensor(np.stack(column)) for column in columns)
    terminated, truncated, dummies = marks
    shown = list(chain(*finals))
    return Rollout(
        seen,
        torch.stack(actions),
        rewards.float(),
        terminated,
        truncated,
        torch.as_tensor(np.stack(shown)).to(seen.dtype) if shown else seen[0, :0],
        dummies,
        tuple(chain(*episodes)),
    )
