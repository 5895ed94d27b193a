"""Beside the chapters: `python -m a3c_lib`, which is the command `a3c-lib` too."""

import io
import os
import sys
from pathlib import Path

from a3c_lib.app.interrupts import interrupt_again


def main() -> int:
    """Run the command line.   → the exit code."""
    for name in "stdout", "stderr":  # closed before we began, as by `>&-`: nobody reads it
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    for stream in sys.stdout, sys.stderr:  # a terminal that has no θ shows a question mark
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    here = str(Path.cwd())
    if here not in sys.path:  # an environment may be in a module here, whichever way this began
        sys.path.append(here)
    try:
        from a3c_lib.app.cli import main as command
    except ModuleNotFoundError as error:
        if error.name not in ("tyro", "tqdm", "matplotlib", "PIL"):
            raise
        print(
            f'a3c-lib: the command line needs {error.name}: pip install "a3c_lib[cli]"',
            file=sys.stderr,
        )
        return 2
    interrupt_again()
    return command()


if __name__ == "__main__":
    sys.exit(main())
