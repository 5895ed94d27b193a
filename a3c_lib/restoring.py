"""Chapter 00: worlds that can be put back where they stood, so that a run goes on bit for bit.

An environment can be restored if its class has

    state_dict()             → a dict of all that changes, the state of its random generator with it
    load_state_dict(state)   goes on from there

and so has every wrapper around it that remembers something. (`TimeLimit` needs neither: its count
of steps is kept here.) What the dict holds is plain, so that a checkpoint can keep it: numbers,
strings, None, arrays, tensors, and lists, tuples and dicts of them. Corridor,
NoisyCorridor, Trap, Catch and TMaze can be restored. Bounce, PointMass and CartPole cannot: a run
that goes on begins new episodes there.

What Gymnasium's NormalizeObservation and NormalizeReward have measured belongs to what was learned,
and goes on also where new episodes begin. `statistics_of` reads it, `set_statistics` and
`with_statistics` hand it on, to evaluate with.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import wraps
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper
from gymnasium.wrappers import (
    FlattenObservation,
    NormalizeObservation,
    NormalizeReward,
    OrderEnforcing,
    PassiveEnvChecker,
    TimeLimit,
    vector,
)
from gymnasium.wrappers.utils import RunningMeanStd
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from a3c_lib.making import Envs, KeepsWhatItShowed, MakeEnv, make_env
from a3c_lib.rollout import Episode, Position, Rollout, State
from a3c_lib.worlds.envs import ChannelsFirst

StateDict = dict[str, Any]
# Of each wrapper that normalises, the outermost first: what each environment's has measured, or the
# one that stands around all environments.
Statistics = Sequence[Sequence[StateDict]]


def world_state(envs: Envs, position: Position) -> StateDict | None:
    """What `restore` needs; None if one of the environments cannot be restored.

    >>> from a3c_lib.rollout import make_envs, start
    >>> envs = make_envs("a3c_lib/Corridor-v0")
    >>> (env,) = world_state(envs, start(envs, seed=0))["envs"]
    >>> list(map(list, env))  # of TimeLimit, of two wrappers that remember nothing, of the corridor
    [['steps'], [], [], ['state', 'random']]
    >>> envs = make_envs("CartPole-v1")
    >>> world_state(envs, start(envs, seed=0)) is None
    True
    """
    if not isinstance(envs, SyncVectorEnv) or envs.autoreset_mode is not AutoresetMode.SAME_STEP:
        return None
    layers = [list(_layers(env)) for env in envs.envs]
    if not all(_can_be_restored(layer) for env in layers for layer in env):
        return None
    return {
        "kinds": _kinds(envs),
        "envs": [[_state(layer) for layer in env] for env in layers],
        "position": position_state(position),
    }


def restore(envs: Envs, world: Mapping[str, Any] | None, begun: Position) -> Position | None:
    """Put environments that have just `begun` back to where they stood.   → the position there.

    None, with nothing changed, if `world` is None or these are other environments in number or
    kind than it is of, or in other wrappers. Raises ValueError if an environment cannot make sense
    of its state, as one of another size cannot; earlier ones are changed then.

    >>> from a3c_lib.rollout import make_envs, start
    >>> envs = make_envs("a3c_lib/TMaze-v0")
    >>> begun, _ = start(envs, seed=0), envs.step([0])
    >>> world = world_state(envs, begun)
    >>> begun_again = start(envs, seed=1)
    >>> envs.envs[0].unwrapped.state_dict()["cell"]
    0
    >>> position = restore(envs, world, begun_again)
    >>> envs.envs[0].unwrapped.state_dict()["cell"]
    1
    """
    if world is None or world_state(envs, begun) is None:
        return None
    kinds = _kinds(envs)
    # (Version 0.1 did not keep the kinds.)
    if len(world["envs"]) != envs.num_envs or world.get("kinds", kinds) != kinds:
        return None
    for env, states in zip(envs.envs, world["envs"], strict=True):  # type: ignore[attr-defined]
        try:
            for layer, state in zip(_layers(env), states, strict=True):
                _load(layer, state)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"this is no state of {env.unwrapped}: {type(error).__name__} {error}"
            ) from error
    return position_from(world["position"], _device(begun.policy_state))


def position_state(position: Position) -> StateDict:
    """A position as plain values."""
    return position._asdict()


def position_from(state: Mapping[str, Any], device: torch.device | None = None) -> Position:
    """The position with that state, what the policy carries along being on `device`."""
    return Position(
        torch.as_tensor(state["observation"]),
        memory_from(state["policy_state"], device),
        np.array(state["rewards_so_far"]),
        np.array(state["steps_so_far"]),
        np.array(state["resetting"]),
    )


def rollout_state(rollout: Rollout) -> StateDict:
    """A rollout as plain values."""
    return {**rollout._asdict(), "episodes": [tuple(episode) for episode in rollout.episodes]}


def rollout_from(state: Mapping[str, Any]) -> Rollout:
    """The rollout with that state. (Version 0.1 kept each observation twice, and no dummies, which
    worlds that can be restored do not have.)"""
    episodes = tuple(Episode(*each) for each in state["episodes"])
    if "next_observations" in state:
        return Rollout.of(**{**state, "episodes": episodes})
    dummies = torch.zeros_like(state["terminated"])
    return Rollout(**{"dummies": dummies, **state, "episodes": episodes})


def memory_from(state: Any, device: torch.device | None = None) -> State:
    """What a policy carries along, its tensors on `device`."""
    return tree_map(lambda part: part.to(device) if isinstance(part, Tensor) else part, state)


def _device(state: Any) -> torch.device | None:
    tensors = (part for part in tree_leaves(state) if isinstance(part, Tensor))
    return next((tensor.device for tensor in tensors), None)


def _layers(env: gym.Env[Any, Any]) -> Iterator[gym.Env[Any, Any]]:
    """The wrappers of an environment from the outermost inwards, then what they wrap; without our
    own, which remembers nothing."""
    while isinstance(env, gym.Wrapper):
        if not isinstance(env, KeepsWhatItShowed):
            yield env
        env = env.env
    yield env


def _kinds(envs: Any) -> list[list[str]]:
    return [[type(layer).__qualname__ for layer in _layers(env)] for env in envs.envs]


REMEMBER_NOTHING = OrderEnforcing, PassiveEnvChecker, FlattenObservation, ChannelsFirst
OF_ALL = vector.NormalizeObservation, vector.NormalizeReward  # around a vector environment
NORMALISE = NormalizeObservation, NormalizeReward, *OF_ALL


def _can_be_restored(layer: gym.Env[Any, Any]) -> bool:
    if type(layer) in (TimeLimit, NormalizeObservation, NormalizeReward, *REMEMBER_NOTHING):
        return True
    # Of the class: wrappers and environments may hand on what they do not have themselves.
    return all(callable(getattr(type(layer), f"{do}state_dict", None)) for do in ("", "load_"))


def _state(layer: Any) -> StateDict:
    if type(layer) is TimeLimit:
        return {"steps": layer._elapsed_steps}
    if type(layer) is NormalizeObservation:
        return _measured(layer)
    if type(layer) is NormalizeReward:
        return {**_measured(layer), "return_so_far": layer.discounted_reward}
    if type(layer) in REMEMBER_NOTHING:
        return {}
    state: StateDict = layer.state_dict()
    return state


def _load(layer: Any, state: StateDict) -> None:
    if type(layer) is TimeLimit:
        layer._elapsed_steps = state["steps"]
    elif type(layer) is NormalizeObservation:
        _set(layer, state)
    elif type(layer) is NormalizeReward:
        _set(layer, state)
        layer.discounted_reward = np.array(state["return_so_far"])
    elif type(layer) not in REMEMBER_NOTHING:
        layer.load_state_dict(state)


# Statistics of wrappers that normalise


def statistics_of(envs: Envs | gym.Env[Any, Any]) -> Statistics:
    """What Gymnasium's wrappers that normalise have measured; () if there are none.

    >>> from a3c_lib.rollout import make_envs, start
    >>> envs = make_envs(lambda: NormalizeObservation(gym.make("CartPole-v1")), num_envs=2)
    >>> _ = start(envs, seed=0)
    >>> ((one, other),) = statistics_of(envs)
    >>> one["mean"].shape, round(one["count"])
    ((4,), 1)
    """
    return tuple(tuple(map(_measured, same)) for same in _normalisers(envs))


def set_statistics(
    envs: Envs | gym.Env[Any, Any], statistics: Statistics, frozen: bool = False
) -> None:
    """Let wrappers that normalise go on with these; if they are to be `frozen`, they stay so.

    Where there are as many environments as the statistics are of, each has its own again; else all
    have those of all observations, or rewards, together. Raises ValueError if they are of other
    wrappers.
    """
    normalisers = _normalisers(envs)
    kinds = [_kind(same[0]) for same in normalisers]
    theirs = [those[0]["of"] for those in statistics]
    if kinds != theirs:
        raise ValueError(f"these are statistics of {theirs}; the environments normalise {kinds}")
    for same, those in zip(normalisers, statistics, strict=True):
        each = those if len(those) == len(same) else [_together(those)] * len(same)
        for wrapper, one in zip(same, each, strict=True):
            _set(wrapper, one)
            if frozen:
                wrapper.update_running_mean = False


def with_statistics(source: MakeEnv, statistics: Statistics) -> MakeEnv:
    """What makes environments as `source` does, which normalise with these statistics for ever: to
    evaluate with, or to film. It is `source` itself if there are none."""
    if not statistics:
        return source

    def make(**options: Any) -> gym.Env[Any, Any]:
        env = make_env(source, **options)
        set_statistics(env, statistics, frozen=True)
        return env

    return wraps(source)(make) if callable(source) else make  # with the options that it takes


def warn_of_own_statistics(envs: Envs) -> None:
    """For a worker, whose wrappers that normalise are its own."""
    if _normalisers(envs):
        warnings.warn(
            "each worker normalises with statistics of its own, which are in no checkpoint and "
            "cannot be evaluated with: normalise within the network, or train with a2c",
            stacklevel=2,
        )


def _normalisers(envs: Envs | gym.Env[Any, Any]) -> list[list[Any]]:
    around: list[list[Any]] = []
    while isinstance(envs, VectorWrapper):
        if isinstance(envs, OF_ALL):
            around.append([envs])
        envs = envs.env
    if isinstance(envs, VectorEnv):
        single = envs.envs if isinstance(envs, SyncVectorEnv) else []
    else:
        single = [envs]
    within = [[layer for layer in _layers(env) if isinstance(layer, NORMALISE)] for env in single]
    return around + [list(same) for same in zip(*within, strict=True)]


def _kind(wrapper: Any) -> str:
    observes = isinstance(wrapper, NormalizeObservation | vector.NormalizeObservation)
    return "observations" if observes else "rewards"


def _rms(wrapper: Any) -> RunningMeanStd:
    rms: RunningMeanStd = getattr(
        wrapper, "obs_rms" if _kind(wrapper) == "observations" else "return_rms"
    )
    return rms


def _measured(wrapper: Any) -> StateDict:
    rms = _rms(wrapper)
    numbers = {"mean": np.array(rms.mean), "var": np.array(rms.var), "count": float(rms.count)}
    return {"of": _kind(wrapper), **numbers}


def _set(wrapper: Any, measured: StateDict) -> None:
    rms = _rms(wrapper)
    rms.mean, rms.var = np.array(measured["mean"]), np.array(measured["var"])
    rms.count = measured["count"]


def _together(measured: Sequence[StateDict]) -> StateDict:
    """Mean and variance of everything that several have measured."""
    first, *others = measured
    rms = RunningMeanStd()
    rms.mean, rms.var, rms.count = first["mean"], first["var"], first["count"]
    for other in others:
        rms.update_from_moments(other["mean"], other["var"], other["count"])
    return {**first, "mean": rms.mean, "var": rms.var, "count": rms.count}
