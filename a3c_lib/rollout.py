"""Chapter 00: the loop. A policy acts in N environments for T steps, and a `Rollout` remembers
them.

A rollout goes on where the last one stopped, and through episode ends: the environments reset
themselves within the step that ends an episode (Gymnasium's SAME_STEP; where a vector environment
has NEXT_STEP, the step after an end only resets, and is marked as a dummy). The paper's Algorithm
S3 stops a rollout at an episode's end instead; a return looks the same either way, since it never
looks past an end.
"""

from collections.abc import Callable
from functools import partial
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

    def make_envs(self, num_envs: int) -> Envs: ...


MakeEnv = str | EnvSpec | MakesEnvs | Callable[[], gym.Env[Any, Any]]
State = tuple[Tensor, ...] | None  # of a model with memory, (N, …) each, 0 where an episode begins
Policy = Callable[[Tensor, Any], tuple[Tensor, Any]]  # (observation, state) → (action, state)


class HasLogits(Protocol):
    """A model that `sampled` and `greedy` can make a policy of. One with memory (chapter 04) has an
    `initial_state(num_envs)` too, and its `logits(observations, state)` gives `logits, state`."""

    @property
    def logits(self) -> Callable[..., Any]: ...


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
    """T steps of N environments."""

    observations: Tensor  # (T, N, *O)  o_t
    actions: Tensor  # (T, N)      a_t ~ π(· | o_t), counted from 0
    rewards: Tensor  # (T, N)      r_t, paid for a_t
    next_observations: Tensor  # (T, N, *O)  o_{t+1} as the world showed it, before any reset
    terminated: Tensor  # (T, N)      the world ended here: nothing comes after
    truncated: Tensor  # (T, N)      a time limit cut here: something would have come
    episodes: tuple[Episode, ...]  # those that ended during the rollout


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
        [partial(make_env, source)] * num_envs, autoreset_mode=AutoresetMode.SAME_STEP
    )


def seed_sequence(seed: int | np.random.SeedSequence, *path: int) -> np.random.SeedSequence:
    """What seeds are drawn from. Another `path` gives other seeds for the same `seed`."""
    if isinstance(seed, np.random.SeedSequence):
        return seed
    if seed < 0:
        raise ValueError(f"a seed is an integer, at least 0; got {seed}")
    return np.random.SeedSequence([seed, *path])


def start(envs: Envs, seed: int | np.random.SeedSequence, policy_state: Any = None) -> Position:
    """Begin an episode in every environment, each with a seed of its own."""
    mode = envs.metadata.get("autoreset_mode")
    if mode not in (AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP):
        raise ValueError(
            "rollouts need environments that reset themselves, with AutoresetMode.SAME_STEP or "
            f"NEXT_STEP; these have {mode}"
        )
    seeds = [int(s) for s in seed_sequence(seed).generate_state(envs.num_envs)]
    one_by_one = isinstance(envs.unwrapped, SyncVectorEnv | AsyncVectorEnv)
    # Environments that compute as one array draw from one generator.
    observation, _ = envs.reset(seed=seeds if one_by_one else seeds[0])  # type: ignore[arg-type]
    return Position(
        torch.as_tensor(observation),
        policy_state,
        np.zeros(envs.num_envs),
        np.zeros(envs.num_envs, dtype=np.int64),
        np.zeros(envs.num_envs, dtype=np.bool_),
    )


def initial_state(model: object, num_envs: int) -> State:
    """What a policy of `model` carries along when episodes begin: None if it has no memory."""
    begin = getattr(model, "initial_state", None)
    return None if begin is None else begin(num_envs)


def collect(envs: Envs, policy: Policy, position: Position, t_max: int) -> tuple[Rollout, Position]:
    """Act for `t_max` steps from `position` on.   → rollout (T = t_max, N), position after it."""
    if t_max < 1:
        raise ValueError(f"t_max is a number of steps, at least 1; got {t_max}")
    steps: list[tuple[Tensor, ...]] = []
    episodes: list[Episode] = []
    for _ in range(t_max):
        step, ended, position = _advance(envs, policy, position)
        steps.append(step)
        episodes += ended
    return _stack(steps, episodes), position


def collect_episode(envs: Envs, policy: Policy, position: Position) -> tuple[Rollout, Position]:
    """Act until the episode ends, however long it takes.   → rollout (T, 1), position after it."""
    mode = envs.metadata["autoreset_mode"]
    if envs.num_envs != 1 or mode is not AutoresetMode.SAME_STEP:
        raise ValueError(
            "one episode needs one environment that resets in the step that ends; "
            f"got {envs.num_envs} with {mode}"
        )
    steps: list[tuple[Tensor, ...]] = []
    ended: list[Episode] = []
    while not ended:
        step, ended, position = _advance(envs, policy, position)
        steps.append(step)
    return _stack(steps, ended), position


def dummy_steps(envs: Envs, rollout: Rollout, began: Position) -> Tensor:
    """Which steps of a rollout that `began` there only reset an environment.   → (T, N)

    With SAME_STEP none, with NEXT_STEP one after every end. What is in them belongs to no episode,
    and must not be learned from.
    """
    ended = rollout.terminated | rollout.truncated
    if not _next_step(envs):
        return torch.zeros_like(ended)
    return torch.cat([torch.as_tensor(began.resetting)[None], ended[:-1]])


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


def _advance(
    envs: Envs, policy: Policy, position: Position
) -> tuple[tuple[Tensor, ...], list[Episode], Position]:
    """One step of each environment.   → a rollout's row, episodes that ended, position after it."""
    action, policy_state = policy(position.observation, position.policy_state)
    first_action = getattr(envs.single_action_space, "start", 0)
    observation, reward, terminated, truncated, info = envs.step(action.numpy() + first_action)
    ended, dummy = terminated | truncated, position.resetting
    rewards_so_far = position.rewards_so_far + np.where(dummy, 0, reward)
    steps_so_far = position.steps_so_far + ~dummy
    # A lost life may be an end to learn from, but is none of the game (chapter 07).
    over = info.get("game_over", ended)

    step = (
        position.observation,
        action,
        torch.as_tensor(reward, dtype=torch.float32),
        torch.as_tensor(_before_reset(observation, ended, info)),
        torch.as_tensor(terminated),
        torch.as_tensor(truncated),
    )
    episodes = [
        Episode(float(rewards_so_far[i]), int(steps_so_far[i]), int(i))
        for i in np.flatnonzero(over)
    ]
    position = Position(
        torch.as_tensor(observation),
        _begun_anew(policy_state, torch.as_tensor(ended | dummy)),
        np.where(over, 0, rewards_so_far),
        np.where(over, 0, steps_so_far),
        ended if _next_step(envs) else np.zeros_like(ended),
    )
    return step, episodes, position


def _next_step(envs: Envs) -> bool:
    return envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP


def _begun_anew(policy_state: Any, begins: Tensor) -> Any:
    """A model's memory, with zeros for the environments in which an episode `begins`, (N,)."""
    if not isinstance(policy_state, tuple) or not begins.any():
        return policy_state
    return tuple(
        part.masked_fill(begins.to(part.device).reshape(-1, *[1] * (part.dim() - 1)), 0)
        for part in policy_state
    )


def _before_reset(
    observation: NDArray[Any], ended: NDArray[np.bool_], info: dict[str, Any]
) -> NDArray[Any]:
    """Where the step led. In SAME_STEP, `observation` after an end is the next episode's first."""
    if "final_obs" not in info:
        return observation
    observation = observation.copy()
    for i in np.flatnonzero(ended):
        observation[i] = info["final_obs"][i]
    return observation


def _stack(steps: list[tuple[Tensor, ...]], episodes: list[Episode]) -> Rollout:
    columns = [torch.stack(column) for column in zip(*steps, strict=True)]
    return Rollout(*columns, episodes=tuple(episodes))  # type: ignore[misc, arg-type]
