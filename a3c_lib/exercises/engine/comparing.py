"""Chapter 00: the first thing in which what an answer did differs from what was expected.

Compared are errors, the form of the result, the arguments after the call, shapes, kinds of numbers,
the numbers, and the gradients: which input gets one, which must not, and its sign.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from a3c_lib.exercises.engine.numeric import (
    Tolerance,
    remark_on_kind,
    remark_on_numbers,
    remark_on_shape,
)
from a3c_lib.exercises.engine.observing import Gradients, Outcome, fields_of
from a3c_lib.exercises.engine.showing import error_line, kind_of, listed, shown, shown_apart

NUMBERS = (bool, int, float, np.number, np.bool_)


class Difference(NamedTuple):
    """In what an answer differs: a sentence, and what a message shows beside it."""

    remark: str
    rows: Mapping[str, str] = {}


def rows(
    expected: Any, yours: Any, names: tuple[str, str] = ("expected", "yours")
) -> dict[str, str]:
    """Two values as a message shows them, by these names."""
    return dict(zip(names, shown_apart(expected, yours), strict=True))


class Pair(NamedTuple):
    """A place within the result, and what stands there."""

    place: str
    expected: Any
    yours: Any


def difference(expected: Outcome, yours: Outcome, tolerance: Tolerance) -> Difference | None:
    """None if the two do the same, in this form or another that serves as well."""
    try:
        return next(differences(expected, yours, tolerance), None)
    except Exception as error:  # noqa: BLE001  sparse tensors, endless integers, odd objects
        return Difference(f"its result cannot be compared with what is expected: {error}")


def differences(expected: Outcome, yours: Outcome, tolerance: Tolerance) -> Iterator[Difference]:
    """All of them, what is most basic first."""
    if expected.error is not None or yours.error is not None:
        yield from of_errors(expected, yours)
        return
    yield from of_calls(expected.value, yours.value)
    yield from of_arguments(expected, yours, tolerance)
    places = list(pairs(Pair("the result", expected.value, yours.value), top=True))
    yield from (each for each in places if isinstance(each, Difference))
    for each in places:
        if isinstance(each, Pair):
            wanted = wants_gradient(expected.gradients_of(each.expected), tolerance)
            yield from of_leaves(each, tolerance, wanted)
    for each in places:
        if isinstance(each, Pair):
            yield from of_gradients(each, expected, yours, tolerance)


# What came back at all


def of_errors(expected: Outcome, yours: Outcome) -> Iterator[Difference]:
    """An error where none should be, another one, or none where one should be."""
    name = type(expected.error).__name__
    if yours.error is None:
        yield Difference(f"here it should raise {name}.", {"yours": shown(yours.value)})
    elif expected.error is None:
        yield Difference(f"it raised {error_line(yours.error)}")
    elif not isinstance(yours.error, type(expected.error)):
        yield Difference(f"here it should raise {name}; it raised {error_line(yours.error)}")


def of_calls(expected: Any, yours: Any) -> Iterator[Difference]:
    """Nothing came back, or something that would still have to run."""
    if yours is None and expected is not None:
        yield Difference("it returned None: is a `return` missing?")
    elif inspect.isgenerator(yours) and yours.gi_code.co_name == "<genexpr>":
        yield Difference(
            "it returned a generator, which has computed nothing yet: put `tuple(...)`, or "
            "`[...]`, "
            "round `... for ... in ...`."
        )
    elif inspect.isgenerator(yours):
        yield Difference(
            "it returned a generator, since there is a `yield` in it: use `return`, once."
        )
    elif inspect.iscoroutine(yours):
        yield Difference("it returned a coroutine: write `def`, not `async def`.")
    elif inspect.isfunction(yours) and not callable(expected):
        yield Difference(
            f"it returned the function `{yours.__name__}` itself: are the parentheses missing "
            "that call it?"
        )


def of_arguments(expected: Outcome, yours: Outcome, tolerance: Tolerance) -> Iterator[Difference]:
    """Arguments that were changed in place, and gradients that were left in `.grad`."""
    for name in [name for name in expected.after if name in yours.after]:
        before, after = expected.after[name], yours.after[name]
        if not unchanged(before, after, tolerance):
            yield Difference(
                _changed(yours.named(name)),
                rows(before, after, ("before", "after")),
            )
    if grown := expected.after.keys() ^ yours.after.keys():
        yield Difference(_changed(yours.named(re.split(r"[.\[]", min(grown))[0])))
    if stored := sorted(yours.stored - expected.stored):
        yield Difference(
            f"it leaves a gradient in `{yours.named(stored[0])}.grad`, where the next one would be "
            "added to it. A loss is returned, and its caller differentiates; where you need a "
            "gradient yourself, `torch.autograd.grad` returns it and stores nothing."
        )


def _changed(name: str) -> str:
    return (
        f"it changes its argument `{name}` in place; the caller still needs it. Work on a copy, "
        "or build a new one."
    )


def unchanged(before: Any, after: Any, tolerance: Tolerance) -> bool:
    """Whether an argument is as it was."""
    if type(before) is not type(after):
        return False
    match before:
        case Tensor():
            same = before.shape == after.shape and before.dtype == after.dtype
            return same and tolerance.agree(before, after)
        case np.ndarray():
            return before.shape == after.shape and bool(np.array_equal(before, after))
    return bool(before == after) or before != before  # NaN


# The result, place by place


def pairs(pair: Pair, top: bool = False) -> Iterator[Pair | Difference]:
    """The leaves of the result beside each other, or the first place where the forms differ."""
    place, expected, yours = pair
    match expected:
        case _ if names := fields_of(expected):
            if not set(names) <= set(fields_of(yours)):
                yield _form(pair, f"a {type(expected).__name__}({', '.join(names)})")
                return
            for name in names:
                inner = f"`{name}`" if top else f"`{name}` of {place}"
                yield from pairs(Pair(inner, getattr(expected, name), getattr(yours, name)))
        case tuple() | list():
            if not isinstance(yours, tuple | list):
                values = "1 value" if len(expected) == 1 else f"{len(expected)} values"
                yield _form(pair, f"{kind_of(expected)} of {values}")
            elif len(yours) != len(expected):
                yield Difference(
                    f"{place} has {len(yours)} values, not {len(expected)}.", rows(expected, yours)
                )
            else:
                for i, (a, b) in enumerate(zip(expected, yours, strict=True), 1):
                    yield from pairs(Pair(f"value {i} of {place}", a, b))
        case dict():
            if not isinstance(yours, dict):
                yield _form(pair, f"a dict with {listed([repr(key) for key in expected])}")
            elif expected.keys() != yours.keys():
                yield Difference(
                    f"{place} has the keys {listed([repr(key) for key in yours])}; expected are "
                    f"{listed([repr(key) for key in expected])}."
                )
            else:
                for key in expected:
                    yield from pairs(Pair(f"{place}[{key!r}]", expected[key], yours[key]))
        case _:
            yield pair


def _form(pair: Pair, wanted: str) -> Difference:
    return Difference(
        f"{pair.place} is {kind_of(pair.yours)}; expected is {wanted}.",
        rows(pair.expected, pair.yours),
    )


def of_leaves(pair: Pair, tolerance: Tolerance, wants_gradient: bool) -> Iterator[Difference]:
    """How what stands at one place differs from what should: in kind, shape or numbers."""
    place, expected, yours = pair
    if yours is None and expected is not None:
        yield Difference(f"{place} is None.", rows(expected, yours))
        return
    if isinstance(expected, (Tensor, *NUMBERS)):
        if remark := of_form(pair, tolerance, wants_gradient):
            yield Difference(remark, rows(expected, yours))
            return
        a, b = torch.as_tensor(expected), torch.as_tensor(yours)
        if isinstance(yours, int) and not isinstance(yours, bool) and a.is_floating_point():
            b = b.to(a.dtype)  # 0 is as good as 0.0
        remark = (
            remark_on_shape(place, a, b)
            or remark_on_kind(place, a, b)
            or remark_on_numbers(place, a, b, tolerance)
        )
        if remark:
            yield Difference(remark, rows(expected, yours))
    elif isinstance(expected, np.ndarray):
        if not isinstance(yours, np.ndarray):
            yield _form(pair, "a NumPy array")
        else:
            yield from of_leaves(
                Pair(place, torch.as_tensor(expected), torch.as_tensor(yours)), tolerance, False
            )
    elif not _equal(expected, yours):
        yield Difference(f"{place} is not right yet.", rows(expected, yours))


def of_form(pair: Pair, tolerance: Tolerance, wants_gradient: bool) -> str:
    """A sentence if the result is no tensor where one is wanted. A plain number is as good as a
    tensor of one number, as long as no gradient has to flow through it."""
    place, expected, yours = pair
    if isinstance(yours, Tensor):
        return ""
    if isinstance(yours, (np.ndarray, *NUMBERS)) and wants_gradient:
        return (
            f"{place} is {kind_of(yours)}: no gradient can flow through it. Compute with tensors "
            "to the end."
        )
    wanted = "a tensor" if isinstance(expected, Tensor) else kind_of(expected)
    if isinstance(yours, NUMBERS):
        if not isinstance(expected, Tensor) or expected.dim() == 0:
            return ""
        return f"{place} is one number; expected is a tensor of shape {tuple(expected.shape)}."
    numbers = _numbers(yours)
    same = numbers is not None and tolerance.agree(torch.as_tensor(expected), numbers)
    right = "Its numbers are right. " if same else ""
    if isinstance(yours, np.ndarray):
        return f"{place} is a NumPy array; expected is {wanted}. {right}Return a tensor."
    if isinstance(yours, list | tuple):
        make = "torch.stack" if any(isinstance(e, Tensor) for e in yours) else "torch.tensor"
        how = f" {right}`{make}` makes a tensor of it." if isinstance(expected, Tensor) else ""
        return f"{place} is {kind_of(yours)}; expected is {wanted}.{how}"
    return f"{place} is {kind_of(yours)}; expected is {wanted}."


def _numbers(value: Any) -> Tensor | None:
    try:
        if isinstance(value, list | tuple) and any(isinstance(each, Tensor) for each in value):
            return torch.stack([torch.as_tensor(each) for each in value])
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        return None


def _equal(expected: Any, yours: Any) -> bool:
    try:
        return bool(expected == yours)
    except Exception:  # noqa: BLE001  a learner's __eq__ may raise anything
        return False


# The gradients


def wants_gradient(expected: Gradients, tolerance: Tolerance) -> bool:
    """Whether a gradient that is not zero flows from a result."""
    return any(not tolerance.is_zero(each) for back in expected.values() for each in back)


def of_gradients(
    pair: Pair, expected: Outcome, yours: Outcome, tolerance: Tolerance
) -> Iterator[Difference]:
    """Nothing that flows, and a flow of zeros, are the same."""
    place, a, b = pair.place, expected.gradients_of(pair.expected), yours.gradients_of(pair.yours)
    if yours.gradient_error is not None:
        if wants_gradient(a, tolerance):
            yield Difference(
                f"{place} is right, but its gradient cannot be computed: "
                f"{error_line(yours.gradient_error)}"
            )
        return
    for path in {**a, **b}:
        nothing = [torch.zeros_like(each) for each in a.get(path) or b[path]]
        both = zip(a.get(path, nothing), b.get(path, nothing), strict=True)
        for (right, mine), of in zip(both, (place, f"a weighted sum of {place}"), strict=False):
            if remark := remark_on_gradient(of, yours.named(path), right, mine, tolerance):
                yield Difference(remark, rows(right, mine, ("expected gradient", "your gradient")))


def remark_on_gradient(
    place: str, name: str, expected: Tensor, yours: Tensor, tolerance: Tolerance
) -> str:
    """A sentence on the gradient of a place in the result with respect to an input."""
    if tolerance.agree(expected, yours):
        return ""
    gradient = f"the gradient of {place} with respect to `{name}`"
    if tolerance.is_zero(expected) and yours.isfinite().all():
        return (
            f"a gradient flows from {place} into `{name}`, where none should: is a `detach()` "
            "missing?"
        )
    if tolerance.is_zero(yours):
        return (
            f"{place} is right, but no gradient flows from it into `{name}`. Is it cut, by "
            "`detach()`, `item()`, `no_grad()` or NumPy?"
        )
    remark = remark_on_numbers(gradient, expected, yours, tolerance)
    return f"the numbers are right, but {remark}"
