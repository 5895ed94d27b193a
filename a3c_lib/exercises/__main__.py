"""Chapter 00: `python -m a3c_lib.exercises grade FILE.ipynb`, for instructors.

Prints JSON: the verdict on every exercise, how many are solved, and of how many. The exit code is 0
if all are, 1 if not, 2 if the file cannot be graded, 130 after Ctrl-C.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from a3c_lib.exercises.engine.grading import Unusable, grade
from a3c_lib.exercises.engine.registry import UnknownExercise


def main(arguments: Sequence[str] | None = None) -> int:
    """Grade a notebook, print JSON.   → the exit code"""
    parser = argparse.ArgumentParser(prog="python -m a3c_lib.exercises")
    commands = parser.add_subparsers(required=True, metavar="command")
    grading = commands.add_parser(
        "grade",
        help="run a notebook and print the verdicts as JSON",
        description="Run a notebook in a fresh kernel and print the verdicts as JSON. "
        "Exit code: 0 all solved, 1 not all, 2 the file cannot be graded. "
        "Grading runs the notebook, with all your rights: it can read and delete what you can, so "
        "grade what you would run yourself, or in a container. A verdict cannot be had by printing "
        "one, but a notebook that sets out to can fake it: by writing into the file of verdicts, "
        "by replacing the checker, by handing in the package's reference. Look at the code before "
        "a grade counts.",
    )
    grading.add_argument("file", type=Path, metavar="FILE.ipynb")
    grading.add_argument(
        "--timeout",
        type=seconds,
        default=600.0,
        help="seconds a cell, above 0 (default: 600); then it is interrupted, and if that does not "
        "help killed, with what follows it",
    )
    grading.add_argument(
        "--only", nargs="+", default=[], metavar="ID", help="grade only these exercises"
    )
    options = parser.parse_args(arguments)
    try:
        report = grade(options.file, options.timeout, options.only)
    except (Unusable, UnknownExercise) as error:
        return _complain(error)
    except Exception as error:  # noqa: BLE001  1 would say that it was graded
        return _complain(f"{options.file} could not be graded: {type(error).__name__}: {error}")
    except KeyboardInterrupt:
        return 130
    print(_printable(report))
    return 0 if report["solved"] == report["total"] else 1


def seconds(text: str) -> float:
    """A number of seconds, above 0 and not infinite."""
    if not 0 < float(text) < math.inf:  # not NaN either
        raise argparse.ArgumentTypeError(f"is in seconds, above 0; got {text}")
    return float(text)


def _complain(error: object) -> int:
    print(" ".join(str(error).split()), file=sys.stderr)
    return 2


def _printable(report: Any) -> str:
    """JSON, in ASCII where a terminal or a file cannot take the characters that are in it."""
    text = json.dumps(report, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return json.dumps(report, indent=2)
    return text


if __name__ == "__main__":
    sys.exit(main())
