"""`python -m claims [NAME …]`: run the claims whose record is missing or out of date."""

import argparse
import os
import sys

from claims.recording import confirm, is_current, names, record


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m claims", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="claims to run; default: all")
    parser.add_argument("--list", action="store_true", help="show which records are current")
    parser.add_argument("--again", action="store_true", help="run although the record is current")
    parser.add_argument(
        "--confirm",
        action="store_true",
        help="after a change of code that should change no result: run every setting with its first "
        "seed, and keep the record if the results are the same to the last digit",
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="runs at a time; default: one a core"
    )
    options = parser.parse_args()
    unknown = set(options.names) - set(names())
    if unknown:
        parser.error(f"no claim is called {', '.join(sorted(unknown))}; there are {names()}")
    failed = 0
    for name in options.names or names():
        current = is_current(name)
        if options.list:
            print(f"{'current' if current else 'missing':8} {name}")
        elif current and not options.again:
            print(f"{name}: the record is current")
        else:
            failed += not _is_done(name, options.confirm, options.workers)
    return int(failed > 0)


def _is_done(name: str, to_confirm: bool, workers: int) -> bool:
    try:
        if to_confirm:
            return confirm(name, workers)
        record(name, workers)
    except ValueError as error:  # of code that was not committed; others need not be
        print(error)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
