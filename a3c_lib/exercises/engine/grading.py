"""Chapter 00: grade a notebook: run it in a fresh kernel and collect the verdicts.

A notebook is code, and grading runs it: grade what you would run. The verdicts are those that the
engine writes into a file while the notebook runs, not what the notebook prints.
"""

import json
import os
import re
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.memory import VERDICTS

MENTION = re.compile(r"^[^#\n]*\bexercise\(\s*[\"'](\d+\.\d+)[\"']", re.MULTILINE)

Report = dict[str, Any]


class Unusable(Exception):
    """The file cannot be graded; the message says why."""


def grade(path: Path, timeout: float = 600, only: Collection[str] = ()) -> Report:
    """Run a notebook, cell by cell, on through cells that raise.   → what is printed as JSON.

    Graded are all exercises of the chapters that the notebook has exercises of, so that a cell that
    was deleted counts as not solved; or `only` those named. A cell that runs for longer than
    `timeout` seconds is interrupted. Raises Unusable.
    """
    notebook = read(path)
    wanted = ids(notebook, only)
    if not wanted:
        raise Unusable(f"{path} has no exercises: no cell with @exercise(…)")
    with tempfile.TemporaryDirectory(prefix="grade-") as scratch:
        died = run(notebook, path, timeout, Path(scratch))
        verdicts = collected(Path(scratch) / "verdicts.jsonl")
    results = {
        each: verdicts.get(each) or {"verdict": "not checked", "message": why(notebook, each, died)}
        for each in wanted
    }
    solved = sum(result["verdict"] == "right" for result in results.values())
    return {"file": str(path), "exercises": results, "solved": solved, "total": len(results)}


def read(path: Path) -> Any:
    """A notebook from its file. Raises Unusable, with the reason, if it cannot be graded."""
    try:
        import nbclient  # noqa: F401  which runs it
        import nbformat
    except ImportError as error:
        raise Unusable(
            f"grading needs nbclient and ipykernel ({error}): pip install 'a3c_lib[book]'"
        ) from None
    try:
        text = path.read_text(encoding="utf-8")
        notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
        nbformat.validate(notebook)
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from None
    except Exception as error:  # noqa: BLE001  whatever damaged JSON makes nbformat raise
        reason = str(error).strip().split("\n")[0][:200]
        raise Unusable(f"{path} is not a notebook: {reason}") from None
    return notebook


def ids(notebook: Any, only: Collection[str]) -> list[str]:
    """The exercises to be graded, in order."""
    if only:
        return [registry.find(each).id for each in dict.fromkeys(only)]
    mentioned = {each for cell in code_cells(notebook) for each in MENTION.findall(cell.source)}
    chapters = {int(each.split(".")[0]) for each in mentioned}
    registered = {each.id for chapter in chapters for each in registry.of_chapter(chapter)}
    return sorted(mentioned | registered, key=lambda each: [int(n) for n in each.split(".")])


def run(notebook: Any, path: Path, timeout: float, scratch: Path) -> str:
    """Run all cells; → what ended it early, if anything did."""
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")  # this Python's kernel, not the user's
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=timeout,
        interrupt_on_timeout=True,
        allow_errors=True,
        extra_arguments=["--log-level=CRITICAL"],
        resources={"metadata": {"path": str(path.resolve().parent)}},
    )
    environment = {
        **os.environ,
        VERDICTS: str(scratch / "verdicts.jsonl"),
        "A3C_LIB_PROGRESS": "off",
        "IPYTHONDIR": str(scratch / "ipython"),
    }
    try:
        client.execute(env=environment)
    except DeadKernelError:
        return "the kernel died"
    except CellTimeoutError:
        return f"a cell ran for more than {timeout:g} s and could not be interrupted"
    return ""


def collected(path: Path) -> dict[str, dict[str, str]]:
    """The last verdict on every exercise."""
    if not path.exists():
        return {}
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {each.pop("id"): each for each in lines}


def why(notebook: Any, exercise_id: str, died: str) -> str:
    """Why there is no verdict on an exercise."""
    for cell in code_cells(notebook):
        if exercise_id in MENTION.findall(cell.source):
            for error in errors(cell):
                if error.ename == "KeyboardInterrupt":
                    return "its cell ran out of time and was interrupted"
                return f"its cell raised {error.ename}: {error.evalue}"
            return died or "its cell did not check anything"
    return "the notebook has no cell for it"


def code_cells(notebook: Any) -> Iterator[Any]:
    """A notebook's cells of code, in order."""
    yield from (cell for cell in notebook.cells if cell.cell_type == "code")


def errors(cell: Any) -> Iterator[Any]:
    """The errors among a cell's outputs."""
    yield from (output for output in cell.outputs if output.output_type == "error")
