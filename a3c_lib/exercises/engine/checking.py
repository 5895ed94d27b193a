"""Chapter 00: one check of one answer, and the verdict on it."""

import inspect
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any, NamedTuple

from a3c_lib.exercises.engine.attempt import is_stub, is_unchanged, unwritten_methods
from a3c_lib.exercises.engine.cases import Answer, Case, Exercise
from a3c_lib.exercises.engine.comparing import Difference, Level, common, difference, right_places
from a3c_lib.exercises.engine.keeping import Contents, collections_of, kept_in
from a3c_lib.exercises.engine.mistakes import explanation, mistake_beside, mistakes_by_place
from a3c_lib.exercises.engine.numeric import Tolerance
from a3c_lib.exercises.engine.observing import Outcome, isolated, observe, size
from a3c_lib.exercises.engine.properties import remarks, repeatable
from a3c_lib.exercises.engine.showing import (
    error_line,
    first_word_capital,
    is_plural,
    kind_of,
    listed,
)
from a3c_lib.exercises.engine.wording import (
    call_of,
    case_block,
    paragraph,
    parameters_of,
    raised_block,
    side_block,
    wrapped,
)
from a3c_lib.exercises.engine.written import known_by_its_name, name_of, own_names

COMPUTED = Level.NUMBERS, Level.GRADIENTS  # of what is wrong there, something may be said
MOST_PLACES = 3  # of a result that a sentence lists as right
NOT_REPEATED = (
    "Called a second time with the same arguments, it gives something else. What does it keep from "
    "the first call: a list in a default argument, a name outside of it? Or does it draw from a "
    "generator without a seed, or read what was never written, as after torch.empty?"
)
WRITTEN_OVER = (
    "not right yet. What it returns is right at first, and a later call writes over it: whoever "
    "holds the first result then holds another. Does every call write into the same array or "
    "tensor? Each has to make a new one."
)


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
        before = collections_of(answer)
        tried = list(trials(exercise, answer, cases))
        if failure := reference_failure(tried):
            return Judgement(Kind.RAISED, failure)
        failing = sorted(
            (each for each in tried if each.difference), key=lambda each: size(each.case)
        )
        if not failing:
            return (
                kept(exercise, answer, tried)
                or borrowed(exercise, answer)
                or praise(exercise, tried)
            )
        passing = [each for each in tried if not each.difference]
        observed = [(each.case, each.yours) for each in failing + passing]
        if made := explanation(exercise, observed):
            aside = side_block(failing[0].case, failing[0].yours)
            return Judgement(Kind.WRONG, named([wrong.hint for wrong in made]), (aside,))
        return diagnosis(exercise, answer, tried, failing, before)


def named(hints: Sequence[str]) -> str:
    """What is said of mistakes that have a name.

    >>> named(["The sign is wrong.", "Nothing is discounted."])
    'two things are not right yet. One: The sign is wrong. The other: Nothing is discounted.'
    """
    if len(hints) == 1:
        return f"not right yet. {hints[0]}"
    return f"two things are not right yet. One: {hints[0]} The other: {hints[1]}"


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


def reference_failure(tried: Sequence[Trial]) -> str:
    """A sentence if the reference raises an error in every case: then nothing can be compared, and
    no answer is right for raising the same."""
    errors = [each.expected.error for each in tried if each.expected.error]
    if not tried or len(errors) < len(tried):
        return ""
    return (
        "it cannot be checked here, since the book's own answer raises an error too: "
        f"{error_line(errors[0])}. Restart the kernel and run the cells from the top; the first "
        "cell of chapter 00 says whether everything is installed."
    )


def kept(exercise: Exercise, answer: Answer, tried: Sequence[Trial]) -> Judgement | None:
    """What is said of an answer that keeps something from one call to another: one that writes over
    what it has returned, or that gives something else when it is called anew. None if it does not.
    """
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    for each in tried:
        if found := difference(each.expected, each.yours, tolerance, exercise.parts):
            shown = case_block(each.case, each.yours, exercise.reference, found.rows)
            return Judgement(Kind.WRONG, WRITTEN_OVER, (shown,))
    for each in tried:
        again = observe(answer, each.case, exercise.reference)
        if found := difference(each.expected, again, tolerance, exercise.parts):
            shown = case_block(each.case, again, exercise.reference, found.rows)
            return Judgement(Kind.WRONG, f"not right yet. {NOT_REPEATED}", (shown,))
    return None


def borrowed(exercise: Exercise, answer: Answer) -> Judgement | None:
    """What is said of an answer that calls what its exercise forbids; None if it does not."""
    if not exercise.without:
        return None
    called = own_names(answer)
    for name in exercise.without:
        if name in called:
            here = f", here called `{called[name]}`" if called[name] != name else ""
            return Judgement(
                Kind.WRONG,
                f"not right yet. The numbers agree, and `{name}` computes them{here}. This "
                "function is to test that way of computing them, so it has to come without it.",
            )
    return None


def praise(exercise: Exercise, tried: Sequence[Trial]) -> Judgement:
    """What is said of an answer that is right in every case."""
    with_gradients = any(each.expected.gradients for each in tried)
    cases = f"{len(tried)} {'case' if len(tried) == 1 else 'cases'}"
    sentence = f"right. Checked on {cases}{', with gradients' * with_gradients}."
    praise = paragraph(exercise.praise, "  ") if exercise.praise else ""
    return Judgement(Kind.RIGHT, sentence, (praise, side_block(tried[0].case, tried[0].yours)))


def diagnosis(
    exercise: Exercise,
    answer: Answer,
    tried: Sequence[Trial],
    failing: Sequence[Trial],
    before: Contents,
) -> Judgement:
    """What is wrong with an answer that makes no mistake with a name; failing cases are given
    smallest first. `before` is what it kept when it had not been called yet."""
    keeps = kept_in(before)
    crashes = [each for each in failing if each.yours.error and not each.expected.error]
    if crashes:
        case, _, yours, difference = crashes[0]
        assert difference is not None
        blocks = (
            raised_block(yours.error, answer, case),
            case_block(case, yours, exercise.reference),
            side_block(case, yours),
        )
        return Judgement(Kind.RAISED, " ".join([difference.remark, keeps]).rstrip(), blocks)
    found = common([each.difference for each in failing if each.difference])
    at = next(each for each in failing if each.difference and each.difference.level == found.level)
    sentences = [found.remark, *second_fault(exercise, tried, found.level)]
    if keeps:
        sentences.append(keeps)
    elif found.level > Level.RESULT and not repeatable(exercise, answer, at.case):
        sentences.append(NOT_REPEATED)
    elif by_place := explained_places(exercise, tried, found.level):
        sentences += by_place
    elif found.level in COMPUTED:
        claimed = found != at.difference
        sentences += right_so_far(exercise, failing)
        told, at = remarks_and_trial(exercise, answer, failing, at, claimed)
        sentences += told
        assert at.difference is not None
        found = found._replace(rows=at.difference.rows) if claimed else at.difference
        sentences[0] = found.remark
    everywhere = not found.rows and all(each.difference == found for each in tried)
    shown = "" if everywhere else case_block(at.case, at.yours, exercise.reference, found.rows)
    return Judgement(Kind.WRONG, " ".join(sentences), (shown, side_block(at.case, at.yours)))


def remarks_and_trial(
    exercise: Exercise, answer: Answer, failing: Sequence[Trial], at: Trial, claimed: bool
) -> tuple[list[str], Trial]:
    """What properties say, and the failing case to show with it: one that bears the first of them
    out. What no case of the level that is told of bears out is not said.

    `at` is the case to show if nothing is said.
    """
    assert at.difference is not None
    level = at.difference.level
    comparable = [each for each in failing if each.difference and each.difference.level == level]
    told: list[str] = []
    shown = at
    for text, cases in remarks(exercise, answer, [each.case for each in failing], claimed):
        bearing = [each for each in comparable if any(each.case is case for case in cases)]
        if bearing and not told:
            shown = at if any(each is at for each in bearing) else bearing[0]
        if bearing:
            told.append(text)
    return told, shown


def second_fault(exercise: Exercise, tried: Sequence[Trial], level: Level) -> list[str]:
    """A sentence on the mistake that an answer makes beside a fault that hides it: arguments that
    were changed in place, or a shape."""
    if level not in (Level.ARGUMENTS, Level.SHAPE):
        return []
    observed = [(each.case, each.yours) for each in tried]
    if beside := mistake_beside(exercise, observed):
        return [f"And a second thing is not right yet: {beside.hint}"]
    return []


def explained_places(exercise: Exercise, tried: Sequence[Trial], level: Level) -> list[str]:
    """A sentence on a mistake that explains some places of the result, but not all."""
    if level not in COMPUTED or not exercise.parts:
        return []
    made = mistakes_by_place(exercise, [(each.case, each.expected, each.yours) for each in tried])
    told: dict[str, list[str]] = {}
    for place, wrong in made.items():
        told.setdefault(wrong.hint, []).append(place)
    return [
        f"One mistake shows in {listed(places)}. {hint} If that does not explain the rest, another "
        "one is beside it."
        for hint, places in list(told.items())[:1]
    ]


def right_so_far(exercise: Exercise, failing: Sequence[Trial]) -> list[str]:
    """A sentence on the parts of a result that are right, if they have names."""
    if not exercise.parts:
        return []
    outcomes = [(each.expected, each.yours) for each in failing]
    tolerance = Tolerance(exercise.rtol, exercise.atol)
    places = right_places(outcomes, tolerance, exercise.parts)
    if not places:
        return []
    if len(places) > MOST_PLACES:
        return [f"{len(places)} other parts of it are right."]
    are = "are" if len(places) > 1 or is_plural(places[0]) else "is"
    return [f"{first_word_capital(listed(places))} {are} right."]


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
        differs = difference(expected, yours, tolerance, exercise.parts)
        yield Trial(case, expected, yours, differs)
