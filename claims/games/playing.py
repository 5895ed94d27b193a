"""A run, played to its end, or from where it was interrupted."""

import json
import time
from pathlib import Path
from typing import Any

from torch import nn

from a3c_lib.app.plan import Plan
from a3c_lib.app.runs import Run, record
from a3c_lib.training import Training
from claims.recording import ROOT, commit, machine

RUNS = ROOT / "runs" / "games"  # git-ignored
NOTES = "notes.json"  # in a run's folder: what its other files do not say
TELL = 30.0  # seconds from one line of progress to the next


def play(plan: Plan, folder: Path) -> None:
    """Train to the end of the budget; nothing to do if that is reached. Raises ValueError if the
    folder has a run of another plan."""
    begun = Run.open(folder) if folder.exists() else None
    if begun and begun.plan.as_json() != plan.as_json():
        raise ValueError(
            f"{folder} is a run with other settings than {folder.name} has now; to play it anew, "
            "say --again"
        )
    if finished(folder):
        return
    code = commit()
    resumed = begun.load()["training"] if begun else None
    with plan.train(plan.make_model(), resumed) as training:
        run = begun or Run.create(folder, plan, training.state_dict())
        peak, told = 0.0, 0.0
        for update in record(run, training, training):
            if time.monotonic() - told >= TELL:
                told = time.monotonic()
                peak = max(peak, megabytes(training) or 0.0)
                print(f"{folder.name}: {update.steps:,} steps", flush=True)
    about = {
        "commit": code,
        "machine": machine(),
        "date": time.strftime("%Y-%m-%d"),
        "megabytes": round(peak) or None,
        "resumed": resumed is not None,
    }
    (folder / NOTES).write_text(json.dumps(about) + "\n")


def finished(folder: Path) -> bool:
    return (folder / NOTES).exists()


def notes(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / NOTES).read_text())
    return found


def megabytes(training: Training[nn.Module, Any]) -> float | None:
    """Memory of this process and of the training's workers, what they share counted once; None
    where the system does not tell."""
    pids = training.pids.values()
    try:
        return sum(map(_share, ["self", *pids]))
    except OSError:
        return None


def _share(pid: int | str) -> float:
    """A process's proportional set size, in megabytes. [proc(5)]"""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000
