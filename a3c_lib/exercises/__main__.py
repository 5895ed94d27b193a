"""Chapter 00: `python -m a3c_lib.exercises grade FILE.ipynb`, for instructors.

Prints JSON: the verdict on every exercise, how many are solved, and of how many. The exit code is 0
if all are, 1 if not, 2 if the file cannot be graded.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

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
        "Exit code: 0 all solved, 1 not all, 2 the file cannot be graded.",
    )
    grading.add_argument("file", type=Path, metavar="FILE.ipynb")
    grading.add_argument("--timeout", type=float, default=600, help="seconds a cell (default: 600)")
    grading.add_argument(
        "--only", nargs="+", default=[], metavar="ID", help="grade only these exercises"
    )
    options = parser.parse_args(arguments)
    try:
        report = grade(options.file, options.timeout, options.only)
    except (Unusable, UnknownExercise) as error:
        print(error, file=sys.stderr)
        return 2
    ascii_only = (sys.stdout.encoding or "").lower() not in ("utf-8", "utf8")
    print(json.dumps(report, indent=2, ensure_ascii=ascii_only))
    return 0 if report["solved"] == report["total"] else 1


if __name__ == "__main__":
    sys.exit(main())
