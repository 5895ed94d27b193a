"""The arithmetic between rates and what is said of them; tables as text, and as CSV."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from a3c_lib.app.records import value_of
from claims.recording import short

Row = dict[str, Any]

RATE, RETURN = "steps per second", "mean return"  # the quantities in the tables
# Lines that others are compared with, by their names, or the end of their names.
ENVIRONMENT, UNSHARED, KEPT = "environment", "worker that shares nothing", "memory kept"
AS_THE_ZOO = "as the zoo"


class Measured(NamedTuple):
    """A line, and its steps per second in each round."""

    name: str
    kind: str
    rates: tuple[float, ...]


def rates_of(rows: Sequence[Row]) -> list[Measured]:
    """The lines whose steps per second are among the rows, in order of appearance."""
    of_rate = [row for row in rows if row["quantity"] == RATE]
    kinds = {row["line"]: row["kind"] for row in of_rate}
    return [
        Measured(name, kind, tuple(row["value"] for row in of_rate if row["line"] == name))
        for name, kind in kinds.items()
    ]


def best(lines: Sequence[Measured]) -> Measured:
    """The line with the highest median."""
    return max(lines, key=lambda line: median(line.rates))


def ratios(rates: Sequence[float], others: Sequence[float]) -> tuple[float, ...]:
    """Round by round, since a machine's speed changes from one to the next.

    >>> ratios([300.0, 200.0], [100.0, 50.0])
    (3.0, 4.0)
    """
    return tuple(rate / other for rate, other in zip(rates, others, strict=True))


def spread(values: Sequence[float], form: str = ",.0f") -> tuple[str, str]:
    """The median, and the lowest and highest, as text; infinite is what was not reached.

    >>> spread([1000.0, 3000.0, 2000.0])
    ('2,000', '1,000 – 3,000')
    >>> spread([1.5, math.inf, math.inf], ".1f")
    ('–', '1.5 – –')
    """
    middle, *ends = (_said(value, form) for value in (median(values), min(values), max(values)))
    return middle, " – ".join(ends)


def _said(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "–"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A table: the first column to the left, the others to the right.

    >>> print(aligned([["", "steps/s"], ["a2c", "1,000"]]))
         steps/s
    a2c    1,000
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def write(path: Path, about: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """A CSV file of rows, with lines `# name: text` above them on how they came about."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", newline="", encoding="utf-8") as f:
        f.writelines(f"# {name}: {text}\n" for name, text in about.items())
        table = csv.DictWriter(f, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows({name: short(value) for name, value in row.items()} for row in rows)
    temporary.replace(path)


def read(path: Path) -> tuple[dict[str, str], list[Row]]:
    """What `write` wrote."""
    lines = path.read_text(encoding="utf-8").splitlines()
    about = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    rows = csv.DictReader(line for line in lines if not line.startswith("# "))
    return about, [{name: value_of(text) for name, text in row.items()} for row in rows]
