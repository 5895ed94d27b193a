"""How the engine finds what is wrong: single mistakes, pairs, spellings, properties; and how it says
so on the page."""

import json
import linecache
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from small_exercises import exercise_of, leaf
from torch import Tensor

import a3c_lib.exercises as book
from a3c_lib.exercises.engine import announcing, memory, registry
from a3c_lib.exercises.engine.cases import Case, Exercise, Wrong, heeds, ignores, scales
from a3c_lib.exercises.engine.checking import Kind, check
from a3c_lib.exercises.engine.mistakes import edited, in_turn, spelled
from a3c_lib.exercises.engine.properties import bearing_out
from a3c_lib.exercises.engine.wording import own_line


def targets(rewards: Tensor, values: Tensor, ended: Tensor, gamma: float) -> Tensor:
    """r + γ V, or r alone where it ended."""
    goes_on = ~ended
    after = gamma * values * goes_on
    return rewards + after


def targets_of_the_next_row(rewards: Tensor, values: Tensor, ended: Tensor, gamma: float) -> Tensor:
    return rewards + gamma * values.roll(-1) * ~ended


def cases() -> list[Case]:
    def random(T: int, *ends: int) -> tuple[Tensor, Tensor, Tensor]:
        return torch.randn(T), torch.randn(T), torch.tensor([t in ends for t in range(T)])

    return [
        Case("2 steps", torch.tensor([1.0, 2.0]), torch.tensor([4.0, 6.0]), random(2)[2], 0.5),
        Case("3 steps, an end", *random(3, 1), 0.9),
        Case("5 steps, two ends", *random(5, 0, 3), 0.8),
    ]


NOT_DISCOUNTED = Wrong({"gamma * values": "values"}, "Nothing is discounted.")
THROUGH_ENDS = Wrong({" * goes_on": ""}, "It looks through an end.")
REWARD_LOST = Wrong(
    {"return rewards + after": "return rewards * goes_on + after"}, "The last reward is lost."
)
OTHER_GAMMA = Wrong({"gamma *": "0.9 *"}, "γ is always 0.9.", also=({"gamma *": "0.99 *"},))
NEXT_ROW = Wrong(targets_of_the_next_row, "It is one row too late.")

EXERCISE = Exercise(
    id="9.5",
    title="targets",
    reference=targets,
    cases=cases,
    wrong=(NOT_DISCOUNTED, THROUGH_ENDS, REWARD_LOST, OTHER_GAMMA, NEXT_ROW),
    properties=(
        heeds(
            "A step's target changes with another step's reward.",
            lambda given: {"rewards": given.rewards + (torch.arange(len(given.rewards)) == 0)},
        ),
        ignores("The values have no effect.", lambda given: {"values": given.values + 1}),
        scales(
            "It does not grow with the rewards and values.",
            lambda given: {"rewards": 2 * given.rewards, "values": 2 * given.values},
        ),
    ),
    hints=("What comes after an end?",),
    praise="Now look one step further.",
)


def words(text: str) -> str:
    return " ".join(text.split())


def said(answer: Any, exercise: Exercise = EXERCISE, kind: Kind = Kind.WRONG) -> str:
    verdict = check(exercise, answer)
    assert verdict.kind is kind, verdict.text
    return words(verdict.text)


# Mistakes


def test_what_is_solved_is_worth_a_line() -> None:
    assert check(EXERCISE, targets).text == (
        "✓ 9.5 targets: right. Checked on 3 cases.\n  Now look one step further."
    )


def test_an_edit_is_recognised_in_any_form() -> None:
    def answer(rewards: Tensor, values: Tensor, ended: Tensor, gamma: float) -> Tensor:
        return torch.where(ended, rewards, rewards + values)

    assert said(answer).startswith("✗ 9.5 answer: not right yet. Nothing is discounted.")


def test_two_mistakes_at_once_are_both_named() -> None:
    def answer(rewards: Tensor, values: Tensor, ended: Tensor, gamma: float) -> Tensor:
        return rewards * ~ended + values * ~ended

    assert said(answer) == (
        "✗ 9.5 answer: two things are not right yet. One: Nothing is discounted. The other: The "
        "last reward is lost."
    )


def test_edits_of_one_passage_and_functions_are_not_made_together() -> None:
    assert edited(targets, NOT_DISCOUNTED.mistake, OTHER_GAMMA.mistake) is None  # type: ignore[arg-type]

    def answer(rewards: Tensor, values: Tensor, ended: Tensor, gamma: float) -> Tensor:
        return rewards + values.roll(-1) * ~ended

    text = said(answer)
    assert "one row too late" not in text
    assert "Nothing is discounted" not in text


def test_one_edit_is_made_in_what_another_one_made() -> None:
    def scaled(x: Tensor) -> Tensor:
        return 2 * x

    sums = Wrong({"2 * x": "(2 * x).cumsum(0)"}, "It is added up.")
    turned = Wrong({"2 * x": "(2 * x).flip(0)"}, "It is turned round.")
    thrice = Wrong({"2 * x": "3 * x"}, "It is three times as much.")
    nothing = Wrong({"return 2 * x": "return"}, "Nothing comes back.")
    exercise = exercise_of(
        scaled,
        Case("on paper", torch.tensor([1.0, 2.0, 4.0])),
        wrong=(sums, turned, thrice, nothing),
    )
    for answer in (
        lambda x: (2 * x).flip(0).cumsum(0),
        lambda x: (2 * x).cumsum(0).flip(0),
    ):
        text = said(answer, exercise)
        assert "One: It is added up. The other: It is turned round." in text
    text = said(lambda x: 3 * x.cumsum(0), exercise)
    assert "One: It is added up. The other: It is three times as much." in text
    assert list(spelled(exercise, thrice, nothing)) == []  # neither leaves the other's passage


def test_edits_that_make_no_sense_in_turn_are_left_out() -> None:
    def scaled(x: Tensor) -> Tensor:
        return 2 * x

    first = {"2 * x": "2 * x, ("}
    other = {"2 * x": "2 * x]"}
    assert list(in_turn(scaled, first, other)) == []


def test_another_spelling_is_the_same_mistake() -> None:
    for gamma in 0.9, 0.99:
        assert "γ is always 0.9." in said(lambda r, v, e, g, gamma=gamma: r + gamma * v * ~e)
    assert "γ is always" not in said(lambda r, v, e, g: r + 0.7 * v * ~e)


def test_spellings_may_take_turns() -> None:
    """In each case one of them does what the answer does."""

    def answer(rewards: Tensor, values: Tensor, ended: Tensor, gamma: float) -> Tensor:
        return rewards + (0.9 if len(rewards) == 2 else 0.99) * values * ~ended

    assert "γ is always 0.9." in said(answer)


def test_a_mistake_with_another_gradient_is_another_mistake() -> None:
    def twice(x: Tensor) -> Tensor:
        return 2 * x

    exercise = exercise_of(
        twice, Case("on paper", leaf(1.0, 2.0)), wrong=(Wrong({"2 * x": "3 * x"}, "Thrice."),)
    )
    assert "Thrice." in said(lambda x: x + x + x, exercise)
    assert "Thrice." not in said(lambda x: (3 * x).detach(), exercise)


def test_a_passage_that_is_not_there_is_the_books_fault_and_said_aloud() -> None:
    with pytest.raises(ValueError, match="'delta' is found 0 times"):
        edited(targets, {"delta": "gamma"})
    with pytest.raises(ValueError, match="'gamma' is found 2 times"):
        edited(targets, {"gamma": "delta"})


# Properties


def test_a_property_speaks_where_no_mistake_fits() -> None:
    def summed(rewards: Tensor, values: Tensor, ended: Tensor, gamma: float) -> Tensor:
        return rewards.sum() + gamma * values * ~ended

    def no_values(rewards: Tensor, values: Tensor, ended: Tensor, gamma: float) -> Tensor:
        return rewards + gamma * ~ended

    def clipped(rewards: Tensor, values: Tensor, ended: Tensor, gamma: float) -> Tensor:
        return rewards + gamma * values.clamp(-0.1, 0.1) * ~ended

    assert "A step's target changes with another step's reward." in said(summed)
    assert "The values have no effect." in said(no_values)
    assert "It does not grow with the rewards and values." in said(clipped)


def test_a_property_that_holds_in_some_failing_cases_only_is_not_told() -> None:
    def answer(rewards: Tensor, values: Tensor, ended: Tensor, gamma: float) -> Tensor:
        if len(rewards) == 5:
            return rewards + gamma * ~ended
        return rewards + gamma * values * ~ended + 1

    assert "The values have no effect." not in said(answer)


def test_a_property_that_one_case_refutes_is_tried_in_no_other() -> None:
    tried = []

    def answer(rewards: Tensor, values: Tensor, ended: Tensor, gamma: float) -> Tensor:
        tried.append(len(rewards))
        return rewards + gamma * values * ~ended + 1

    failing = EXERCISE.cases()
    assert bearing_out(EXERCISE.properties[1], EXERCISE, answer, failing) == []
    assert set(tried) == {2}


def test_an_argument_without_effect_is_named_as_the_learner_names_it() -> None:
    def answer(r: Tensor, v: Tensor, over: Tensor, gamma: float) -> Tensor:
        return r + 0.77 * v * ~over

    assert "`gamma` has no effect on what comes out." in said(answer)

    def other(r: Tensor, v: Tensor, over: Tensor, gamma: float) -> Tensor:
        return r + gamma * gamma * v

    assert "`over` has no effect on what comes out." in said(other)


def test_an_argument_that_other_cases_do_not_have_is_not_changed_there() -> None:
    def doubled(answer: Any, x: Tensor) -> Any:
        return answer(2 * x)

    def moved(answer: Any, x: Tensor, by: float) -> Any:
        return answer(x + by)

    x = torch.tensor([1.0, 2.0])
    cases = Case("moved", x, 3.0, probe=moved), Case("doubled", torch.ones(4), probe=doubled)
    exercise = exercise_of(lambda x: x.exp(), *cases)
    assert "is not right yet" in said(lambda x: torch.full_like(x, 5.0), exercise)


CALLS: list[int] = []


def counts_its_calls(rewards: Tensor, values: Tensor, ended: Tensor, gamma: float) -> Tensor:
    CALLS.append(1)
    return targets(rewards, values, ended, gamma) + len(CALLS)


def test_an_answer_that_keeps_something_is_found_by_a_second_call() -> None:
    assert "`CALLS` keeps something from one call to the next" in said(counts_its_calls)


# What a claim needs


def test_a_claim_holds_in_all_failing_cases_or_is_not_made() -> None:
    cases = [Case("2", torch.tensor([1.0, 2.0])), Case("3", torch.tensor([1.0, 2.0, 4.0]))]
    exercise = exercise_of(lambda x: x + 0, *cases)
    assert "is 2 times what it should be, everywhere." in said(lambda x: 2 * x, exercise)
    assert "times what it should be" not in said(lambda x: len(x) * x, exercise)
    assert "Its numbers are right." not in said(lambda x: x.numpy() + (len(x) > 2), exercise)


def test_a_gradient_is_not_told_of_where_the_numbers_of_another_case_are_wrong() -> None:
    cases = [Case("1", leaf(1.0)), Case("2", leaf(1.0, 2.0))]
    exercise = exercise_of(lambda x: x.mean(), *cases)
    text = said(lambda x: x.sum() + x.detach().mean() - x.mean(), exercise)
    assert "the numbers are right" not in text
    assert "In the case “2”" in text


class Parts(NamedTuple):
    total: Tensor
    mean: Tensor
    largest: Tensor


def test_of_several_parts_is_said_which_are_right_and_the_total_comes_last() -> None:
    def parts(x: Tensor) -> Parts:
        return Parts(x.mean() + x.max(), x.mean(), x.max())

    fields: dict[str, Any] = {"parts": ("mean", "largest", "total")}
    exercise = exercise_of(parts, Case("on paper", torch.tensor([1.0, 2.0, 6.0])), **fields)

    def answer(x: Tensor) -> Parts:
        return Parts(x.median() + x.max(), x.median(), x.max())

    assert ": `mean` is not right yet. `largest` is right." in said(answer, exercise)


@pytest.mark.parametrize("odd", [10**40, torch.eye(2).to_sparse(), object()])
def test_a_part_that_no_number_can_be_compared_with_is_only_wrong(odd: Any) -> None:
    exercise = exercise_of(
        lambda x: {"a": x.sum(), "b": x.mean()},
        Case("on paper", torch.tensor([1.0, 2.0])),
        properties=(scales("It does not scale.", lambda given: {"x": 2 * given.x}),),
    )
    assert "It does not scale." not in said(lambda x: {"a": -x.sum(), "b": odd}, exercise)
    pair = exercise_of(
        lambda x: (x.sum(), x.mean()), Case("on paper", torch.tensor([1.0, 2.0])), parts=("a", "b")
    )
    assert "`b` is right" not in said(lambda x: (-x.sum(), odd), pair)


def test_the_values_of_a_tuple_have_names() -> None:
    exercise = exercise_of(
        lambda x: (x + 1, x + 2), Case("on paper", torch.tensor([1.0, 4.0])), parts=("h", "c")
    )
    assert "`c` has the wrong sign. `h` is right." in said(lambda x: (x + 1, -x - 2), exercise)


def test_of_large_results_that_look_alike_the_first_difference_is_shown() -> None:
    exercise = exercise_of(lambda x: x + 0, Case("zeros", torch.zeros(10, 10)))

    def answer(x: Tensor) -> Tensor:
        result = x.clone()
        result[7, 3] = 5
        return result

    assert "expected at [7, 3] = 0 yours at [7, 3] = 5" in said(answer, exercise)


# What is said of two mistakes at once, and of what hides a second one


def halves(rewards: Tensor, values: Tensor, ended: Tensor, gamma: float) -> Tensor:
    rewards /= 2
    return 2 * rewards + values * ~ended


def test_a_mistake_beside_arguments_that_were_changed_is_named_too() -> None:
    text = said(halves)
    assert "it changes its argument `rewards` in place" in text
    assert "And a second thing is not right yet: Nothing is discounted." in text


def test_arguments_that_were_changed_are_all_that_is_said_where_the_numbers_are_right() -> None:
    def answer(rewards: Tensor, values: Tensor, ended: Tensor, gamma: float) -> Tensor:
        rewards += gamma * values * ~ended
        return rewards.clone()

    assert "And a second thing" not in said(answer)


def test_a_mistake_behind_an_axis_too_many_is_named_too() -> None:
    def answer(rewards: Tensor, values: Tensor, ended: Tensor, gamma: float) -> Tensor:
        return (rewards + values * ~ended)[:, None]

    text = said(answer)
    assert "has shape (2, 1), expected is (2,)" in text
    assert "And a second thing is not right yet: Nothing is discounted." in text
    right = said(lambda r, v, e, g: targets(r, v, e, g)[:, None])
    assert "And a second thing" not in right


def test_of_what_nothing_moves_no_single_cause_is_named() -> None:
    exercise = exercise_of(
        lambda x, y, z: torch.stack([x * y * z, x]),
        Case("on paper", torch.tensor(2.0), 3.0, 5.0),
        properties=(
            ignores("y has no effect.", lambda given: {"y": 2 * given.y}),
            ignores("z has no effect.", lambda given: {"z": 2 * given.z}),
        ),
    )
    text = said(lambda x, y, z: torch.stack([torch.tensor(7.0), x]), exercise)
    assert "What is not right stays the same, whatever goes in" in text
    assert "has no effect" not in text
    moved = said(lambda x, y, z: torch.stack([x * y, x]), exercise)
    assert "z has no effect." in moved
    assert "stays the same" not in moved


def test_nothing_is_called_unmoved_that_moves_in_another_case() -> None:
    exercise = exercise_of(
        lambda x, y: (x * y).sum(),
        Case("one number", torch.tensor([2.0]), torch.tensor([3.0])),
        Case("two numbers", torch.tensor([2.0, 5.0]), torch.tensor([3.0, 1.0])),
        properties=(
            ignores("Larger y's have no effect.", lambda given: {"y": given.y + 1}),
            ignores("x has no effect.", lambda given: {"x": given.x + 1 + given.x**2}),
        ),
    )
    text = said(lambda x, y: (x * (y - y.mean())).sum(), exercise)
    assert "Larger y's have no effect." in text
    assert "stays the same" not in text


def test_a_property_speaks_of_its_own_places_only() -> None:
    """What is one row late moves where an episode goes on; that is not to look past its end."""
    past_ends = heeds(
        "It looks past an end.",
        lambda given: {"values": given.values + given.ended.float()},
        where=lambda given: given.ended,
    )
    exercise = replace(EXERCISE, wrong=(), properties=(past_ends,))

    def one_row_late(rewards: Tensor, values: Tensor, ended: Tensor, gamma: float) -> Tensor:
        return rewards + gamma * values.roll(-1) * ~ended

    assert "It looks past an end." not in said(one_row_late, exercise)
    assert "It looks past an end." in said(lambda r, v, e, g: r + g * v, exercise)


def test_the_case_beside_a_remark_bears_it_out() -> None:
    past_ends = heeds(
        "It looks past an end.",
        lambda given: {"values": given.values + given.ended.float()},
        where=lambda given: given.ended,
    )
    exercise = replace(EXERCISE, wrong=(), properties=(past_ends,))
    text = said(lambda r, v, e, g: r + v, exercise)  # wrong without an end, too
    assert "It looks past an end." in text
    assert "In the case “3 steps, an end”" in text


def test_many_places_that_are_right_are_counted_and_few_are_named() -> None:
    def parts(x: Tensor) -> tuple[Tensor, ...]:
        return x.sum(), x.mean(), x.max(), x.min(), x.median()

    names = ("sum", "mean", "largest", "smallest", "median")
    case = Case("on paper", torch.tensor([1.0, 2.0, 6.0]))
    exercise = exercise_of(parts, case, parts=names)
    one = said(lambda x: (x.sum() ** 2, *parts(x)[1:]), exercise)
    assert "`sum` is not right yet. 4 other parts of it are right." in one
    two = said(lambda x: (x.sum() ** 2, x.mean() ** 2 + 1, *parts(x)[2:]), exercise)
    assert "`largest`, `smallest` and `median` are right." in two


def test_symbols_keep_their_case_and_verbs_their_number() -> None:
    exercise = exercise_of(
        lambda x: {"θ, as others see it": x + 0, "the gradients afterwards": 2 * x},
        Case("on paper", torch.tensor([1.0, 3.0])),
    )
    text = said(
        lambda x: {"θ, as others see it": x + 0, "the gradients afterwards": x**3}, exercise
    )
    assert "the gradients afterwards are not right yet." in text
    assert "Θ" not in text


def test_a_warning_comes_without_the_place_in_torchs_build() -> None:
    def answer(x: Tensor) -> Tensor:
        warnings.warn("slow here (Triggered internally at /a/b.cpp:3.)", stacklevel=1)
        return x + 1

    exercise = exercise_of(lambda x: x + 0, Case("on paper", torch.tensor([1.0, 3.0])))
    text = said(answer, exercise)
    assert "Python warned: UserWarning: slow here" in text
    assert "Triggered" not in text


# On the page


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """A notebook's kernel, and what it is given to show."""
    shown: list[dict[str, str]] = []
    display = SimpleNamespace(display=lambda data, raw: shown.append(data))
    shell = SimpleNamespace(kernel=None)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_a_notebook_gets_colour_and_a_mark_and_the_same_text(
    kernel: list[dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    announcing.announce("✗ 9.5 f: a < b\n  and more: here")
    assert capsys.readouterr().out == ""
    (data,) = kernel
    assert data["text/plain"] == "✗ 9.5 f: a < b\n  and more: here"
    assert announcing.COLOURS["✗"] in data["text/html"]
    assert "✗</span> 9.5 f</b>: a &lt; b\n  and more: here" in data["text/html"]
    assert json.dumps(data)


def test_elsewhere_the_text_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    announcing.announce("✓ 9.5 f: right.")
    assert capsys.readouterr().out == "✓ 9.5 f: right.\n"


# An interrupted check

ENDLESS = """
@exercise("9.5")
def endless(rewards, values, ended, gamma):
    while True:
        interrupt()
"""


def interrupt() -> None:
    raise KeyboardInterrupt


def test_an_interrupted_check_says_so_in_two_lines_and_binds_the_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "chapters").mkdir()
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("A3C_LIB_PROGRESS", raising=False)
    monkeypatch.setattr(memory, "LATEST", {})

    space = vars(sys.modules[__name__])
    monkeypatch.setitem(space, "exercise", book.exercise)
    with registry.added(EXERCISE):
        book.exercise("9.5")(targets)
        with pytest.raises(KeyboardInterrupt) as caught:
            exec(compile(ENDLESS, __file__, "exec"), space)
        assert space.pop("endless") is targets
    assert memory.states()["9.5"] == "right"  # what was solved stays solved
    lines = caught.value._render_traceback_()
    assert len("\n".join(lines).split("\n")) <= 3
    assert "9.5 endless: the check was interrupted" in words(lines[0])
    assert "The name means the reference now; run the cell again" in words(lines[0])
    assert "rewards + after" not in lines[0]


def test_a_name_within_a_function_or_a_class_stays_as_it_is_after_an_interrupt() -> None:
    def method(rewards: Tensor, values: Tensor, ended: Tensor, gamma: float) -> Tensor:
        raise KeyboardInterrupt

    without_a_name = eval("lambda rewards, values, ended, gamma: method()", {"method": interrupt})
    within_a_class = FunctionType(method.__code__, globals())
    within_a_class.__qualname__ = "Mine.method"
    for answer in method, within_a_class, without_a_name:
        with registry.added(EXERCISE), pytest.raises(book.Interrupted) as caught:
            book.exercise("9.5")(answer)
        assert "The name means" not in words(str(caught.value))
        assert "Run the cell again to go on with yours" in words(str(caught.value))
        assert "method" not in vars(sys.modules[__name__])


def test_a_file_whose_name_begins_as_a_librarys_is_the_learners(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = f"{Path(book.__file__).parents[1]}_mine.py"  # beside the package
    monkeypatch.setitem(linecache.cache, path, (6, None, ["1 / 0\n"], path))
    with pytest.raises(ZeroDivisionError) as caught:
        exec(compile("1 / 0\n", path, "exec"), {})
    assert "in <module>: 1 / 0" in own_line(caught.value, ())
    assert "in <module>: 1 / 0" in own_line(caught.value, {path.removesuffix(".py")})
    assert "in <module>: 1 / 0" not in own_line(caught.value, {path})
