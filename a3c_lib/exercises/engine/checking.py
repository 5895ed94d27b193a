"""Chapter 00: one check of one answer, and the verdict on it."""

import inspect
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any, NamedTuple

from a3c_lib.exercises.engine.attempt import is_stub, is_unchanged, unwritten_methods
from a3c_lib.exercises.engine.cases import Answer, Case, Exercise, Wrong
from a3c_lib.exercises.engine.comparing import Difference, difference
from a3c_lib.exercises.engine.numeric import Tolerance
from a3c_lib.exercises.engine.observing import Outcome, isolated, observe, size
from a3c_lib.exercises.engine.showing import kind_of, listed
from a3c_lib.exercises.engine.wording import (
    call_of,
    case_block,
    parameters_of,
    raised_block,
    side_block,
    wrapped,
)
from a3c_lib.exercises.engine.written import known_by_its_name, name_of


class Kind(Enum):
    """What a check can come to, and the mark with which it says so."""

    RIGHT = "right"
    WRONG = "wrong"
    RAISED = "raised"
    NOT_ATTEMPTED = "not attempted"

    @property
    def mark(self) -> str:
        """The sign that its verdict begins with."""
        return {"right": "✓", "not attempted": "○"}.get(self.value, "✗")


class Verdict(NamedTuple):
    """What is said of an answer."""

    exercise_id: str
    kind: Kind
    text: str
    runs: bool = True  # there is something in it that can be run

    @property
    def right(self) -> bool:
        """Whether the answer is right."""
        return self.kind is Kind.RIGHT


class Judgement(NamedTuple):
    """What a verdict is made of: its sentence, and blocks of lines to show below."""

    kind: Kind
    sentence: str
    blocks: tuple[str, ...] = ()


class Trial(NamedTuple):
    """What the reference and an answer did on a case."""

    case: Case
    expected: Outcome
    yours: Outcome
    difference: Difference | None


def check(exercise: Exercise, answer: Any) -> Verdict:
    """Compare an answer with the reference on every case. What the answer raises does not get out
    of here, except KeyboardInterrupt."""
    kind, sentence, blocks = judge(exercise, answer)
    headline = f"{kind.mark} {exercise.id} {name_of(answer)}: {sentence}"
    text = "\n".join([wrapped(headline), *(block for block in blocks if block)])
    return Verdict(exercise.id, kind, text, runs=callable(answer) and not is_stub(answer))


def judge(exercise: Exercise, answer: Any) -> Judgement:
    """What is to be said of an answer."""
    if not callable(answer):
        return Judgement(Kind.WRONG, f"{kind_of(answer)} is no answer; a function or a class is.")
    if missing := not_attempted(exercise, answer):
        return Judgement(Kind.NOT_ATTEMPTED, missing)
    with isolated():
        cases = exercise.cases()
    if remark := misfit(exercise, answer, cases):
        return Judgement(Kind.WRONG, remark)
    with known_by_its_name(answer):
        tried = list(trials(exercise, answer, cases))
        failing = [each for each in tried if each.difference]
        if not failing:
            return praise(tried)
        failing.sort(key=lambda each: size(each.case))
        for wrong in exercise.wrong:
            if agrees(wrong, exercise, tried):
                aside = side_block(failing[0].case, failing[0].yours)
                return Judgement(Kind.WRONG, f"not right yet. {wrong.hint}", (aside,))
    return diagnosis(exercise, answer, tried, failing)


def not_attempted(exercise: Exercise, answer: Answer) -> str:
    """A sentence if there is nothing to check yet."""
    if is_stub(answer):
        return "not attempted yet."
    if exercise.start is not None and is_unchanged(answer, exercise.start):
        return "not attempted yet: this is the code as it was given."
    unwritten = [f"`{name}`" for name in unwritten_methods(answer, exercise.reference)]
    if unwritten:
        remain = "remains" if len(unwritten) == 1 else "remain"
        return f"not finished yet: {listed(unwritten)} {remain} to be written."
    return ""


def praise(tried: Sequence[Trial]) -> Judgement:
    """What is said of an answer that is right in every case."""
    with_gradients = any(each.expected.gradients for each in tried)
    cases = f"{len(tried)} {'case' if len(tried) == 1 else 'cases'}"
    sentence = f"right. Checked on {cases}{', with gradients' * with_gradients}."
    return Judgement(Kind.RIGHT, sentence, (side_block(tried[0].case, tried[0].yours),))


def diagnosis(
    exercise: Exercise, answer: Answer, tried: Sequence[Trial], failing: Sequence[Trial]
) -> Judgement:
    """What is wrong with an answer that makes no mistake with a name; failing cases are given
    smallest first."""
    crashes = [each for each in failing if each.yours.error and not each.expected.error]
    case, _, yours, difference = (crashes or failing)[0]
    assert difference is not None
    everywhere = all(each.difference == difference for each in tried)
    blocks = []
    if crashes:
        blocks.append(raised_block(yours.error, answer, case))
    if crashes or difference.rows or not everywhere:
        blocks.append(case_block(case, yours, exercise.reference, difference.rows))
    return Judgement(
        Kind.RAISED if crashes else Kind.WRONG,
        difference.remark,
        (*blocks, side_block(case, yours)),
    )


def misfit(exercise: Exercise, answer: Answer, cases: Sequence[Case]) -> str:
    """A sentence if the answer does not take the arguments that it is given."""
    try:
        signature = inspect.signature(answer)
    except (TypeError, ValueError):  # a builtin without one
        return ""
    for case in cases:
        if case.probe is None:
            try:
                signature.bind(*case.args, **case.kwargs)
            except TypeError:
                return (
                    f"it takes {parameters_of(signature)}, but is called with "
                    f"{call_of(case, exercise.reference)}."
                )
    return ""


def trials(exercise: Exercise, answer: Answer, cases: Sequence[Case]) -> Iterator[Trial]:
    """Each case with what the reference and the answer make of it."""
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    for case in cases:
        expected = observe(exercise.reference, case, exercise.reference)
        yours = observe(answer, case, exercise.reference)
        yield Trial(case, expected, yours, difference(expected, yours, tolerance))


def agrees(wrong: Wrong, exercise: Exercise, tried: Sequence[Trial]) -> bool:
    """Whether an answer does on every case what the wrong one does."""
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    for each in tried:
        outcome = observe(wrong.function, each.case, exercise.reference)
        if outcome.error is not None or each.yours.error is not None:
            if repr(outcome.error) != repr(each.yours.error):
                return False
        elif difference(outcome, each.yours, tolerance) is not None:
            return False
    return True
