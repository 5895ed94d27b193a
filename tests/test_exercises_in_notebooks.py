"""The exercises as the notebooks have them: all there, in order, used by the text that follows."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

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


@for_every_source
def test_the_notebook_itself_uses_what_the_learner_writes(source: Path) -> None:
    tree = ast.parse(source.read_text())
    for cell in exercises_in(tree):
        own = set(ast.walk(cell.definition))
        uses = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and node.id == cell.definition.name and node not in own
        ]
        assert uses, f"{cell.id} {cell.definition.name} is never used"


@pytest.mark.parametrize("notebook", SOLVED, ids=lambda path: path.stem)
def test_in_the_solved_notebook_every_verdict_is_right(notebook: Path) -> None:
    expected = [f"✓ {each.id}" for each in registry.of_chapter(int(notebook.name[:2]))]
    assert verdicts(notebook) == expected


@pytest.mark.parametrize("notebook", STUBS, ids=lambda path: path.stem)
def test_in_the_learners_notebook_nothing_is_attempted(notebook: Path) -> None:
    expected = [f"○ {each.id}" for each in registry.of_chapter(int(notebook.name[:2]))]
    assert verdicts(notebook) == expected
