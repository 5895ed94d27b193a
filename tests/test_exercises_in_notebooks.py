"""The exercises as the notebooks have them: all there, in order, used by the notebook itself."""

import ast
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from a3c_lib.exercises.engine import registry

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
    told = "\n".join(map(plain_text, outputs))
    return re.findall(r"^([✓✗○] \d+\.\d+) \w+: ", told, re.MULTILINE)


def plain_text(output: dict[str, Any]) -> str:
    """What an output says: printed, or shown with a richer form beside it."""
    return "".join(output.get("text") or output.get("data", {}).get("text/plain", []))


@for_every_source
def test_a_chapter_has_all_its_exercises_in_order(source: Path) -> None:
    registered = [each.id for each in registry.of_chapter(int(source.name[:2]))]
    assert [cell.id for cell in exercises_in(ast.parse(source.read_text()))] == registered


def uses(node: ast.AST, name: str) -> bool:
    """Whether a name is called or handed on in it; to ask `whose` code it is does not count."""
    match node:
        case ast.Call(ast.Name("whose")):
            return False
        case ast.Name(id, ast.Load()):
            return id == name
    return any(uses(child, name) for child in ast.iter_child_nodes(node))


def replaces(statement: ast.stmt, name: str) -> bool:
    """Whether it is an import or a definition that gives the name another meaning."""
    match statement:
        case ast.Import() | ast.ImportFrom():
            return name in {alias.asname or alias.name for alias in statement.names}
        case ast.FunctionDef() | ast.ClassDef():
            return statement.name == name
    return False


def unused(source: str) -> list[str]:
    """The exercises whose answer no cell of the notebook uses but those of other exercises."""
    tree = ast.parse(source)
    cells = list(exercises_in(tree))
    definitions = [cell.definition for cell in cells]
    found = []
    for exercise_id, definition in cells:
        later = tree.body[tree.body.index(definition) + 1 :]
        while_it_means_the_answer = itertools.takewhile(
            lambda statement, name=definition.name: not replaces(statement, name),
            (statement for statement in later if statement not in definitions),
        )
        if not any(uses(statement, definition.name) for statement in while_it_means_the_answer):
            found.append(exercise_id)
    return found


@for_every_source
def test_the_notebook_itself_uses_what_the_learner_writes(source: Path) -> None:
    assert unused(source.read_text(encoding="utf-8")) == []


ANSWER = '@exercise("9.1")\ndef f(x): return f(x - 1)\n'


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "print(whose(f))",
        "from package import f\nf(1)",
        "def f(x): return x\nf(1)",
        '@exercise("9.2")\ndef g(x): return f(x)\nprint(g(1))',
    ],
    ids=["never", "asked whose it is", "imported anew", "defined anew", "by another answer"],
)
def test_an_answer_that_the_notebook_does_not_use_is_found(rest: str) -> None:
    assert unused(ANSWER + rest) == ["9.1"]


@pytest.mark.parametrize("rest", ["print(whose(f), f(1))", "train(loss=f)\nfrom package import f"])
def test_an_answer_is_used_where_it_is_called_or_handed_on(rest: str) -> None:
    assert unused(ANSWER + rest) == []


@pytest.mark.parametrize("notebook", SOLVED, ids=lambda path: path.stem)
def test_in_the_solved_notebook_every_verdict_is_right(notebook: Path) -> None:
    expected = [f"✓ {each.id}" for each in registry.of_chapter(int(notebook.name[:2]))]
    assert verdicts(notebook) == expected


@pytest.mark.parametrize("notebook", STUBS, ids=lambda path: path.stem)
def test_in_the_learners_notebook_nothing_is_attempted(notebook: Path) -> None:
    expected = [f"○ {each.id}" for each in registry.of_chapter(int(notebook.name[:2]))]
    assert verdicts(notebook) == expected
