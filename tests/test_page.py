"""The form of a page: what every chapter has beside what its author wrote."""

import re
from itertools import takewhile
from pathlib import Path

import book
import nbformat
import page
import pytest
from nbformat import NotebookNode

from a3c_lib.exercises.engine import registry

SOURCES = sorted((book.ROOT / "solutions").glob("*.py"))

ASKED = re.compile(r"\*\*(Predict|Write down)\b(?!\*\* the cosine)|\b[Bb]efore you run\b")

every_chapter = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def code(source: str, *tags: str) -> NotebookNode:
    metadata = {"tags": list(tags)} if tags else {}
    return nbformat.v4.new_code_cell(source, metadata=metadata, id="cell-01")


def text(source: str) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(source, id="cell-00")


def notebook(*cells: NotebookNode) -> NotebookNode:
    return NotebookNode(cells=list(cells), metadata={}, nbformat=4, nbformat_minor=5)


@pytest.fixture(scope="session")
def pages() -> dict[Path, tuple[NotebookNode, NotebookNode]]:
    """Every chapter, solved and for the learner."""
    return {source: book.pages(source) for source in SOURCES}


# Every chapter of the book


@every_chapter
def test_a_chapter_links_back_and_forth_and_to_what_belongs_to_all(source, pages) -> None:
    at = SOURCES.index(source)
    neighbours = {f"{each.stem}.ipynb" for each in SOURCES[max(at - 1, 0) : at + 2]}
    wanted = neighbours - {f"{source.stem}.ipynb"} | set(page.PAGES.values())
    for made in pages[source]:
        for cell in made.cells[0], made.cells[-1]:
            assert wanted <= set(re.findall(r"\]\(([^)]+)\)", cell.source))


@every_chapter
def test_a_chapter_says_what_it_takes(source, pages) -> None:
    solved, stubs = pages[source]
    spent = page.minutes(stubs)  # with the links and this line, which it does not count
    for made in solved, stubs:
        (said,) = re.findall(r"\*\*Time\*\* about (\d+) minutes: (\d+) for", made.cells[0].source)
        assert int(said[1]) == pytest.approx(spent.words, abs=2)
        assert int(said[0]) == pytest.approx(sum(spent), abs=6)
    asked = registry.of_chapter(int(source.name[:2]))
    assert list(page.exercises(stubs)) == [each.id for each in asked]
    said = "\n".join(cell.source for cell in stubs.cells if cell.cell_type == "markdown")
    for each in asked:
        assert f'\n\n*{each.effort}* · for help: `hint("{each.id}")`\n' in said


@every_chapter
def test_nothing_that_gives_an_answer_away_runs_by_itself(source, pages) -> None:
    for made in pages[source]:
        for cell in made.cells:
            if cell.cell_type == "code":
                assert not re.search(r"^(hint|solution)\(", cell.source, re.MULTILINE), cell.id


@every_chapter
def test_what_is_asked_to_be_predicted_is_not_shown(source, pages) -> None:
    """Where the text asks for a prediction or a guess, a cell before the next text is tagged so;
    and from there on no cell shows the answer until a text may give it away."""
    solved, stubs = pages[source]
    for before, cell in zip(stubs.cells, stubs.cells[1:], strict=False):
        if cell.cell_type == "code" and page.is_predicted(before):
            assert page.is_predicted(cell), f"{cell.id} follows what is to be predicted"
    for at, cell in enumerate(stubs.cells):
        if cell.cell_type == "markdown" and ASKED.search(cell.source):
            run = takewhile(lambda each: each.cell_type == "code", stubs.cells[at + 1 :])
            first = next(filter(page.is_predicted, run), None)
            assert first is not None, f"{cell.id} asks, and nothing is left open"
            assert not page.is_folded(first), "with nothing to be seen, nobody finds it"
    for cell in filter(page.is_predicted, stubs.cells):
        assert page.CHECKED not in cell.metadata.tags, "it has no output to compare"
    assert not any(map(page.is_predicted, solved.cells))


@every_chapter
def test_the_first_cell_asks_for_the_package(source, pages) -> None:
    for made in pages[source]:
        first = next(cell for cell in made.cells if cell.cell_type == "code")
        assert first.source == page.GUARD
        assert first.metadata.jupyter.source_hidden


@every_chapter
def test_an_exercise_is_never_folded_away(source, pages) -> None:
    for cell in pages[source][1].cells:
        if cell.cell_type == "code" and "@exercise(" in cell.source:
            assert not page.is_folded(cell)


# The parts


def test_without_the_package_the_first_cell_says_what_to_do(monkeypatch) -> None:
    exec(page.GUARD, {})  # here it is
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"(?s)The package a3c_lib is not there.*make lab.*Colab"):
        exec(page.GUARD, {})


CHECKS = "# It is one.\nassert x == 1\nfor y in (1, 2):\n    assert y > 0\nt.assert_close(x, 1)"


def test_the_asserts_with_which_a_cell_ends_are_folded_away_in_a_cell_of_their_own() -> None:
    made = page.folded(notebook(text("# # 9"), code(f"x = 1\n\n{CHECKS}", page.CHECKED)))
    shown, checks = made.cells[1:]
    assert (shown.source, shown.metadata) == ("x = 1", {"tags": [page.CHECKED]})
    assert (checks.source, checks.id) == (CHECKS, "cell-01-check")
    assert checks.metadata == {"tags": [page.FOLDED], "jupyter": {"source_hidden": True}}
    nbformat.validate(made)


def test_a_cell_of_nothing_but_asserts_is_folded_away() -> None:
    (cell,) = page.folded(notebook(code(CHECKS))).cells
    assert cell.source == CHECKS
    assert cell.metadata.jupyter.source_hidden


@pytest.mark.parametrize(
    "source",
    [
        '@exercise("9.1")\ndef f():\n    pass\n\n\nassert f',  # the learner's own cell
        "assert x\nprint(x)",  # a check in the middle belongs to what follows
        "for y in x:\n    print(y)\n    assert y",
        "%time x\nassert x",
    ],
)
def test_other_asserts_stay_where_they_are(source: str) -> None:
    (cell,) = page.folded(notebook(code(source))).cells
    assert cell.source == source
    assert "jupyter" not in cell.metadata


def test_a_cell_tagged_so_is_folded_away() -> None:
    (cell,) = page.folded(notebook(code("x = 1", page.FOLDED))).cells
    assert cell.metadata == {"tags": [page.FOLDED], "jupyter": {"source_hidden": True}}


def test_an_answer_that_is_to_be_predicted_is_in_the_solved_page_alone() -> None:
    cell = code("print(1)", page.CHECKED, page.PREDICTED)
    cell.outputs = [nbformat.v4.new_output("stream", text="1\n")]
    (theirs,) = page.without_answers(page.unspoiled(notebook(cell))).cells
    assert (theirs.outputs, theirs.metadata.tags) == ([], [page.PREDICTED])
    (ours,) = page.without_answers(page.answered(notebook(cell))).cells
    assert (ours.outputs, ours.metadata.tags) == (cell.outputs, [page.CHECKED])


def test_what_follows_a_prediction_shows_nothing_either_until_a_text_does() -> None:
    made = notebook(
        text("**Predict.**"),
        code("print(1)", page.PREDICTED),
        code("draw(1)", page.FOLDED, page.CHECKED),
        text("It is 1."),
        code("print(2)", page.CHECKED),
    )
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("stream", text="1\n")]
    _, first, second, _, third = page.without_answers(page.unspoiled(made)).cells
    assert (first.outputs, second.outputs) == ([], [])
    assert second.metadata.tags == [page.FOLDED, page.PREDICTED]
    assert third == made.cells[-1]
    solved = page.without_answers(page.answered(made))
    assert all(cell.outputs for cell in solved.cells if cell.cell_type == "code")


def test_time_is_of_what_is_read_and_what_is_written() -> None:
    made = notebook(
        text("word " * 300 + "\n\n### Exercise 2.1  n-step returns\n"),
        code("x = 1\n\n" * 80),
        code("y = 1\n" * 400, page.FOLDED),
    )
    spent = page.minutes(made)
    assert spent.words == pytest.approx(305 / 150)
    assert spent.code == 80 / 40
    assert spent.exercises == registry.find("2.1").minutes
    assert page.Minutes(20, 11, 31).total == 60
    assert str(page.Minutes(20, 11, 31)).startswith("about 60 minutes: 20 for the text, 11 for")


def test_a_header_without_a_place_for_the_time_is_refused() -> None:
    with pytest.raises(page.PageError, match=r"cell-00: the header says no `\{time\}`"):
        page.timed(notebook(text("# 09  Title")), page.Minutes(1, 1, 1))


def test_a_chapter_without_a_number_is_refused(tmp_path: Path) -> None:
    (tmp_path / "09_small.py").write_text("# %% [markdown]\n# # Small\n")
    with pytest.raises(page.PageError, match=r"09_small\.py: the first heading"):
        page.title(tmp_path / "09_small.py")
