"""`python -m claims.games [NAME …]`: play the runs of a series that are missing, and record it."""

import argparse
import shutil
import sys

from claims.games.playing import RUNS, finished, play
from claims.games.records import store
from claims.games.series import SERIES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m claims.games", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="series; default: a list of them")
    parser.add_argument("--again", action="store_true", help="play runs that are there once more")
    options = parser.parse_args()
    if unknown := set(options.names) - SERIES.keys():
        parser.error(f"no series is called {', '.join(sorted(unknown))}; there are {list(SERIES)}")
    if not options.names:
        for name, series in SERIES.items():
            runs = series.runs_in(RUNS / name)
            there = sum(finished(run.folder) for run in runs)
            print(f"{name}: {there} of {len(runs)} runs are here. {series.claim}")
    for name in options.names:
        series, folder = SERIES[name], RUNS / name
        if options.again and folder.exists():
            shutil.rmtree(folder)
        for run in series.runs_in(folder):
            play(run.plan, run.folder)
        store(name, series, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
