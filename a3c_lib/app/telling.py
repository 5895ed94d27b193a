"""Beside the chapters: what went wrong in somebody else's code, told in a line."""

import os
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import gymnasium as gym

PACKAGE = Path(__file__).parents[1]


def in_a_line(error: BaseException) -> str:
    """What an exception says, in one line.

    >>> in_a_line(ValueError("no\\n   such thing"))
    'no such thing'
    """
    return " ".join(str(error).split()) or type(error).__name__


def told(error: BaseException) -> str:
    """What an exception is, what it says, and where it was raised, in one line; in the code of
    somebody else, if it passed through that.

    >>> try:
    ...     {}["key"]
    ... except KeyError as error:
    ...     told(error).split(" (")[0]
    "KeyError: 'key'"
    """
    said = in_a_line(error)
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, gym.error.Error | ImportError | SyntaxError) or not frames:
        return said  # they say by themselves what is missing, and where
    kind = type(error).__name__
    frame = next(filter(_is_somebodys, reversed(frames)), frames[-1])
    where = f"{Path(frame.filename).name}, line {frame.lineno}, in {frame.name}"
    return f"{kind if said == kind else f'{kind}: {said}'} ({where})"


def is_somebodys(error: BaseException) -> bool:
    """Whether an exception passed through code that belongs neither to this package nor to one that
    is installed."""
    return any(map(_is_somebodys, traceback.extract_tb(error.__traceback__)))


def _is_somebodys(frame: traceback.FrameSummary) -> bool:
    installed = *map(sysconfig.get_path, ("stdlib", "purelib", "platlib")), str(PACKAGE)
    folders = (folder + os.sep for folder in installed)  # /lib/mine.py is in /lib, /library is not
    return not frame.filename.startswith(("<", *folders))


@contextmanager
def closing(thing: Any, name: str, failed: type[Exception]) -> Iterator[None]:
    """Close a thing in the end. Raises `failed` if that does not succeed; but where something else
    went wrong before, that is what matters."""
    try:
        yield
    except BaseException:
        with suppress(Exception):
            thing.close()
        raise
    try:
        thing.close()
    except Exception as error:
        raise failed(f"{name} cannot be closed: {told(error)}") from error
