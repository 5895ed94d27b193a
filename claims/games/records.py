"""What is kept of the runs: their learning curves, how they came about, and a network."""

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from a3c_lib.app import checkpoints
from a3c_lib.app.records import fields
from a3c_lib.app.runs import Run
from claims.games.playing import notes
from claims.games.series import Series
from claims.recording import RECORDS, Row, config_of, table_of, versions, write

GAMES = RECORDS / "games"
EVERY = 20_000  # steps from one row of a curve to the next
LATEST = 100  # games whose mean score a row has
# of the latest update, as far as its algorithm tells them
SIGNALS = "entropy", "q", "epsilon", "explained_variance", "gradient_norm"


def store(name: str, series: Series, folder: Path, records: Path = GAMES) -> None:
    """Write the record of a series whose runs, in `folder`, are finished."""
    runs = series.runs_in(folder)
    played = {run.folder: Run.open(run.folder) for run in runs}
    rows = [
        {"setting": run.setting, "seed": run.seed, **row}
        for run in runs
        for row in curve(played[run.folder].metrics())
    ]
    of_runs = {run.folder.name: notes(run.folder) for run in runs}
    about = {
        "claim": series.claim,
        "command": f"python -m claims.games {name}",
        "seeds": len(series.seeds),
        "seconds": round(sum(run.load()["seconds"] for run in played.values())),
        **{key: max(note[key] for note in of_runs.values()) for key in ("date", "machine")},
        "versions": versions("torch", "numpy", "gymnasium", "ale-py"),
        "config": config(series),
        "runs": of_runs,
    }
    write(records / name, table_of(rows), about)
    for run in runs:
        if (run.setting, run.seed) == series.keeps:
            keep(played[run.folder], records / name)


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
