"""Chapter 00: exercises found by their ids. A chapter's module is imported when it is asked for.

A module holds its exercises in a tuple called EXERCISES.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

from a3c_lib.exercises.engine.cases import Exercise

LISTS = "a3c_lib.exercises"  # where a chapter's module is
MODULES = {  # chapter → the module that holds its exercises
    0: "the_loop",
    1: "one_step",
    2: "n_step",
    3: "entropy_bonus",
    4: "lstm",
    5: "hogwild",
    6: "a2c",
    7: "atari",
    8: "q_learning",
    9: "replay",
    10: "continuous_control",
}
PAGES = range(11)  # the chapters that have a page; what belongs to a later one is not counted yet

_added: dict[str, Exercise] = {}


class UnknownExercise(LookupError):
    """No exercise has this id; the message says which ones there are."""


def find(exercise_id: str) -> Exercise:
    """The exercise with this id. Raises UnknownExercise."""
    if exercise_id in _added:
        return _added[exercise_id]
    chapter = str(exercise_id).partition(".")[0]
    if chapter.isdecimal():
        for exercise in of_chapter(int(chapter)):
            if exercise.id == exercise_id:
                return exercise
    known = ", ".join(exercise.id for exercise in all_exercises())
    raise UnknownExercise(f"there is no exercise {exercise_id!r}; there are {known or 'none yet'}")


def of_chapter(chapter: int) -> tuple[Exercise, ...]:
    """A chapter's exercises, in order; none if it has no module yet."""
    added = tuple(exercise for exercise in _added.values() if exercise.chapter == chapter)
    module = f"{LISTS}.{MODULES.get(chapter, '')}"
    if chapter not in MODULES or find_spec(module) is None:
        return added
    exercises: tuple[Exercise, ...] = import_module(module).EXERCISES
    return (*exercises, *added)


def minutes_of(chapter: int) -> int:
    """What all exercises of a chapter take."""
    return sum(exercise.minutes for exercise in of_chapter(chapter))


def all_exercises() -> Iterator[Exercise]:
    """Every exercise of the book, in order. Imports every chapter's module."""
    for chapter in sorted({*MODULES, *(exercise.chapter for exercise in _added.values())}):
        yield from of_chapter(chapter)


def on_pages() -> Iterator[Exercise]:
    """Every exercise that a reader can come to."""
    return (each for each in all_exercises() if each.chapter in PAGES or each.id in _added)


@contextmanager
def added(*exercises: Exercise) -> Iterator[None]:
    """Have more exercises for a while, as tests need them."""
    _added.update({exercise.id: exercise for exercise in exercises})
    try:
        yield
    finally:
        for exercise in exercises:
            _added.pop(exercise.id, None)
