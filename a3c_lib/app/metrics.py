"""Beside the chapters: metrics.csv, a row for every update, and the same for TensorBoard."""

import csv
import math
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from a3c_lib.app import checkpoints
from a3c_lib.app.plan import RunError


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
        kept = [row for row in rows_of(self.path) if row["steps"] <= self.steps]
        self.columns = list(kept[0]) if kept else None
        # What was later than the checkpoint comes again.
        text = _csv([self.columns] if self.columns else []) + _csv(row.values() for row in kept)
        checkpoints.write_text(self.path, text)
        self.file = self.path.open("a", newline="", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        if self.board is not None:
            self.board.close()

    def add(self, update: Any, seconds: float, speed: float) -> None:
        """One row: an update, the run's seconds so far, and the steps per second."""
        row = {
            **update._asdict(),
            "episodes": len(update.episodes),
            "episode_return": update.episode_return,
            "seconds": round(seconds, 3),
            "steps_per_second": round(speed, 1),
        }
        if self.columns is None:
            self.columns = list(row)
            self.file.write(_csv([self.columns]))
        self.file.write(_csv([[row[column] for column in self.columns]]))
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


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """The whole rows of a table of numbers. (The last line of a run that was killed may be a
    part.) Raises RunError for a table of something else."""
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8")
    lines = csv.DictReader(text[: text.rfind("\n") + 1].splitlines())
    if lines.fieldnames is not None and "steps" not in lines.fieldnames:
        raise RunError(f"{path} is no table of updates: it has no column steps")
    for line in lines:
        try:
            yield {key: _number(value) for key, value in line.items()}
        except (TypeError, ValueError):
            raise RunError(f"{path}, line {lines.line_num}, is no row of numbers") from None


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _csv(rows: Iterable[Iterable[Any]]) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in rows)
