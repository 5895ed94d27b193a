"""Chapter 00: worlds that can be put back where they stood, so that a run goes on bit for bit.

An environment can be restored if its class has

    state_dict()             → a dict of all that changes, the state of its random generator with it
    load_state_dict(state)   goes on from there

and so has every wrapper around it that remembers something. (`TimeLimit` needs neither: its count
of steps is kept here.) What the dict holds is plain, so that a checkpoint can keep it: numbers,
strings, None, arrays, tensors, and lists, tuples and dicts of them. The book's worlds can be
restored. CartPole, as Gymnasium has it, cannot: a run that goes on begins new episodes there.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from a3c_lib.rollout import CopiesObservations, Envs, Episode, Position, Rollout, State

StateDict = dict[str, Any]


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
        "envs": [[_state(layer) for layer in env] for env in layers],
        "position": position_state(position),
    }


def restore(envs: Envs, world: Mapping[str, Any] | None, begun: Position) -> Position | None:
    """Put environments that have just `begun` back to where they stood.   → the position there.

    None, with nothing changed, if `world` is None or these are other environments in number or
    kind than it is of. Raises ValueError if an environment cannot make sense of its state.

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
    if len(world["envs"]) != envs.num_envs:
        return None
    for env, states in zip(envs.envs, world["envs"], strict=True):  # type: ignore[attr-defined]
        try:
            for layer, state in zip(_layers(env), states, strict=True):
                _load(layer, state)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"this is no state of {env.unwrapped}: {type(error).__name__} {error}"
            ) from error
    device = begun.policy_state[0].device if isinstance(begun.policy_state, tuple) else None
    return position_from(world["position"], device)


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
    """The rollout with that state. (Version 0.1 kept each observation twice.)"""
    episodes = tuple(Episode(*each) for each in state["episodes"])
    make = Rollout.of if "next_observations" in state else Rollout
    return make(**{**state, "episodes": episodes})


def memory_from(state: Any, device: torch.device | None = None) -> State:
    """What a policy carries along, on `device`."""
    return None if state is None else tuple(part.to(device) for part in state)


def _layers(env: gym.Env[Any, Any]) -> Iterator[gym.Env[Any, Any]]:
    """The wrappers of an environment from the outermost inwards, then what they wrap; without our
    own, which remembers nothing."""
    while isinstance(env, gym.Wrapper):
        if not isinstance(env, CopiesObservations):
            yield env
        env = env.env
    yield env


def _can_be_restored(layer: gym.Env[Any, Any]) -> bool:
    if type(layer) in (TimeLimit, OrderEnforcing, PassiveEnvChecker):
        return True
    # Of the class: wrappers and environments may hand on what they do not have themselves.
    return all(callable(getattr(type(layer), f"{do}state_dict", None)) for do in ("", "load_"))


def _state(layer: Any) -> StateDict:
    if isinstance(layer, TimeLimit):
        return {"steps": layer._elapsed_steps}
    if isinstance(layer, OrderEnforcing | PassiveEnvChecker):
        return {}
    state: StateDict = layer.state_dict()
    return state


def _load(layer: Any, state: StateDict) -> None:
    if isinstance(layer, TimeLimit):
        layer._elapsed_steps = state["steps"]
    elif not isinstance(layer, OrderEnforcing | PassiveEnvChecker):
        layer.load_state_dict(state)
