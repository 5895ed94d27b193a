"""Chapter 00: exercises that say at once whether they are right, and what is wrong with them.

from a3c_lib.exercises import exercise, hint, progress, solution

@exercise("2.1")
def n_step_returns(rewards, next_values, terminated, truncated, gamma): ...
"""

import inspect
import sys
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar, cast

from a3c_lib.exercises.engine import memory, registry
from a3c_lib.exercises.engine.announcing import announce
from a3c_lib.exercises.engine.cases import Exercise
from a3c_lib.exercises.engine.checking import Kind, check
from a3c_lib.exercises.engine.showing import listed
from a3c_lib.exercises.engine.wording import own_line, paragraph, wrapped
from a3c_lib.exercises.engine.written import name_of, unwrapped

__all__ = ["assert_solved", "exercise", "hint", "progress", "solution", "whose"]

T = TypeVar("T")

_hints_given: dict[str, int] = {}
_references: dict[str, Any] = {}  # of the exercises checked in this kernel


def exercise(exercise_id: str, *, run_mine: bool = False) -> Callable[[T], T]:
    """Check the function or class below at once, and print a verdict.

    The name then means yours if it is right, and the reference until it is, so that the notebook
    goes on either way. With `run_mine` it means yours also when it is wrong, to see what happens.
    Raises UnknownExercise, with the ids that there are; and KeyboardInterrupt, if the check is
    interrupted: a name at the top of a cell means the reference then, too.
    """
    if not isinstance(exercise_id, str):
        raise TypeError('an exercise is named by its id: @exercise("2.1")')
    asked = registry.find(exercise_id)

    def checked(mine: T) -> T:
        memory.LATEST.pop(exercise_id, None)  # an interrupted check leaves no verdict
        _references[exercise_id] = asked.reference
        try:
            verdict = check(asked, mine)
        except KeyboardInterrupt as interrupt:
            raise _in_two_lines(interrupt, asked, mine) from None
        memory.remember(verdict)
        keep = verdict.right or (run_mine and verdict.runs)
        announce("\n".join([verdict.text, *_what_next(verdict.kind, asked, keep)]))
        return mine if keep else cast(T, asked.reference)

    return checked


def _what_next(kind: Kind, asked: Exercise, keep: bool) -> list[str]:
    if kind is Kind.RIGHT:
        return []
    goes_on = "your version, as you asked" if keep else "the reference"
    stuck = kind is not Kind.NOT_ATTEMPTED and asked.hints
    tip = f' Stuck? hint("{asked.id}")' if stuck else ""
    return [f"  The notebook goes on with {goes_on}.{tip}"]


def _in_two_lines(interrupt: KeyboardInterrupt, asked: Exercise, mine: Any) -> KeyboardInterrupt:
    """The interrupt of a check, without the checker's part of the traceback. The cell ends with it,
    so the name is bound here, unless it is one within a function or a class."""
    next_ = "Run the cell again"
    if getattr(mine, "__qualname__", "").isidentifier():
        vars(sys.modules[mine.__module__])[mine.__name__] = asked.reference
        next_ = "The name means the reference now; run the cell again"
    line = own_line(interrupt, ()).strip()
    where = f", at {line}" if line else ""
    text = paragraph(
        f"✗ {asked.id} {name_of(mine)}: the check was interrupted{where}. "
        f"{next_} to go on with yours.",
        "",
    )
    return Interrupted(text)


class Interrupted(KeyboardInterrupt):
    """Shows its text in a notebook, and no traceback."""

    def _render_traceback_(self) -> list[str]:  # which IPython asks for
        return [str(self)]


def whose(*answers: Any) -> str:
    """Whose code this is: a training cell prints it.

    >>> whose(len)
    'your code'
    """
    references = [each for each in answers if _is_reference(each)]
    if len(references) == len(answers):
        return "the reference"
    if not references:
        return "your code"
    return listed(
        [
            f"{'the reference' if _is_reference(each) else 'your'} {name_of(each)}"
            for each in answers
        ]
    )


def _is_reference(answer: Any) -> bool:
    return any(answer is reference for reference in _references.values())


def hint(exercise_id: str) -> None:
    """Print a hint; called again, the next stronger one."""
    hints = registry.find(exercise_id).hints
    if not hints:
        print(f"There are no hints for {exercise_id}.")
        return
    number = _hints_given[exercise_id] = min(_hints_given.get(exercise_id, 0) + 1, len(hints))
    print(wrapped(f"Hint {number} of {len(hints)}: {hints[number - 1]}"))
    if number == len(hints):
        print(f'  That was the last one. solution("{exercise_id}") shows the reference.')


def solution(exercise_id: str) -> None:
    """Print the reference's source."""
    reference = unwrapped(registry.find(exercise_id).reference)
    print(f"# {reference.__module__}")
    print(textwrap.dedent(inspect.getsource(reference)).rstrip())


def progress() -> None:
    """Print a table of all exercises: ✓ solved, ✗ tried, ○ to come, with minutes and difficulty."""
    states = memory.states()
    everything = list(registry.on_pages())
    ids, titles = (
        max((len(getattr(each, name)) for each in everything), default=0)
        for name in ("id", "title")
    )
    for each in everything:
        mark = {"right": "✓", "tried": "✗"}.get(states.get(each.id, ""), "○")
        print(f"{mark} {each.id:{ids}}  {each.title:{titles}}  {each.effort:>11}")
    solved = sum(states.get(each.id) == "right" for each in everything)
    print(f"{solved} of {len(everything)} solved")


def assert_solved(exercise_id: str) -> None:
    """Raise AssertionError, with the verdict, unless this kernel's last answer was right."""
    registry.find(exercise_id)
    verdict = memory.LATEST.get(exercise_id)
    if verdict is None:
        raise AssertionError(
            f"○ {exercise_id}: not checked in this kernel; run the cell with "
            f'@exercise("{exercise_id}")'
        )
    if not verdict.right:
        raise AssertionError(verdict.text)
