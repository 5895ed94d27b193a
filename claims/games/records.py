"""What is kept of the runs: their learning curves, how they came about, and a network."""

import csv
import json
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from a3c_lib.app import checkpoints
from a3c_lib.app.records import fields
from a3c_lib.app.runs import Run
from claims.games.playing import finished, notes
from claims.games.series import GameRun, Series
from claims.recording import RECORDS, Row, config_of, table_of, versions, write

GAMES = RECORDS / "games"
EVERY = 20_000  # steps from one row of a curve to the next
LATEST = 100  # games whose mean score a row has
# of the latest update, as far as its algorithm tells them
SIGNALS = "entropy", "q", "epsilon", "explained_variance", "gradient_norm"


def store(name: str, series: Series, folder: Path, records: Path) -> None:
    """Write the record of a series: of its runs that are finished in `folder`, and of those that
    the record has from before, on this machine or another."""
    runs, before = series.runs_in(folder), recorded(name, series, records)
    played = {run.folder.name: Run.open(run.folder) for run in runs if finished(run.folder)}
    rows: list[Row] = []
    of_runs: Row = {}
    for run in runs:
        key, of = run.folder.name, {"setting": run.setting, "seed": run.seed}
        if key in played:
            rows += [{**of, **row} for row in curve(played[key].metrics())]
            seconds = round(played[key].load()["seconds"])
            of_runs[key] = {**notes(run.folder), "seconds": seconds}
        elif key in before:
            rows += _rows_of(records / name, run)
            of_runs[key] = before[key]
    about = {
        "claim": series.claim,
        "command": f"python -m claims.games {name}",
        "seeds": len(series.seeds),
        "seconds": sum(note["seconds"] for note in of_runs.values()),
        "date": max(note["date"] for note in of_runs.values()),
        "machine": "; ".join(sorted({note["machine"] for note in of_runs.values()})),
        "versions": versions("torch", "numpy", "gymnasium", "ale-py"),
        "config": config(series),
        "runs": of_runs,
    }
    write(records / name, table_of(rows), about)
    for run in runs:
        if run.folder.name in played and (run.setting, run.seed) == series.keeps:
            keep(played[run.folder.name], records / name)


def recorded(name: str, series: Series, records: Path) -> Row:
    """The runs that a record has, by their folders' names, if it is of the series as it stands."""
    path = (records / name).with_suffix(".json")
    if not path.exists():
        return {}
    about = json.loads(path.read_text())
    of_runs: Row = about["runs"] if about["config"] == config(series) else {}
    return of_runs


def _rows_of(record: Path, run: GameRun) -> list[Row]:
    with record.with_suffix(".csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if (row["setting"], row["seed"]) == (run.setting, str(run.seed))]


def config(series: Series) -> Row:
    """With what the runs of a series are made, field by field, as all records have it."""
    return config_of(
        [({"setting": setting}, flat(plan.as_json())) for setting, plan in series.plans.items()]
    )


def flat(plan: Row) -> Row:
    parts = {"world": plan["env"], "algorithm": plan["algorithm"]}
    return fields(**parts, **plan["config"], **plan["network"], **plan["screen"])


def curve(updates: Iterable[Any]) -> Iterator[dict[str, float]]:
    """A row for every so many steps: the mean score of the latest games, with clipped rewards or
    not, and what the update says of the training."""
    scores: deque[float] = deque(maxlen=LATEST)
    games, due = 0, EVERY
    for update in updates:
        games += update.episodes
        scores.extend([update.episode_return] * update.episodes)
        if update.steps >= due:
            due += EVERY
            if not scores:  # no game has ended yet
                continue
            yield {
                "steps": update.steps,
                "minutes": update.seconds / 60,
                "games": games,
                "score": sum(scores) / len(scores),
                **{name: getattr(update, name) for name in SIGNALS if hasattr(update, name)},
            }


def keep(run: Run, folder: Path) -> None:
    """A copy of a run, with its network, to evaluate and to watch; it cannot be resumed."""
    folder.mkdir(parents=True, exist_ok=True)
    kept, state = Run(folder, run.plan, run.about), run.load()
    kept.describe()
    training = {name: state["training"][name] for name in ("model", "steps")}
    checkpoints.save(kept.checkpoint, {**state, "training": training})
