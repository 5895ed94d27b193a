"""Chapter 00: what is remembered: this kernel's latest verdicts, and in a file what was solved.

The file is `my/exercises.json` in the book's folder, which git ignores. A3C_LIB_PROGRESS=off in the
environment, as the build and the tests have it, keeps it from being written.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from a3c_lib.exercises.engine.checking import Kind, Verdict

LATEST: dict[str, Verdict] = {}  # by exercise id, since this kernel started
VERDICTS = "A3C_LIB_VERDICTS"  # the environment variable with which a grader names its file


def remember(verdict: Verdict) -> None:
    """Note a verdict; the file learns of what was tried, and never forgets what was solved."""
    LATEST[verdict.exercise_id] = verdict
    if grader := os.environ.get(VERDICTS):
        with suppress(OSError), Path(grader).open("a", encoding="utf-8") as file:
            print(json.dumps(_line(verdict)), file=file)
    if verdict.kind is not Kind.NOT_ATTEMPTED:
        _write({verdict.exercise_id: "right" if verdict.right else "tried"})


def states() -> dict[str, str]:
    """By exercise id: "right" or "tried", from the file and from this kernel."""
    latest = {
        exercise_id: "right" if verdict.right else "tried"
        for exercise_id, verdict in LATEST.items()
        if verdict.kind is not Kind.NOT_ATTEMPTED
    }
    return _merged(_read(), latest)


def file() -> Path | None:
    """Where progress is kept: below the book's folder, in which the kernel works or from which the
    package was installed. None if it is not to be kept."""
    if os.environ.get("A3C_LIB_PROGRESS") == "off":
        return None
    here = Path.cwd()
    for folder in here, *here.parents, Path(__file__).resolve().parents[3]:
        if (folder / "chapters").is_dir() and (folder / "pyproject.toml").is_file():
            return folder / "my" / "exercises.json"
    return None


def _line(verdict: Verdict) -> dict[str, str]:
    return {"id": verdict.exercise_id, "verdict": verdict.kind.value, "message": verdict.text}


def _read() -> dict[str, str]:
    """What can be understood of the file; nothing if it is missing or damaged."""
    stored = _stored()
    if not isinstance(stored, dict):
        return {}
    return {key: state for key, state in stored.items() if state in ("right", "tried")}


def _stored() -> Any:
    """What the file holds, whatever that is; {} if there is none, None if it cannot be read."""
    path = file()
    if path is None or not path.is_file():  # a pipe would be waited for, for ever
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))  # some editors begin with a BOM
    except (OSError, ValueError, RecursionError):
        return None


def _write(news: dict[str, str]) -> None:
    path = file()
    if path is None:
        return
    with suppress(OSError):  # a folder that cannot be written: progress lasts as long as the kernel
        path.parent.mkdir(exist_ok=True)
        with _alone_in(path.parent):
            before = _read()
            after = _merged(before, news)
            if after != before:
                _put(path, after)


def _put(path: Path, states: dict[str, str]) -> None:
    """Write the file anew. One that is not understood in full is kept beside it, as .damaged."""
    if _stored() != _read():
        path.replace(path.with_suffix(".damaged"))
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_text(json.dumps(states, indent=1, sort_keys=True), encoding="utf-8")
        scratch.replace(path)
    finally:  # it could not take the file's place, a folder's for example
        scratch.unlink(missing_ok=True)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let other kernels wait meanwhile that write there, too. Some file systems know no locks, and
    Windows none of folders; there nobody waits."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    held = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _merged(before: dict[str, str], news: dict[str, str]) -> dict[str, str]:
    solved = {key: state for key, state in before.items() if state == "right"}
    return {**before, **news, **solved}
