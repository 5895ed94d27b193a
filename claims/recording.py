"""How a claim becomes a record."""

import csv
import importlib
import importlib.metadata
import io
import json
import os
import platform
import subprocess
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from a3c_lib.app.records import fields
from claims.fingerprints import OURS, Tree

ROOT = Path(__file__).resolve().parent.parent
RECORDS = ROOT / "claims" / "records"
UNFINISHED = RECORDS / "unfinished"  # git-ignored
MACHINERY = {"curves", "fingerprints", "recording", "__main__", "__init__"}
OF_A_CLAIM = "SETTINGS", "SEEDS", "run"  # what is used of its module

Row = dict[str, Any]


class Job(NamedTuple):
    """One run of a claim: a setting with one seed."""

    claim: str
    setting: Row
    seed: int

    @property
    def key(self) -> str:
        return json.dumps([self.setting, self.seed], sort_keys=True)


def names() -> list[str]:
    return sorted(
        path.stem for path in (ROOT / "claims").glob("*.py") if path.stem not in MACHINERY
    )


def jobs(claim: str) -> list[Job]:
    module = importlib.import_module(f"claims.{claim}")
    return [Job(claim, setting, seed) for setting in module.SETTINGS for seed in module.SEEDS]


def is_alone(claim: str) -> bool:
    """Whether its runs have all cores to themselves, one after another: `ALONE = True` in a claim
    whose runs have processes of their own, and say how fast they were or what they lost."""
    return bool(getattr(importlib.import_module(f"claims.{claim}"), "ALONE", False))


def is_dated(claim: str) -> bool:
    """Whether its record says of which commit it is: `BY_COMMIT = True` in a claim that reaches nearly
    the whole package, so that every line of it would put the record out of date. Its fingerprint is
    of the claim alone."""
    return bool(getattr(importlib.import_module(f"claims.{claim}"), "BY_COMMIT", False))


def clocked(claim: str) -> tuple[str, ...]:
    """The columns that a clock gave, which no run gives again: `CLOCKED = ("seconds",)`."""
    return tuple(getattr(importlib.import_module(f"claims.{claim}"), "CLOCKED", ()))


def of_code(claim: str) -> Row:
    """What a record says of the code that gave it."""
    commit_of = {"commit": commit()} if is_dated(claim) else {}
    return {**commit_of, "code": fingerprint(claim, _packages(claim))}


def _packages(claim: str) -> Collection[str]:
    """Those whose definitions put its record out of date."""
    return ["claims"] if is_dated(claim) else OURS


def commit() -> str:
    """Which code this is; says so if it was changed since. Records are not code."""
    name = _git("describe", "--always", "--abbrev=12", "--exclude=*")
    tracked = "--untracked-files=no", "--", ".", ":(exclude)claims/records"
    return f"{name}-dirty" if _git("status", "--porcelain", *tracked) else name


def _git(*words: str) -> str:
    return subprocess.check_output(["git", *words], cwd=ROOT, text=True).strip()


def fingerprint(claim: str, packages: Collection[str] = OURS) -> str:
    """Of all definitions in some packages that a claim reaches, the worlds that it names included."""
    tree = Tree(ROOT, packages=packages)
    return tree.reach(f"claims.{claim}.{name}" for name in OF_A_CLAIM).fingerprint


def is_current(claim: str) -> bool:
    """Whether the stored record is what the claim, as it stands, would give; of one that is dated,
    whether the claim and its settings are those that it was run with."""
    path = RECORDS / f"{claim}.json"
    if not path.exists() or not path.with_suffix(".csv").exists():
        return False
    about = json.loads(path.read_text())
    return bool(
        about.get("code") == fingerprint(claim, _packages(claim))
        and about["runs"] == [job.key for job in jobs(claim)]
        and about.get("config") == config(claim)
    )


def config(claim: str) -> Row:
    """With what the claim's runs are made: the settings that all of them share, and those that
    differ."""
    module = importlib.import_module(f"claims.{claim}")
    seed = module.SEEDS[0]
    return config_of(
        [(setting, fields(**vars(module.config(seed, **setting)))) for setting in module.SETTINGS]
    )


def config_of(runs: list[tuple[Row, Row]]) -> Row:
    """Settings, and what each is made of, in the form that records have."""
    (_, first), *others = runs
    shared = {
        name: value
        for name, value in first.items()
        if all(name in made and made[name] == value for _, made in others)
    }
    differ = [
        {"setting": setting, "differs": {k: v for k, v in made.items() if k not in shared}}
        for setting, made in runs
    ]
    return {"all": shared, "by setting": differ}


def record(claim: str, workers: int) -> None:
    """Run what is missing of a claim, `workers` runs at a time, and store the record.

    Raises ValueError for one that is dated by its commit, if the code is none that was committed.
    """
    code = of_code(claim)  # what runs now, whatever is changed meanwhile
    _refuse_uncommitted(claim, code)
    stamp = next(iter(code.values()))
    UNFINISHED.mkdir(parents=True, exist_ok=True)
    # The stamp is in the name: runs of other code are not mixed in.
    log = UNFINISHED / f"{claim}-{stamp}.jsonl"
    finished = _read(log)
    wanted = jobs(claim)
    missing = [job for job in wanted if job.key not in finished]
    if is_alone(claim):
        workers = 1
    print(f"{claim}: {len(wanted)} runs, {len(missing)} to do", flush=True)
    with log.open("a") as f:
        for job, result in _results(missing, workers):
            finished[job.key] = result
            f.write(json.dumps({"key": job.key, **result}) + "\n")
            f.flush()
    _store(claim, code, wanted, finished)
    log.unlink()


def _refuse_uncommitted(claim: str, code: Row) -> None:
    if "dirty" in (stamp := code.get("commit", "")):
        raise ValueError(f"{claim} is dated by its commit; commit what was changed since {stamp}")


def confirm(claim: str, workers: int) -> bool:
    """Whether the code as it stands gives, again, what is in a record of older code.

    Every setting is run with its first seed. If all rows are the same to the last digit, but for
    what a clock gave, the change of code changed no result: the record is kept, and says which runs
    were repeated.
    """
    code = of_code(claim)
    _refuse_uncommitted(claim, code)
    path = RECORDS / f"{claim}.json"
    about = json.loads(path.read_text())
    wanted = jobs(claim)
    if about["runs"] != [job.key for job in wanted]:
        print(f"{claim}: the record is of other runs")
        return False
    sample = [job for job in wanted if job.seed == wanted[0].seed]
    results = {job.key: result for job, result in _results(sample, workers)}
    recorded = _without(clocked(claim), path.with_suffix(".csv").read_text().splitlines())
    again = _without(clocked(claim), _table(sample, results))
    if again[0] != recorded[0] or not set(again) <= set(recorded):
        print(f"{claim}: other results than recorded")
        return False
    about |= {**code, "config": config(claim)}
    about["repeated"] = {"date": time.strftime("%Y-%m-%d"), "runs": [job.key for job in sample]}
    path.write_text(_json(about))
    return True


def _results(jobs: list[Job], workers: int) -> Iterator[tuple[Job, Row]]:
    """Run jobs, `workers` at a time, each with one core."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(_run, job): job for job in jobs}
        for count, future in enumerate(as_completed(futures), start=1):
            job, result = futures[future], future.result()
            print(f"  {count}/{len(jobs)} {job.key} {result['seconds']:.0f} s", flush=True)
            yield job, result


def _run(job: Job) -> Row:
    import torch

    torch.set_num_threads(1)
    module = importlib.import_module(f"claims.{job.claim}")
    began = time.perf_counter()
    rows = module.run(job.seed, **job.setting)
    return {"rows": rows, "seconds": time.perf_counter() - began}


def _read(log: Path) -> dict[str, Row]:
    if not log.exists():
        return {}
    return {line["key"]: line for line in map(json.loads, log.read_text().splitlines())}


def _store(claim: str, code: Row, wanted: list[Job], finished: dict[str, Row]) -> None:
    module = importlib.import_module(f"claims.{claim}")
    about = {
        "claim": (module.__doc__ or "").strip(),
        "command": f"python -m claims {claim}",
        "seeds": len(module.SEEDS),
        "seconds": round(sum(finished[job.key]["seconds"] for job in wanted)),
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": versions("torch", "numpy", "gymnasium"),
        **code,
        "config": config(claim),
        "runs": [job.key for job in wanted],
    }
    write(RECORDS / claim, _table(wanted, finished), about)


def write(path: Path, table: list[str], about: Row) -> None:
    """A record: `path`.csv, whole or not there, and `path`.json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text("\n".join(table) + "\n")
    temporary.replace(path.with_suffix(".csv"))
    path.with_suffix(".json").write_text(_json(about))


def _table(jobs: list[Job], results: dict[str, Row]) -> list[str]:
    return table_of(
        [
            {**job.setting, "seed": job.seed, **row}
            for job in jobs
            for row in results[job.key]["rows"]
        ]
    )


def _without(columns: Collection[str], lines: list[str]) -> list[str]:
    """A table without some of its columns."""
    rows = csv.DictReader(lines)
    kept = [name for name in rows.fieldnames or () if name not in columns]
    return [",".join(kept), *(",".join(row[name] for name in kept) for row in rows)]


def table_of(rows: list[Row]) -> list[str]:
    """The lines of a CSV file: the columns' names, then the rows."""
    text = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: short(value) for key, value in row.items()} for row in rows)
    return text.getvalue().splitlines()


def _json(about: Row) -> str:
    return json.dumps(about, indent=1, ensure_ascii=False) + "\n"


def short(value: Any) -> Any:
    """As a table has it: six digits of a number are enough."""
    return f"{value:.6g}" if isinstance(value, float) else value


def versions(*packages: str) -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in packages}


def machine() -> str:
    """The processor, its cores, the system and Python."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    )
