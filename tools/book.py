"""Build the book: solutions/NN_name.py → solutions/NN_name.ipynb and chapters/NN_name.ipynb.

    python tools/book.py             build what is stale
    python tools/book.py 02          only chapters whose name begins with 02
    python tools/book.py --all       run everything again
    python tools/book.py --check     say what is stale, run nothing

A source is a jupytext percent script with its solutions marked. jupytext reads it, nbgrader takes
the solutions out, nbclient runs both notebooks, nbconvert joins their streams. What is added here:
cell ids from the position, fixed metadata, and the broken code from which a bug hunt starts; and
what every page has (`page` says what).

A notebook is stale if its source has changed, or what its outputs depend on beside: the package's
code, the exercises, the records. Of that it carries a fingerprint in its metadata, made before it
was run (`dependencies` says of what).
"""

import argparse
import ast
import copy
import inspect
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

import jupytext
import nbformat
from environment import ENVIRONMENT
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from nbformat import NotebookNode
from nbgrader.preprocessors import ClearSolutions

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # where `claims` is
import address
import dependencies
import page

LARGEST = 1_500_000  # bytes of a notebook
CELL_SECONDS = 600  # after which a cell is taken for hanging

METADATA = {
    "kernelspec": {
        "display_name": "A3C book",  # as tools/setup.sh calls the kernel of .venv
        "language": "python",
        "name": "python3",
    },
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    },
}
OURS = "a3c_lib"  # our key in a notebook's metadata


# What nbformat raises for damaged JSON, and for JSON that is something else.
DAMAGED = (ValueError, KeyError, AttributeError)


class BookError(Exception):
    """Something in the book is wrong; the message names the notebook, the cell and the fault."""


class Chapter(NamedTuple):
    source: Path  # solutions/NN_name.py, written by hand
    solved: Path  # solutions/NN_name.ipynb
    stubs: Path  # chapters/NN_name.ipynb


def chapters(root: Path = ROOT) -> list[Chapter]:
    """Every source in solutions/, in order, with the two notebooks that belong to it."""
    return [
        Chapter(
            source=source,
            solved=source.with_suffix(".ipynb"),
            stubs=root / "chapters" / f"{source.stem}.ipynb",
        )
        for source in sorted((root / "solutions").glob("*.py"))
    ]


# From the source to two notebooks without outputs


def solved_notebook(source: Path) -> NotebookNode:
    """The source as a notebook, not yet run: ids from the position, no metadata but tags."""
    read = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    cells = []
    for position, cell in enumerate(read.cells):
        clean = NotebookNode(
            cell_type=cell.cell_type,
            id=f"cell-{position:02d}",
            metadata=NotebookNode(
                {name: value for name, value in cell.metadata.items() if name == "tags"}
            ),
            source=cell.source,
        )
        if cell.cell_type == "code":
            clean.update(execution_count=None, outputs=[])
        cells.append(clean)
    metadata = nbformat.from_dict(copy.deepcopy(METADATA))
    return NotebookNode(cells=cells, metadata=metadata, nbformat=4, nbformat_minor=5)


def notebook_with_stubs(
    solved: NotebookNode, start_of: Callable[[str], Any] | None = None
) -> NotebookNode:
    """The learner's notebook: `...` for every marked solution, broken code for every bug hunt.

    `start_of` looks up an exercise's broken code by its id; None for an exercise without.
    """
    clear = ClearSolutions(
        code_stub={"python": "..."}, text_stub="*Your answer.*", enforce_metadata=False
    )
    stubs = copy.deepcopy(solved)
    for position, cell in enumerate(stubs.cells):
        try:
            clear.preprocess_cell(cell, {"language": "python"}, position)
            if cell.cell_type == "code" and "@exercise(" in cell.source:
                cell.source = with_bug(cell.source, start_of or start_of_registered)
        except (RuntimeError, SyntaxError, LookupError) as error:
            raise BookError(
                f"{cell.id}: {error}\n\n{textwrap.indent(cell.source, '    ')}"
            ) from error
    return stubs


def start_of_registered(exercise_id: str) -> Any:
    """The broken code from which a registered exercise starts, or None."""
    from a3c_lib.exercises.engine import registry

    return registry.find(exercise_id).start


def with_bug(source: str, start_of: Callable[[str], Any]) -> str:
    """A cell's source with the definition under `@exercise("…")` replaced, where it is a bug hunt;
    the decorator stays."""
    lines = source.split("\n")
    for definition, exercise_id in reversed(list(exercises_in(source))):
        start = start_of(exercise_id)
        if start is not None:
            broken = broken_source(start, definition.name)
            lines[definition.lineno - 1 : definition.end_lineno] = broken.split("\n")
    return "\n".join(lines)


def exercises_in(source: str) -> Iterator[tuple[ast.FunctionDef | ast.ClassDef, str]]:
    """The definitions in a cell that are decorated with `@exercise("id")`, with the id."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                match decorator:
                    case ast.Call(ast.Name("exercise"), [ast.Constant(str(exercise_id)), *_]):
                        yield node, exercise_id


def broken_source(start: Any, name: str) -> str:
    """The source of NAME_with_a_bug as a definition of NAME."""
    if start.__name__ != f"{name}_with_a_bug":
        raise BookError(
            f"the code that {name} starts from must be called {name}_with_a_bug, "
            f"not {start.__name__}"
        )
    source = textwrap.dedent(inspect.getsource(start)).rstrip()
    return re.sub(rf"\b{name}_with_a_bug\b", name, source)


def with_fingerprint(notebook: NotebookNode, root: Path = ROOT) -> NotebookNode:
    """A notebook that says what it depends on, as the repository at `root` has it now."""
    result = copy.deepcopy(notebook)
    result.metadata[OURS] = NotebookNode(depends_on=dependencies.fingerprint(notebook, root))
    return result


# Running


def executed(notebook: NotebookNode, path: Path) -> NotebookNode:
    """Run a notebook as if it lay at `path`, in a fresh kernel; raise a BookError for anything that
    a reader must not see."""
    result = copy.deepcopy(notebook)
    client = NotebookClient(
        result,
        kernel_name="python3",
        timeout=CELL_SECONDS,
        record_timing=False,
        store_widget_state=False,
        extra_arguments=["--log-level=ERROR"],  # else ipykernel warns of every connection
        resources={"metadata": {"path": str(path.parent)}},
    )
    with tempfile.TemporaryDirectory(prefix="ipython-") as ipython:
        try:
            client.execute(env=kernel_environment(ipython))
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise BookError(failure(result, path, error)) from None
    result, _ = CoalesceStreamsPreprocessor().preprocess(result, {})
    result = page.without_answers(result)
    result.metadata = copy.deepcopy(notebook.metadata)
    if faults := output_faults(result):
        raise BookError("\n".join(f"{name(path)}, {fault}" for fault in faults))
    return result


def kernel_environment(ipython: str) -> dict[str, str]:
    """This process's environment, without what a reader's machine has and another's has not."""
    inherited = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
    return {**inherited, **ENVIRONMENT, "IPYTHONDIR": ipython}


def failure(notebook: NotebookNode, path: Path, error: Exception) -> str:
    """Which cell stopped, at what, with its source and the traceback."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return (
                    f"{name(path)}, {cell.id}: {output.ename}: {output.evalue}\n\n"
                    f"{textwrap.indent(cell.source, '    ')}\n\n"
                    f"{without_colours(chr(10).join(output.traceback))}"
                )
    return f"{name(path)}: {type(error).__name__}: {without_colours(str(error))}"


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


# What a stored notebook must satisfy


def output_faults(notebook: NotebookNode) -> list[str]:
    """What is wrong with a notebook's outputs, a line each; empty for a notebook run in order, from
    top to bottom, without an error, a warning or a trace of one machine, and not too large."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    counts = [cell.execution_count for cell in code]
    faults = []
    if counts != list(range(1, len(code) + 1)):
        faults.append(f"execution counts are {counts}, not 1 to {len(code)}")
    for cell in code:
        if "execution" in cell.metadata:
            faults.append(f"{cell.id}: timing metadata")
        for output in cell.outputs:
            if output.output_type == "error":
                faults.append(f"{cell.id}: stored error {output.ename}: {output.evalue}")
            elif output.output_type == "stream" and output.name == "stderr":
                faults.append(f"{cell.id}: on stderr: {output.text.strip()}")
            faults += [f"{cell.id}: the output shows {trace}" for trace in traces(output)]
            if is_wordless(output):
                faults.append(f"{cell.id}: a picture without a title or alternative text")
    if (size := len(text_of(notebook).encode())) > LARGEST:
        faults.append(f"{size:,} bytes; a notebook has at most {LARGEST:,}")
    return faults


def is_wordless(output: NotebookNode) -> bool:
    """Whether an output shows a picture to those only who can see it."""
    metadata, data = output.get("metadata", {}), output.get("data", {})
    kinds = [kind for kind in data if kind.startswith("image/")]
    tags = re.findall(r"<img\b[^>]*>", "".join(data.get("text/html", "")))
    return any(not metadata.get(kind, {}).get("alt", "").strip() for kind in kinds) or any(
        not re.search(r"""\balt=(["'])\s*[^\s"']""", tag) for tag in tags
    )


def traces(output: NotebookNode) -> list[str]:
    """What an output tells of the machine or the moment it was made on: paths and addresses, each
    once."""
    data = output.get("data", {})
    html = re.sub(r"data:image/[^\"']*", "", data.get("text/html", ""))  # pixels name no folder
    texts = [output.get("text", ""), data.get("text/plain", ""), html]
    # The book may lie below the home folder: where both match, the longer one does.
    folders = sorted({f"{ROOT}", f"{Path.home()}{os.sep}"} - {"//"}, key=len, reverse=True)
    here = "|".join(map(re.escape, folders))
    found = re.findall(rf"(?:{here})[^\s'\"<>]*|ipykernel_|\bat 0x[0-9a-f]+", "\n".join(texts))
    return list(dict.fromkeys(found))


def faults(path: Path, expected: NotebookNode) -> list[str]:
    """How the notebook stored at `path` differs from the one that its source gives."""
    if not path.exists():
        return ["missing"]
    try:
        stored = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except DAMAGED as error:
        return [f"not a notebook: {error}"]
    return faults_of(stored, expected)


def faults_of(stored: NotebookNode, expected: NotebookNode) -> list[str]:
    return source_faults(stored, expected) or output_faults(stored)


def source_faults(stored: NotebookNode, expected: NotebookNode) -> list[str]:
    """Which cells are not what the source gives, execution aside; or that they are, and give other
    outputs now. What a viewer adds when it opens a notebook is no difference."""
    stored, expected = as_written(stored), as_written(expected)
    if stored == expected:
        return []
    if len(stored.cells) != len(expected.cells):
        return [f"{len(stored.cells)} cells; the source gives {len(expected.cells)}"]
    pairs = zip(stored.cells, expected.cells, strict=True)
    differing = [ours.id for theirs, ours in pairs if theirs != ours]
    if not differing and stored.metadata.get(OURS) != expected.metadata.get(OURS):
        return ["what it runs has changed since it was executed"]
    return [f"differs from its source in {', '.join(differing) or 'its metadata'}"]


def as_written(notebook: NotebookNode) -> NotebookNode:
    """A notebook without outputs, and without what a viewer writes into its metadata: the kernel
    that ran it, and which cells are folded."""
    bare = copy.deepcopy(notebook)
    bare.metadata = NotebookNode({k: v for k, v in notebook.metadata.items() if k == OURS})
    for cell in bare.cells:
        cell.metadata = NotebookNode({k: v for k, v in cell.metadata.items() if k == "tags"})
        if cell.cell_type == "code":
            cell.update(execution_count=None, outputs=[])
    return bare


def complaint(path: Path, expected: NotebookNode) -> str:
    """What a test says of the notebook stored at `path`; empty if all is well."""
    found = faults(path, expected)
    if not found:
        return ""
    committed = last_committed(path)
    if committed is not None and not faults_of(committed, expected):
        return (
            f"your edits: {name(path)} is not as the book has it ({found[0]}). "
            "`make update` moves your version to my/ and puts the book's back."
        )
    return "\n".join([f"{name(path)}: {fault}" for fault in found] + ["Run `make book`."])


def last_committed(path: Path) -> NotebookNode | None:
    """The notebook as git has it, or None where git has none."""
    try:
        shown = subprocess.run(
            ["git", "show", f"HEAD:./{path.name}"], cwd=path.parent, capture_output=True, check=True
        )
        return nbformat.reads(shown.stdout.decode(), as_version=4)
    except (OSError, subprocess.CalledProcessError, *DAMAGED):
        return None


def orphans(root: Path = ROOT) -> list[Path]:
    """Notebooks that no source gives."""
    wanted = {path for chapter in chapters(root) for path in (chapter.solved, chapter.stubs)}
    stored = [*(root / "solutions").glob("*.ipynb"), *(root / "chapters").glob("*.ipynb")]
    return sorted(set(stored) - wanted)


# Building


class Target(NamedTuple):
    path: Path
    expected: NotebookNode  # without outputs


def targets(chosen: Sequence[Chapter]) -> Iterator[Target]:
    """The two notebooks of each chapter, as they should be, not yet run."""
    for chapter in chosen:
        try:
            solved, stubs = pages(chapter.source)
        except (BookError, page.PageError) as error:
            raise BookError(f"{name(chapter.source)}, {error}") from error
        root = chapter.source.parent.parent
        yield Target(chapter.solved, with_fingerprint(solved, root))
        yield Target(chapter.stubs, with_fingerprint(stubs, root))


def pages(source: Path) -> tuple[NotebookNode, NotebookNode]:
    """The solved page and the learner's, with all that the form of a page adds."""
    known = address.repository()
    written = page.folded(page.guarded(solved_notebook(source), known))
    spent = page.minutes(notebook_with_stubs(written))
    line = page.links(source, sorted(source.parent.glob("*.py")))
    buttons = known.line(f"chapters/{source.stem}.ipynb") if known else ""
    whole = page.linked(page.timed(written, spent), line, buttons)
    return page.answered(whole), page.unspoiled(notebook_with_stubs(whole))


def build(target: Target) -> str:
    """Run a notebook and store it; → a line that says what it took."""
    target.path.parent.mkdir(exist_ok=True)
    began = time.monotonic()
    result = executed(target.expected, target.path)
    seconds = time.monotonic() - began
    size = write(target.path, text_of(result))
    return f"{name(target.path):44} {seconds:6.1f} s {size / 1000:8.0f} kB"


def text_of(notebook: NotebookNode) -> str:
    return nbformat.writes(notebook) + "\n"


def write(path: Path, text: str) -> int:
    """Put a whole file in place at once; → its size in bytes."""
    scratch = path.with_name(f".{path.name}.new")
    size = scratch.write_bytes(text.encode())
    scratch.replace(path)
    return size


def name(path: Path) -> str:
    """A path as the reader knows it, from the repository's root."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Build the book's notebooks from solutions/*.py.",
        epilog="Without names: every chapter.",
    )
    parser.add_argument("names", nargs="*", help="how a chapter's file name begins, such as 02")
    parser.add_argument("--all", action="store_true", help="also what is up to date")
    parser.add_argument("--check", action="store_true", help="say what is stale, run nothing")
    parser.add_argument("--jobs", type=jobs, default=2, help="notebooks at a time (default: 2)")
    options = parser.parse_args(arguments)
    known = [chapter.source.name for chapter in chapters()]
    for begin in options.names:
        if not any(each.startswith(begin) for each in known):
            parser.error(f"no source in solutions/ begins with {begin}")
    chosen = [
        chapter
        for chapter in chapters()
        if not options.names or chapter.source.name.startswith(tuple(options.names))
    ]
    try:
        wanted = list(targets(chosen))
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    stale = [target for target in wanted if options.all or faults(*target)]
    if options.check:
        for target in stale:
            print(f"{name(target.path)}: {'; '.join(faults(*target)) or 'asked for'}")
        return int(bool(stale))
    print(f"{len(stale)} of {len(wanted)} notebooks to run", flush=True)
    return build_all(stale, options.jobs)


def jobs(text: str) -> int:
    """A number of notebooks at a time, at least 1."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"is at least 1; got {text}")
    return int(text)


def build_all(stale: Sequence[Target], jobs: int) -> int:
    """Build several at a time; → 0, or 1 if one of them failed."""
    failed = 0
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        running = {pool.submit(build, target): target for target in stale}
        try:
            for future in as_completed(running):
                try:
                    print(future.result(), flush=True)
                except (BookError, OSError, RuntimeError, NoSuchKernel) as error:
                    failed = 1
                    told = str(error)
                    if not isinstance(error, BookError):  # a full disk, a kernel that did not start
                        told = f"{name(running[future].path)}: {type(error).__name__}: {error}"
                    print(f"\n✗ {told}\n", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            os._exit(130)  # the kernels see their parent gone and end
    return failed


if __name__ == "__main__":
    sys.exit(main())
