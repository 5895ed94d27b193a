"""Chapter 00: what moves an answer and should not, and what should and does not.

Where a mistake has no name, a probe changes one thing in a failing case and looks what it does to
the reference and to the answer.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from a3c_lib.exercises.engine.cases import Answer, Case, Change, Exercise, Property, ignores
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
UNMOVED = (
    "What is not right stays the same, whatever goes in: is it computed, and written to the place "
    "where it is looked for?"
)


class Remark(NamedTuple):
    """What is said of an answer, and the failing cases that bear it out."""

    text: str
    cases: Sequence[Case]


class Moves(NamedTuple):
    """Which numbers of a result a change moves: the reference's, and the answer's."""

    right: Tensor
    yours: Tensor

    @property
    def comparable(self) -> bool:
        """Whether both have as many numbers."""
        return self.right.shape == self.yours.shape


def remarks(
    exercise: Exercise, answer: Answer, failing: Sequence[Case], claimed: bool
) -> list[Remark]:
    """What can be said of an answer: sentences that hold in all failing cases, most telling
    first. The engine's own are left out where something is `claimed` of it already."""
    own = exercise.properties
    general = list(without_effect(exercise, answer, failing[0]))
    found = list(_holding(own, exercise, answer, failing))
    if not found and not claimed:
        found = list(_holding(general, exercise, answer, failing))
    for property, cases in found:
        others = [each for each in chain(own, general) if each is not property]
        if all(is_unmoved(property, others, exercise, answer, case) for case in cases):
            return [Remark(UNMOVED, cases)]
    return [Remark(property.remark, cases) for property, cases in found[:MOST_REMARKS]]


def _holding(
    properties: Sequence[Property], exercise: Exercise, answer: Answer, failing: Sequence[Case]
) -> Iterator[tuple[Property, Sequence[Case]]]:
    for property in properties:
        if cases := bearing_out(property, exercise, answer, failing):
            yield property, cases


def repeatable(exercise: Exercise, answer: Answer, case: Case) -> bool:
    """Whether two calls with equal arguments give equal results."""
    one, other = (observe(answer, case, exercise.reference) for _ in range(2))
    return difference(one, other, Tolerance(exercise.rtol, exercise.atol)) is None


def bearing_out(
    property: Property, exercise: Exercise, answer: Answer, failing: Sequence[Case]
) -> list[Case]:
    """The failing cases in which a property is true of an answer; none if it is not true in one
    that can tell."""
    found = []
    for case in failing:
        true = tell(property, exercise, answer, case)
        if true is False:
            return []
        if true:
            found.append(case)
    return found


def is_unmoved(
    property: Property,
    others: Sequence[Property],
    exercise: Exercise,
    answer: Answer,
    case: Case,
) -> bool:
    """Whether what a change should have moved, and did not, is moved by no other change either.
    Then it says nothing of this one that an answer does not heed it.

    True only if there is another argument whose change moves the reference there.
    """
    meant = moves(property, exercise, answer, case)
    if property.kind != "ignores" or meant is None or not meant.comparable:
        return False
    names = changed_by(property, case, exercise.reference).keys()
    tried = False
    for other in others:
        if other.kind != "ignores" or names & changed_by(other, case, exercise.reference).keys():
            continue
        found = moves(other, exercise, answer, case)
        if found is None or not found.comparable or found.right.shape != meant.right.shape:
            continue
        there = meant.right & found.right
        if (there & found.yours).any():
            return False
        tried = tried or bool(there.any())
    return tried


def tell(property: Property, exercise: Exercise, answer: Answer, case: Case) -> bool | None:
    """Whether a property is true of an answer in a case; None if the case cannot tell."""
    if property.kind == "scales":
        return _does_not_scale(property, exercise, answer, case)
    found = moves(property, exercise, answer, case)
    if found is None:
        return None
    right, yours = found
    if property.kind == "ignores":
        if not right.any():
            return None
        return not (yours[right] if found.comparable else yours).any()
    if not found.comparable:
        return None
    still = ~right & meant_by(property, case, exercise.reference, right)
    return bool(yours[still].any()) if still.any() else None


def _does_not_scale(
    property: Property, exercise: Exercise, answer: Answer, case: Case
) -> bool | None:
    numbers = numbers_of_both(property, exercise, answer, case)
    if numbers is None:
        return None
    right, yours = numbers
    if not agree(property.by * right[0], right[1], exercise).all():
        return None
    return not agree(property.by * yours[0], yours[1], exercise).all()


def moves(property: Property, exercise: Exercise, answer: Answer, case: Case) -> Moves | None:
    """What a property's change moves in a case; None if the case cannot tell."""
    numbers = numbers_of_both(property, exercise, answer, case)
    if numbers is None:
        return None
    return Moves(*(~agree(*each, exercise) for each in numbers))


def numbers_of_both(
    property: Property, exercise: Exercise, answer: Answer, case: Case
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]] | None:
    """The reference's numbers before and after a property's change, and the answer's."""
    changed = with_change(property, case, exercise.reference)
    if changed is None:
        return None
    right = numbers_before_and_after(exercise.reference, case, changed, exercise)
    yours = numbers_before_and_after(answer, case, changed, exercise)
    return None if right is None or yours is None else (right, yours)


def meant_by(property: Property, case: Case, reference: Answer, numbers: Tensor) -> Tensor:
    """Of a result's numbers, in a row, those that a property speaks of."""
    if property.where is None:
        return torch.ones_like(numbers)
    meant = torch.as_tensor(property.where(given_in(case, reference))).flatten()
    return meant if meant.shape == numbers.shape else torch.zeros_like(numbers)


def given_in(case: Case, reference: Answer) -> SimpleNamespace:
    """A case's arguments by their names, those that it leaves out too."""
    return SimpleNamespace(**defaults(case, reference), **arguments(case, reference))


def changed_by(property: Property, case: Case, reference: Answer) -> Mapping[str, Any]:
    """The arguments that a property changes in a case, as it changes them."""
    with isolated():
        return property.change(given_in(case, reference))


def with_change(property: Property, case: Case, reference: Answer) -> Case | None:
    """The case with other arguments; None where the change has no meaning."""
    names = arguments(case, reference)
    given, changes = vars(given_in(case, reference)), changed_by(property, case, reference)
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
                _shaking(name),
            )


def _shaking(name: str) -> Change:
    """The change of one argument; none in a case that has no such argument, or another kind."""

    def change(given: SimpleNamespace) -> Mapping[str, Any]:
        value = shaken(getattr(given, name, None))
        return {} if value is None else {name: value}

    return change


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
