"""The exercises as the notebooks have them: all there, in order, called by the notebook itself."""

import ast
import functools
import json
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jupytext
import pytest

import a3c_lib.exercises as book
from a3c_lib.exercises import registry

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "solutions").glob("*.py"))
SOLVED = [path.with_suffix(".ipynb") for path in SOURCES]
STUBS = [ROOT / "chapters" / path.name for path in SOLVED]

for_every_source = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


class Cell(NamedTuple):
    """A definition under `@exercise("id")`."""

    id: str
    definition: ast.FunctionDef | ast.ClassDef


def exercises_in(tree: ast.Module) -> Iterator[Cell]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                match decorator:
                    case ast.Call(ast.Name("exercise"), [ast.Constant(str(exercise_id))]):
                        yield Cell(exercise_id, node)


def verdicts(notebook: Path) -> list[str]:
    """The mark and id that begin every verdict stored in a notebook."""
    assert notebook.exists(), f"{notebook.name} is not built yet; run `make book`"
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    printed = "".join("".join(output.get("text", [])) + "\n" for output in outputs)
    return re.findall(r"^([✓✗○] \d+\.\d+) \w+: ", printed, re.MULTILINE)


@for_every_source
def test_a_chapter_has_all_its_exercises_in_order(source: Path) -> None:
    registered = [each.id for each in registry.of_chapter(int(source.name[:2]))]
    assert [cell.id for cell in exercises_in(ast.parse(source.read_text()))] == registered


class Recorder:
    """Stands in for `exercise`: counts the calls of every answer, and what is made of a class."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}

    def __call__(self, exercise_id: str, **options: Any) -> Callable[[Any], Any]:
        self.calls[exercise_id] = 0

        def recorded(answer: Any) -> Any:
            function = answer.__init__ if isinstance(answer, type) else answer

            @functools.wraps(function)
            def counted(*args: Any, **kwargs: Any) -> Any:
                self.calls[exercise_id] += 1
                return function(*args, **kwargs)

            if not isinstance(answer, type):
                return counted
            answer.__init__ = counted  # type: ignore[misc]
            return answer

        return recorded


@for_every_source
def test_the_notebook_itself_calls_what_the_learner_writes(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {each.id for each in registry.of_chapter(int(source.name[:2]))}
    recorder = Recorder()
    monkeypatch.setattr(book, "exercise", recorder)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(source.parent)
    cells = [cell for cell in jupytext.read(source).cells if cell.cell_type == "code"]
    space: dict[str, Any] = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Agg shows nothing, and says so
        for cell in cells:
            exec(compile(cell.source, source.name, "exec"), space)
            if recorder.calls.keys() == wanted and all(recorder.calls.values()):
                return
    uncalled = wanted - {each for each, calls in recorder.calls.items() if calls}
    pytest.fail(f"the notebook does not call {sorted(uncalled)}")


@pytest.mark.parametrize("notebook", SOLVED, ids=lambda path: path.stem)
def test_in_the_solved_notebook_every_verdict_is_right(notebook: Path) -> None:
    expected = [f"✓ {each.id}" for each in registry.of_chapter(int(notebook.name[:2]))]
    assert verdicts(notebook) == expected


@pytest.mark.parametrize("notebook", STUBS, ids=lambda path: path.stem)
def test_in_the_learners_notebook_nothing_is_attempted(notebook: Path) -> None:
    expected = [f"○ {each.id}" for each in registry.of_chapter(int(notebook.name[:2]))]
    assert verdicts(notebook) == expected
