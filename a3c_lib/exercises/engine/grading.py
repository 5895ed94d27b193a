"""Chapter 00: grade a notebook: run it in a fresh kernel and collect the verdicts.

A notebook is code, and grading runs it with all the rights of whoever grades: grade what you would
run. The verdicts are those that the engine writes into a file while the notebook runs, not what the
notebook prints; but a notebook that sets out to can write into that file too, replace the checker,
or hand in the reference, which comes with the package.
"""

import asyncio
import json
import os
import re
import signal
import stat
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.memory import VERDICTS

PATIENCE = 10.0  # seconds that a cell has to end when it is interrupted; then its kernel is killed
MENTION = re.compile(  # in a cell that may be no Python; texts and comments are passed over
    r"""
    \"{3}.*?\"{3} | '{3}.*?'{3} | \#[^\n]*
    | \bexercise\(\s* (?:[^()"'#]*\bexercise_id\s*=\s*)? ["'](\d+\.\d+)["']
    | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
    """,
    re.VERBOSE | re.DOTALL,
)

Report = dict[str, Any]


class Unusable(Exception):
    """The file cannot be graded; the message says why."""


def grade(path: Path, timeout: float = 600, only: Collection[str] = ()) -> Report:
    """Run a notebook, cell by cell, on through cells that raise.   → what is printed as JSON.

    Graded are all exercises of the chapters that the notebook has exercises of, so that a cell that
    was deleted counts as not solved; or `only` those named. A cell that runs for longer than
    `timeout` seconds is interrupted; if it goes on, it is killed with its kernel, and what comes
    after it is not run. Raises Unusable.
    """
    notebook = read(path)
    wanted = ids(notebook, only)
    if not wanted:
        raise Unusable(f"{path} has no exercises: no cell with @exercise(…)")
    # The notebook may have made of that folder what it liked.
    with tempfile.TemporaryDirectory(prefix="grade-", ignore_cleanup_errors=True) as scratch:
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
    mentioned = {each for cell in code_cells(notebook) for each in mentions(cell.source)}
    chapters = {int(each.split(".")[0]) for each in mentioned}
    registered = {each.id for chapter in chapters for each in registry.of_chapter(chapter)}
    return sorted(mentioned | registered, key=lambda each: [int(n) for n in each.split(".")])


def mentions(source: str) -> list[str]:
    """The exercises that a cell's code checks.

    >>> mentions('@exercise(exercise_id="1.2")  # not exercise("1.3")')
    ['1.2']
    """
    return [each for each in MENTION.findall(source) if each]


def run(notebook: Any, path: Path, timeout: float, scratch: Path) -> str:
    """Run all cells; → what ended it early, if anything did. Raises Unusable if nothing can run."""
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")  # this Python's kernel, not the user's
    from nbclient import NotebookClient

    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=None,  # `_run_cells` looks at the clock: nbclient would interrupt for ever
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
    return asyncio.run(_run(client, environment, timeout))


async def _run(client: Any, environment: dict[str, str], timeout: float) -> str:
    client.create_kernel_manager()
    graceful = False
    try:
        try:
            # What processes print on their own would stand between the lines of the report.
            nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            await client.async_start_new_kernel(env=environment, **nowhere)
            await client.async_start_new_kernel_client()
        except Exception as error:  # noqa: BLE001  whatever a damaged installation makes Jupyter raise
            raise Unusable(f"no kernel could be started: {error}") from None
        ended = await _run_cells(client, timeout)
        graceful = not ended
        return ended
    finally:
        await _end_kernel(client, graceful)
        for pid in _left_behind(f"{VERDICTS}={environment[VERDICTS]}"):
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, signal.SIGKILL)


async def _run_cells(client: Any, timeout: float) -> str:
    from nbclient.exceptions import DeadKernelError

    for index, cell in enumerate(client.nb.cells):
        running = asyncio.ensure_future(client.async_execute_cell(cell, index))
        done, _ = await asyncio.wait({running}, timeout=timeout)
        if not done:
            await client.km.interrupt_kernel()
            done, _ = await asyncio.wait({running}, timeout=PATIENCE)
        if not done:  # it ignores interrupts, or an `except` without a name swallows them
            running.cancel()
            with suppress(DeadKernelError):
                await running
            return f"a cell ran for more than {timeout:g} s and could not be interrupted"
        try:
            running.result()
        except DeadKernelError:
            return "the kernel died"
    return ""


async def _end_kernel(client: Any, graceful: bool) -> None:
    """End the kernel, by itself if it can, and the processes of its group."""
    if client.kc is not None:
        client.kc.stop_channels()
    if client.km.has_kernel:
        await client.km.shutdown_kernel(now=not graceful)


def _left_behind(variable: str) -> Iterator[int]:
    """Processes that the notebook started, in whatever group: all inherit its environment.

    None are found where there is no /proc.
    """
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # somebody else's, or ended
            if variable.encode() in environment.read_bytes().split(b"\0"):
                yield int(environment.parent.name)


def collected(path: Path) -> dict[str, dict[str, str]]:
    """The last verdict on every exercise. Raises Unusable if something else is written there, or
    something else stands there, which a notebook can do and the engine does not."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for, for ever
            raise Unusable(f"the notebook put something else in the place of its verdicts, {path}")
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Unusable(f"the notebook's verdicts cannot be read: {error}") from None
    if lines and not lines[-1].endswith(b"\n"):  # a kernel that was killed within a line
        del lines[-1]
    return dict(map(_verdict, lines))


def _verdict(line: bytes) -> tuple[str, dict[str, str]]:
    """An exercise, and what the engine said of it."""
    try:
        told = json.loads(line)
        if told.keys() == {"id", "verdict", "message"} and set(map(type, told.values())) == {str}:
            return told.pop("id"), told
    except (ValueError, AttributeError, RecursionError):
        pass
    raise Unusable(f"the notebook wrote among its verdicts what is none: {line[:60]!r}")


def why(notebook: Any, exercise_id: str, died: str) -> str:
    """Why there is no verdict on an exercise."""
    for cell in code_cells(notebook):
        if exercise_id in mentions(cell.source):
            for error in errors(cell):
                if error.ename in ("KeyboardInterrupt", "Interrupted"):
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
