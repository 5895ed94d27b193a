"""Chapter 00: run an answer on a case, and note all that it did.

An answer runs on its own copy of the arguments, under a fixed seed. What it does to random states,
the default dtype and the grad mode ends with it, and what it prints is kept for the verdict.
"""

import copy
import dataclasses
import inspect
import io
import random
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from a3c_lib.exercises.engine.cases import Answer, Case

SEED = 0
STARRED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
MODE = ".train or eval"  # of a module: how a path to it ends
MOST_PRINTED = 2000  # characters of what an answer prints; the rest is dropped

Gradients = Mapping[str, list[Tensor]]  # by input: of the results' sum, and of a weighted sum


class Outcome(NamedTuple):
    """What an answer did on a case."""

    value: Any = None  # what it returned
    error: BaseException | None = None  # what it raised
    names: Mapping[str, str] = {}  # of arguments: what the answer calls them, where it differs
    after: Mapping[str, Any] = {}  # by path: what the arguments hold after the call
    stored: frozenset[str] = frozenset()  # inputs in whose `.grad` it left a gradient
    gradients: Mapping[int, Gradients] = {}  # by a result's id
    gradient_errors: Mapping[int, Exception] = {}  # by a result's id: raised on the way back
    switched_off: bool = False  # it left gradients switched off
    same_memory: Mapping[str, str] = {}  # by path in the result: the argument that it shows
    printed: str = ""
    warned: tuple[str, ...] = ()

    def gradients_of(self, result: Any) -> Gradients:
        """The gradients that flow from this part of the result into the arguments."""
        return self.gradients.get(id(result), {})

    def named(self, path: str) -> str:
        """A path into the arguments, with the name that the answer has for the argument."""
        name = re.split(r"[.\[]", path)[0]
        return self.names.get(name, name) + path[len(name) :]


def observe(answer: Answer, case: Case, reference: Answer, with_gradients: bool = True) -> Outcome:
    """Run an answer on a case. Whatever it raises is noted; only KeyboardInterrupt passes."""
    names = own_names(answer, case, reference)
    with isolated(), captured() as capture:
        case = fresh(case)
        inputs = arguments(case, reference)
        wanted = requiring_gradients(inputs)
        outcome = called(answer, case)
        outcome = outcome._replace(
            names=names,
            after=dict(traces(inputs)),
            stored=frozenset(with_gradient(inputs)),
            switched_off=not torch.is_grad_enabled(),
        )
        with suppress(Exception):  # from a result that cannot be walked through; comparing says so
            if case.probe is None:
                same_memory = dict(sharing_memory(outcome.value, inputs))
                outcome = outcome._replace(same_memory=same_memory)
            if with_gradients:
                back, errors = gradients(outcome.value, wanted)
                outcome = outcome._replace(gradients=back, gradient_errors=errors)
    return outcome._replace(printed=capture.text, warned=tuple(capture.warned))


def called(answer: Answer, case: Case) -> Outcome:
    """What it returned, or what it raised."""
    try:
        if case.probe is None:
            value = answer(*case.args, **case.kwargs)
        else:
            value = case.probe(answer, *case.args, **case.kwargs)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  a learner's code may raise anything
        return Outcome(error=error)
    if inspect.iscoroutine(value):
        value.close()  # else Python warns that it was never awaited
    return Outcome(value=value)


# The arguments


def arguments(case: Case, reference: Answer) -> dict[str, Any]:
    """A case's arguments by the names that the reference, or the case's probe, has for them."""
    call, first = (reference, ()) if case.probe is None else (case.probe, (None,))
    try:
        bound = inspect.signature(call).bind(*first, *case.args, **case.kwargs).arguments
    except (TypeError, ValueError):  # a builtin without a signature
        return {f"argument {i}": each for i, each in enumerate(case.args, 1)} | case.kwargs
    return dict(list(bound.items())[len(first) :])


def own_names(answer: Answer, case: Case, reference: Answer) -> dict[str, str]:
    """What an answer calls the arguments, by the reference's names for them, where it differs.

    >>> own_names(lambda r, g: 0, Case("small", [1.0], 0.5), lambda rewards, gamma: 0)
    {'rewards': 'r', 'gamma': 'g'}
    """
    if case.probe is not None:
        return {}
    with suppress(TypeError, ValueError):
        signature = inspect.signature(answer)
        own = signature.bind(*case.args, **case.kwargs).arguments
        names = arguments(case, reference)
        if all(signature.parameters[name].kind not in STARRED for name in own):
            return {a: b for a, b in zip(names, own, strict=True) if a != b}
    return {}


def fresh(case: Case) -> Case:
    """The case with its own copies of all arguments."""
    return Case(case.label, *copied(case.args), probe=case.probe, **copied(case.kwargs))


def copied(value: Any) -> Any:
    """A copy that shares nothing with the original.

    >>> original = torch.ones(2, requires_grad=True) * 3  # not a leaf
    >>> copied((original,))
    (tensor([3., 3.], requires_grad=True),)
    """
    match value:
        case nn.Parameter():
            return nn.Parameter(value.detach().clone(), value.requires_grad)
        case Tensor():
            return value.detach().clone().requires_grad_(value.requires_grad)
        case torch.Generator():
            generator = torch.Generator(value.device)
            return generator.set_state(value.get_state())
        case tuple() if hasattr(value, "_fields"):
            return type(value)(*map(copied, value))
        case tuple() | list():
            return type(value)(map(copied, value))
        case dict():
            return {key: copied(each) for key, each in value.items()}
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001  what cannot be copied is shared
        return value


def leaves(value: Any, path: str = "", around: tuple[int, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Everything within tuples, lists, dicts and modules, with the path to it. What lies within
    itself is "[...]" there, as Python writes it; `around` are the ids of what is walked through.

    >>> dict(leaves({"gamma": 0.5, "pair": (1, [2])}))
    {'gamma': 0.5, 'pair[0]': 1, 'pair[1][0]': 2}
    """
    if id(value) in around:
        yield path, "[...]"
        return
    around = (*around, id(value))
    match value:
        case _ if names := fields_of(value):
            for name in names:
                yield from leaves(getattr(value, name), f"{path}.{name}", around)
        case tuple() | list():
            for i, each in enumerate(value):
                yield from leaves(each, f"{path}[{i}]", around)
        case dict():
            for key, each in value.items():
                yield from leaves(each, f"{path}[{key!r}]" if path else str(key), around)
        case nn.Module():
            for name, each in (*value.named_parameters(), *value.named_buffers()):
                yield f"{path}.{name}", each
        case _:
            yield path, value


def fields_of(value: Any) -> tuple[str, ...]:
    """The names of a NamedTuple's or a dataclass's fields; none for anything else."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return tuple(field.name for field in dataclasses.fields(value))
    return tuple(getattr(value, "_fields", ())) if isinstance(value, tuple) else ()


def traces(inputs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What the arguments hold, to be compared."""
    for path, leaf in leaves(inputs):
        if isinstance(leaf, Tensor):
            yield path, leaf.detach()
            yield f"{path}.requires_grad", leaf.requires_grad
        elif isinstance(leaf, np.ndarray | np.generic | int | float | str | None):
            yield path, leaf
    for path, leaf in inputs.items():
        if isinstance(leaf, nn.Module):
            yield f"{path}{MODE}", sum(each.training for each in leaf.modules())


def requiring_gradients(inputs: Mapping[str, Any]) -> dict[str, Tensor]:
    """The inputs to which gradients are computed, by their paths."""
    found = leaves(inputs)
    return {path: leaf for path, leaf in found if isinstance(leaf, Tensor) and leaf.requires_grad}


def with_gradient(inputs: Mapping[str, Any]) -> Iterator[str]:
    """The paths of inputs in whose `.grad` something is stored."""
    for path, leaf in leaves(inputs):
        if isinstance(leaf, Tensor) and leaf.is_leaf and leaf.grad is not None:
            yield path


def sharing_memory(value: Any, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The places of a result that lie in an argument's memory, and the paths of these arguments.
    One number that is read out of an argument does not count.

    >>> x = torch.zeros(3)
    >>> results = {"all": x, "slice": x[:2], "number": x[0], "twice": 2 * x}
    >>> dict(sharing_memory(results, {"seen": x}))
    {'all': 'seen', 'slice': 'seen'}
    """
    places = {memory_of(leaf): path for path, leaf in leaves(inputs)}
    for path, leaf in leaves(value):
        place = memory_of(leaf)
        if place is not None and place in places and np.ndim(leaf) > 0:
            yield path, places[place]


def memory_of(value: Any) -> int | None:
    """Where the memory begins that a tensor or an array lies in; None for what has none."""
    try:
        if isinstance(value, Tensor):
            return value.untyped_storage().data_ptr() or None
        if isinstance(value, np.ndarray):
            owner = value
            while isinstance(owner.base, np.ndarray):
                owner = owner.base
            return owner.ctypes.data if owner.size else None
    except Exception:  # noqa: BLE001  sparse tensors have no storage
        return None
    return None


def size(case: Case) -> int:
    """How many numbers a case holds."""
    return sum(
        leaf.numel() if isinstance(leaf, Tensor) else np.size(leaf)
        for _, leaf in traces({"args": case.args, "kwargs": case.kwargs})
    )


# The way back


def gradients(
    value: Any, wanted: Mapping[str, Tensor]
) -> tuple[dict[int, Gradients], dict[int, Exception]]:
    """The gradients of every result with respect to every wanted input, 0 where none arrives; and
    what PyTorch raised where a learner broke the graph."""
    back: dict[int, Gradients] = {}
    errors: dict[int, Exception] = {}
    for _, result in leaves(value):
        if wanted and isinstance(result, Tensor) and result.requires_grad:
            try:
                back[id(result)] = _gradients_of(result, wanted)
            except Exception as error:  # noqa: BLE001  whatever it raises is told of
                errors[id(result)] = error
    return back, errors


def _gradients_of(result: Tensor, wanted: Mapping[str, Tensor]) -> Gradients:
    columns = [
        torch.autograd.grad(
            result,
            list(wanted.values()),
            weights.to(result.dtype),
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        for weights in weightings(result)
    ]
    return {path: list(each) for path, *each in zip(wanted, *columns, strict=True)}


def weightings(result: Tensor) -> list[Tensor]:
    """All ones; and weights that differ, which tell results from each other."""
    ones = torch.ones(result.shape)
    if result.numel() < 2:
        return [ones]
    generator = torch.Generator().manual_seed(SEED)
    return [ones, torch.rand(result.shape, generator=generator) + 0.5]


# What an answer must not leave behind


@contextmanager
def isolated() -> Iterator[None]:
    """Fixed seeds, float32 and gradients within; afterwards everything as it was before."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  the global one
    torchs, dtype = torch.get_rng_state(), torch.get_default_dtype()
    try:
        random.seed(SEED)
        np.random.seed(SEED)  # noqa: NPY002
        torch.default_generator.manual_seed(SEED)
        torch.set_default_dtype(torch.float32)
        with torch.inference_mode(mode=False), torch.enable_grad():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(torchs)
        torch.set_default_dtype(dtype)


class Capture(io.TextIOBase):
    """Keeps the beginning of what is printed."""

    def __init__(self) -> None:
        self.text = ""
        self.warned: list[str] = []

    def write(self, text: str, /) -> int:
        """Keep the text, as far as there is room."""
        self.text += text[: max(0, MOST_PRINTED - len(self.text))]
        return len(text)


@contextmanager
def captured() -> Iterator[Capture]:
    """What is printed and warned of within, instead of showing it."""
    capture = Capture()
    with (
        redirect_stdout(capture),
        redirect_stderr(capture),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        yield capture
    texts = (f"{each.category.__name__}: {each.message}" for each in caught)
    capture.warned = list(dict.fromkeys(texts))
