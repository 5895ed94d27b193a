"""`python -m claims.games [NAME …]`: play the runs of a series that its record lacks, and record each
as soon as it is finished."""

import argparse
import shutil
import sys

from claims.games.playing import RUNS, play
from claims.games.records import GAMES, recorded, store
from claims.games.series import SERIES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m claims.games", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="series; default: a list of them")
    parser.add_argument(
        "--again", action="store_true", help="play runs once more, and drop their record"
    )
    options = parser.parse_args()
    if unknown := set(options.names) - SERIES.keys():
        parser.error(f"no series is called {', '.join(sorted(unknown))}; there are {list(SERIES)}")
    if not options.names:
        for name, series in SERIES.items():
            runs = series.runs_in(RUNS / name)
            there = sum(run.folder.name in recorded(name, series, GAMES) for run in runs)
            print(f"{name}: {there} of {len(runs)} runs are recorded. {series.claim}")
    for name in options.names:
        series, folder = SERIES[name], RUNS / name
        if options.again:
            shutil.rmtree(folder, ignore_errors=True)
            (GAMES / f"{name}.json").unlink(missing_ok=True)
        for run in series.runs_in(folder):
            if run.folder.name not in recorded(name, series, GAMES):
                play(run.plan, run.folder)
                store(name, series, folder, GAMES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
