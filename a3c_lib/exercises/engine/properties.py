"""Chapter 00: what moves an answer and should not, and what should and does not.

Where a mistake has no name, a probe changes one thing in a failing case and looks what it does to
the reference and to the answer.
"""

import inspect
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from a3c_lib.exercises.engine.cases import Answer, Case, Exercise, Property, ignores
from a3c_lib.exercises.engine.comparing import difference
from a3c_lib.exercises.engine.numeric import Tolerance
from a3c_lib.exercises.engine.observing import (
    arguments,
    isolated,
    leaves,
    observe,
    own_names,
)

MOST_REMARKS = 2


def remarks(
    exercise: Exercise, answer: Answer, failing: Sequence[Case], claimed: bool
) -> list[str]:
    """What can be said of an answer: sentences that hold in all failing cases, most telling
    first. The engine's own are left out where something is `claimed` of it already."""
    found = [p.remark for p in exercise.properties if holds(p, exercise, answer, failing)]
    if not found and not claimed:
        general = without_effect(exercise, answer, failing[0])
        found = [p.remark for p in general if holds(p, exercise, answer, failing)]
    return found[:MOST_REMARKS]


def repeatable(exercise: Exercise, answer: Answer, case: Case) -> bool:
    """Whether two calls with equal arguments give equal results."""
    one, other = (observe(answer, case, exercise.reference) for _ in range(2))
    return difference(one, other, Tolerance(exercise.rtol, exercise.atol)) is None


def holds(property: Property, exercise: Exercise, answer: Answer, failing: Sequence[Case]) -> bool:
    """Whether a property is true of an answer, in each failing case that can tell, and in at least
    one."""
    told = [tell(property, exercise, answer, case) for case in failing]
    return True in told and False not in told


def tell(property: Property, exercise: Exercise, answer: Answer, case: Case) -> bool | None:
    """Whether a property is true of an answer in a case; None if the case cannot tell."""
    changed = with_change(property, case, exercise.reference)
    if changed is None:
        return None
    right = numbers_before_and_after(exercise.reference, case, changed, exercise)
    yours = numbers_before_and_after(answer, case, changed, exercise)
    if right is None or yours is None:
        return None
    if property.kind == "scales":
        if not agree(property.by * right[0], right[1], exercise).all():
            return None
        return not agree(property.by * yours[0], yours[1], exercise).all()
    moves, moved = (~agree(*numbers, exercise) for numbers in (right, yours))
    if property.kind == "ignores":
        if not moves.any():
            return None
        return not (moved[moves] if moves.shape == moved.shape else moved).any()
    if moves.shape != moved.shape or moves.all():
        return None
    return bool(moved[~moves].any())


def with_change(property: Property, case: Case, reference: Answer) -> Case | None:
    """The case with other arguments; None where the change has no meaning."""
    names = arguments(case, reference)
    with isolated():
        given = defaults(case, reference) | names
        changes = property.change(SimpleNamespace(**given))
    if not changes.keys() <= given.keys():
        return None
    if all(unchanged(given[name], value) for name, value in changes.items()):
        return None
    values = {**names, **changes}
    positional = list(names)[: len(case.args)]
    return Case(
        case.label,
        *(values.pop(name) for name in positional),
        probe=case.probe,
        **values,
    )


def unchanged(before: Any, after: Any) -> bool:
    """Whether a change changed nothing.

    >>> unchanged((torch.ones(2), 1), (torch.ones(2), 1)), unchanged(0.5, 0.6)
    (True, False)
    """
    match before:
        case Tensor():
            return torch.equal(before, after)
        case np.ndarray():
            return bool(np.array_equal(before, after))
        case tuple() | list():
            return all(map(unchanged, before, after))
    return bool(before == after)


def defaults(case: Case, reference: Answer) -> dict[str, Any]:
    """What arguments are that a case leaves out."""
    names = arguments(case, reference)
    parameters = inspect.signature(case.probe or reference).parameters.values()
    return {
        each.name: each.default
        for each in parameters
        if each.default is not each.empty and each.name not in names
    }


def numbers_before_and_after(
    answer: Answer, before: Case, after: Case, exercise: Exercise
) -> tuple[Tensor, Tensor] | None:
    """All numbers that an answer gives in two cases; None if it raises, or if one is not finite."""
    one, other = (
        observe(answer, case, exercise.reference, with_gradients=False) for case in (before, after)
    )
    if one.error is not None or other.error is not None:
        return None
    try:
        numbers = in_a_row(one.value), in_a_row(other.value)
    except Exception:  # noqa: BLE001  sparse tensors, endless integers
        return None
    return numbers if all(each.isfinite().all() for each in numbers) else None


def in_a_row(value: Any) -> Tensor:
    """All numbers of a result.

    >>> in_a_row({"a": torch.tensor([[1, 2], [3, 4]]), "b": (0.5, True, "text")}).tolist()
    [1.0, 2.0, 3.0, 4.0, 0.5, 1.0]
    """
    parts = [
        torch.as_tensor(leaf).detach().double().flatten()
        for _, leaf in leaves(value)
        if isinstance(leaf, Tensor | np.ndarray | np.generic | bool | int | float)
    ]
    return torch.cat([torch.zeros(0).double(), *parts])


def agree(one: Tensor, other: Tensor, exercise: Exercise) -> Tensor:
    """Where two rows of numbers agree; nowhere if one is longer."""
    if one.shape != other.shape:
        return torch.zeros(len(one), dtype=torch.bool)
    return torch.isclose(one, other, exercise.rtol, exercise.atol, equal_nan=True)


def without_effect(exercise: Exercise, answer: Answer, case: Case) -> Iterator[Property]:
    """For each argument a property: that it has no effect."""
    names = own_names(answer, case, exercise.reference)
    for name, value in arguments(case, exercise.reference).items():
        if shaken(value) is not None:
            yield ignores(
                f"`{names.get(name, name)}` has no effect on what comes out.",
                lambda given, name=name: {name: shaken(getattr(given, name))},  # type: ignore[misc]
            )


def shaken(value: Any) -> Any:
    """Another value of the same kind; None where the engine knows none.

    >>> shaken(torch.tensor([True, False])), shaken(0.5), shaken("A")
    (tensor([False,  True]), 0.35, None)
    """
    match value:
        case Tensor() if value.is_floating_point():
            other = value.detach() + torch.randn(value.shape)
            return other.requires_grad_(value.requires_grad)
        case Tensor() if value.dtype == torch.bool:
            return ~value
        case np.ndarray() if value.dtype == np.bool_:
            return ~value
        case float():
            return 0.7 * value
    return None
