"""`python -m bench [pong] [cartpole] [halfcheetah] [scaling]`: measure, write bench/results/NAME.csv and .png, print."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from bench import baselines, cartpole, halfcheetah, pong, reports, scaling, scores
from bench.measuring import CORES, Line, rounds
from bench.tables import RATE, RETURN, Row, read, write
from claims.recording import machine, versions

RESULTS = Path(__file__).resolve().parent / "results"


class Effort(NamedTuple):
    """How long is measured."""

    repetitions: int
    seconds: float  # a line and repetition
    seeds: int
    budget: int  # HalfCheetah's steps


FULL = Effort(repetitions=3, seconds=3.5, seeds=10, budget=halfcheetah.BUDGET)
QUICK = Effort(repetitions=2, seconds=1.0, seeds=1, budget=10_000)


class Bench(NamedTuple):
    measure: Callable[[Effort], list[Row]]
    text: Callable[[Sequence[Row], int], str]
    figure: Callable[[Sequence[Row], int], Figure]


def measure_pong(effort: Effort) -> list[Row]:
    return rate_rows(pong.lines(), effort)


def measure_cartpole(effort: Effort) -> list[Row]:
    rates = with_steps(rate_rows(cartpole.lines(), effort))
    names = {"ours": "a2c", "theirs": "stable-baselines3"}
    learned = [
        {
            "quantity": RETURN,
            "kind": row["kind"],
            "line": names[row["kind"]],
            "repetition": row["seed"],
            "value": row["value"],
            "steps": row["steps"],
            "seconds": row["seconds"],
        }
        for row in cartpole.learn(effort.seeds)
    ]
    return rates + learned


def measure_halfcheetah(effort: Effort) -> list[Row]:
    rates = with_steps(rate_rows(halfcheetah.lines(), effort))
    return rates + halfcheetah.learn(effort.seeds, effort.budget)


def with_steps(rates: Sequence[Row]) -> list[Row]:
    """Rows of rates, for a table in which others have steps and seconds."""
    return [{**row, "steps": "", "seconds": ""} for row in rates]


def rate_rows(lines: Sequence[Line], effort: Effort) -> list[Row]:
    """A row for each line and round."""
    return [
        {
            "quantity": RATE,
            "kind": line.kind,
            "line": line.name,
            "repetition": number,
            "value": rate,
        }
        for number, rates in enumerate(rounds(lines, effort.repetitions, effort.seconds))
        for line, rate in zip(lines, rates, strict=True)
    ]


def measure_scaling(effort: Effort) -> list[Row]:
    return rate_rows(scaling.lines(), effort)


BENCHES = {
    "pong": Bench(measure_pong, reports.pong_text, reports.pong_figure),
    "cartpole": Bench(measure_cartpole, reports.cartpole_text, reports.cartpole_figure),
    "halfcheetah": Bench(measure_halfcheetah, scores.text, scores.figure),
    "scaling": Bench(measure_scaling, scaling.text, scaling.figure),
}
DEFAULT = "pong", "cartpole"


def about(name: str, effort: Effort) -> dict[str, Any]:
    """How a table came about; asked for before it is measured, for the sake of the load."""
    packages = ["torch", "numpy", "gymnasium", "ale-py"]
    packages += ["mujoco"] * (name == "halfcheetah")
    packages += ["stable-baselines3"] * baselines.installed()
    return {
        "command": f"python -m bench {name}" + " --quick" * (effort == QUICK),
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": ", ".join(f"{name} {version}" for name, version in versions(*packages).items()),
        "cores": CORES,
        "seconds": f"{effort.seconds:g} a line and round",
        # The numbers are those of the machine alone only if this is near 0.
        "load before": " ".join(f"{mean:.2f}" for mean in load()),
    }


def load() -> tuple[float, ...]:
    """Processes that ran or waited, on average over 1, 5 and 15 minutes; nothing where the system
    does not tell."""
    return os.getloadavg() if hasattr(os, "getloadavg") else ()


def show(name: str, folder: Path) -> None:
    """Print and draw what is in a table."""
    how, rows = read(folder / f"{name}.csv")
    cores = int(how["cores"])
    print(f"\n{name}, {how['date']}, {how['machine']}\n\n{BENCHES[name].text(rows, cores)}\n")
    BENCHES[name].figure(rows, cores).savefig(folder / f"{name}.png", dpi=110)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHES)}; default: the first two"
    )
    parser.add_argument("--quick", action="store_true", help="a short run, for a first look")
    parser.add_argument(
        "--show", action="store_true", help="print and draw the results that are there"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="where results are put; default: where the records are, of a short run a folder in it",
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(BENCHES):
        parser.error(f"{', '.join(sorted(unknown))} is not measured; there are {list(BENCHES)}")
    if not (options.show or baselines.installed()):
        print("stable-baselines3 is not installed, so its lines are left out: make bench has it.")
    effort = QUICK if options.quick else FULL
    folder = options.folder or (RESULTS / "quick" if options.quick else RESULTS)
    folder.mkdir(parents=True, exist_ok=True)
    for name in options.names or DEFAULT:
        if not options.show:
            how = about(name, effort)
            write(folder / f"{name}.csv", how, BENCHES[name].measure(effort))
        show(name, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
