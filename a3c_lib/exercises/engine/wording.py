"""Chapter 00: the lines of a verdict: the case, the learner's line that raised, what it printed."""

import inspect
import os
import re
import sysconfig
import textwrap
import traceback
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from a3c_lib.exercises.engine.cases import Answer, Case
from a3c_lib.exercises.engine.observing import Outcome, arguments
from a3c_lib.exercises.engine.showing import assignments, shown
from a3c_lib.exercises.engine.written import functions_of, unwrapped

WIDTH = 96  # columns
MOST_LINES = 10  # of what an answer printed

# Where code lies that is not the learner's; a file beside a folder may begin with the same letters.
_FOLDERS = {
    str(Path(__file__).parents[2]),
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
}
LIBRARIES = (*(folder + os.sep for folder in _FOLDERS), "<frozen")


def wrapped(text: str) -> str:
    """Lines of at most 96 columns, the second and further ones indented; lines that are indented
    already, such as code, stay as they are."""
    return "\n".join(
        line if line.startswith(" ") else paragraph(line, "  " if i else "")
        for i, line in enumerate(text.split("\n"))
    )


def paragraph(text: str, indent: str) -> str:
    """A text in lines of WIDTH characters, the first with this indent."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def raised_block(error: BaseException | None, answer: Answer, case: Case) -> str:
    """The learner's line that raised; or the line of the probe at which it came out that something
    was not as it should be."""
    probe = files_of(case.probe)
    if line := own_line(error, probe - files_of(answer)):
        return f"    {line}"
    for frame in reversed(traceback.extract_tb(error.__traceback__ if error else None)):
        if frame.line and frame.filename in probe:
            missing = "\n  Is a `return` missing?" if "NoneType" in str(error) else ""
            return f"    when the check ran: {frame.line}{missing}"
    return ""


def own_line(error: BaseException | None, others: Collection[str]) -> str:
    """The learner's line from which an error came; `others` are files that are not theirs."""
    for frame in reversed(traceback.extract_tb(error.__traceback__ if error else None)):
        own = frame.filename not in others and not frame.filename.startswith(LIBRARIES)
        if frame.line and own:
            return f"line {frame.lineno}, in {frame.name}: {frame.line}"
    return ""


def files_of(answer: Any) -> set[str]:
    """The files that an answer's code stands in."""
    return {function.__code__.co_filename for function in functions_of(unwrapped(answer))}


def case_block(case: Case, yours: Outcome, reference: Answer, rows: Mapping[str, str] = {}) -> str:
    """The arguments of a case, what came of them, and a mark below the first difference."""
    given = arguments(case, reference).items()
    table = {yours.named(name): shown(value) for name, value in given} | dict(rows)
    heading = f"  In the case “{case.label}”"
    if not table:
        return f"{heading}."
    lines = f"{heading}:\n{assignments(table)}"
    mark = first_difference(*rows.values()) if len(rows) == 2 else ""
    column = max(map(len, table)) + len("     = ")
    return f"{lines}\n{' ' * column}{mark}" if mark else lines


def first_difference(expected: str, yours: str) -> str:
    """A line that marks, below `yours`, its first number that is not the expected one.

    >>> print("[2, 5.5]", first_difference("[2, 4.5]", "[2, 5.5]"), sep="\\n")
    [2, 5.5]
        ^^^
    """
    numbers = [list(re.finditer(r"[^\s\[\](),]+", text)) for text in (expected, yours)]
    if len(numbers[0]) != len(numbers[1]) or len(numbers[1]) < 2:
        return ""
    for one, other in zip(*numbers, strict=True):
        if one.group() != other.group():
            return f"{' ' * other.start()}{'^' * len(other.group())}"
    return ""


def side_block(case: Case, yours: Outcome) -> str:
    """What an answer printed in a case, and what Python warned of."""
    lines = [line[:WIDTH] for line in yours.printed.rstrip().split("\n")]
    more = ["…"] if len(lines) > MOST_LINES else []
    printed = [f"    {line}" for line in lines[:MOST_LINES] + more if yours.printed.strip()]
    heading = [f"  It printed, in the case “{case.label}”:"] if printed else []
    warned = [paragraph(f"Python warned: {told(text)}", "  ") for text in yours.warned]
    return "\n".join([*heading, *printed, *warned])


def told(warning: str) -> str:
    """A warning on one line, without the place in torch's own build that it came from.

    >>> told("UserWarning: slow here. (Triggered internally at /pytorch/aten/Copy.cpp:308.)")
    'UserWarning: slow here.'
    """
    return re.sub(r" \(Triggered internally at [^)]*\)", "", " ".join(warning.split()))


def parameters_of(signature: inspect.Signature) -> str:
    """A signature without annotations.

    >>> parameters_of(inspect.signature(assignments))
    "(values, indent='    ')"
    """
    bare = [
        each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()
    ]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def call_of(case: Case, reference: Answer) -> str:
    """How a case calls an answer.

    >>> call_of(Case("small", [1.0], gamma=0.5), lambda rewards, gamma: None)
    '(rewards, gamma=…)'
    """
    try:
        positional = list(inspect.signature(reference).bind_partial(*case.args).arguments)
    except (TypeError, ValueError):
        positional = [f"argument {i}" for i in range(1, len(case.args) + 1)]
    return f"({', '.join([*positional, *(f'{name}=…' for name in case.kwargs)])})"
