"""What learners do, and what the exercise engine says to it."""

import asyncio
import contextlib
import errno
import functools
import json
import linecache
import os
import random
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_exercises import (
    ALL,
    AVERAGE,
    BUG_HUNT,
    LOSS,
    RETURNS,
    Average,
    Batch,
    Doubling,
    Parts,
    exercise_of,
    factorial,
    leaf,
    loss,
    returns,
)
from torch import Tensor

import a3c_lib.exercises as book
from a3c_lib.exercises.engine import memory, observing, registry
from a3c_lib.exercises.engine.cases import Case, Exercise, Wrong
from a3c_lib.exercises.engine.checking import Kind, Verdict, check

HERE = Path(__file__)


@pytest.fixture(autouse=True)
def fresh_kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The small exercises are there, and nothing was checked yet."""
    monkeypatch.setattr(memory, "LATEST", {})
    monkeypatch.setattr(book, "_hints_given", {})
    monkeypatch.setattr(book, "_references", {})
    monkeypatch.delitem(registry.MODULES, 9)  # the chapter of the small ones, here
    with registry.added(*ALL):
        yield


def words(text: str) -> str:
    return " ".join(text.split())


def said(verdict: Verdict, kind: Kind = Kind.WRONG) -> str:
    """The verdict's text without line breaks, if it is of that kind."""
    assert verdict.kind is kind, verdict.text
    return words(verdict.text)


def without_source(code: str) -> Any:
    """What a piece of code defines, where no source is kept."""
    space: dict[str, Any] = {"torch": torch}
    exec(code, space)
    return list(space.values())[-1]


# Right answers


def test_a_right_answer_is_told_on_how_many_cases_it_was_checked() -> None:
    assert check(RETURNS, returns).text == "✓ 9.1 returns: right. Checked on 3 cases."
    assert check(LOSS, loss).text == "✓ 9.2 loss: right. Checked on 2 cases, with gradients."


def recursive(rewards: Tensor, gamma: float) -> Tensor:
    if len(rewards) == 1:
        return rewards.clone()
    rest = recursive(rewards[1:], gamma)
    return torch.cat([rewards[:1] + gamma * rest[:1], rest])


def vectorised(rewards: Tensor, gamma: float) -> Tensor:
    T = len(rewards)
    powers = gamma ** (torch.arange(T) - torch.arange(T)[:, None]).clamp(min=0)
    return powers.triu() @ rewards


def in_float64(rewards: Tensor, gamma: float) -> Tensor:
    return returns(rewards.double(), gamma)


def from_the_definition(rewards: Tensor, gamma: float) -> Tensor:
    T = len(rewards)
    sums = [sum(gamma ** (k - t) * rewards[k] for k in range(t, T)) for t in range(T)]
    return torch.stack(sums)


def through_numpy(rewards: Tensor, gamma: float) -> Tensor:
    numbers, result = rewards.numpy(), []
    for reward in numbers[::-1]:
        result.insert(0, reward + gamma * (result[0] if result else 0))
    return torch.tensor(np.array(result))


@pytest.mark.parametrize(
    "answer", [recursive, vectorised, in_float64, from_the_definition, through_numpy]
)
def test_a_right_answer_in_another_form_is_right(answer: Any) -> None:
    assert check(RETURNS, answer).right, check(RETURNS, answer).text


class Recorder:
    """A callable object that counts its calls."""

    def __init__(self, function: Any) -> None:
        self.function, self.calls = function, 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return self.function(*args, **kwargs)


def test_a_callable_object_is_an_answer() -> None:
    recorder = Recorder(returns)
    assert check(RETURNS, recorder).right
    assert recorder.calls == 6  # each of three cases twice: it may keep something
    text = said(check(RETURNS, torch.nn.Identity()), Kind.RAISED)
    assert "In the case “two steps”: rewards = [0, 4] gamma = 0.5" in text
    assert "_call_impl" not in text
    with registry.added(RETURNS):
        assert book.exercise("9.1")(recorder) is recorder


def test_a_callable_object_adds_no_name_to_its_module() -> None:
    seen = []

    def watching(rewards: Tensor, gamma: float) -> Tensor:
        seen.append({"__call__", "Recorder"} & globals().keys())
        return returns(rewards, gamma)

    assert check(RETURNS, Recorder(watching)).right
    assert seen == [{"Recorder"}] * 6


def test_a_wrapper_is_an_answer_and_a_wrapped_stub_is_a_stub() -> None:
    def stub(rewards: Tensor, gamma: float) -> Tensor: ...  # type: ignore[empty-body]

    @functools.wraps(stub)
    def wrapped_stub(*args: Any) -> Any:
        return stub(*args)

    @functools.wraps(returns)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return returns(*args, **kwargs)

    assert check(RETURNS, wrapped).right
    assert check(RETURNS, wrapped_stub).kind is Kind.NOT_ATTEMPTED


def test_a_partial_and_a_lambda_are_answers() -> None:
    flexible = functools.partial(lambda scale, rewards, gamma: scale * returns(rewards, gamma), 1)
    assert check(RETURNS, flexible).right
    assert check(RETURNS, lambda rewards, gamma: returns(rewards, gamma)).right


def test_star_arguments_and_further_defaults_fit() -> None:
    def stars(*args: Any, **kwargs: Any) -> Any:
        return returns(*args, **kwargs)

    def more(rewards: Tensor, gamma: float, scale: float = 1.0) -> Tensor:
        return scale * returns(rewards, gamma)

    assert check(RETURNS, stars).right
    assert check(RETURNS, more).right


# Not attempted


def dots(rewards, gamma): ...
def nothing(rewards, gamma):
    pass


def docstring(rewards, gamma):
    """What to do."""


def docstring_and_dots(rewards: Tensor, gamma: float) -> Tensor:
    """What to do."""
    ...


def comment_and_dots(rewards, gamma):
    # TODO
    ...


def not_implemented(rewards, gamma):
    raise NotImplementedError


def not_implemented_with_words(rewards, gamma):
    """What to do."""
    raise NotImplementedError("your turn")


STUBS = [
    dots,
    nothing,
    docstring,
    docstring_and_dots,
    comment_and_dots,
    not_implemented,
    not_implemented_with_words,
]


@pytest.mark.parametrize("stub", STUBS)
def test_a_stub_is_not_attempted(stub: Any) -> None:
    assert check(RETURNS, stub).text == f"○ 9.1 {stub.__name__}: not attempted yet."


@pytest.mark.parametrize(
    "body",
    [
        "...",
        "pass",
        "'Words.'",
        "'Words.'; ...",
        "raise NotImplementedError",
        "raise NotImplementedError('words')",
        "'Words.'; raise NotImplementedError('words')",
    ],
)
def test_a_stub_without_source_is_not_attempted(body: str) -> None:
    stub = without_source(f"def stub(rewards, gamma): {body}")
    assert check(RETURNS, stub).kind is Kind.NOT_ATTEMPTED


def test_dots_left_standing_beside_an_answer_do_not_matter() -> None:
    def answer(rewards: Tensor, gamma: float) -> Tensor:
        """What to do."""
        ...
        return returns(rewards, gamma)

    assert check(RETURNS, answer).right


def test_of_an_answer_that_gives_something_else_each_time_a_missing_seed_is_named() -> None:
    def answer(rewards: Tensor, gamma: float) -> Tensor:
        return returns(rewards, gamma) + np.random.default_rng().normal()

    assert "draw from a generator without a seed" in said(check(RETURNS, answer))


def in_a_default_argument(rewards, gamma, seen=[]):  # noqa: B006
    seen.append(rewards.sum())
    return returns(rewards, gamma) + sum(seen)


def of_the_first_call(rewards, gamma, seen={}):  # noqa: B006
    return seen.setdefault("returns", returns(rewards, gamma))


def in_place_of_a_number(rewards, gamma, total=[0.0]):  # noqa: B006
    total[0] = total[0] + 1.5
    return returns(rewards, gamma) + total[0]


def that_ends_in_an_error(rewards, gamma, rows=[]):  # noqa: B006
    rows.append(returns(rewards, gamma))
    return torch.stack(rows)[-1]


NOTES: set[int] = set()


def outside_of_it(rewards, gamma):
    NOTES.add(len(rewards))
    return returns(rewards, gamma) + len(NOTES)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (in_a_default_argument, "seen"),
        (of_the_first_call, "seen"),
        (in_place_of_a_number, "total"),
        (that_ends_in_an_error, "rows"),
        (outside_of_it, "NOTES"),
    ],
)
def test_what_is_kept_from_one_call_to_the_next_is_named(answer: Any, name: str) -> None:
    text = " ".join(check(RETURNS, answer).text.split())
    assert f"`{name}` keeps something from one call to the next" in text
    assert ("A default argument is made once" in text) is (name != "NOTES")


def test_what_does_not_change_is_not_called_kept() -> None:
    weights = [2.0, 3.0]

    def answer(rewards, gamma, offsets=(1.0,), table={"a": 1.0}):  # noqa: B006
        return weights[0] * returns(rewards, gamma) + offsets[0] * table["a"]

    assert "keep" not in said(check(RETURNS, answer))


def test_an_answer_without_source_is_checked() -> None:
    answer = without_source("def answer(rewards, gamma): return 2 * rewards")
    assert "the result is not right yet" in said(check(RETURNS, answer))


# None, and other things that are no result


def computes_and_forgets(rewards: Tensor, gamma: float) -> None:
    result = rewards.clone()
    result[0] = 1


def returns_nothing(rewards: Tensor, gamma: float) -> None:
    return None


def only_a_number(rewards: Tensor, gamma: float) -> None:
    42


@pytest.mark.parametrize("answer", [computes_and_forgets, returns_nothing, only_a_number])
def test_none_asks_for_the_missing_return(answer: Any) -> None:
    verdict = check(RETURNS, answer)
    assert verdict.text == (f"✗ 9.1 {answer.__name__}: it returned None: is a `return` missing?")
    assert verdict.kind is Kind.WRONG


def test_none_in_one_branch_shows_the_case_that_takes_it() -> None:
    def answer(rewards: Tensor, gamma: float) -> Any:
        return returns(rewards, gamma) if len(rewards) != 3 else None

    text = said(check(RETURNS, answer))
    assert "is a `return` missing? In the case “on paper”: rewards = [1, 2, 3]" in text


def test_a_generator_a_coroutine_and_a_function_are_called_by_name() -> None:
    def generator(rewards: Tensor, gamma: float) -> Any:
        yield from rewards

    async def coroutine(rewards: Tensor, gamma: float) -> Any:
        await asyncio.sleep(0)

    def function(rewards: Tensor, gamma: float) -> Any:
        return returns

    assert "a generator, since there is a `yield`" in said(check(RETURNS, generator))

    def expression(rewards, gamma):
        return (gamma * r for r in rewards)

    text = said(check(RETURNS, expression))
    assert "put `tuple(...)`" in text
    assert "Called a second time" not in text  # two generators are never equal
    assert "write `def`, not `async def`" in said(check(RETURNS, coroutine))
    assert "the function `returns` itself" in said(check(RETURNS, function))


@pytest.mark.parametrize("thing", [3, None, "returns", torch.zeros(2)])
def test_what_is_not_a_function_is_no_answer(thing: Any) -> None:
    assert "is no answer; a function or a class is" in said(check(RETURNS, thing))


# Wrong answers


def forgets_gamma(r: Tensor, gamma: float) -> Tensor:
    total, result = torch.zeros(()), torch.empty_like(r)
    for t in range(len(r) - 1, -1, -1):
        total = total + r[t]
        result[t] = total
    return result


def test_a_typical_mistake_written_otherwise_gets_its_hint() -> None:
    text = said(check(RETURNS, forgets_gamma))
    assert text == (
        "✗ 9.1 forgets_gamma: not right yet. This adds up without discount: a reward far away "
        "counts in full."
    )


def test_a_mistake_that_agrees_on_some_cases_only_is_not_taken_for_a_typical_one() -> None:
    def answer(rewards: Tensor, gamma: float) -> Tensor:
        return forgets_gamma(rewards, gamma) if len(rewards) < 5 else rewards + 7

    assert "without discount" not in said(check(RETURNS, answer))


def test_a_mistake_of_ones_own_is_shown_on_the_smallest_input() -> None:
    def answer(rewards: Tensor, gamma: float) -> Tensor:
        return returns(rewards, gamma) + torch.arange(len(rewards))

    assert check(RETURNS, answer).text == (
        "✗ 9.1 answer: the result is not right yet.\n"
        "  In the case “two steps”:\n"
        "    rewards  = [0, 4]\n"
        "    gamma    = 0.5\n"
        "    expected = [2, 4]\n"
        "    yours    = [2, 5]\n"
        "                   ^"
    )


def test_the_arguments_have_the_names_that_the_learner_gave_them() -> None:
    def answer(r: Tensor, gamma: float) -> Tensor:
        return 3 * r + 1

    assert "r = [0, 4] gamma = 0.5 expected" in said(check(RETURNS, answer))


@pytest.mark.parametrize(
    ("answer", "remark"),
    [
        (lambda e: -e, "the result has the wrong sign."),
        (lambda e: e.flip(0), "the result holds the right numbers in reverse order."),
        (lambda e: 3 * e, "the result is 3 times what it should be, everywhere."),
        (lambda e: 0 * e, "the result is 0 everywhere."),
        (lambda e: torch.cat([e[1:], e[:1]]), "the result has each number one place too early."),
        (lambda e: torch.cat([e[:1], e[:-1]]), "the result has each number one place too late."),
        (
            lambda e: e / 0 - e / 0,
            "the result is nan: a logarithm of 0, a division by 0, the root of a negative number?",
        ),
        (lambda e: e / 0, "the result is infinite: a logarithm of 0, a division by 0?"),
        (lambda e: e + 1, "the result is 1 too large, everywhere."),
        (lambda e: torch.where(e > 4, 0, e), "the result is right but for its last row."),
        (lambda e: e * e + 3, "the result is not right yet."),
    ],
)
def test_numbers_that_remind_of_the_right_ones_are_described(answer: Any, remark: str) -> None:
    exercise = exercise_of(lambda e: e.clone(), Case("on paper", torch.tensor([1.0, 2.0, 5.0])))
    assert f": {remark} In the case" in said(check(exercise, answer))


def test_single_numbers_that_are_twice_the_right_ones_are_called_that_in_two_cases() -> None:
    cases = [Case(f"{x}", torch.tensor([1.0, x])) for x in (2.5, 4.0)]
    exercise = exercise_of(lambda e: e.sum(), *cases)
    twice = said(check(exercise, lambda e: 2 * e.sum()))
    assert "is 2 times what it should be, everywhere." in twice
    assert "is not right yet." in said(check(exercise, lambda e: e.sum() ** 2))
    alone = exercise_of(lambda e: e.sum(), cases[0])
    assert "is not right yet." in said(check(alone, lambda e: 2 * e.sum()))


def test_numbers_that_differ_by_little_are_shown_with_more_digits() -> None:
    exercise = exercise_of(lambda e: e + 0, Case("on paper", torch.tensor([1.0, 1.0])))
    text = said(check(exercise, lambda e: e + torch.tensor([0.0, 0.0002])))
    assert "expected = [1, 1] yours = [1, 1.0002]" in text


def test_of_a_large_result_is_said_how_much_is_wrong_and_where() -> None:
    exercise = exercise_of(lambda e: e + 1, Case("a hundred", torch.zeros(10, 10)))

    def answer(e: Tensor) -> Tensor:
        result = e + 1
        result[4, 2] = 7.0
        return result

    text = said(check(exercise, answer))
    assert "the result is not right yet, in 1 of 100 places, first at [4, 2]." in text
    assert "of shape (10, 10)" in text
    assert len(text) < 400


def test_nan_is_right_where_the_reference_has_it() -> None:
    exercise = exercise_of(lambda e: e / e, Case("with a 0", torch.tensor([0.0, 2.0])))
    assert check(exercise, lambda e: torch.where(e == 0, torch.nan, 1.0)).right
    assert not check(exercise, lambda e: torch.where(e == 0, 0.0, 1.0)).right


# Answers that raise


def too_far(rewards: Tensor, gamma: float) -> Tensor:
    result = rewards.clone()
    for t in range(len(rewards)):
        result[t] = rewards[t] + gamma * rewards[t + 1]
    return result


def test_an_error_is_shown_with_the_learners_line_and_the_arguments() -> None:
    text = said(check(RETURNS, too_far), Kind.RAISED)
    assert "✗ 9.1 too_far: it raised IndexError: index 2 is out of bounds" in text
    assert ", in too_far: result[t] = rewards[t] + gamma * rewards[t + 1]" in text
    assert "In the case “two steps”: rewards = [0, 4] gamma = 0.5" in text
    assert str(HERE.parent) not in text


def test_an_error_is_told_before_a_wrong_number_in_a_smaller_case() -> None:
    def answer(rewards: Tensor, gamma: float) -> Tensor:
        return 3 * rewards + 1 if len(rewards) == 2 else rewards[99]

    text = said(check(RETURNS, answer), Kind.RAISED)
    assert "In the case “on paper”: rewards = [1, 2, 3]" in text


def test_an_error_in_a_helper_shows_the_helpers_line() -> None:
    def helper(rewards: Tensor) -> Any:
        return rewards.nothing

    def answer(rewards: Tensor, gamma: float) -> Any:
        return helper(rewards)

    text = said(check(RETURNS, answer), Kind.RAISED)
    assert ", in helper: return rewards.nothing" in text


def test_an_error_within_torch_shows_the_learners_line() -> None:
    def answer(rewards: Tensor, gamma: float) -> Any:
        return torch.nn.functional.one_hot(rewards)

    text = said(check(RETURNS, answer), Kind.RAISED)
    assert ", in answer: return torch.nn.functional.one_hot(rewards)" in text


def test_a_name_that_is_not_defined_is_an_error_of_the_learners() -> None:
    def answer(rewards: Tensor, gamma: float) -> Any:
        return rewards + gama  # type: ignore[name-defined]  # noqa: F821

    text = said(check(RETURNS, answer), Kind.RAISED)
    assert "it raised NameError: name 'gama' is not defined. The check runs at once: what" in text


def test_of_a_name_that_has_no_value_yet_is_not_said_that_it_stands_too_low() -> None:
    def answer(rewards: Tensor, gamma: float) -> Any:
        total = sum(total + each for each in rewards)  # noqa: F821
        return 2 * total

    text = said(check(RETURNS, answer), Kind.RAISED)
    assert "NameError" in text
    assert "has to stand above it" not in text


def test_a_long_error_is_cut() -> None:
    def answer(rewards: Tensor, gamma: float) -> Any:
        raise ValueError("line\n" * 100)

    assert len(check(RETURNS, answer).text.splitlines()) < 12


@pytest.mark.parametrize("error", [SystemExit(1), GeneratorExit(), MemoryError(), RecursionError()])
def test_whatever_an_answer_raises_stays_inside(error: BaseException) -> None:
    def answer(rewards: Tensor, gamma: float) -> Any:
        raise error

    assert f"it raised {type(error).__name__}" in said(check(RETURNS, answer), Kind.RAISED)


def test_endless_recursion_ends() -> None:
    def answer(rewards: Tensor, gamma: float) -> Any:
        return answer(rewards, gamma)

    assert "it raised RecursionError" in said(check(RETURNS, answer), Kind.RAISED)


@pytest.mark.parametrize(
    ("answer", "takes"),
    [
        (lambda rewards: rewards, "(rewards)"),
        (lambda a, b, c: a, "(a, b, c)"),
        (lambda rewards, discount: rewards, "(rewards, discount)"),
        (lambda: None, "()"),
    ],
)
def test_arguments_that_do_not_fit_are_put_beside_each_other(answer: Any, takes: str) -> None:
    text = said(check(RETURNS, answer))
    assert f"it takes {takes}, but is called with (rewards, gamma=…)." in text


def test_an_error_that_the_reference_raises_is_expected_of_the_answer() -> None:
    def positive(x: float) -> float:
        if x < 0:
            raise ValueError("negative")
        return x

    def careless(x: float) -> float:
        return abs(x)

    def otherwise(x: float) -> float:
        if x < 0:
            raise KeyError(x)
        return x

    exercise = exercise_of(positive, Case("a positive one", 2.0), Case("a negative one", -1.0))
    assert check(exercise, positive).right
    assert "here it should raise ValueError. In the case “a negative" in said(
        check(exercise, careless)
    )
    assert "should raise ValueError; it raised KeyError" in said(check(exercise, otherwise))


def test_a_typical_mistake_that_raises_is_known_by_its_error() -> None:
    hint = "There is no reward after the last."
    exercise = exercise_of(returns, *RETURNS.cases(), wrong=(Wrong(too_far, hint),))

    def the_same(rewards: Tensor, gamma: float) -> Tensor:
        return torch.stack([rewards[t] + gamma * rewards[t + 1] for t in range(len(rewards))])

    def another(rewards: Tensor, gamma: float) -> Tensor:
        return rewards[99]

    assert hint in said(check(exercise, the_same))
    assert "it raised IndexError: index 99" in said(check(exercise, another), Kind.RAISED)


# The form of a result


@pytest.mark.parametrize(
    ("answer", "remark"),
    [
        (
            lambda rewards, gamma: returns(rewards, gamma).numpy(),
            "the result is a NumPy array; expected is a tensor. Return a tensor. Its numbers are "
            "right.",
        ),
        (
            lambda rewards, gamma: list(returns(rewards, gamma)),
            "the result is a list; expected is a tensor. `torch.stack` makes a tensor of it. Its "
            "numbers are right.",
        ),
        (
            lambda rewards, gamma: returns(rewards, gamma).tolist(),
            "the result is a list; expected is a tensor. `torch.tensor` makes a tensor of it. Its "
            "numbers are right.",
        ),
        (
            lambda rewards, gamma: [1.0, 2.0],
            "the result is a list; expected is a tensor. `torch.tensor` makes a tensor of it.",
        ),
        (
            lambda rewards, gamma: float(rewards[0]),
            "the result is one number; expected is a tensor of shape (2,).",
        ),
        (lambda rewards, gamma: "ok", "the result is a string; expected is a tensor."),
        (lambda rewards, gamma: {}, "the result is a dict; expected is a tensor."),
        (
            lambda rewards, gamma: returns(rewards, gamma).long(),
            "the result holds integers; floats are expected: integers cut fractions off.",
        ),
        (
            lambda rewards, gamma: returns(rewards, gamma) > 0,
            "the result holds bools; floats are expected: numbers to compute with.",
        ),
        (
            lambda rewards, gamma: returns(rewards, gamma)[:, None],
            "the result has shape (2, 1), expected is (2,). The difference of the two would "
            "silently broadcast to (2, 2).",
        ),
        (
            lambda rewards, gamma: returns(rewards, gamma) - rewards[:, None],
            "the result has shape (2, 2), expected is (2,). Did two shapes broadcast on the way, "
            "such as (T, 1) and (T,)?",
        ),
        (
            lambda rewards, gamma: torch.cat([returns(rewards, gamma), rewards[:1]]),
            "the result has shape (3,), expected is (2,).",
        ),
        (
            lambda rewards, gamma: returns(rewards, gamma).sum(),
            "the result has shape (), expected is (2,). Is there a sum or a mean too many?",
        ),
        (
            lambda rewards, gamma: returns(rewards, gamma)[1:],
            "the result has shape (1,), expected is (2,).",
        ),
    ],
)
def test_another_form_of_result_is_named(answer: Any, remark: str) -> None:
    assert f": {remark} In the case “two steps”" in said(check(RETURNS, answer))


def test_a_missing_sum_is_asked_for() -> None:
    exercise = exercise_of(lambda x: x.sum(), Case("on paper", torch.tensor([1.0, 2.0])))
    assert "expected is (). Is a sum or a mean missing?" in said(check(exercise, lambda x: x))


SCALAR = exercise_of(lambda x: x.mean(), Case("on paper", torch.tensor([1.0, 2.0])))


@pytest.mark.parametrize(
    "answer", [lambda x: x.mean().item(), lambda x: np.mean(x.numpy()), lambda x: x.double().mean()]
)
def test_one_number_is_right_as_a_tensor_and_as_a_plain_number(answer: Any) -> None:
    assert check(SCALAR, answer).right


def test_a_tensor_of_one_number_is_right_where_a_python_number_is_wanted() -> None:
    exercise = exercise_of(lambda x: float(x.mean()), Case("on paper", torch.tensor([1.0, 3.0])))
    assert check(exercise, lambda x: x.mean()).right
    assert check(exercise, lambda x: 2.0).right
    assert check(exercise, lambda x: 2).right
    assert "has shape (1,), expected is ()." in said(check(exercise, lambda x: x.mean()[None]))


def test_an_index_must_be_an_integer_and_a_mask_of_bools() -> None:
    index = exercise_of(lambda x: x.argmax(), Case("on paper", torch.tensor([1.0, 3.0])))
    mask = exercise_of(lambda x: x > 1, Case("on paper", torch.tensor([1.0, 3.0])))
    assert "integers are expected" in said(check(index, lambda x: x.argmax().float()))
    assert check(index, lambda x: 1).right
    assert check(index, lambda x: x.argmax().int()).right
    assert "bools are expected" in said(check(mask, lambda x: (x > 1).float()))


def test_a_list_of_arrays_is_compared_without_a_warning() -> None:
    exercise = exercise_of(lambda x: x + 1, Case("on paper", torch.zeros(2, 3)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = said(check(exercise, lambda x: [np.ones(3), np.ones(3)]))
    assert "the result is a list; expected is a tensor" in text
    assert "Its numbers are right." in text


def test_the_wrong_number_of_values_is_counted() -> None:
    exercise = exercise_of(lambda x: (x + 1, x + 2), Case("on paper", torch.tensor([1.0, 4.0])))
    assert check(exercise, lambda x: [x + 1, x + 2]).right
    assert "the result has 3 values, not 2." in said(check(exercise, lambda x: (x, x, x)))
    assert "the result is a tensor; expected is a tuple of 2 values." in said(
        check(exercise, lambda x: x + 1)
    )
    assert "value 2 of the result has the wrong sign" in said(
        check(exercise, lambda x: (x + 1, -x - 2))
    )
    assert "value 2 of the result is None" in said(check(exercise, lambda x: (x + 1, None)))
    assert "it returned None" in said(check(exercise, lambda x: None))


def test_a_named_tuple_needs_its_names() -> None:
    def parts(x: Tensor) -> Parts:
        return Parts(total=x.sum(), entropy=x.mean())

    class Same(Parts):
        pass

    exercise = exercise_of(parts, Case("on paper", leaf(1.0, 2.0)))
    assert check(exercise, lambda x: Same(*parts(x))).right
    assert "the result is a tuple; expected is a Parts(total, entropy)." in said(
        check(exercise, lambda x: tuple(parts(x)))
    )
    assert "`entropy` is not right yet" in said(
        check(exercise, lambda x: parts(x)._replace(entropy=parts(x).entropy * 1.37))
    )
    assert "`total` is right, but no gradient flows from it into `x`" in said(
        check(exercise, lambda x: parts(x)._replace(total=x.sum().detach()))
    )


def test_a_dict_needs_its_keys() -> None:
    exercise = exercise_of(
        lambda x: {"a": x, "b": 2 * x}, Case("on paper", torch.tensor([1.0, 4.0]))
    )
    assert check(exercise, lambda x: {"b": 2 * x, "a": x.clone()}).right
    assert "has the keys 'a'; expected are 'a' and 'b'." in said(
        check(exercise, lambda x: {"a": x})
    )
    assert "the result['b'] is 0.5 times" in said(check(exercise, lambda x: {"a": x, "b": x}))
    assert "is a tensor; expected is a dict with 'a' and 'b'" in said(check(exercise, lambda x: x))


@pytest.mark.parametrize(("expected", "wanted"), [(True, "yes"), (False, "no")])
def test_a_question_is_told_with_its_answer(expected: bool, wanted: str) -> None:
    exercise = exercise_of(lambda x: {"is it a whole number?": expected}, Case("on paper", 1.0))
    assert check(exercise, lambda x: {"is it a whole number?": expected}).right
    text = said(check(exercise, lambda x: {"is it a whole number?": not expected}))
    assert f": not right yet: is it a whole number? The answer has to be {wanted}." in text


def test_words_are_compared_and_none_is_a_result_where_it_is_expected() -> None:
    exercise = exercise_of(lambda x: "up" if x > 0 else None, Case("up", 1), Case("down", -1))
    assert check(exercise, lambda x: "up" if x > 0 else None).right
    assert not check(exercise, lambda x: "up").right
    assert not check(exercise, lambda x: "down" if x > 0 else None).right


def test_a_result_that_cannot_be_compared_or_shown_is_wrong() -> None:
    class Awkward:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no")

        def __repr__(self) -> str:
            raise RuntimeError("no")

        __hash__ = None  # type: ignore[assignment]

    exercise = exercise_of(lambda: "a", Case("always"))
    assert "yours = <Awkward>" in said(check(exercise, Awkward))


@dataclass
class Pieces:
    total: Tensor
    entropy: Tensor


def test_a_dataclass_with_the_same_fields_is_as_good_as_a_named_tuple() -> None:
    def parts(x: Tensor) -> Parts:
        return Parts(total=x.sum(), entropy=x.mean())

    exercise = exercise_of(parts, Case("on paper", leaf(1.0, 2.0)))
    assert check(exercise, lambda x: Pieces(x.sum(), x.mean())).right
    assert "no gradient flows from it into `x`" in said(
        check(exercise, lambda x: Pieces(x.sum().detach(), x.mean()))
    )


@pytest.mark.parametrize(
    "answer", [lambda: torch.eye(2).to_sparse(), lambda: 10**40, lambda: np.str_("a")]
)
def test_a_result_that_no_number_can_be_compared_with_is_wrong(answer: Any) -> None:
    assert said(check(exercise_of(lambda: torch.eye(2), Case("always")), answer))
    assert said(check(exercise_of(lambda: 1.0, Case("always")), answer))


def test_counts_are_compared_exactly() -> None:
    exercise = exercise_of(lambda n: n * 100_000, Case("ten", 10))
    assert not check(exercise, lambda n: n * 100_000 + 1).right
    assert check(exercise, lambda n: 1_000_000).right


# Gradients


@pytest.mark.parametrize(
    ("answer", "remark"),
    [
        (
            lambda prediction, target: (prediction.detach() - target.detach()).square().mean(),
            "the result is right, but no gradient flows from it into `prediction`. Is it cut",
        ),
        (
            lambda prediction, target: (
                loss(prediction, target) + target.mean() - target.mean().item()
            ),
            "a gradient flows from the result into `target`, where none should: is a `detach()` "
            "missing?",
        ),
        (
            lambda prediction, target: loss(prediction, target) + 0 * (target * 0).sum().sqrt(),
            "the numbers are right, but the gradient of the result with respect to `target` is nan",
        ),
        (
            lambda prediction, target: (
                2 * loss(prediction, target).detach() - loss(prediction, target)
            ),
            "the numbers are right, but the gradient of the result with respect to `prediction` "
            "has the wrong sign.",
        ),
        (
            lambda prediction, target: (
                2 * loss(prediction, target) - loss(prediction, target).detach()
            ),
            "the numbers are right, but the gradient of the result with respect to `prediction` "
            "is 2 times what it should be, everywhere.",
        ),
        (
            lambda prediction, target: loss(prediction, target).item(),
            "the result is a Python float: no gradient can flow through it.",
        ),
        (
            lambda prediction, target: loss(prediction, target).detach().numpy(),
            "the result is a NumPy array: no gradient can flow through it.",
        ),
        (
            lambda prediction, target: np.float32(loss(prediction, target).item()),
            "the result is a NumPy number: no gradient can flow through it.",
        ),
        (
            lambda prediction, target: torch.tensor(loss(prediction, target).item()),
            "no gradient flows from it into `prediction`",
        ),
    ],
)
def test_a_gradient_that_is_missing_too_much_or_wrong_is_described(
    answer: Any, remark: str
) -> None:
    assert remark in said(check(LOSS, answer))


def test_a_gradient_is_shown_beside_the_expected_one() -> None:
    text = check(LOSS, lambda prediction, target: loss(prediction.detach(), target)).text
    assert "    expected gradient = [-2, -3]\n    your gradient     = [0, 0]" in text


def test_a_gradient_of_zero_is_as_good_as_none() -> None:
    def answer(prediction: Tensor, target: Tensor) -> Tensor:
        return loss(prediction, target) + 0 * target.sum()

    assert check(LOSS, answer).right


def test_single_gradients_are_compared_not_only_their_sum() -> None:
    exercise = exercise_of(lambda x: 2 * x, Case("on paper", leaf(1.0, 1.0)))

    def crosswise(x: Tensor) -> Tensor:
        return 2 * x.flip(0)

    assert "the gradient of a weighted sum of the result" in said(check(exercise, crosswise))


def test_gradients_reach_into_modules_and_named_tuples() -> None:
    def fit(model: Doubling, batch: Batch) -> Tensor:
        return (model(batch.logits) - batch.returns.detach()).square().sum()

    exercise = exercise_of(fit, Case("on paper", Doubling(), Batch(leaf(1.0, 2.0), leaf(1.0, 1.0))))
    assert check(exercise, fit).right

    def stuck(model: Doubling, batch: Batch) -> Tensor:
        with torch.no_grad():
            scaled = model.weight.clone()
        return (batch.logits * scaled - batch.returns.detach()).square().sum()

    def leaky(model: Doubling, batch: Batch) -> Tensor:
        return (model(batch.logits) - batch.returns).square().sum()

    assert "no gradient flows from it into `model.weight`" in said(check(exercise, stuck))
    assert "flows from the result into `batch.returns`" in said(check(exercise, leaky))


def test_a_graph_that_was_broken_in_place_is_called_that() -> None:
    def answer(prediction: Tensor, target: Tensor) -> Tensor:
        error = prediction - target.detach()
        square = error.square()
        error.zero_()
        return square.mean()

    text = said(check(LOSS, answer))
    assert "the result is right, but its gradient cannot be computed: " in text
    assert "modified by an inplace operation" in text


def test_of_several_results_the_one_whose_graph_was_broken_is_named() -> None:
    def two(x: Tensor) -> tuple[Tensor, Tensor]:
        return (3 * x).sum(), x.square().sum()

    def broken(x: Tensor) -> tuple[Tensor, Tensor]:
        y = x * 1
        squares = y.square().sum()
        y.zero_()
        return (3 * x).sum(), squares

    exercise = exercise_of(two, Case("on paper", leaf(1.0, 2.0)), parts=("thrice", "square"))
    text = said(check(exercise, broken))
    assert "`square` is right, but its gradient cannot be computed" in text


def test_no_mistake_is_named_for_a_graph_that_was_broken() -> None:
    """One that cuts the gradient has none either, and yet is another mistake."""

    def broken(prediction: Tensor, target: Tensor) -> Tensor:
        error = prediction - target.detach()
        result = error.exp()
        result.copy_(error * error)
        error.add_(1.0)
        return result.mean()

    cut = Wrong({"prediction - target.detach()": "(prediction - target).detach()"}, "It is cut.")
    exercise = replace(LOSS, wrong=(cut,))
    assert "It is cut." in said(check(exercise, lambda p, t: (p - t).detach().square().mean()))
    assert "its gradient cannot be computed" in said(check(exercise, broken))


def test_a_backward_within_the_answer_is_noticed() -> None:
    def answer(prediction: Tensor, target: Tensor) -> Tensor:
        result = loss(prediction, target)
        result.backward()
        return result

    assert "it leaves a gradient in `prediction.grad`" in said(check(LOSS, answer))


# The arguments


def test_changed_arguments_are_named() -> None:
    def tensor(rewards: Tensor, gamma: float) -> Tensor:
        for t in reversed(range(len(rewards) - 1)):
            rewards[t] += gamma * rewards[t + 1]
        return rewards

    text = said(check(RETURNS, tensor))
    assert "it changes its argument `rewards` in place" in text
    assert "before = [0, 4] after = [2, 4]" in text

    exercise = exercise_of(lambda xs: sum(xs), Case("on paper", [1.0, 2.5]))
    assert "argument `xs` in place" in said(check(exercise, lambda xs: xs.append(0) or sum(xs)))
    assert "argument `xs[0]` in place" in said(
        check(exercise, lambda xs: (sum(xs), xs.__setitem__(0, 9.0))[0])
    )

    arrays = exercise_of(lambda x: float(x.sum()), Case("on paper", np.ones(3)))
    assert "argument `x` in place" in said(check(arrays, lambda x: (float(x.sum()), x.fill(0))[0]))


@pytest.mark.parametrize(
    "itself",
    [
        lambda x: x,
        lambda x: x[:],
        lambda x: x.reshape(-1)[:3].view(3),
        lambda x: torch.from_numpy(x.numpy()),
    ],
)
def test_what_is_returned_is_no_argument(itself: Any) -> None:
    exercise = exercise_of(lambda x: 1 * x, Case("on paper", torch.ones(3)))
    assert "it returns its argument `x` itself, or a part of it" in said(check(exercise, itself))


def test_an_array_that_is_returned_is_no_argument() -> None:
    exercise = exercise_of(lambda x: 1 * x, Case("on paper", np.ones(3)))
    assert "itself, or a part of it" in said(check(exercise, lambda x: x[:]))
    assert check(exercise, lambda x: x[:].copy()).right


def test_an_argument_may_be_returned_where_the_reference_does_so() -> None:
    exercise = exercise_of(lambda x: x.flatten(), Case("on paper", torch.ones(2, 3)))
    assert check(exercise, lambda x: x.reshape(6)).right
    assert check(exercise, lambda x: 1 * x.flatten()).right


def test_of_several_arguments_that_are_returned_the_first_in_the_result_is_named() -> None:
    cases = Case("on paper", *(torch.ones(3) for _ in range(8)))
    exercise = exercise_of(lambda a, b, c, d, e, f, g, h: tuple(torch.ones(8, 3)), cases)
    text = said(check(exercise, lambda a, b, c, d, e, f, g, h: (h, g, f, e, d, c, b, a)))
    assert "it returns its argument `h` itself" in text


@dataclass
class Unreadable:
    """Its only field raises when it is read."""

    value: float

    def __getattribute__(self, name: str) -> Any:
        if name == "value":
            raise ValueError("unreadable")
        return super().__getattribute__(name)


def within_itself(x: Tensor) -> list[Any]:
    result: list[Any] = [x]
    result.append(result)
    return result


def nested_deeply(x: Tensor) -> list[Any]:
    result: list[Any] = [x]
    for _ in range(10_000):
        result = [result]
    return result


@pytest.mark.parametrize("strange", [within_itself, nested_deeply, lambda x: Unreadable(1.0)])
@pytest.mark.parametrize("reference", [lambda x: 2 * x, lambda x: [x + 1, [x]]])
def test_a_result_that_cannot_be_walked_through_is_refused(strange: Any, reference: Any) -> None:
    wrong = Wrong(lambda x: x / 2, "`x` is halved.")
    cases = Case("on paper", torch.ones(3, requires_grad=True))
    text = said(check(exercise_of(reference, cases, wrong=[wrong]), strange))
    assert "expected is a" in text or "its result cannot be compared" in text
    assert "halved" not in text


def test_an_argument_that_is_put_into_itself_is_named() -> None:
    exercise = exercise_of(lambda xs: sum(xs), Case("on paper", [1.0, 2.5]))
    text = said(check(exercise, lambda xs: (sum(xs), xs.append(xs))[0]))
    assert "argument `xs` in place" in text


def test_a_mode_that_is_left_changed_is_named() -> None:
    def fit(model: Doubling, x: Tensor) -> Tensor:
        return model(x).detach()

    def switches_off(model: Doubling, x: Tensor) -> Tensor:
        torch.set_grad_enabled(False)
        return model(x)

    def evaluates(model: Doubling, x: Tensor) -> Tensor:
        model.eval()
        return model(x).detach()

    exercise = exercise_of(fit, Case("on paper", Doubling(), torch.ones(2)))
    assert "it leaves gradients switched off" in said(check(exercise, switches_off))
    assert torch.is_grad_enabled()
    text = said(check(exercise, evaluates))
    assert "it leaves `model` in another mode than it was in" in text
    assert "before =" not in text


def test_a_change_in_place_of_a_leaf_is_explained() -> None:
    def answer(prediction: Tensor, target: Tensor) -> Tensor:
        prediction -= target
        return prediction.square().mean()

    text = said(check(LOSS, answer), Kind.RAISED)
    assert "in-place operation. It changes an argument in place; build a new tensor" in text


def test_an_answer_may_change_what_the_reference_changes() -> None:
    def step(weights: list[float]) -> None:
        weights[0] += 1

    exercise = exercise_of(step, Case("on paper", [1.0, 2.0]))
    assert check(exercise, lambda weights: weights.__setitem__(0, weights[0] + 1)).right
    assert not check(exercise, lambda weights: None).right


def test_cases_are_not_spoilt_by_an_answer() -> None:
    cases = RETURNS.cases()
    exercise = exercise_of(returns, *cases)
    before = [case.args[0].clone() for case in cases]

    def vandal(rewards: Tensor, gamma: float) -> Tensor:
        return rewards.zero_()

    check(exercise, vandal)
    assert all(torch.equal(case.args[0], b) for case, b in zip(cases, before, strict=True))
    assert check(exercise, returns).right


# What a check must leave as it was


def states() -> list[Any]:
    return [
        random.getstate(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        torch.get_rng_state().tolist(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        warnings.filters[:],
        sys.stdout,
        sys.stderr,
    ]


def turns_everything_over(rewards: Tensor, gamma: float) -> Tensor:
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002
    torch.manual_seed(7)
    torch.set_default_dtype(torch.float64)
    warnings.simplefilter("ignore")
    return returns(rewards, gamma)


def interrupts(rewards: Tensor, gamma: float) -> Tensor:
    turns_everything_over(rewards, gamma)
    raise KeyboardInterrupt


def test_state_that_an_answer_turns_over_is_restored() -> None:
    before = states()
    assert check(RETURNS, turns_everything_over).right
    assert states() == before


def test_an_interrupt_passes_and_state_is_restored() -> None:
    before = states()
    book.exercise("9.1")(returns)
    with pytest.raises(KeyboardInterrupt):
        book.exercise("9.1")(interrupts)
    assert states() == before
    with pytest.raises(AssertionError, match="not checked in this kernel"):
        book.assert_solved("9.1")


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_an_answer_is_checked_with_gradients_wherever_it_is_defined(
    around: Callable[[], contextlib.AbstractContextManager[None]],
) -> None:
    def cut(prediction: Tensor, target: Tensor) -> Tensor:
        return loss(prediction.detach(), target)

    with around():
        assert check(LOSS, loss).text.endswith("2 cases, with gradients.")
        assert "no gradient flows" in said(check(LOSS, cut))
        assert not torch.is_grad_enabled()


def test_a_learners_default_dtype_does_not_matter() -> None:
    exercise = exercise_of(lambda: str(torch.get_default_dtype()), Case("always"))
    torch.set_default_dtype(torch.float64)
    try:
        assert check(exercise, lambda: "torch.float32").right
        assert check(RETURNS, from_the_definition).right
        assert torch.get_default_dtype() is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_answers_that_draw_the_same_random_numbers_agree() -> None:
    exercise = exercise_of(lambda n: torch.rand(n), Case("three", 3))
    assert check(exercise, lambda n: torch.rand(n)).right
    assert not check(exercise, lambda n: torch.randn(n)).right


def test_the_verdict_does_not_depend_on_the_notebooks_seed() -> None:
    exercise = Exercise(
        id="9.9",
        title="random",
        reference=returns,
        cases=lambda: [Case("random", torch.randn(2), np.random.rand() * random.random())],  # noqa: NPY002
    )
    texts = set()
    for seed in range(2):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        texts.add(check(exercise, lambda rewards, gamma: torch.rand(2)).text)
    assert len(texts) == 1


def test_generators_among_the_arguments_are_copied() -> None:
    def draw(generator: torch.Generator) -> Tensor:
        return torch.rand(2, generator=generator)

    exercise = exercise_of(draw, Case("seed 3", torch.Generator().manual_seed(3)))
    assert check(exercise, lambda g: torch.rand(2, generator=g)).right
    assert check(exercise, draw).right


def test_during_a_check_its_own_name_means_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    space: dict[str, Any] = {}
    exec("def f(n): return 1 if n == 0 else n * f(n - 1)", space)
    mine = space.pop("f")
    exercise = exercise_of(factorial, Case("of 4", 4))
    assert check(exercise, mine).right
    assert "f" not in space
    space["f"] = "an earlier version"
    assert check(exercise, mine).right
    assert space["f"] == "an earlier version"


def test_an_answer_within_a_function_may_call_itself(capsys: pytest.CaptureFixture[str]) -> None:
    @book.exercise("9.3")
    def mine(n: int) -> int:
        return n * mine(n - 1) if n else 1

    assert capsys.readouterr().out.startswith("✓ 9.3 mine: right.")
    assert mine(5) == 120


def test_the_name_is_given_back_after_an_interrupt() -> None:
    space: dict[str, Any] = {}
    exec("def f(rewards, gamma): raise KeyboardInterrupt", space)
    mine = space.pop("f")
    with pytest.raises(KeyboardInterrupt):
        check(RETURNS, mine)
    assert "f" not in space


def test_a_class_may_use_its_own_name() -> None:
    def averages(made: Any) -> float:
        return made.of(1.0, 3.0).value()

    class Mine(Average):
        @staticmethod
        def of(*numbers: float) -> "Mine":
            average = Mine()
            for number in numbers:
                super(Mine, average).add(number)
            return average

    exercise = exercise_of(Mine, Case("two", probe=averages))
    renamed = without_source(
        "from small_exercises import Average\n"
        "class Yours(Average):\n"
        "    @staticmethod\n"
        "    def of(*numbers):\n"
        "        average = Yours()\n"
        "        for number in numbers: average.add(number)\n"
        "        return average\n"
    )
    assert check(exercise, Mine).right
    assert check(exercise, renamed).right


def test_an_answer_sees_the_notebooks_names() -> None:
    space: dict[str, Any] = {"returns": returns, "scale": 1}
    exec("def f(rewards, gamma): return scale * returns(rewards, gamma)", space)
    assert check(RETURNS, space["f"]).right
    space["scale"] = 3
    assert not check(RETURNS, space["f"]).right


# What an answer prints


def test_what_an_answer_prints_is_shown_once_and_not_as_a_flood() -> None:
    def chatty(rewards: Tensor, gamma: float) -> Tensor:
        for t in range(10_000):
            print("at", t)
        print("to stderr", file=sys.stderr)
        return returns(rewards, gamma)

    verdict = check(RETURNS, chatty)
    lines = verdict.text.splitlines()
    assert verdict.right
    assert lines[1:4] == ["  It printed, in the case “12 random numbers”:", "    at 0", "    at 1"]
    assert lines[-1] == "    …"
    assert len(lines) == 13


def test_a_flood_of_prints_does_not_fill_the_memory() -> None:
    capture = observing.Capture()
    for _ in range(1000):
        assert capture.write("x" * 1000) == 1000
    assert len(capture.text) == observing.MOST_PRINTED


def test_what_it_prints_in_the_failing_case_is_shown() -> None:
    def chatty(rewards: Tensor, gamma: float) -> Tensor:
        print("I have", len(rewards))
        return 3 * rewards + 1

    assert check(RETURNS, chatty).text.endswith(
        "  It printed, in the case “two steps”:\n    I have 2"
    )


def test_nothing_reaches_the_notebook_but_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    def chatty(rewards: Tensor, gamma: float) -> Tensor:
        print("hello")
        print("aside", file=sys.stderr)
        warnings.warn("careful", stacklevel=1)
        return returns(rewards, gamma)

    book.exercise("9.1")(chatty)
    printed = capsys.readouterr()
    assert printed.out.count("    hello\n    aside\n") == 1
    assert printed.out.count("  Python warned: UserWarning: careful\n") == 1
    assert printed.err == ""


# Bug hunts


def unchanged(n: int) -> int:
    """n · (n − 1) · … · 1"""
    # adds where it should multiply
    return 1 if n == 0 else n + unchanged(n - 1)


def other_words(n):
    """I have read it."""
    # and now
    return (
        1
        if n == 0  # the end
        else n + other_words(n - 1)
    )


def renamed_variable(k: int) -> int:
    return 1 if k == 0 else k + renamed_variable(k - 1)


def added_pass(n: int) -> int:
    pass
    return 1 if n == 0 else n + added_pass(n - 1)


def mended(n: int) -> int:
    """n · (n − 1) · … · 1"""
    return 1 if n == 0 else n * mended(n - 1)


@pytest.mark.parametrize("answer", [unchanged, other_words])
def test_a_bug_hunt_is_not_attempted_while_nothing_but_words_changed(answer: Any) -> None:
    assert check(BUG_HUNT, answer).text == (
        f"○ 9.3 {answer.__name__}: not attempted yet: this is the code as it was given."
    )


@pytest.mark.parametrize("answer", [renamed_variable, added_pass])
def test_a_bug_hunt_is_diagnosed_once_the_code_changed(answer: Any) -> None:
    assert "This adds. Which sign multiplies?" in said(check(BUG_HUNT, answer))


def test_a_bug_hunt_that_was_mended_is_right() -> None:
    assert check(BUG_HUNT, mended).right


def test_a_bug_hunt_without_source_is_compared_by_its_bytecode() -> None:
    line = "def f(n): return 1 if n == 0 else n {} f(n - 1)"
    assert check(BUG_HUNT, without_source(line.format("+"))).kind is Kind.NOT_ATTEMPTED
    assert check(BUG_HUNT, without_source(line.format("*"))).right
    assert not check(BUG_HUNT, without_source(line.format("-"))).right
    two = "def f(n): return 2 if n == 0 else n + f(n - 1)"
    assert check(BUG_HUNT, without_source(two)).kind is Kind.WRONG


# Classes


class Emptied:
    """The average of all numbers so far."""

    def __init__(self) -> None:
        super().__init__()
        ...

    def add(self, number: float) -> None:
        """Take in a number."""
        ...

    def value(self) -> float:
        raise NotImplementedError


class HalfWritten:
    def __init__(self) -> None:
        self.numbers: list[float] = []

    def add(self, number: float) -> None: ...

    def value(self) -> float: ...  # type: ignore[empty-body]


class Typo(Average):
    def value(self) -> float:
        return self.totl / self.count  # type: ignore[attr-defined,no-any-return]


class ForgetsToReturn(Average):
    def value(self) -> float:  # type: ignore[return]
        self.total / self.count


class Listing:
    """Another form."""

    def __init__(self) -> None:
        self.numbers: list[float] = []

    def add(self, number: float) -> None:
        self.numbers.append(number)

    def value(self) -> float:
        return float(np.mean(self.numbers))


def test_a_class_can_be_an_exercise() -> None:
    assert check(AVERAGE, Average).right
    assert check(AVERAGE, Listing).right
    text = said(check(AVERAGE, Typo), Kind.RAISED)
    assert "it raised AttributeError: 'Typo' object has no attribute 'totl'" in text
    assert ", in value: return self.totl / self.count" in text
    assert "In the case “one number”: numbers = (3,)" in text
    assert "value 1 of the result is None" in said(check(AVERAGE, ForgetsToReturn))


class Summing(Average):
    @classmethod
    def of(cls, *numbers: float) -> "Summing":
        average = cls()
        for number in numbers:
            average.add(number)
        return average


class ForgetsItself(Average):
    @classmethod
    def of(cls, *numbers: float) -> "ForgetsItself":  # type: ignore[return]
        average = cls()
        for number in numbers:
            average.add(number)


def test_an_error_in_the_probe_shows_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    space: dict[str, Any] = {}
    name = str(Path(book.__file__).parent / "probing.py")
    line = "def probe(made): return made.of(1.0, 3.0).value()\n"
    exec(compile(line, name, "exec"), space)
    monkeypatch.setitem(linecache.cache, name, (len(line), None, [line], name))
    exercise = exercise_of(Summing, Case("two numbers", probe=space["probe"]))
    text = said(check(exercise, ForgetsItself), Kind.RAISED)
    assert text == (
        "✗ 9.9 ForgetsItself: it raised AttributeError: 'NoneType' object has no attribute "
        "'value' when the check ran: def probe(made): return made.of(1.0, 3.0).value() Is a "
        "`return` missing? In the case “two numbers”."
    )


def test_a_class_of_stubs_is_not_attempted_and_a_half_written_one_says_what_remains() -> None:
    class Dots: ...

    class Doc:
        """Nothing."""

    for stub in Emptied, Dots, Doc:
        assert "not attempted yet." in said(check(AVERAGE, stub), Kind.NOT_ATTEMPTED)
    assert said(check(AVERAGE, HalfWritten), Kind.NOT_ATTEMPTED) == (
        "○ 9.4 HalfWritten: not finished yet: `add` and `value` remain to be written."
    )


def test_a_class_without_source_is_told_from_a_stub() -> None:
    written = "class A:\n def __init__(self): self.x = 1\n def add(self, n): self.x = n\n"
    stub = "class A:\n def __init__(self): ...\n def add(self, n): ...\n def value(self): ..."
    assert check(AVERAGE, without_source(stub)).kind is Kind.NOT_ATTEMPTED
    assert check(AVERAGE, without_source(written + " def value(self): ...")).kind is (
        Kind.NOT_ATTEMPTED
    )
    assert check(AVERAGE, without_source(written + " def value(self): return self.x")).kind is (
        Kind.WRONG
    )
    assert not check(AVERAGE, type("Data", (), {"x": 1})).right


# In a notebook: the decorator and its helpers


def wrong_answer(rewards: Tensor, gamma: float) -> Tensor:
    return 3 * rewards + 1


def test_the_name_means_yours_if_right_and_else_the_reference(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert book.exercise("9.1")(recursive) is recursive
    assert capsys.readouterr().out == "✓ 9.1 recursive: right. Checked on 3 cases.\n"
    assert book.exercise("9.1")(wrong_answer) is returns
    assert capsys.readouterr().out.endswith(
        '  The notebook goes on with the reference. Stuck? hint("9.1")\n'
    )
    assert book.exercise("9.1")(dots) is returns
    assert capsys.readouterr().out == (
        "○ 9.1 dots: not attempted yet.\n  The notebook goes on with the reference.\n"
    )


def test_a_wrong_answer_runs_if_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert book.exercise("9.1", run_mine=True)(wrong_answer) is wrong_answer
    assert "The notebook goes on with your version, as you asked." in capsys.readouterr().out
    assert book.exercise("9.1", run_mine=True)(recursive) is recursive
    assert "goes on" not in capsys.readouterr().out
    assert book.exercise("9.3", run_mine=True)(unchanged) is unchanged
    assert book.exercise("9.1", run_mine=True)(dots) is returns
    assert "goes on with the reference." in capsys.readouterr().out


def test_it_is_said_whose_code_runs() -> None:
    mine = book.exercise("9.1")(recursive)
    theirs = book.exercise("9.2")(lambda prediction, target: 1)
    assert book.whose(mine) == "your code"
    assert book.whose(theirs) == "the reference"
    assert book.whose(mine, theirs) == "your recursive and the reference loss"


def test_an_id_that_does_not_exist_is_answered_with_those_that_do() -> None:
    for unknown in "9.7", "17.1", "2", "two", "":
        with pytest.raises(registry.UnknownExercise, match=r"there are .*9\.1, 9\.2, 9\.3"):
            book.exercise(unknown)
    with pytest.raises(TypeError, match=r'@exercise\("2.1"\)'):
        book.exercise(recursive)  # type: ignore[arg-type]


def test_hints_grow_stronger_and_the_last_one_stays(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        book.hint("9.1")
    last = (
        "Hint 2 of 2: The last one. Go backwards.\n"
        '  That was the last one. solution("9.1") shows the reference.\n'
    )
    assert capsys.readouterr().out == "Hint 1 of 2: Which return is known first?\n" + last + last
    with registry.added(exercise_of(returns)):
        book.hint("9.9")
    assert capsys.readouterr().out == "There are no hints for 9.9.\n"


def test_the_solution_is_the_references_source(capsys: pytest.CaptureFixture[str]) -> None:
    book.solution("9.3")
    assert capsys.readouterr().out == (
        "# small_exercises\n"
        "def factorial(n: int) -> int:\n"
        '    """n · (n − 1) · … · 1"""\n'
        "    return 1 if n == 0 else n * factorial(n - 1)\n"
    )


def test_what_is_not_solved_is_asserted_with_its_verdict() -> None:
    with pytest.raises(AssertionError, match=r"○ 9.1: not checked in this kernel"):
        book.assert_solved("9.1")
    book.exercise("9.1")(wrong_answer)
    with pytest.raises(AssertionError, match=r"✗ 9.1 wrong_answer: the result is not right yet"):
        book.assert_solved("9.1")
    book.exercise("9.1")(recursive)
    book.assert_solved("9.1")
    with pytest.raises(registry.UnknownExercise):
        book.assert_solved("9.7")


def test_the_last_answer_counts_when_a_cell_is_run_again() -> None:
    book.exercise("9.1")(recursive)
    book.exercise("9.1")(dots)
    with pytest.raises(AssertionError, match="not attempted"):
        book.assert_solved("9.1")


# Progress


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A book's folder, in whose chapters the kernel works, and in which progress is kept."""
    (tmp_path / "chapters").mkdir()
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path / "chapters")
    monkeypatch.delenv("A3C_LIB_PROGRESS", raising=False)
    return tmp_path


def table(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The small exercises' lines, without their columns and minutes, and the sum."""
    capsys.readouterr()
    book.progress()
    lines = capsys.readouterr().out.splitlines()
    lines = [re.sub(r" +\d+ min, [●○]{3}$", "", line) for line in lines]
    lines = [re.sub(r"(\d\.\d) +", r"\1  ", line) for line in lines]
    return [line for line in lines if " 9." in line or "solved" in line]


def restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LATEST", {})


def test_progress_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    book.exercise("9.1")(recursive)
    book.exercise("9.2")(lambda prediction, target: 1)
    book.exercise("9.3")(unchanged)
    *lines, total = table(capsys)
    assert lines == ["✓ 9.1  returns", "✗ 9.2  a loss", "○ 9.3  bug hunt", "○ 9.4  a class"]
    assert total.startswith("1 of ")


def test_progress_outlives_the_kernel_and_what_was_solved_stays_solved(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    book.exercise("9.1")(recursive)
    book.exercise("9.2")(lambda prediction, target: 1)
    book.exercise("9.3")(unchanged)
    restart(monkeypatch)
    monkeypatch.chdir(folder)
    assert table(capsys)[:3] == ["✓ 9.1  returns", "✗ 9.2  a loss", "○ 9.3  bug hunt"]
    book.exercise("9.1")(dots)
    book.exercise("9.1")(wrong_answer)
    assert table(capsys)[0] == "✓ 9.1  returns"
    assert [path.name for path in (folder / "my").iterdir()] == ["exercises.json"]


@pytest.mark.parametrize(
    "damage",
    ["", "{", "[1]", "null", '{"9.1": 7, "9.2": "tried"}', "\x00", "[" * 10**5, '{"9.1": [[]]}'],
    ids=lambda damage: damage[:9],
)
def test_a_damaged_progress_file_does_no_harm(
    folder: Path, damage: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "my").mkdir()
    (folder / "my" / "exercises.json").write_text(damage)
    assert table(capsys)[0] == "○ 9.1  returns"
    book.exercise("9.1")(recursive)
    restart(monkeypatch)
    assert table(capsys)[0] == "✓ 9.1  returns"


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_stands_in_the_place_of_the_progress_file_does_no_harm(
    folder: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = folder / "my" / "exercises.json"
    place.parent.mkdir()
    place.mkdir() if kind == "folder" else os.mkfifo(place)
    book.exercise("9.1")(recursive)
    assert table(capsys)[0] == "✓ 9.1  returns"
    assert [path.name for path in place.parent.iterdir()] == ["exercises.json"]


@pytest.mark.parametrize("damage", ['{"9.1": "right",}', "[1]", '{"9.1": "Right"}'])
def test_a_progress_file_that_is_not_understood_is_kept_beside_the_new_one(
    folder: Path, damage: str
) -> None:
    (folder / "my").mkdir()
    (folder / "my" / "exercises.json").write_text(damage)
    book.exercise("9.2")(lambda prediction, target: 1)
    assert (folder / "my" / "exercises.damaged").read_text() == damage
    assert json.loads((folder / "my" / "exercises.json").read_text()) == {"9.2": "tried"}


def test_a_progress_file_that_an_editor_has_saved_is_read(folder: Path) -> None:
    (folder / "my").mkdir()
    (folder / "my" / "exercises.json").write_text('{"9.1": "right"}', encoding="utf-8-sig")
    book.exercise("9.2")(lambda prediction, target: 1)
    assert memory.states() == {"9.1": "right", "9.2": "tried"}
    assert [path.name for path in (folder / "my").iterdir()] == ["exercises.json"]


def solved_in_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Note 40 verdicts as kernels do that know nothing of each other: every thread stands for one,
    with a number of its own."""
    monkeypatch.setattr("os.getpid", threading.get_ident)
    verdicts = [Verdict(f"9.{i}", Kind.RIGHT, "right") for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(memory.remember, verdicts))
    restart(monkeypatch)


@pytest.mark.usefixtures("folder")
def test_kernels_that_write_at_the_same_moment_lose_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    solved_in_many_threads(monkeypatch)
    assert len(memory.states()) == 40


@pytest.mark.usefixtures("folder")
def test_where_a_file_system_has_no_locks_progress_is_kept_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def without_locks(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr("fcntl.flock", without_locks)
    book.exercise("9.1")(recursive)
    restart(monkeypatch)
    assert memory.states() == {"9.1": "right"}


def test_outside_the_book_progress_is_kept_in_the_book_that_the_package_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("A3C_LIB_PROGRESS", raising=False)
    monkeypatch.chdir(tmp_path)
    assert memory.file() == HERE.parent.parent / "my" / "exercises.json"


def test_a_folder_that_cannot_be_written_does_no_harm(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "my").write_text("a file where the folder should be")
    book.exercise("9.1")(recursive)
    assert table(capsys)[0] == "✓ 9.1  returns"


def test_progress_is_not_kept_where_it_is_switched_off(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A3C_LIB_PROGRESS", "off")
    book.exercise("9.1")(recursive)
    assert not (folder / "my").exists()


def test_tests_do_not_keep_progress() -> None:
    assert memory.file() is None


# The registry


def run_python(code: str) -> None:
    subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=HERE.parent.parent, env={**os.environ}
    )


def test_importing_the_engine_imports_neither_exercises_nor_notebook_machinery() -> None:
    run_python(
        "import sys\n"
        "from a3c_lib.exercises import registry\n"
        "heavy = {'IPython', 'nbformat', 'nbclient', 'jupyter_client', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "loaded = lambda: [n for n in registry.MODULES.values()"
        " if f'a3c_lib.exercises.{n}' in sys.modules]\n"
        "assert loaded() == [], loaded()\n"
        "registry.find('0.1')\n"
        "assert loaded() == ['the_loop'], loaded()\n"
    )


def test_a_chapter_without_a_module_has_no_exercises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.MODULES, 8, "not_written_yet")
    assert registry.of_chapter(8) == ()
    assert registry.of_chapter(77) == ()


def test_an_error_in_a_chapters_module_is_not_taken_for_its_absence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(name: str) -> Any:
        raise ModuleNotFoundError("no module called typo", name="typo")

    monkeypatch.setattr(registry, "import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="typo"):
        registry.find("0.1")


@pytest.mark.parametrize("name", ["2", "2.x", "a.1", "2.1.1", ""])
def test_an_exercise_needs_a_proper_id(name: str) -> None:
    with pytest.raises(ValueError, match=r"CHAPTER\.NUMBER"):
        exercise_of(returns, id=name)


def test_a_chapters_number_may_have_two_digits() -> None:
    assert exercise_of(returns, id="10.12").chapter == 10


# Odds and ends of a case


def test_what_cannot_be_copied_is_shared() -> None:
    class Single:
        def __deepcopy__(self, memo: Any) -> Any:
            raise TypeError("there is only one")

    single = Single()
    assert observing.copied([single])[0] is single


def test_a_probe_may_take_arguments_which_are_shown_by_its_names() -> None:
    def twice(answer: Any, values: Tensor) -> Tensor:
        return answer(answer(values))

    exercise = exercise_of(lambda x: x + 1, Case("on paper", torch.zeros(2), probe=twice))
    text = said(check(exercise, lambda x: x + 2))
    assert "values = [0, 0] expected = [2, 2] yours = [4, 4]" in text


def test_a_reference_that_is_broken_is_the_books_fault_and_said_aloud() -> None:
    def broken() -> Any:
        raise RuntimeError("the book's cases are broken")

    exercise = Exercise(id="9.9", title="broken", reference=returns, cases=broken)
    with pytest.raises(RuntimeError, match="the book's cases"):
        check(exercise, recursive)


def test_nothing_is_right_where_the_reference_itself_fails() -> None:
    def broken(x: Tensor) -> Tensor:
        raise ImportError("no module named sympy")

    exercise = exercise_of(broken, Case("one", torch.zeros(1)), Case("two", torch.zeros(2)))
    verdict = check(exercise, lambda x: broken(x))
    text = said(verdict, Kind.RAISED)
    assert "the book's own answer raises an error too: ImportError: no module" in text
