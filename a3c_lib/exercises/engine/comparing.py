"""Chapter 00: in what an answer differs from what was expected, what is most basic first.

Compared are errors, the form of the result, the arguments after the call, shapes, kinds of numbers,
the numbers, and the gradients: which input gets one, which must not, and its sign.
"""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from a3c_lib.exercises.engine.numeric import (
    Claims,
    Tolerance,
    claims_on_numbers,
    claims_on_shape,
    remark_on_kind,
    remark_on_numbers,
    remark_on_shape,
)
from a3c_lib.exercises.engine.observing import MODE, Gradients, Outcome, fields_of
from a3c_lib.exercises.engine.showing import (
    agreeing,
    error_line,
    kind_of,
    listed,
    shown,
    shown_apart,
)

NUMBERS = (bool, int, float, np.number, np.bool_)


class Level(IntEnum):
    """What an answer can differ in, what is most basic first."""

    RESULT = 0  # nothing came back, or something that would still have to run
    ARGUMENTS = 1
    FORM = 2
    SHAPE = 3
    NUMBERS = 4
    GRADIENTS = 5
    MEMORY = 6  # all is right, and lies in an argument's memory


class Difference(NamedTuple):
    """In what an answer differs: a sentence that is true of one case, and what a message shows
    beside it. `claims` say more: they take the sentence's place or, as a sentence of their own,
    follow it, if they hold in every case in which the answer is wrong."""

    remark: str
    rows: Mapping[str, str] = {}
    level: Level = Level.RESULT
    claims: Claims = {}


def common(differences: Sequence[Difference]) -> Difference:
    """The most basic difference, of several cases: the first one on its level, with a claim that
    all of that level share, if two different numbers bear it out."""
    level = min(each.level for each in differences)
    first, *others = [each for each in differences if each.level == level]
    for claim, evidence in first.claims.items():
        shared = all(claim in each.claims for each in others)
        if shared and evidence + sum(each.claims[claim] for each in others) > 1:
            remark = f"{first.remark} {claim}" if claim[0].isupper() else claim
            return first._replace(remark=remark)
    return first


def rows(
    expected: Any, yours: Any, names: tuple[str, str] = ("expected", "yours")
) -> dict[str, str]:
    """Two values as a message shows them, by these names; of large ones that look alike, the first
    number that differs."""
    texts = shown_apart(expected, yours)
    if texts[0] == texts[1] and isinstance(expected, Tensor) and isinstance(yours, Tensor):
        for differing in (expected != yours).nonzero().tolist()[:1]:
            one, other = expected[tuple(differing)], yours[tuple(differing)]
            names = f"{names[0]} at {differing}", f"{names[1]} at {differing}"
            texts = shown_apart(one, other)
    return dict(zip(names, texts, strict=True))


class Pair(NamedTuple):
    """A place within the result, and what stands there."""

    place: str
    expected: Any
    yours: Any


def difference(
    expected: Outcome, yours: Outcome, tolerance: Tolerance, parts: Sequence[str] = ()
) -> Difference | None:
    """None if the two do the same, in this form or another that serves as well."""
    try:
        return next(differences(expected, yours, tolerance, parts), None)
    except Exception as error:  # noqa: BLE001  sparse tensors, endless integers, odd objects
        return Difference(f"its result cannot be compared with what is expected: {error}")


def differences(
    expected: Outcome, yours: Outcome, tolerance: Tolerance, parts: Sequence[str] = ()
) -> Iterator[Difference]:
    """All of them, what is most basic first. `parts` are names for the values of a tuple."""
    if expected.error is not None or yours.error is not None:
        yield from of_errors(expected, yours)
        return
    yield from of_calls(expected.value, yours.value)
    yield from of_arguments(expected, yours, tolerance)
    places = list(pairs(Pair("the result", expected.value, yours.value), parts, top=True))
    yield from (each for each in places if isinstance(each, Difference))
    for each in places:
        if isinstance(each, Pair):
            wanted = wants_gradient(expected.gradients_of(each.expected), tolerance)
            yield from of_leaves(each, tolerance, wanted)
    for each in places:
        if isinstance(each, Pair):
            yield from of_gradients(each, expected, yours, tolerance)
    yield from of_memory(expected, yours)


def right_places(
    outcomes: Sequence[tuple[Outcome, Outcome]], tolerance: Tolerance, parts: Sequence[str]
) -> list[str]:
    """The places of the result that are right in every case; nothing if the forms differ.

    `outcomes` are what was expected, and what came, in each.
    """
    right: dict[str, bool] = {}
    for expected, yours in outcomes:
        for pair in pairs(Pair("the result", expected.value, yours.value), parts, top=True):
            if isinstance(pair, Difference):
                return []
            so_far = right.get(pair.place, True)
            right[pair.place] = so_far and is_right(pair, expected, yours, tolerance)
    return [place for place, always in right.items() if always]


def is_right(pair: Pair, expected: Outcome, yours: Outcome, tolerance: Tolerance) -> bool:
    """Whether a place of the result has the right numbers, and the right gradients."""
    wanted = wants_gradient(expected.gradients_of(pair.expected), tolerance)
    try:
        differing = next(of_leaves(pair, tolerance, wanted), None)
        return not (differing or next(of_gradients(pair, expected, yours, tolerance), None))
    except Exception:  # noqa: BLE001  sparse tensors, endless integers, odd objects
        return False


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
            shown = {} if name.endswith(MODE) else rows(before, after, ("before", "after"))
            yield Difference(_changed(yours.named(name)), shown, Level.ARGUMENTS)
    if grown := expected.after.keys() ^ yours.after.keys():
        argument = yours.named(re.split(r"[.\[]", min(grown))[0])
        yield Difference(_changed(argument), level=Level.ARGUMENTS)
    if yours.switched_off and not expected.switched_off:
        yield Difference(
            "it leaves gradients switched off, so that nothing which comes after it can learn. "
            "`with torch.no_grad():` switches them off for its block alone.",
            level=Level.ARGUMENTS,
        )
    if stored := sorted(yours.stored - expected.stored):
        yield Difference(
            f"it leaves a gradient in `{yours.named(stored[0])}.grad`, where the next one would be "
            "added to it. A loss is returned, and its caller differentiates; where you need a "
            "gradient yourself, `torch.autograd.grad` returns it and stores nothing.",
            level=Level.ARGUMENTS,
        )


def _changed(name: str) -> str:
    if name.endswith(MODE):
        return (
            f"it leaves `{name.removesuffix(MODE)}` in another mode than it was in. `train()` and "
            "`eval()` belong to whoever trains; if you need another mode, set it back."
        )
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


def pairs(pair: Pair, parts: Sequence[str] = (), top: bool = False) -> Iterator[Pair | Difference]:
    """The leaves of the result beside each other, or the first place where the forms differ."""
    place, expected, yours = pair
    match expected:
        case _ if names := fields_of(expected):
            names = tuple(parts) if top and set(parts) == set(names) else names
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
                remark = f"{place} has {len(yours)} values, not {len(expected)}."
                yield Difference(remark, rows(expected, yours), Level.FORM)
            else:
                named = top and len(parts) == len(expected)
                for i, (a, b) in enumerate(zip(expected, yours, strict=True), 1):
                    inner = f"`{parts[i - 1]}`" if named else f"value {i} of {place}"
                    yield from pairs(Pair(inner, a, b))
        case dict():
            if not isinstance(yours, dict):
                yield _form(pair, f"a dict with {listed([repr(key) for key in expected])}")
            elif expected.keys() != yours.keys():
                yield Difference(
                    f"{place} has the keys {listed([repr(key) for key in yours])}; expected are "
                    f"{listed([repr(key) for key in expected])}.",
                    level=Level.FORM,
                )
            else:
                for key in expected:
                    inner = str(key) if top and " " in str(key) else f"{place}[{key!r}]"
                    yield from pairs(Pair(inner, expected[key], yours[key]))
        case _:
            yield pair


def _form(pair: Pair, wanted: str) -> Difference:
    return Difference(
        f"{pair.place} is {kind_of(pair.yours)}; expected is {wanted}.",
        rows(pair.expected, pair.yours),
        Level.FORM,
    )


def of_leaves(pair: Pair, tolerance: Tolerance, wants_gradient: bool) -> Iterator[Difference]:
    """How what stands at one place differs from what should: in kind, shape or numbers."""
    place, expected, yours = pair
    if yours is None and expected is not None:
        yield Difference(agreeing(place, "is None."), rows(expected, yours), Level.FORM)
        return
    if place.endswith("?") and isinstance(expected, bool):
        if expected is not yours:
            wanted = "yes" if expected else "no"
            remark = f"not right yet: {place} The answer has to be {wanted}."
            yield Difference(remark, level=Level.NUMBERS)
        return
    if isinstance(expected, (Tensor, *NUMBERS)):
        if remark := of_form(pair, wants_gradient):
            yield Difference(
                remark, rows(expected, yours), Level.FORM, claims_on_form(pair, tolerance)
            )
            return
        a, b = torch.as_tensor(expected), torch.as_tensor(yours)
        if isinstance(yours, int) and not isinstance(yours, bool) and a.is_floating_point():
            b = b.to(a.dtype)  # 0 is as good as 0.0
        if remark := remark_on_shape(place, a, b):
            claims = claims_on_shape(a, b)
            yield Difference(remark, rows(expected, yours), Level.SHAPE, claims)
        elif remark := remark_on_kind(place, a, b):
            yield Difference(remark, rows(expected, yours), Level.SHAPE)
        elif remark := remark_on_numbers(place, a, b, tolerance):
            claims = claims_on_numbers(place, a, b, tolerance)
            yield Difference(remark, rows(expected, yours), Level.NUMBERS, claims)
    elif isinstance(expected, np.ndarray):
        if not isinstance(yours, np.ndarray):
            yield _form(pair, "a NumPy array")
        else:
            yield from of_leaves(
                Pair(place, torch.as_tensor(expected), torch.as_tensor(yours)), tolerance, False
            )
    elif not _equal(expected, yours):
        yield Difference(agreeing(place, "is not right yet."), rows(expected, yours), Level.NUMBERS)


def of_form(pair: Pair, wants_gradient: bool) -> str:
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
    if isinstance(yours, np.ndarray):
        return f"{place} is a NumPy array; expected is {wanted}. Return a tensor."
    how = ""
    if isinstance(yours, list | tuple) and isinstance(expected, Tensor):
        make = "torch.stack" if any(isinstance(e, Tensor) for e in yours) else "torch.tensor"
        how = f" `{make}` makes a tensor of it."
    return f"{place} is {kind_of(yours)}; expected is {wanted}.{how}"


def claims_on_form(pair: Pair, tolerance: Tolerance) -> Claims:
    """That the numbers are right, if it is only their form that is not."""
    numbers = None if isinstance(pair.yours, Tensor) else _numbers(pair.yours)
    if numbers is None or not tolerance.agree(torch.as_tensor(pair.expected), numbers):
        return {}
    return {"Its numbers are right.": numbers.numel()}


def _numbers(value: Any) -> Tensor | None:
    try:
        if isinstance(value, list | tuple) and any(isinstance(each, Tensor) for each in value):
            return torch.stack([torch.as_tensor(each) for each in value])
        return torch.as_tensor(np.asarray(value))  # torch warns of a list of arrays
    except (TypeError, ValueError, RuntimeError):
        return None


def _equal(expected: Any, yours: Any) -> bool:
    try:
        return bool(expected == yours)
    except Exception:  # noqa: BLE001  a learner's __eq__ may raise anything
        return False


def of_memory(expected: Outcome, yours: Outcome) -> Iterator[Difference]:
    """What is returned is an argument, or a part of one."""
    for place, argument in yours.same_memory.items():
        if place in expected.same_memory:
            continue
        name = yours.named(argument)
        yield Difference(
            f"it returns its argument `{name}` itself, or a part of it: whoever changes the one "
            "changes the other. Return something new.",
            level=Level.MEMORY,
        )


# The gradients


def wants_gradient(expected: Gradients, tolerance: Tolerance) -> bool:
    """Whether a gradient that is not zero flows from a result."""
    return any(not tolerance.is_zero(each) for back in expected.values() for each in back)


def of_gradients(
    pair: Pair, expected: Outcome, yours: Outcome, tolerance: Tolerance
) -> Iterator[Difference]:
    """Nothing that flows, and a flow of zeros, are the same."""
    place, a, b = pair.place, expected.gradients_of(pair.expected), yours.gradients_of(pair.yours)
    if error := yours.gradient_errors.get(id(pair.yours)):
        if wants_gradient(a, tolerance):
            yield Difference(
                f"{place} is right, but its gradient cannot be computed: {error_line(error)}",
                level=Level.GRADIENTS,
            )
        return
    for path in {**a, **b}:
        nothing = [torch.zeros_like(each) for each in a.get(path) or b[path]]
        both = zip(a.get(path, nothing), b.get(path, nothing), strict=True)
        for (right, mine), of in zip(both, (place, f"a weighted sum of {place}"), strict=False):
            if remark := remark_on_gradient(of, yours.named(path), right, mine, tolerance):
                claims = claims_on_gradient(of, yours.named(path), right, mine, tolerance)
                shown = rows(right, mine, ("expected gradient", "your gradient"))
                yield Difference(remark, shown, Level.GRADIENTS, claims)


def remark_on_gradient(
    place: str, name: str, expected: Tensor, yours: Tensor, tolerance: Tolerance
) -> str:
    """A sentence on the gradient of a place in the result with respect to an input."""
    if tolerance.agree(expected, yours):
        return ""
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
    remark = remark_on_numbers(_gradient(place, name), expected, yours, tolerance)
    return f"the numbers are right, but {remark}"


def claims_on_gradient(
    place: str, name: str, expected: Tensor, yours: Tensor, tolerance: Tolerance
) -> Claims:
    """What the gradient reminds of, if there is one where there should be."""
    if tolerance.is_zero(expected) or tolerance.is_zero(yours):
        return {}
    claims = claims_on_numbers(_gradient(place, name), expected, yours, tolerance)
    return {f"the numbers are right, but {claim}": count for claim, count in claims.items()}


def _gradient(place: str, name: str) -> str:
    return f"the gradient of {place} with respect to `{name}`"
