"""Whatever a text, a verdict or a hint tells the reader to type works in that notebook."""

import ast
import builtins
import re
from collections.abc import Iterator
from pathlib import Path

import book
import pytest
from nbformat import NotebookNode

from a3c_lib import exercises
from a3c_lib.exercises.engine import registry

SOURCES = sorted((book.ROOT / "solutions").glob("*.py"))
HELP = ("hint", "solution", "progress", "whose", "exercise")

every_chapter = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


@pytest.fixture(scope="session")
def stubs() -> dict[Path, NotebookNode]:
    """The learner's page of every chapter."""
    return {source: book.pages(source)[1] for source in SOURCES}


def cells(page: NotebookNode, kind: str) -> list[str]:
    return [cell.source for cell in page.cells if cell.cell_type == kind]


def typed(text: str) -> Iterator[ast.Module]:
    """What stands in a text as code, where it is Python."""
    for code in re.findall(r"`([^`\n]+)`", text):
        try:
            tree = ast.parse(code.removeprefix("@"))
        except SyntaxError:
            continue
        tree.said = code
        yield tree


def loaded(tree: ast.AST) -> set[str]:
    """The names that a code looks up."""
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return found - bound(tree)


def bound(tree: ast.AST) -> set[str]:
    """The names that a code gives a meaning to, at its top level or in a function's head."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import() | ast.ImportFrom():
                found |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
            case ast.FunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Name(name, ast.Store()) | ast.arg(name):
                found.add(name)
            case ast.keyword(arg=str(name)):
                found.add(name)
    return found


def namespace(page: NotebookNode) -> set[str]:
    """All names that a reader of the page has met, those of methods and fields too."""
    trees = [ast.parse(source) for source in cells(page, "code")]
    fields = {n.attr for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    return fields.union(dir(builtins), *map(bound, trees))


def help_called(text: str) -> set[str]:
    """The calls for help in a text: `hint("2.1")`, `solution("2.1")`, `progress()`."""
    return set(re.findall(rf"""\b(?:{"|".join(HELP[:3])})\((?:"\d+\.\d+")?\)""", text))


def imports(page: NotebookNode) -> str:
    """The statements with which the page imports from the exercises."""
    trees = [ast.parse(source) for source in cells(page, "code") if "import" in source]
    found = [
        node
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "a3c_lib.exercises"
    ]
    return "\n".join(map(ast.unparse, found))


def said(source: Path, page: NotebookNode, capsys: pytest.CaptureFixture[str]) -> str:
    """All that the page says, and what its exercises and their hints say beside."""
    for each in registry.of_chapter(int(source.name[:2])):
        exercises.exercise(each.id)(lambda *wrong: None)  # a verdict, which offers help
        for _ in each.hints:
            exercises.hint(each.id)
    return "\n".join([*cells(page, "markdown"), capsys.readouterr().out])


@every_chapter
def test_help_works_where_and_as_it_is_offered(
    source, stubs, capsys, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("A3C_LIB_PROGRESS", "off")
    calls = help_called(said(source, stubs[source], capsys))
    first = registry.of_chapter(int(source.name[:2]))[0].id
    assert {f'hint("{first}")', f'solution("{first}")'} <= calls
    names: dict[str, object] = {}
    exec(imports(stubs[source]), names)
    for call in sorted(calls | {"progress()"}):
        exec(call, names)
        assert capsys.readouterr().out, call


@every_chapter
def test_what_a_reader_is_told_to_try_has_a_meaning_there(source, stubs) -> None:
    met = namespace(stubs[source])
    text = "\n".join(cells(stubs[source], "markdown"))
    _, _, to_try = text.partition("## What to try next")
    assert to_try, "every chapter ends with something to try"
    for code in typed(to_try.partition("\n## ")[0]):
        assert loaded(code) <= met, code.said


@every_chapter
def test_every_name_called_in_the_text_is_one_that_the_reader_has(source, stubs) -> None:
    met = namespace(stubs[source])
    for text in cells(stubs[source], "markdown"):
        for code in typed(text):
            called = {
                node.func.id
                for node in ast.walk(code)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            assert called <= met, code.said


def test_a_name_that_the_page_does_not_have_is_found() -> None:
    (code,) = typed("Type `frobnicate(x)`, and *not* `1 +`.")
    assert loaded(code) == {"frobnicate", "x"}
    assert bound(ast.parse("import a.b as c, d.e\nx = f(y=1)")) == {"c", "d", "x", "y"}
    assert help_called('`hint("2.1")`, progress(), hint(2.1)') == {'hint("2.1")', "progress()"}
