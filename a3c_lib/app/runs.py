"""Beside the chapters: a run is a folder, which can go on, be evaluated and be plotted.

    run.json        what is trained, how, with which versions
    metrics.csv     a row for every update
    checkpoint.pt   the latest state; from the beginning on there is one

The folder appears as a whole, with its first checkpoint, before training begins; so a run that is
killed, at whatever moment, can be resumed.
"""

import dataclasses
import importlib.metadata
import json
import math
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from torch import nn

from a3c_lib.app import checkpoints
from a3c_lib.app.checkpoints import CheckpointError
from a3c_lib.app.metrics import Metrics, rows_of
from a3c_lib.app.plan import Plan, RunError, in_a_line, spoilt
from a3c_lib.training import Training

RUN, METRICS, CHECKPOINT, LOCK = "run.json", "metrics.csv", "checkpoint.pt", "lock"


@dataclass(frozen=True)
class Run:
    """A run's folder, and what its run.json says."""

    folder: Path
    plan: Plan
    about: Mapping[str, Any]  # versions, machine, when it began

    @classmethod
    def create(cls, folder: Path, plan: Plan, state: Mapping[str, Any]) -> "Run":
        """Make the folder of a run that is about to begin in `state`; at once, with all in it."""
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
    def open(cls, folder: Path) -> "Run":
        """Read what run.json says. Raises RunError if that is not there or not a run's."""
        path = folder / RUN
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
            plan = Plan.from_json(about)
        except (FileNotFoundError, NotADirectoryError):
            raise RunError(f"{folder} is no run: there is no {path}") from None
        except OSError as error:
            raise RunError(f"{path} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError) as error:
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

    def model(self) -> nn.Module:
        """The network as the latest checkpoint has it."""
        state, model = self.load(), self.plan.make_model(to_be_loaded=True)
        try:
            model.load_state_dict(state["training"]["model"])
        except (RuntimeError, KeyError, AttributeError, TypeError) as error:
            raise CheckpointError(f"{self.checkpoint} is of another network: {error}") from None
        return model

    def metrics(self) -> list[SimpleNamespace]:
        """The updates that metrics.csv has rows of, with a column's numbers as attributes."""
        rows = list(rows_of(self.folder / METRICS))
        if not rows:
            raise RunError(f"{self.folder} has no updates yet")
        return [SimpleNamespace(**row) for row in rows]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from training in this folder meanwhile. Raises RunError if one does.

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
            except OSError:
                raise RunError(f"{self.folder} is being trained by another process") from None
            yield


def record(
    run: Run,
    training: Training[nn.Module, Any],
    updates: Iterable[Any],
    *,
    every: float = 60.0,
    tensorboard: bool = False,
) -> Iterator[Any]:
    """Hand a training's updates through; write a row of each, and a checkpoint `every` so many
    seconds and at the end, also where the loop is left early.

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

        def save() -> None:
            metrics.sync()
            run.save(training.state_dict(), seconds + time.monotonic() - began)

        try:
            for update in updates:
                gone = time.monotonic() - began
                speed = (update.steps - steps) / gone if gone > 0 else math.nan
                metrics.add(update, seconds + gone, speed)  # the speed since it began, or went on
                if began + gone - saved >= every:
                    save()
                    saved = time.monotonic()
                yield update
        except GeneratorExit:  # the loop is left
            save()
            raise
        save()


def refuse_existing(folder: Path) -> None:
    """Raise RunError if a run cannot begin there, because something is there."""
    if folder.exists() or folder.is_symlink():
        goes_on = (folder / RUN).exists()
        raise RunError(
            f"{folder} exists already; "
            + (f"resume it, with a3c-lib resume {folder}, or give" if goes_on else "give")
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
