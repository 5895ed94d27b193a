"""Chapter 00: results that took many seeds or minutes are recorded; this reads them.

The records lie in the book's folder `claims/records`: a table of rows and a page on how they came
about.
"""

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


class Record(NamedTuple):
    """Rows of one claim. `about` says what is claimed, by which command, on which machine."""

    name: str
    rows: list[dict[str, Any]]
    about: dict[str, Any]

    def __str__(self) -> str:
        count = self.about["seeds"]
        return (
            f"Recorded, not run here: {count} seed{'s' * (count != 1)} per setting, "
            f"{self.about['seconds'] / 60:.0f} min of computing on {self.about['date']} "
            f"({self.about['machine']}). To run it again: {self.about['command']} --again"
        )

    def select(self, **values: Any) -> "Record":
        """The rows in which every named column has the given value."""
        for column in values:
            self._check(column)
        rows = [row for row in self.rows if all(row[c] == v for c, v in values.items())]
        if not rows:
            raise ValueError(f"no row of record {self.name!r} has {values}")
        return self._replace(rows=rows)

    def column(self, name: str) -> NDArray[Any]:
        """The values of a column, row by row. Raises ValueError, with the columns there are."""
        self._check(name)
        return np.array([row[name] for row in self.rows])

    def levels(self, name: str) -> list[Any]:
        """The different values of a column, in order of appearance."""
        self._check(name)
        return list(dict.fromkeys(row[name] for row in self.rows))

    def curves(self, x: str, y: str) -> list[Curve]:
        """One (x, y) pair of arrays for each seed, as learning curves want them."""
        return [
            (seed.column(x).astype(float), seed.column(y).astype(float))
            for seed in (self.select(seed=s) for s in self.levels("seed"))
        ]

    def _check(self, column: str) -> None:
        if column not in self.rows[0]:
            raise ValueError(
                f"record {self.name!r} has columns {list(self.rows[0])}; got {column!r}"
            )


def load(name: str) -> Record:
    """Read a record of the book. Works in the book's folder and in every folder below it.

    Raises FileNotFoundError, with the records that there are.
    """
    folder = _folder()
    table, about = folder / f"{name}.csv", folder / f"{name}.json"
    if not table.exists():
        known = sorted(
            str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.csv")
        )
        raise FileNotFoundError(f"no record is called {name!r}; there are {known}")
    with table.open(newline="", encoding="utf-8") as f:
        rows = [
            {key: value_of(text) for key, text in row.items() if text != ""}
            for row in csv.DictReader(f)
        ]
    return Record(name, rows, json.loads(about.read_text(encoding="utf-8")))


def path(name: str) -> Path:
    """Where something lies that is kept beside the records, such as a trained network.

    Raises FileNotFoundError if it is not there.
    """
    found = _folder() / name
    if not found.exists():
        raise FileNotFoundError(f"there is no {found}")
    return found


def _folder() -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "claims" / "records").is_dir():
            return folder / "claims" / "records"
    raise FileNotFoundError(f"no claims/records in {here} or above it; work in the book's folder")


def value_of(text: str) -> Any:
    """A number, if the text is one."""
    for kind in int, float:
        try:
            return kind(text)
        except ValueError:
            continue
    return text
