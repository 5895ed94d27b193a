"""Every exercise of the book, the same for all: the reference passes, each named wrong answer is
rejected with its own hint, and what is not attempted is called that."""

import ast
import functools
import inspect
import re
import textwrap
from typing import Any

import pytest

from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.attempt import is_unchanged
from a3c_lib.exercises.engine.cases import Answer, Exercise, Wrong
from a3c_lib.exercises.engine.checking import Kind, check
from a3c_lib.exercises.engine.mistakes import spelled
from a3c_lib.exercises.engine.observing import observe
from a3c_lib.exercises.engine.properties import tell
from a3c_lib.exercises.engine.written import unwrapped
from a3c_lib.exercises.q_learning import QPlayer

EXERCISES = list(registry.all_exercises())
BUG_HUNTS = [each for each in EXERCISES if each.start is not None]
MISTAKES = [(each, wrong) for each in EXERCISES for wrong in each.wrong]

for_every_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda each: each.id)
for_every_bug_hunt = pytest.mark.parametrize("exercise", BUG_HUNTS, ids=lambda each: each.id)
for_every_mistake = pytest.mark.parametrize(
    ("exercise", "wrong"), MISTAKES, ids=[f"{each.id}-{wrong.name}" for each, wrong in MISTAKES]
)


def words(text: str) -> str:
    """A text without its line breaks."""
    return " ".join(text.split())


def stub_of(answer: Answer) -> Answer:
    """The answer's definition with nothing but `...` in it, as the learner finds it."""
    tree = definition(answer)
    for node in [tree] if isinstance(tree, ast.FunctionDef) else tree.body:
        if isinstance(node, ast.FunctionDef):
            node.body = [ast.Expr(ast.Constant(...))]
    return defined(tree, answer)


def with_a_pass(answer: Answer) -> Answer:
    """The answer with a `pass` in front: another text that does the same."""
    tree = definition(answer)
    first = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    first.body.insert(0, ast.Pass())
    return defined(tree, answer)


def definition(answer: Answer) -> Any:
    return ast.parse(textwrap.dedent(inspect.getsource(unwrapped(answer)))).body[0]


def defined(tree: Any, original: Answer) -> Answer:
    """A definition, run where the original stands."""
    tree.decorator_list = []
    space = dict(vars(inspect.getmodule(original)))
    exec(compile(ast.fix_missing_locations(ast.Module([tree], [])), "<test>", "exec"), space)
    answer: Answer = space[tree.name]
    return answer


def test_ids_run_from_1_without_a_gap_in_every_chapter_that_has_exercises() -> None:
    for chapter in registry.MODULES:
        ids = [each.id for each in registry.of_chapter(chapter)]
        assert ids == [f"{chapter}.{number}" for number in range(1, len(ids) + 1)]
        assert len(ids) == 0 or len(ids) >= 3
        assert len(ids) == 0 or any(each.start for each in registry.of_chapter(chapter))


@for_every_exercise
def test_the_reference_is_right(exercise: Exercise) -> None:
    verdict = check(exercise, exercise.reference)
    assert verdict.kind is Kind.RIGHT, verdict.text


@for_every_exercise
def test_the_reference_raises_nothing_but_what_an_answer_has_to_raise_too(
    exercise: Exercise,
) -> None:
    for case in exercise.cases():
        error = observe(exercise.reference, case, exercise.reference).error
        assert error is None or isinstance(error, ValueError), case


@for_every_exercise
def test_the_reference_is_right_when_something_records_its_calls(exercise: Exercise) -> None:
    if isinstance(exercise.reference, type):
        pytest.skip("a class is not called but handed over")
    calls = []

    @functools.wraps(exercise.reference)
    def recorded(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return exercise.reference(*args, **kwargs)

    assert check(exercise, recorded).right
    assert calls


@for_every_exercise
def test_a_stub_is_not_attempted(exercise: Exercise) -> None:
    verdict = check(exercise, stub_of(exercise.reference))
    assert verdict.kind is Kind.NOT_ATTEMPTED, verdict.text


@for_every_exercise
def test_there_are_hints_and_typical_mistakes(exercise: Exercise) -> None:
    assert exercise.title
    assert len(exercise.hints) >= 2
    assert len(set(exercise.hints)) == len(exercise.hints)
    assert len(exercise.wrong) >= (3 if exercise.start is None else 1)
    diagnoses = [wrong.hint for wrong in exercise.wrong]
    assert len(set(diagnoses)) == len(diagnoses)
    names = [wrong.name for wrong in exercise.wrong]
    assert len(set(names)) == len(names)


@for_every_exercise
def test_cases_are_built_afresh_and_have_their_own_labels(exercise: Exercise) -> None:
    labels = [case.label for case in exercise.cases()]
    assert len(set(labels)) == len(labels) >= 2
    assert labels == [case.label for case in exercise.cases()]


@for_every_exercise
def test_a_solution_can_be_shown(exercise: Exercise, capsys: pytest.CaptureFixture[str]) -> None:
    from a3c_lib.exercises import solution

    solution(exercise.id)
    assert exercise.reference.__name__ in capsys.readouterr().out


@for_every_mistake
def test_a_typical_mistake_is_rejected_with_its_own_hint(exercise: Exercise, wrong: Wrong) -> None:
    for answer in spelled(exercise, wrong):
        if exercise.start is not None and is_unchanged(answer, exercise.start):
            continue  # which is no attempt
        verdict = check(exercise, answer)
        assert verdict.kind is Kind.WRONG, verdict.text
        assert f"not right yet. {words(wrong.hint)}" in words(verdict.text)


CLAIMS_THE_REST = re.compile(r"^Right\b|\b(is|are) right(\.|,| and\b| but\b| now\b)")


@for_every_mistake
def test_a_hint_does_not_call_the_rest_right(exercise: Exercise, wrong: Wrong) -> None:
    """Beside a second mistake that would not be true, and each is named beside each other."""
    assert not CLAIMS_THE_REST.search(words(wrong.hint))


@for_every_exercise
def test_the_form_that_mistakes_edit_is_right(exercise: Exercise) -> None:
    if exercise.form is not None:
        verdict = check(exercise, exercise.form)
        assert verdict.kind is Kind.RIGHT, verdict.text


@for_every_exercise
def test_a_property_is_tried_in_some_case_and_not_true_of_the_reference(exercise: Exercise) -> None:
    cases = exercise.cases()
    for property in exercise.properties:
        told = [tell(property, exercise, exercise.reference, case) for case in cases]
        assert False in told, property.remark
        assert True not in told, property.remark


@for_every_bug_hunt
def test_a_bug_hunt_as_it_starts_is_not_attempted(exercise: Exercise) -> None:
    assert exercise.start is not None
    assert exercise.start.__name__.endswith("_with_a_bug")
    verdict = check(exercise, exercise.start)
    assert verdict.kind is Kind.NOT_ATTEMPTED, verdict.text
    assert not any(words(wrong.hint) in words(verdict.text) for wrong in exercise.wrong)


@for_every_bug_hunt
def test_the_bug_is_still_found_after_an_edit_that_does_not_mend_it(exercise: Exercise) -> None:
    assert exercise.start is not None
    verdict = check(exercise, with_a_pass(exercise.start))
    assert any(words(wrong.hint) in words(verdict.text) for wrong in exercise.wrong), verdict.text


class Watched(QPlayer):
    """Counts the environments that its policy chooses for."""

    rows = 0

    def act(self, model: Any) -> Any:
        def counted(observation: Any) -> Any:
            Watched.rows += len(observation)
            return model(observation)

        return super().act(counted)  # type: ignore[arg-type]


def pairs_of_steps(rewards: Any, *others: Any) -> int:
    """What a sum over all that follows each step, added up in loops, goes through."""
    T = len(rewards)
    return rewards.numel() * (T + 1) // 2


@pytest.mark.parametrize(
    ("exercise_id", "work", "most"),
    [
        ("0.3", pairs_of_steps, 100_000),
        ("2.1", pairs_of_steps, 100_000),
        ("2.2", pairs_of_steps, 30_000),  # which takes longest to go through
        ("8.1", lambda q, *others: len(q), 120_000),
        ("8.4", pairs_of_steps, 10_000),
    ],
)
def test_a_check_waits_for_an_answer_that_goes_through_all_in_loops(exercise_id, work, most):
    """A right one takes about a second."""
    exercise = registry.find(exercise_id)
    done = []

    @functools.wraps(exercise.reference)
    def counted(*args: Any) -> Any:
        done.append(work(*args))
        return exercise.reference(*args)

    assert check(exercise, counted).right
    assert 0 < sum(done) <= most


def test_a_check_waits_for_a_policy_that_goes_through_all_in_loops() -> None:
    Watched.rows = 0
    assert check(registry.find("8.6"), Watched).right
    assert 0 < Watched.rows <= 150_000
