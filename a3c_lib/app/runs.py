"""Beside the chapters: a run is a folder, which can go on, be evaluated and be plotted.

    run.json        what is trained, how, with which versions
    metrics.csv     a row for every update
    checkpoint.pt   the latest state; from the beginning on there is one
    traceback.txt   where an environment failed, if one did that acts in the command's own process

The folder appears as a whole, with its first checkpoint, before training begins; so a run that is
killed, at whatever moment, can be resumed.
"""

import dataclasses
import errno
import importlib.metadata
import json
import math
import os
import platform
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from torch import nn

from a3c_lib.app import checkpoints
from a3c_lib.app.checkpoints import CheckpointError
from a3c_lib.app.metrics import Metrics, Table
from a3c_lib.app.plan import Plan, RunError, spoilt
from a3c_lib.app.telling import in_a_line
from a3c_lib.training import Training

RUN, METRICS, CHECKPOINT = "run.json", "metrics.csv", "checkpoint.pt"
LOCK, TRACEBACK = "lock", "traceback.txt"
PATIENCE = 10.0  # seconds that a checkpoint waits for rows of what it holds
# What is said where another process holds the lock; anything else means that there are no locks.
TAKEN = {errno.EWOULDBLOCK, errno.EAGAIN} | ({errno.EACCES} if sys.platform == "win32" else set())


@dataclass(frozen=True)
class Run:
    """A run's folder, and what its run.json says."""

    folder: Path
    plan: Plan
    about: Mapping[str, Any]  # versions, machine, when it began

    @classmethod
    def create(cls, folder: str | Path, plan: Plan, state: Mapping[str, Any]) -> "Run":
        """Make the folder of a run that is about to begin in `state`; at once, with all in it.

        Raises RunError if something is there already.
        """
        folder = Path(folder)
        refuse_existing(folder)
        about = {"started": time.strftime("%Y-%m-%d %H:%M:%S"), "versions": versions()}
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            unfinished.chmod(0o777 & ~_umask())  # mkdtemp's is for the owner alone
            run = cls(unfinished, plan, about)
            run.describe()
            run.save(state, seconds=0.0)
            unfinished.rename(folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        checkpoints.sync_folder(folder.parent)
        return dataclasses.replace(run, folder=folder)

    @classmethod
    def open(cls, folder: str | Path) -> "Run":
        """Read what run.json says. Raises RunError if that is not there or not a run's."""
        folder = Path(folder)
        path = folder / RUN
        try:
            about = json.loads(checkpoints.content_of(path).decode())
            plan = Plan.from_json(about)
        except (FileNotFoundError, NotADirectoryError):
            raise RunError(f"{folder} is no run: there is no {path}") from None
        except OSError as error:
            raise RunError(f"{path} cannot be read: {error.strerror}") from None
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise RunError(f"{path} is damaged, or not a run's: {in_a_line(error)}") from None
        rest = {key: value for key, value in about.items() if key not in plan.as_json()}
        return cls(folder, plan, rest)

    @property
    def checkpoint(self) -> Path:
        """Where its latest state is."""
        return self.folder / CHECKPOINT

    def describe(self) -> None:
        """Write run.json."""
        text = json.dumps({**self.plan.as_json(), **self.about}, indent=1, ensure_ascii=False)
        checkpoints.write_text(self.folder / RUN, text + "\n")

    def save(self, state: Mapping[str, Any], seconds: float) -> None:
        """Put a training's state in the place of the last one.

        Raises FloatingPointError, and leaves the last one, if weights or statistics are not finite:
        from those nothing can go on.
        """
        if damage := spoilt(state):
            raise FloatingPointError(
                f"after {state['steps']} steps {damage} is not finite; the learning rate may be "
                "too high"
            )
        content = {"plan": self.plan.as_json(), "training": state, "seconds": seconds}
        checkpoints.save(self.checkpoint, content)

    def load(self) -> Mapping[str, Any]:
        """The latest checkpoint: "plan", "training" and "seconds". Raises CheckpointError if it is
        damaged, or of another run."""
        return self.plan.checked(checkpoints.load(self.checkpoint), self.checkpoint)

    def note_divergence(self, steps: int, reason: str) -> None:
        """Keep in mind that the training diverged, after so many steps, and how that showed."""
        about = {**self.about, "diverged": {"steps": steps, "reason": reason}}
        dataclasses.replace(self, about=about).describe()

    def divergence(self, steps: int) -> str:
        """What is to be said of a checkpoint after so many steps, if the training diverged later
        than that; else ""."""
        match self.about.get("diverged"):
            case {"steps": int(later), "reason": str(reason)} if steps <= later:
                return (
                    f"Its training diverged after {later:,} steps ({reason}); the checkpoint, of "
                    f"{steps:,} steps, is the last good one."
                )
        return ""

    def keep_traceback(self, error: BaseException) -> Path | None:
        """Write the way that an exception came into the folder.   → the file; None if it cannot be
        written."""
        path = self.folder / TRACEBACK
        text = "".join(traceback.format_exception(error))
        with suppress(OSError):
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
            return path
        return None

    def model(
        self, model: nn.Module | None = None, state: Mapping[str, Any] | None = None
    ) -> nn.Module:
        """The network as the latest checkpoint has it; `model` itself, with these weights, if it is
        handed over, as one must be that is defined in a script or a notebook. A training's `state`
        that has been loaded already is taken instead of the latest.

        Raises CheckpointError if the weights are not such a network's.
        """
        state = self.load()["training"] if state is None else state
        model = self.plan.make_model(to_be_loaded=True) if model is None else model
        try:
            model.load_state_dict(state["model"])
        except (RuntimeError, KeyError, AttributeError, TypeError) as error:
            raise CheckpointError(f"{self.checkpoint} is of another network: {error}") from None
        return model

    def metrics(self, *names: str) -> Table:
        """The updates that metrics.csv has rows of: a sequence, whose elements have a column's
        numbers as attributes. With `names`, only these columns, and `steps`, are read.

        Raises RunError if there are none, or the table is damaged.
        """
        table = Table.read(self.folder / METRICS, names or None)
        if len(table) == 0:
            raise RunError(f"{self.folder} has no updates yet")
        return table

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Keep others from training in this folder meanwhile. Raises RunError if one does.   →
        whether they are kept from it: some file systems know no locks, and are trained in as well

        The lock ends with the process that holds it, however that ends.
        """
        with (self.folder / LOCK).open("a") as file:
            try:
                if sys.platform == "win32":
                    import msvcrt

                    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
                else:
                    import fcntl

                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in TAKEN:
                    raise RunError(f"{self.folder} is being trained by another process") from None
                guarded = False
            else:
                guarded = True
            yield guarded


def record(
    run: Run,
    training: Training[nn.Module, Any],
    updates: Iterable[Any],
    *,
    every: float = 60.0,
    tensorboard: bool = False,
) -> Iterator[Any]:
    """Hand a training's updates through; write a row of each, and a checkpoint `every` so many
    seconds and at the end, also where the loop is left early. Rows and checkpoint agree: workers in
    processes are ahead of what is read, and the rows of all that a checkpoint holds are written
    before it.

    After an error in the training the last checkpoint stays as it is; and so it does, and
    FloatingPointError is raised, when weights or statistics are not finite. `updates` are the
    training's, or what wraps them, such as `track(training)`.

    >>> from a3c_lib import a2c
    >>> from a3c_lib.app.plan import Network
    >>> config, network = a2c.Config(total_steps=80, num_envs=2), Network(hidden=(8,))
    >>> plan = Plan("a2c", "a3c_lib/TMaze-v0", config, network)
    >>> with tempfile.TemporaryDirectory() as folder, plan.train(plan.make_model()) as training:
    ...     run = Run.create(Path(folder, "maze"), plan, training.state_dict())
    ...     for update in record(run, training, training):
    ...         pass
    ...     [row.steps for row in run.metrics()]
    [40, 80]
    """
    seconds, steps = run.load()["seconds"], training.steps
    began = saved = time.monotonic()
    with Metrics(run.folder / METRICS, training.steps, tensorboard) as metrics:

        def add(update: Any) -> float:
            gone = time.monotonic() - began
            speed = (update.steps - steps) / gone if gone > 0 else math.nan
            metrics.add(update, seconds + gone, speed)  # the speed since it began, or went on
            return began + gone

        def save(state: Mapping[str, Any]) -> None:
            metrics.sync()
            run.save(state, seconds + time.monotonic() - began)

        ahead: Mapping[str, Any] | None = None  # a state that waits for its rows
        try:
            for update in updates:
                now = add(update)
                if ahead is None and now - saved >= every:
                    ahead = training.state_dict()
                # Rows that never come, of a worker that was killed, are not waited for.
                late = now - saved >= every + PATIENCE
                if ahead is not None and (update.steps >= ahead["steps"] or late):
                    save(ahead)
                    ahead, saved = None, time.monotonic()
                yield update
        except GeneratorExit:  # the loop is left
            for update in training.finish():
                add(update)
            save(training.state_dict())
            raise
        save(training.state_dict())


def refuse_existing(folder: Path) -> None:
    """Raise RunError if a run cannot begin there, because something is there."""
    if folder.exists() or folder.is_symlink():
        goes_on = (folder / RUN).exists()
        raise RunError(
            f"{folder} exists already; "
            + (
                f"resume it, with a3c-lib resume {quote(str(folder))}, or give"
                if goes_on
                else "give"
            )
            + " another folder with --run"
        )


def versions() -> dict[str, str]:
    """Of what a run's numbers depend on."""
    packages = "a3c_lib", "torch", "numpy", "gymnasium", "ale-py"
    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
