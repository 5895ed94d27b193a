"""Beside the chapters: metrics.csv, a row for every update, and the same for TensorBoard."""

import csv
import math
import os
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a3c_lib.app import checkpoints
from a3c_lib.app.plan import RunError
from a3c_lib.training import as_row


class Metrics:
    """The rows of metrics.csv, from `steps` on, and the same for TensorBoard if that is wanted.

    Is a context manager: rows later than `steps`, of a run that was killed after its checkpoint,
    are dropped when it is entered.
    """

    def __init__(self, path: Path, steps: int, tensorboard: bool = False) -> None:
        self.path, self.steps = path, steps
        self.board: Any = None
        if tensorboard:
            folder = str(path.parent / "tensorboard")
            self.board = tensorboard_writer()(folder, purge_step=steps + 1)

    def __enter__(self) -> "Metrics":
        # What was later than the checkpoint comes again.
        columns, kept = _rows_until(self.steps, self.path)
        self.columns = columns if kept else None
        checkpoints.write_text(self.path, _csv([columns, *kept] if kept else []))
        self.file = self.path.open("a", newline="", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        if self.board is not None:
            self.board.close()

    def add(self, update: Any, seconds: float, speed: float) -> None:
        """One row: an update, the run's seconds so far, and the steps per second."""
        row = {
            **{name: math.nan if n is None else n for name, n in as_row(update).items()},
            "seconds": round(seconds, 3),
            "steps_per_second": round(speed, 1),
        }
        if self.columns is None:
            self.columns = list(row)
            self.file.write(_csv([self.columns]))
        # A column that somebody added stays, without numbers.
        self.file.write(_csv([[row.get(column, math.nan) for column in self.columns]]))
        if self.board is not None:
            for name, value in row.items():
                if name != "steps" and not math.isnan(value):
                    self.board.add_scalar(name, value, update.steps)

    def sync(self) -> None:
        """Bring the rows to the disk: none that a checkpoint counts may be lost."""
        self.file.flush()
        os.fsync(self.file.fileno())
        if self.board is not None:
            self.board.flush()


def tensorboard_writer() -> Callable[..., Any]:
    """torch's. Raises RunError if TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise RunError("--tensorboard needs a package: pip install tensorboard") from None
    writer: Callable[..., Any] = SummaryWriter
    return writer


class Table(Sequence[SimpleNamespace]):
    """Columns of metrics.csv. A row is made when it is asked for, not kept.

    `names` are those of all columns, also of those that were not read.
    """

    def __init__(self, names: Sequence[str], columns: Mapping[str, NDArray[Any]]) -> None:
        self.names, self.columns = list(names), columns

    @classmethod
    def read(cls, path: Path, wanted: Collection[str] | None = None) -> "Table":
        """The columns that are `wanted`, and the steps, if they are there; None: all. Of a last
        line that is a part, since the run was killed, nothing is read. Raises RunError for a table
        of something else."""
        names, lines = _lines(path)
        kept = names if wanted is None else [n for n in names if n in {*wanted, "steps"}]
        read = {name: array("d") for name in kept}
        places = [(names.index(name), numbers.append) for name, numbers in read.items()]
        for number, cells in lines:
            for place, append in places:
                append(_number(cells[place], path, number))
        if not np.isfinite(read["steps"]).all():
            raise RunError(f"{path} has steps that are no numbers")
        return cls(names, {name: _column(numbers) for name, numbers in read.items()})

    def column(self, name: str) -> NDArray[Any]:
        """The numbers of a column that was read."""
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.columns["steps"])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Table(self.names, {name: c[index] for name, c in self.columns.items()})
        return SimpleNamespace(**{name: c[index].item() for name, c in self.columns.items()})


def _column(numbers: "array[float]") -> NDArray[Any]:
    """An array of whole numbers, where all are."""
    column = np.array(numbers, float)
    whole = (column == np.floor(column)).all() and (abs(column) < 2**53).all()
    return column.astype(np.int64) if whole else column


Lines = Iterator[tuple[int, list[str]]]


def _lines(path: Path) -> tuple[list[str], Lines]:
    """The names of a table's columns; and number and cells of every line."""
    if not path.exists():
        return ["steps"], iter(())
    lines = _cells(path)
    _, names = next(lines, (1, ["steps"]))
    if "steps" not in names:
        raise RunError(f"{path} is no table of updates: it has no column steps")
    return names, _of_length(len(names), lines, path)


def _cells(path: Path) -> Lines:
    """The cells of every whole line, one line after another: a table can be long."""
    if not path.is_file():  # a pipe, a device: reading might never end
        raise RunError(f"{path} is no file")
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(line for line in file if line.endswith("\n"))
        while True:
            try:
                yield lines.line_num + 1, next(lines)
            except StopIteration:
                return
            except UnicodeDecodeError as error:  # in one of the next lines, which were read ahead
                raise RunError(f"{path} is no text: {error.reason}") from None
            except csv.Error as error:
                raise RunError(f"{path}, line {lines.line_num}, is no row: {error}") from None


def _of_length(length: int, lines: Lines, path: Path) -> Lines:
    for number, cells in lines:
        if len(cells) != length:
            raise RunError(f"{path}, line {number}, has {len(cells)} cells, and not {length}")
        yield number, cells


def _rows_until(steps: int, path: Path) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and the rows, of what was made in the first `steps` steps."""
    names, lines = _lines(path)
    kept = []
    for number, cells in lines:
        numbers = dict(zip(names, (_number(cell, path, number) for cell in cells), strict=True))
        if numbers["steps"] <= steps:
            kept.append(cells)
    return names, kept


def _number(text: str, path: Path, line: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise RunError(f"{path}, line {line}, is no row of numbers") from None


def _csv(rows: Iterable[Iterable[Any]]) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in rows)
