"""Chapter 00: what trainers ask of a model, looked at once, before they begin.

Models come from anybody. What does not fit would otherwise train badly, or fail far from its cause.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast, runtime_checkable

import torch
from gymnasium.spaces import Box, Discrete, Space
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_flatten, tree_map

from a3c_lib.distributions import PolicyOutput
from a3c_lib.playing import Player
from a3c_lib.rollout import Rollout, State, device_of, initial_state


@runtime_checkable
class HasUnroll(Protocol):
    """A model with memory (chapter 04), which goes through a rollout itself. It has

        initial_state(N)             → state
        logits(observations, state)  → logits (N, A), state after them
        unroll(rollout, state)
            → logits (T, N, A), values (T, N), values of what came next (T, N), constants

    Where actions are a Box, policy distributions stand in the logits' place (chapter 10).
    State is a tensor (N, …), or tuples, lists and dicts of such, always of the same shapes: each
    environment has its own row, so that one can begin anew while others go on. The model is handed
    its state and hands it back; it keeps none itself. Where an episode begins, that row is as
    `initial_state` says, whoever acts; `unroll` must do likewise within a rollout: before every
    step t where step t − 1 ended an episode or is one of `rollout.dummies`. No gradient flows into
    the state with which a rollout began, since it is a constant of an earlier one; into a first
    state that is learned it may. `RecurrentActorCritic` is an example.
    """

    def initial_state(self, num_envs: int) -> State:
        """What its policy carries along when N episodes begin: (N, …) each."""

    def unroll(self, rollout: Rollout, state: Any) -> tuple[PolicyOutput, Tensor, Tensor]:
        """logits (T, N, A), values (T, N) and V(o_{t+1}) (T, N) of a rollout that began with
        `state`."""


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that are learned: all but those that are frozen, with requires_grad=False.

    >>> layer = nn.Linear(3, 2)
    >>> _ = layer.weight.requires_grad_(False)
    >>> [tuple(theta.shape) for theta in trainable(layer)]
    [(2,)]
    """
    return [theta for theta in model.parameters() if theta.requires_grad]


def check_module(model: object) -> None:
    """Raise TypeError for what is no module, and ValueError for one that cannot be trained here:
    with nothing to learn, with lazy layers that have no shape yet, or with sparse gradients."""
    if isinstance(model, type):
        raise TypeError(f"a model is a module, not a class: {model.__name__}(…); got the class")
    if not isinstance(model, nn.Module):
        raise TypeError(f"a model is a torch.nn.Module; got {type(model).__name__}")
    lazy = [name for name, theta in model.named_parameters() if is_lazy(theta)]
    if lazy:
        raise ValueError(
            f"{', '.join(lazy)} have no shape before the model has seen an observation: show it "
            "one before training"
        )
    if not trainable(model):
        frozen = sum(1 for _ in model.parameters())
        raise ValueError(f"there is nothing to train: {frozen} parameters, of them frozen {frozen}")
    sparse = [name for name, layer in model.named_modules() if getattr(layer, "sparse", False)]
    if sparse:
        raise ValueError(f"gradients are dense here; got sparse=True in {', '.join(sparse)}")


def check_methods(model: object, needed: Sequence[str] = ("logits", "values")) -> None:
    """Raise TypeError for a model that lacks what is `needed`, or half of what a memory takes."""
    check_module(model)
    kind = type(model).__name__
    with_memory = {name for name in ("initial_state", "unroll") if hasattr(model, name)}
    if len(with_memory) == 1:
        (has,) = with_memory
        (lacks,) = {"initial_state", "unroll"} - with_memory
        raise TypeError(
            f"a model with memory has initial_state and unroll (see HasUnroll); {kind} has {has} "
            f"and no {lacks}"
        )
    missing = [name for name in needed if not callable(getattr(model, name, None))]
    if with_memory:
        missing = [name for name in missing if name == "logits"]
    if missing:
        raise TypeError(f"a model has {' and '.join(needed)}; {kind} has no {', '.join(missing)}")


def check_outputs(model: nn.Module, player: Player, critic: bool = True) -> None:
    """Ask a model of what its player sees first; nothing of it changes.

    Raises ValueError, with the shapes, if what it answers is not what a trainer takes. Without
    `critic` it is only asked for its policy.
    """
    check_methods(model, ("logits", "values") if critic else ("logits",))
    envs, position = player.envs, player.position
    seen = position.observation.to(device_of(model))
    N, actions = envs.num_envs, envs.single_action_space
    with looking(model):
        if not isinstance(model, HasUnroll):
            _check_plain(model, seen, N, actions, critic)
            return
        initial_state(model, N + 1)  # raises if the first axis is another than N + 1
        _check_memory(model, seen, position.policy_state, N, actions)


def _check_plain(model: Any, seen: Tensor, N: int, actions: Space[Any], critic: bool) -> None:
    _check_policy("logits(observations)", _answer(model.logits, seen), (N,), actions)
    if critic:
        T = 2
        answer = _answer(model, torch.stack([seen] * T))
        logits, values = _parts("(observations)", answer, ("logits", "values"))
        _check_policy("(observations)[0], its logits", logits, (T, N), actions)
        _check("(observations)[1], its values", values, (T, N))
        _check("values(observations)", _answer(model.values, seen), (N,))


def _check_memory(model: Any, seen: Tensor, state: State, N: int, actions: Space[Any]) -> None:
    T, after = 2, state
    for _ in range(T):
        answer = _answer(model.logits, seen, after)
        logits, after = _parts("logits(observations, state)", answer, ("logits", "state"))
        _check_policy("logits(observations, state)[0]", logits, (N,), actions)
        if _shapes(after) != _shapes(state):
            raise ValueError(
                "model.logits(observations, state)[1] is a state like initial_state's, "
                f"{_shapes(state)}; got {_shapes(after)}"
            )
    answer = _answer(model.unroll, _standing_still(seen, T), state)
    asked = "unroll(rollout, state)"
    logits, values, next_values = _parts(asked, answer, ("logits", "values", "next values"))
    _check_policy(f"{asked}[0]", logits, (T, N), actions)
    _check(f"{asked}[1]", values, (T, N))
    _check(f"{asked}[2]", next_values, (T, N))


def _standing_still(seen: Tensor, T: int) -> Rollout:
    """A rollout of T steps in which the same is seen again and again."""
    shown = torch.stack([seen] * T)
    none = torch.zeros(T, len(seen), dtype=torch.bool, device=seen.device)
    return Rollout.of(shown, none.long(), none.float(), shown, none, none)


def _answer(ask: Callable[..., Any], seen: Any, *others: Any) -> Any:
    try:
        return ask(seen, *others)
    except Exception as error:
        shown = seen if isinstance(seen, Tensor) else seen.observations
        name = getattr(ask, "__name__", "forward")
        reason = (str(error).splitlines() or [""])[0]
        raise ValueError(
            f"model.{name} fails on observations {tuple(shown.shape)} of {shown.dtype}: "
            f"{type(error).__name__}: {reason}"
        ) from error


def _parts(what: str, answer: Any, names: Sequence[str]) -> Any:
    if not isinstance(answer, tuple | list) or len(answer) != len(names):
        got = f"{len(answer)} things" if isinstance(answer, tuple | list) else _shapes(answer)
        raise ValueError(f"model.{what} gives {', '.join(names)}; got {got}")
    return answer


def _check_policy(what: str, answer: Any, batch: tuple[int, ...], actions: Space[Any]) -> None:
    """Logits where actions are Discrete, a distribution over (D,) where they are a Box."""
    if isinstance(actions, Discrete):
        _check(what, answer, (*batch, int(actions.n)))
    elif not hasattr(answer, "log_prob"):
        raise ValueError(
            f"model.{what} is a policy distribution where actions are a Box, such as "
            f"distributions.Gaussian; got {_shapes(answer)}"
        )
    else:
        _check(f"{what}.mode", answer.mode, (*batch, *cast(Box, actions).shape))


def _check(what: str, answer: Any, shape: tuple[int, ...]) -> None:
    if not isinstance(answer, Tensor) or tuple(answer.shape) != shape:
        raise ValueError(f"model.{what} has the shape {shape} here; got {_shapes(answer)}")


def _shapes(thing: Any) -> Any:
    """A thing with its tensors' shapes in their places."""
    leaves, _ = tree_flatten(thing)
    if not all(isinstance(leaf, Tensor) for leaf in leaves):
        return type(thing).__name__
    return tree_map(lambda tensor: tuple(tensor.shape), thing)


@contextmanager
def evaluating(model: object) -> Iterator[None]:
    """Within the block the model is in evaluation mode, without dropout for example; then each of
    its modules is again as it was. What is no module stays as it is."""
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    in_training = [module for module in modules if module.training]
    if isinstance(model, nn.Module):
        model.eval()
    try:
        yield
    finally:
        for module in in_training:
            module.training = True


@contextmanager
def looking(model: nn.Module) -> Iterator[None]:
    """Within the block a model may be asked, and after it all is as before: it is `evaluating`, and
    its buffers and torch's random numbers are kept."""
    buffers = [buffer.clone() for buffer in model.buffers()]
    with evaluating(model), torch.no_grad(), torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            for buffer, before in zip(model.buffers(), buffers, strict=False):
                buffer.copy_(before)
