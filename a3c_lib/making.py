"""Chapter 00: environments are made from an id, a spec or a function, and looked at once.

Environments come from anybody. What they may be is checked here, before an agent acts in them.
"""

import importlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any, Protocol, runtime_checkable

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import (
    EnvSpec,
    find_highest_version,
    get_env_id,
    parse_env_id,
)
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper
from numpy.typing import NDArray

Envs = VectorEnv[Any, Any, Any]


@runtime_checkable
class MakesEnvs(Protocol):
    """What makes many environments at once, such as `atari.Game` (chapter 07)."""

    def make_envs(self, num_envs: int) -> Envs:
        """`num_envs` of them as one vector environment."""


MakeEnv = str | EnvSpec | MakesEnvs | Callable[[], gym.Env[Any, Any]]


class HasLives:
    """Marks a vector environment in which an end that is learned from may be none of the episode,
    such as a lost life of a game (chapter 07)."""

    game_over: NDArray[np.bool_]  # (N,) where the latest step ended the episode itself


def find_spec(env_id: str) -> EnvSpec:
    """What an id stands for, read as `gym.make` reads it: "module:Id" imports the module first, and
    an id without a version stands for the latest.

    >>> find_spec("CartPole").id
    'CartPole-v1'
    """
    module, _, name = env_id.rpartition(":")
    if module:
        importlib.import_module(module)
    namespace, short, version = parse_env_id(name)
    if version is None:
        version = find_highest_version(namespace, short)
    return gym.spec(get_env_id(namespace, short, version))


def for_workers(source: MakeEnv) -> MakeEnv:
    """What workers make their environments from. A notebook's registrations are unknown in other
    processes; what they stand for is not.

    Raises TypeError for a vector environment, which cannot be in several places.
    """
    if isinstance(source, VectorEnv):
        raise TypeError(
            "workers make their environments themselves, from an id, an EnvSpec or a function; "
            f"got the vector environment {source}"
        )
    return find_spec(source) if isinstance(source, str) else source


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
    env = source(**options)
    if not isinstance(env, gym.Env):
        raise TypeError(f"the function returns one of gymnasium's Env; got {env!r}")
    return env


def make_envs(source: MakeEnv | Envs, num_envs: int = 1) -> Envs:
    """Copies of an environment as one vector environment, which resets in the step that ends.

    A vector environment of your own is handed back, if it has so many.
    """
    if num_envs < 1:
        raise ValueError(f"num_envs is at least 1; got {num_envs}")
    if isinstance(source, VectorEnv):
        if source.num_envs != num_envs:
            raise ValueError(
                f"num_envs is that of the vector environment, {source.num_envs}; got {num_envs}"
            )
        return source
    if isinstance(source, MakesEnvs):
        return source.make_envs(num_envs)
    made: list[gym.Env[Any, Any]] = []
    with closed_on_error(lambda: close_all(env.close for env in made)):
        made += (KeepsWhatItShowed(make_env(source)) for _ in range(num_envs))
        return SyncVectorEnv(
            [lambda env=env: env for env in made],  # type: ignore[misc]
            autoreset_mode=AutoresetMode.SAME_STEP,
        )


class KeepsWhatItShowed(gym.Wrapper[Any, Any, Any, Any]):
    """An environment may write into the same array again, as it resets after an end, and say
    anything in its `info`. What it showed at the end is not lost thereby."""

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """The environment's; at an end with a copy of what is seen."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if terminated or truncated:
            observation = copy(observation)
        return observation, reward, terminated, truncated, info

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """The environment's, without the key under which Gymnasium keeps what an end showed."""
        observation, info = self.env.reset(**options)
        if "final_obs" in info:
            info = {key: value for key, value in info.items() if key != "final_obs"}
        return observation, info


# What is checked


def check_spaces(envs: Envs) -> None:
    """Refuse observations that are no single array, and actions that `check_actions` refuses.

    >>> check_spaces(make_envs("Blackjack-v1"))
    Traceback (most recent call last):
    ...
    ValueError: observations are one array, which gymnasium.wrappers.FlattenObservation can make; \
got Tuple(Discrete(32), Discrete(11), Discrete(2))
    """
    observations, actions = envs.single_observation_space, envs.single_action_space
    if observations.shape is None:
        raise ValueError(
            "observations are one array, which gymnasium.wrappers.FlattenObservation can make; "
            f"got {observations}"
        )
    check_actions(actions)


def check_actions(space: spaces.Space[Any]) -> None:
    """Refuse actions that are neither Discrete nor a Box of real numbers with one axis."""
    if isinstance(space, spaces.Box):
        if len(space.shape) == 1 and np.issubdtype(space.dtype, np.floating):
            return
    elif isinstance(space, spaces.Discrete):
        return
    raise ValueError(f"actions are Discrete, or a Box of real numbers with one axis; got {space}")


def executed(actions: NDArray[Any], space: spaces.Space[Any]) -> NDArray[Any]:
    """Actions as an environment takes them: those of a Discrete space, (N,), counted from where its
    own begin; those of a Box, (N, D), clipped to its bounds.

    >>> executed(np.array([0, 1]), spaces.Discrete(2, start=-1))
    array([-1,  0])
    >>> executed(np.array([[0.5], [3.0]], np.float32), spaces.Box(-2, 2, (1,)))
    array([[0.5],
           [2. ]], dtype=float32)
    """
    if isinstance(space, spaces.Box):
        if actions.shape[1:] != space.shape:
            (D,) = space.shape
            raise ValueError(f"actions of {space} are (N, {D}); got {actions.shape}")
        # First to its own numbers: rounded afterwards, they might lie outside.
        clipped: NDArray[Any] = np.clip(actions.astype(space.dtype), space.low, space.high)
        return clipped
    from_start: NDArray[Any] = actions + getattr(space, "start", 0)
    return from_start


def executed_one(action: NDArray[Any], space: spaces.Space[Any]) -> Any:
    """Likewise the action of one environment, (1,) or (1, D): a whole number, or an array (D,)."""
    (taken,) = executed(action, space)
    return taken if isinstance(space, spaces.Box) else int(taken)


def check_distinct(*vectors: Envs) -> None:
    """Refuse one environment in two places: each would step it, and reset it, for the other too.

    >>> env = make_env("CartPole-v1")
    >>> check_distinct(make_envs(lambda: env, num_envs=2))
    Traceback (most recent call last):
    ...
    ValueError: every environment is an object of its own; got <CartPoleEnv<CartPole-v1>> twice: \
make it within the function
    """
    seen: set[int] = set()
    for env in (env.unwrapped for vector in vectors for env in _single(vector)):
        if id(env) in seen:
            raise ValueError(
                f"every environment is an object of its own; got {env} twice: make it within the "
                "function"
            )
        seen.add(id(env))


def _single(vector: Envs) -> Iterable[Any]:
    """The environments of a vector environment; if they are none of their own, itself."""
    base = vector.unwrapped
    return base.envs if isinstance(base, SyncVectorEnv) else [base]


def lives_of(envs: Envs) -> HasLives | None:
    """What tells a lost life from an end of the game, if that is not the same here."""
    while isinstance(envs, VectorWrapper) and not isinstance(envs, HasLives):
        envs = envs.env
    return envs if isinstance(envs, HasLives) else None


# How environments are closed


def close_all(
    closes: Iterable[Callable[[], object]], under_way: BaseException | None = None
) -> None:
    """Call them all, whatever they raise. It is noted in the error that is `under_way`; if there is
    none, the first is raised.

    >>> def fails():
    ...     raise OSError("the simulator does not answer")
    >>> error = KeyError("a bug")
    >>> close_all([fails], under_way=error)
    >>> error.__notes__
    ["while closing: OSError('the simulator does not answer')"]
    """
    first: Exception | None = None
    for close in closes:
        try:
            close()
        except Exception as error:  # noqa: BLE001 — whatever an environment of somebody else raises
            if under_way is not None:
                under_way.add_note(f"while closing: {error!r}")
            elif first is not None:
                first.add_note(f"while closing: {error!r}")
            else:
                first = error
    if first is not None:
        raise first


@contextmanager
def closed_on_error(close: Callable[[], object]) -> Iterator[None]:
    """Where the block fails, `close`; what that raises is noted in the block's error."""
    try:
        yield
    except BaseException as error:
        close_all([close], under_way=error)
        raise
