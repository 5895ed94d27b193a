"""Chapter 00: what an answer keeps from one call to the next, in a list, a dict or a set."""

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

from a3c_lib.exercises.engine.cases import Answer
from a3c_lib.exercises.engine.showing import listed
from a3c_lib.exercises.engine.written import defaults_of, functions_of, meanings, unwrapped

Collection = list[Any] | dict[Any, Any] | set[Any]


class Kept(NamedTuple):
    """A collection that outlives a call."""

    now: Collection
    then: Collection  # a copy of what was in it
    default: bool  # it is a default argument


Contents = Mapping[str, Kept]  # by the name that an answer has for it


def collections_of(answer: Answer) -> Contents:
    """The lists, dicts and sets that outlive a call: default arguments, and what is defined
    outside of the answer."""
    found = {}
    for function in functions_of(unwrapped(answer)):
        for default, things in (False, meanings(function)), (True, defaults_of(function)):
            for name, value in things.items():
                if isinstance(value, list | dict | set):
                    found[name] = Kept(value, copy.copy(value), default)
    return found


def kept_in(before: Contents) -> str:
    """A sentence on the collections that have changed since; nothing if none has."""
    changed = {name: each for name, each in before.items() if not _holds_the_same(each)}
    if not changed:
        return ""
    names = listed([f"`{name}`" for name in changed])
    keeps = "keeps" if len(changed) == 1 else "keep"
    once = " A default argument is made once, with the function."
    return (
        f"{names} {keeps} something from one call to the next: a call finds there what the one "
        f"before it has left.{once * any(each.default for each in changed.values())} Does the "
        "mistake come from that?"
    )


def _holds_the_same(kept: Kept) -> bool:
    """Whether it holds the very same things: numbers in a list may have been replaced by others."""
    return [id(each) for each in _parts(kept.now)] == [id(each) for each in _parts(kept.then)]


def _parts(collection: Collection) -> list[Any]:
    match collection:
        case dict():
            return [*collection.keys(), *collection.values()]
        case set():
            return sorted(collection, key=id)
    return list(collection)
