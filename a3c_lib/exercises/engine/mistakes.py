"""Chapter 00: the mistake, or the two at once, that do in every case what an answer does."""

import functools
import inspect
import sys
import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, combinations, pairwise, permutations, product
from typing import Any

import numpy as np
from torch import Tensor

from a3c_lib.exercises.engine.cases import Answer, Case, Edit, Exercise, Wrong
from a3c_lib.exercises.engine.comparing import Pair, difference, is_right, pairs, right_places
from a3c_lib.exercises.engine.numeric import Tolerance
from a3c_lib.exercises.engine.observing import Outcome, leaves, observe
from a3c_lib.exercises.engine.written import unwrapped

MOST_NUMBERS = 100  # of a place, that are looked at to see whether any differ


def explanation(exercise: Exercise, observed: Sequence[tuple[Case, Outcome]]) -> tuple[Wrong, ...]:
    """The single mistake that an answer makes, or the pair of them; nothing if it makes another.

    `observed` is what the answer did in every case. The first ones are compared first, so that most
    mistakes are ruled out by one run.
    """
    alone, pairs = combinations(exercise.wrong, 1), combinations(exercise.wrong, 2)
    for made in chain(alone, pairs):
        answers = list(spelled(exercise, *made))
        if answers and all(_is_made(exercise, answers, *each) for each in observed):
            return made
    return ()


def mistake_beside(exercise: Exercise, observed: Sequence[tuple[Case, Outcome]]) -> Wrong | None:
    """The single mistake that an answer makes when nothing is looked at but its numbers: neither
    what it did to its arguments, nor axes of length 1, nor gradients. None if those are right.
    """
    seen = [(case, bare(yours)) for case, yours in observed]
    if all(_does(exercise, [exercise.reference], *each) for each in seen):
        return None
    for wrong in exercise.wrong:
        answers = list(spelled(exercise, wrong))
        if all(_does(exercise, answers, *each) for each in seen):
            return wrong
    return None


def mistakes_by_place(
    exercise: Exercise, tried: Sequence[tuple[Case, Outcome, Outcome]]
) -> dict[str, Wrong]:
    """The single mistakes that explain some of the places in which a result is wrong, and leave
    others open: by place. Nothing if the result has another form than it should. A mistake that
    spoils what the answer has right is not the one that was made.

    `tried` are the cases, with what was expected in each and what the answer did.
    """
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    outcomes = [(expected, yours) for _, expected, yours in tried]
    places = [_places(exercise, expected, expected) for expected, _ in outcomes]
    if not all(_places(exercise, *each) for each in outcomes):
        return {}
    right = right_places(outcomes, tolerance, exercise.parts)
    wrongly = {place for each in places for place in each} - set(right)
    open_ = {place for place in wrongly if _evidence(place, places) > 1}
    explained: dict[str, Wrong] = {}
    if len(wrongly) < 2:
        return {}
    for wrong in exercise.wrong:
        for answer in spelled(exercise, wrong):
            due = open_ - explained.keys()
            for case, expected, yours in tried:
                theirs = observe(answer, case, exercise.reference) if due else yours
                due = due and _shared(exercise, theirs, yours, due)
                if due and _shared(exercise, theirs, expected, set(right)) != set(right):
                    due = set()
            explained |= dict.fromkeys(sorted(due), wrong)
    return explained if wrongly - explained.keys() else {}


def _places(exercise: Exercise, expected: Outcome, yours: Outcome) -> dict[str, Pair]:
    """What stands beside each other in two results, by place; nothing if their forms differ."""
    if expected.error is not None or yours.error is not None:
        return {}
    found: dict[str, Pair] = {}
    whole = Pair("the result", expected.value, yours.value)
    for each in pairs(whole, exercise.parts, top=True):
        if not isinstance(each, Pair):
            return {}
        found[each.place] = each
    return found


def _evidence(place: str, results: Sequence[Mapping[str, Pair]]) -> int:
    """How many different fractional numbers are expected at a place, in all cases together."""
    numbers: set[float] = set()
    for each in results:
        value = each[place].expected if place in each else None
        if isinstance(value, Tensor) and value.is_floating_point():
            numbers.update(value.detach().flatten()[:MOST_NUMBERS].tolist())
    return len(numbers - {0.0})


def _shared(exercise: Exercise, theirs: Outcome, yours: Outcome, places: set[str]) -> set[str]:
    """Those places at which two answers did the same in a case."""
    beside = _places(exercise, theirs, yours)
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    return {
        place
        for place in places
        if place in beside and is_right(beside[place], theirs, yours, tolerance)
    }


def _does(exercise: Exercise, answers: Sequence[Answer], case: Case, numbers: Outcome) -> bool:
    """Whether one of them gives these numbers in a case."""
    outcomes = (observe(each, case, exercise.reference, with_gradients=False) for each in answers)
    return any(same(bare(outcome), numbers, exercise) for outcome in outcomes)


def bare(outcome: Outcome) -> Outcome:
    """The numbers of an outcome alone, without axes of length 1."""
    return Outcome(value=squeezed(outcome.value), error=outcome.error)


def squeezed(value: Any) -> Any:
    """A result without its axes of length 1; of what holds several, each without them.

    >>> squeezed((np.zeros((3, 1)), 0.5))
    (array([0., 0., 0.]), 0.5)
    """
    match value:
        case Tensor() | np.ndarray():
            return value.squeeze()
        case tuple() if hasattr(value, "_fields"):
            return type(value)(*map(squeezed, value))
        case tuple() | list():
            return type(value)(map(squeezed, value))
        case dict():
            return {key: squeezed(each) for key, each in value.items()}
    return value


def spelled(exercise: Exercise, *made: Wrong) -> Iterator[Answer]:
    """Answers that make all these mistakes at once: none where one of several is no edit, or where
    an edit leaves nothing of the passage that another one needs."""
    for spellings in product(*(wrong.spellings for wrong in made)):
        edits = [each for each in spellings if isinstance(each, Mapping)]
        if len(edits) == len(spellings):
            form = exercise.form or exercise.reference
            at_once = edited(form, *edits)
            yield from in_turn(form, *edits) if at_once is None else [at_once]
        elif len(spellings) == 1:
            yield spellings[0]  # type: ignore[misc]


def edited(form: Answer, *edits: Edit) -> Answer | None:
    """The form with other text in some passages; None if they overlap.

    Raises ValueError, with the passage, if one is not found exactly once.
    """
    text = source(form)
    passages = sorted((_place(old, text), old, new) for edit in edits for old, new in edit.items())
    for (place, old, _), (next_place, _, _) in pairwise(passages):
        if place + len(old) > next_place:
            return None
    for place, old, new in reversed(passages):
        text = text[:place] + new + text[place + len(old) :]
    return defined(text, form)


def in_turn(form: Answer, *edits: Edit) -> Iterator[Answer]:
    """The form with one edit made in what another one made of it, in every order in which that
    can be done: `x` → `x.flip(0)` and `x` → `2 * x` make `2 * x.flip(0)`."""
    for order in permutations(edits):
        text: str | None = source(form)
        for edit in order:
            text = text and _rewritten(text, edit)
        if text:
            with suppress(SyntaxError), warnings.catch_warnings():
                warnings.simplefilter("error", SyntaxWarning)
                yield defined(text, form)


def _rewritten(text: str, edit: Edit) -> str | None:
    """None if a passage is not found exactly once."""
    for old, new in edit.items():
        if text.count(old) != 1:
            return None
        text = text.replace(old, new)
    return text


def _place(passage: str, text: str) -> int:
    if text.count(passage) != 1:
        raise ValueError(f"{passage!r} is found {text.count(passage)} times in:\n{text}")
    return text.index(passage)


@functools.cache
def source(answer: Answer) -> str:
    """The text of a definition."""
    return textwrap.dedent(inspect.getsource(unwrapped(answer)))


@functools.lru_cache(maxsize=1024)
def defined(text: str, original: Answer) -> Answer:
    """What a definition defines in the module of the original."""
    written = unwrapped(original)
    space: dict[str, Any] = dict(vars(sys.modules[written.__module__]))
    exec(compile(text, f"<{written.__name__} with a mistake>", "exec"), space)
    answer: Answer = space[written.__name__]
    return answer


def _is_made(exercise: Exercise, answers: Sequence[Answer], case: Case, yours: Outcome) -> bool:
    """Whether one of them does in a case what the answer did. Gradients, which take longest, are
    computed only where everything else agrees."""
    yours = yours._replace(same_memory={})
    numbers = yours._replace(gradients={}, gradient_errors={})
    for answer in answers:
        outcome = observe(answer, case, exercise.reference, with_gradients=False)
        if same(outcome, numbers, exercise) and same(
            observe(answer, case, exercise.reference), yours, exercise
        ):
            return True
    return False


def same(one: Outcome, other: Outcome, exercise: Exercise) -> bool:
    """Whether two answers did the same in a case."""
    if one.error is not None or other.error is not None:
        return repr(one.error) == repr(other.error)
    if bool(one.gradient_errors) != bool(other.gradient_errors):
        return False
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    if disagree(one.value, other.value, tolerance):  # which most do; a difference takes longer
        return False
    return difference(one, other, tolerance) is None


def disagree(one: Any, other: Any, tolerance: Tolerance) -> bool:
    """Whether two results of one form hold different numbers somewhere."""
    with suppress(Exception):  # from what cannot be walked through or compared
        for (path, a), (same_path, b) in zip(leaves(one), leaves(other), strict=False):
            both = path == same_path and isinstance(a, Tensor) and isinstance(b, Tensor)
            if both and a.shape == b.shape and not tolerance.agree(a, b):
                return True
    return False
