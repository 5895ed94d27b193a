"""Chapter 00: a policy acts in N environments for T steps, and a `Rollout` remembers them.

A rollout goes on where the last one stopped, and through episode ends: the environments reset
themselves within the step that ends an episode (Gymnasium's SAME_STEP; where a vector environment
has NEXT_STEP, the step after an end only resets, and is marked as a dummy). The paper's Algorithm
S3 stops a rollout at an episode's end instead; a return looks the same either way, since it never
looks past an end.
"""

from collections.abc import Callable, Sequence
from copy import copy
from itertools import chain
from typing import Any, NamedTuple, Protocol, runtime_checkable

import gymnasium as gym
import numpy as np
import torch
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from numpy.typing import NDArray
from torch import Tensor, nn

Envs = VectorEnv[Any, Any, Any]


@runtime_checkable
class MakesEnvs(Protocol):
    """What makes many environments at once, such as `atari.Game` (chapter 07)."""

    def make_envs(self, num_envs: int) -> Envs:
        """`num_envs` of them as one vector environment."""


MakeEnv = str | EnvSpec | MakesEnvs | Callable[[], gym.Env[Any, Any]]
State = tuple[Tensor, ...] | None  # of a model with memory, (N, …) each, 0 where an episode begins
Policy = Callable[[Tensor, Any], tuple[Tensor, Any]]  # (observation, state) → (action, state)


class HasLogits(Protocol):
    """A model that `sampled` and `greedy` can make a policy of. One with memory (chapter 04) has an
    `initial_state(num_envs)` too, and its `logits(observations, state)` gives `logits, state`."""

    @property
    def logits(self) -> Callable[..., Any]:
        """(N, *O) → (N, A), the logits of π(· | o)."""


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
    """

    seen: Tensor  # (T+1, N, *O)  what each action was chosen on, and what came last
    actions: Tensor  # (T, N)      a_t ~ π(· | o_t), counted from 0
    rewards: Tensor  # (T, N)      r_t, paid for a_t
    terminated: Tensor  # (T, N)      the world ended here: nothing comes after
    truncated: Tensor  # (T, N)      a time limit cut here: something would have come
    final: Tensor  # (K, *O)     what was shown at the K ends, in the order of `ended`
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
        """The rollout with these pairs (o_t, o_{t+1}), (T, N, *O) each.

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
        return cls(seen, actions, rewards, terminated, truncated, final, episodes)

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
        """What environment n did: a rollout (T, 1), without the list of episodes.

        >>> two = torch.tensor([[1, 10], [2, 20]])
        >>> no = torch.zeros(2, 2, dtype=torch.bool)
        >>> Rollout.of(two, two, two, two + torch.tensor([1, 10]), no, no).column(1).seen
        tensor([[10],
                [20],
                [30]])
        """
        _, env = self.ended.nonzero(as_tuple=True)
        return Rollout(
            self.seen[:, n : n + 1],
            self.actions[:, n : n + 1],
            self.rewards[:, n : n + 1],
            self.terminated[:, n : n + 1],
            self.truncated[:, n : n + 1],
            self.final[env == n],
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


def make_env(source: MakeEnv, **options: Any) -> gym.Env[Any, Any]:
    """One environment from an id, an EnvSpec or a function that takes nothing.

    >>> make_env("CartPole-v1").spec.id
    'CartPole-v1'
    """
    if isinstance(source, str | EnvSpec):
        return gym.make(source, **options)
    if not callable(source):
        raise TypeError(
            f"an environment is made from an id, an EnvSpec or a function; got {source!r}"
        )
    return source(**options)


def make_envs(source: MakeEnv, num_envs: int = 1) -> Envs:
    """Copies of an environment as one vector environment, which resets in the step that ends."""
    if num_envs < 1:
        raise ValueError(f"num_envs is at least 1; got {num_envs}")
    if isinstance(source, MakesEnvs):
        return source.make_envs(num_envs)
    return SyncVectorEnv(
        [lambda: CopiesObservations(make_env(source))] * num_envs,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )


class CopiesObservations(gym.Wrapper[Any, Any, Any, Any]):
    """Hands out copies: an environment may write into the same array again, as it resets after an
    end, and what it showed at the end would be lost."""

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """The environment's, with a copy of what is seen."""
        observation, *rest = self.env.step(action)
        return copy(observation), *rest


def seed_sequence(seed: int | np.random.SeedSequence, *path: int) -> np.random.SeedSequence:
    """What seeds are drawn from. Another `path` gives other seeds for the same `seed`."""
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
    """Begin an episode in every environment, each with a seed of its own."""
    mode = envs.metadata.get("autoreset_mode")
    if mode not in (AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP):
        raise ValueError(
            "rollouts need environments that reset themselves, with AutoresetMode.SAME_STEP or "
            f"NEXT_STEP; these have {mode}"
        )
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
    """What a policy of `model` carries along when episodes begin: None if it has no memory."""
    begin = getattr(model, "initial_state", None)
    return None if begin is None else begin(num_envs)


def collect(envs: Envs, policy: Policy, position: Position, t_max: int) -> tuple[Rollout, Position]:
    """Act for `t_max` steps from `position` on.   → rollout (T = t_max, N), position after it."""
    if t_max < 1:
        raise ValueError(f"t_max is a number of steps, at least 1; got {t_max}")
    steps: list[_Step] = []
    for _ in range(t_max):
        step, position = _advance(envs, policy, position)
        steps.append(step)
    return _stack(steps, position), position


def collect_episode(envs: Envs, policy: Policy, position: Position) -> tuple[Rollout, Position]:
    """Act until the episode ends, however long it takes.   → rollout (T, 1), position after it."""
    mode = envs.metadata["autoreset_mode"]
    if envs.num_envs != 1 or mode is not AutoresetMode.SAME_STEP:
        raise ValueError(
            "one episode needs one environment that resets in the step that ends; "
            f"got {envs.num_envs} with {mode}"
        )
    steps: list[_Step] = []
    while not (steps and steps[-1].episodes):
        step, position = _advance(envs, policy, position)
        steps.append(step)
    return _stack(steps, position), position


def dummy_steps(envs: Envs, rollout: Rollout, began: Position) -> Tensor:
    """Which steps of a rollout that `began` there only reset an environment.   → (T, N)

    With SAME_STEP none, with NEXT_STEP one after every end. What is in them belongs to no episode,
    and must not be learned from.
    """
    if not _next_step(envs):
        return torch.zeros_like(rollout.ended)
    return torch.cat([torch.as_tensor(began.resetting)[None], rollout.ended[:-1]])


def sampled(model: HasLogits, generator: torch.Generator) -> Policy:
    """a ~ π(· | o): the policy that explores, and the one that the policy gradient is about."""

    @torch.no_grad()
    def policy(observation: Tensor, state: Any) -> tuple[Tensor, Any]:
        logits, state = _logits(model, observation, state)
        pi = logits.softmax(dim=-1)
        return torch.multinomial(pi, 1, generator=generator).squeeze(-1), state

    return policy


def greedy(model: HasLogits) -> Policy:
    """a = argmax π(· | o)."""

    @torch.no_grad()
    def policy(observation: Tensor, state: Any) -> tuple[Tensor, Any]:
        logits, state = _logits(model, observation, state)
        return logits.argmax(dim=-1), state

    return policy


def _logits(model: HasLogits, observation: Tensor, state: Any) -> tuple[Tensor, Any]:
    observation = observation.to(device_of(model))
    if not hasattr(model, "initial_state"):
        return model.logits(observation).cpu(), state
    logits, state = model.logits(observation, state)
    return logits.cpu(), state


def device_of(model: object) -> torch.device:
    """Where a model computes. Environments, actions and random numbers stay on the CPU."""
    parameters = model.parameters() if isinstance(model, nn.Module) else iter(())
    first = next(parameters, None)
    return torch.device("cpu") if first is None else first.device


class _Step(NamedTuple):
    """One step of N environments: a rollout's row."""

    observation: Tensor  # (N, *O)
    action: Tensor  # (N,)
    reward: Tensor  # (N,)
    terminated: Tensor  # (N,)
    truncated: Tensor  # (N,)
    final: Tensor  # (K, *O) what was shown where an episode ended
    episodes: list[Episode]  # that ended


def _advance(envs: Envs, policy: Policy, position: Position) -> tuple[_Step, Position]:
    """One step of each environment.   → a rollout's row, position after it."""
    action, policy_state = policy(position.observation, position.policy_state)
    first_action = getattr(envs.single_action_space, "start", 0)
    observation, reward, terminated, truncated, info = envs.step(action.numpy() + first_action)
    ended, dummy = terminated | truncated, position.resetting
    rewards_so_far = position.rewards_so_far + np.where(dummy, 0, reward)
    steps_so_far = position.steps_so_far + ~dummy
    # A lost life may be an end to learn from, but is none of the game (chapter 07).
    over = info.get("game_over", ended)

    # Copies: a vector environment may write its next step into the same arrays.
    step = _Step(
        position.observation,
        action,
        _copied(reward).float(),
        _copied(terminated),
        _copied(truncated),
        torch.as_tensor(_before_reset(observation, ended, info)),
        [
            Episode(float(rewards_so_far[i]), int(steps_so_far[i]), int(i))
            for i in np.flatnonzero(over)
        ],
    )
    position = Position(
        _copied(observation),
        begin_anew(policy_state, torch.as_tensor(ended | dummy)),
        np.where(over, 0, rewards_so_far),
        np.where(over, 0, steps_so_far),
        ended if _next_step(envs) else np.zeros_like(ended),
    )
    return step, position


def _copied(values: Any) -> Tensor:
    """A tensor with memory of its own."""
    return torch.as_tensor(np.array(values))


def _next_step(envs: Envs) -> bool:
    return envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP


def begin_anew(policy_state: Any, begins: Tensor) -> Any:
    """A policy's memory, with zeros for the environments in which an episode `begins`, (N,).

    Whatever a policy carries along that is no tuple of tensors (N, …) stays as it is.
    """
    if not isinstance(policy_state, tuple) or not begins.any():
        return policy_state
    return tuple(
        part.masked_fill(begins.to(part.device).reshape(-1, *[1] * (part.dim() - 1)), 0)
        for part in policy_state
    )


def _before_reset(
    observation: NDArray[Any], ended: NDArray[np.bool_], info: dict[str, Any]
) -> NDArray[Any]:
    """Where the steps that ended an episode led.   → (K, *O)

    In SAME_STEP, `observation` is the next episode's first there.
    """
    where = np.flatnonzero(ended)
    if len(where) == 0 or "final_obs" not in info:
        return observation[where]
    return np.stack([info["final_obs"][i] for i in where]).astype(observation.dtype, copy=False)


def _stack(steps: Sequence[_Step], after: Position) -> Rollout:
    """The rollout of steps in a row, with the position that they led to."""
    observations, *columns, final, episodes = zip(*steps, strict=True)
    seen = torch.stack([*observations, after.observation])
    stacked = map(torch.stack, columns)
    return Rollout(seen, *stacked, torch.cat(final), tuple(chain(*episodes)))  # type: ignore[call-arg, arg-type]
