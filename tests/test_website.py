"""The web site: what its pages are made of, and what is looked for in what was built."""

import base64
import dataclasses
import doctest
import re
import struct
import subprocess
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import address
import book
import docstrings
import nbformat
import page
import pytest
import website
import websitecheck
from markdown_it import MarkdownIt
from nbformat import NotebookNode

from a3c_lib.app.plan import ALGORITHMS
from a3c_lib.exercises.engine import registry

ROOT = book.ROOT
NAMES = tuple(source.stem for source in sorted((ROOT / "solutions").glob("*.py")))


def stored(name: str) -> tuple[NotebookNode, NotebookNode]:
    return tuple(
        nbformat.read(ROOT / folder / f"{name}.ipynb", as_version=4)
        for folder in ("solutions", "chapters")
    )


# A chapter


@pytest.fixture(scope="module", params=NAMES)
def made(request) -> tuple[str, NotebookNode, list[website.Figure]]:
    return (request.param, *website.chapter(request.param, *stored(request.param), NAMES))


def texts(notebook: NotebookNode) -> str:
    return "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")


def test_every_exercise_of_a_chapter_is_a_stub_and_a_folded_solution(made) -> None:
    name, notebook, _ = made
    _, stubs = stored(name)
    asked = list(page.exercises(stubs))
    assert asked
    code = [c.source for c in notebook.cells if c.cell_type == "code"]
    for exercise_id in asked:
        assert f"({website.label(exercise_id)})=\n### Exercise {exercise_id}  " in texts(notebook)
        (shown,) = [source for source in code if f'@exercise("{exercise_id}")' in source]
        assert "SOLUTION" not in shown
        (folded,) = [
            c.source
            for c in notebook.cells
            if c.source.startswith("<details") and f'@exercise("{exercise_id}")' in c.source
        ]
        assert "SOLUTION" not in folded
        assert len(folded) > len("...")
    assert "### BEGIN" not in "".join(code)


def test_every_exercise_has_its_hints_before_its_solution_each_folded_away(made) -> None:
    name, notebook, _ = made
    _, stubs = stored(name)
    for exercise_id in page.exercises(stubs):
        (folds,) = [
            c.source
            for c in notebook.cells
            if c.source.startswith("<details") and f'@exercise("{exercise_id}")' in c.source
        ]
        count = len(registry.find(exercise_id).hints)
        summaries = [f"Hint {number} of {count}" for number in range(1, count + 1)]
        assert re.findall(r"<summary>(.*)</summary>", folds) == [*summaries, "A solution"]


def test_a_hint_is_said_as_it_stands() -> None:
    said = "At <t>, x[0] * y_t is $1 or `a_b`; in chapter 02 ~x_t - {y}."
    shown = MarkdownIt().render(website.text(website.as_prose(said), NAMES))
    assert shown == (
        "<p>At &lt;t&gt;, x[0] * y_t is $1 or <code>a_b</code>; in "
        '<a href="/chapters/02_n_step_returns.ipynb">chapter 02</a> ~x_t - {y}.</p>\n'
    )


def test_what_is_to_be_predicted_is_folded_away(made) -> None:
    name, notebook, _ = made
    _, stubs = stored(name)
    predicted = {cell.id for cell in stubs.cells if page.is_predicted(cell)}
    hidden = {c.id for c in notebook.cells if "hide-output" in c.metadata.get("tags", [])}
    assert hidden == predicted


def test_no_picture_is_left_within_a_page_and_none_is_lost(made) -> None:
    name, notebook, figures = made
    outputs = [str(output) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not any("base64" in output for output in outputs)
    solved, _ = stored(name)
    assert len(figures) == str(solved).count(";base64,")
    assert all(figure.words and figure.content[1:4] == b"PNG" for figure in figures)
    anchors = [figure.anchor for figure in figures]
    assert anchors == sorted(set(anchors), key=anchors.index)


def test_the_notebooks_own_links_give_way_to_the_sites(made) -> None:
    name, notebook, _ = made
    assert "README.md" not in texts(notebook)
    assert f'href="../notebooks/{name}.ipynb" download' in notebook.cells[0].source


def test_two_notebooks_of_different_sources_are_refused() -> None:
    solved, _ = stored(NAMES[0])
    _, other = stored(NAMES[1])
    with pytest.raises(website.SiteError, match=f"{NAMES[0]}: .* run `make book`"):
        website.chapter(NAMES[0], solved, other)


# Text


def test_a_figure_that_is_mentioned_is_a_link() -> None:
    said = website.text("# figure 2.3\n\nSee figure 2.3, and `figure 2.3`.", NAMES)
    link = '<a href="02_n_step_returns.html#figure-02-3">figure 2.3</a>'
    assert said == f"# figure 2.3\n\nSee {link}, and `figure 2.3`."


def test_exercises_and_chapters_that_are_mentioned_are_links() -> None:
    said = website.text("# chapter 02\n\nSee chapter 02, `chapter 02` and exercise 2.3.", NAMES)
    assert said == (
        "# chapter 02\n\nSee [chapter 02](/chapters/02_n_step_returns.ipynb), `chapter 02` and "
        "[exercise 2.3](#exercise-2-3)."
    )


@pytest.mark.parametrize(
    "said",
    [
        "chapter 99, figure 99.9 and exercise 99.9",
        "figure 2 of the paper",
        "[of chapter 02](x.md), [**chapter** 02](x.md)",
        "```\nchapter 02\n```",
        "$x$, $$\nchapter 02\n$$",
        "    chapter 02",
        '<a title="chapter 02">',
    ],
)
def test_what_is_no_prose_stays(said: str) -> None:
    assert website.text(said, NAMES) == said


def test_a_word_that_is_explained_is_in_the_index() -> None:
    said = website.text("One.\n\nA [**return**](../docs/glossary.md#return) here.\n\nTwo.")
    assert said.split("\n\n") == [
        "One.",
        "```{index} return\n```",
        "A [**return**](../docs/glossary.md#return) here.",
        "Two.",
    ]


def test_every_document_and_chapter_has_its_place() -> None:
    order = website.index("# Book\n", NAMES)
    documents = [name.removesuffix(".md") for name in website.DOCUMENTS]
    for place in [f"chapters/{name}" for name in NAMES] + documents:
        assert order.count(f"\n{place}\n") == 1
    written = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("*.md")}
    assert written - {"README.md"} <= set(website.DOCUMENTS)


# Films


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


HEAD, DATA, END = (
    (b"IHDR", struct.pack(">IIBBBBB", 4, 2, 8, 2, 0, 0, 0)),
    (b"IDAT", b"x"),
    (b"IEND", b""),
)


def test_a_film_can_stand_still() -> None:
    film = png(HEAD, (b"acTL", b"a"), (b"fcTL", b"b"), DATA, (b"fcTL", b"c"), (b"fdAT", b"d"), END)
    assert website.still(film) == png(HEAD, DATA, END)
    assert website.still(png(HEAD, DATA, END)) is None


def test_a_picture_keeps_its_words_and_its_shape() -> None:
    content = png(HEAD, DATA, END)
    data = base64.b64encode(content).decode()
    html = f'<img alt="A &lt; b. More." width="100" src="data:image/png;base64,{data}">'
    cell = NotebookNode(cell_type="code", outputs=[NotebookNode(data={"text/html": html})])
    (figure,) = website.taken_out(cell, "02_x", before=4)
    assert (figure.anchor, figure.title, figure.content) == ("figure-02-5", "A < b", content)
    shown = cell.outputs[0].data["text/html"]
    assert 'alt="A &lt; b. More." width="100" height="50"' in shown
    assert f'src="../figures/{figure.name}"' in shown
    assert shown.endswith('<a class="figure-number" href="#figure-02-5">Figure 2.5</a>')


# Docstrings


@pytest.mark.parametrize("module", [address, docstrings, website], ids=lambda m: m.__name__)
def test_the_examples_of_the_makers_run(module: ModuleType) -> None:
    tried = doctest.testmod(module)
    assert tried.attempted > 0
    assert tried.failed == 0


def test_formulas_in_docstrings_are_no_markup() -> None:
    lines = ["π* and R_t of `x_`.", "", "    a  |b|", "", "After.", ">>> x * 2", "4"]
    assert docstrings.as_rst(lines) == [
        r"π\* and R\_t of ``x_``.",
        "",
        "",
        "::",
        "",
        "    a  |b|",
        "",
        "",
        "After.",
        ">>> x * 2",
        "4",
    ]


@dataclass
class Walk:
    """A walk."""

    # of each day, and no longer than
    # a foot bears
    length: int = 5
    pace: float = 1.5  # km/h, above 0 [Naismith]
    name: str = "α"  # whose
    silent: bool = True
    weight: float = (
        1_000 + 1  # kg
    )


@dataclass
class Tour(Walk):
    """Many walks."""

    pace: float = 2.5
    days: int = 3  # at least 1


def test_a_field_is_explained_by_the_comment_beside_it_or_above_it() -> None:
    said = {
        "length": "of each day, and no longer than a foot bears",
        "pace": "km/h, above 0 [Naismith]",
        "name": "whose",
        "weight": "kg",
    }
    assert docstrings.comments(Walk) == said
    assert docstrings.comments(Tour) == {"days": "at least 1"}


def test_a_class_lists_the_fields_that_it_inherits() -> None:
    lines = ["Many walks."]
    docstrings.process(None, "class", f"{__name__}.Tour", Tour, None, lines)
    assert lines == [
        "Many walks.",
        "",
        f"From ``{__name__}.Walk``:",
        "",
        "- ``length = 5``: of each day, and no longer than a foot bears",
        "- ``name = 'α'``: whose",
        "- ``silent = True``",
        "- ``weight = 1001``: kg",
    ]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_setting_of_a_trainer_is_explained_where_it_stands(algorithm: str) -> None:
    config = ALGORITHMS[algorithm].config
    explained = [docstrings.comments(base) for base in config.__mro__]
    fields = [field.name for field in dataclasses.fields(config)]
    assert [name for name in fields if not any(name in said for said in explained)] == []


# What is looked for in a built site


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.html").write_text('<p id="top"><a href="sub/a.html#one">a</a></p>')
    (tmp_path / "sub" / "a.html").write_text('<h1 id="one"><a href="../index.html#top"></a></h1>')
    return tmp_path


def test_a_site_without_a_fault_is_called_so(site: Path) -> None:
    assert websitecheck.faults(site) == []


@pytest.mark.parametrize(
    ("markup", "fault"),
    [
        ('<a href="gone.html">', "there is no gone.html"),
        ('<a href="sub/a.html#two">', "there is no sub/a.html#two"),
        ('<a href="#two">', "there is no #two"),
        ('<a href="../secret">', "there is no ../secret"),
        ('<img src="sub/a.html">', "a picture without words: sub/a.html"),
        ('<img alt="x" src="gone.png">', "there is no gone.png"),
        ('<img alt="x" src="//cdn.x/a.png">', "loads //cdn.x/a.png from another host"),
        ('<script src="https://cdn.x/a.js">', "loads https://cdn.x/a.js from another host"),
        ('<link href="https://fonts.x/a.css">', "loads https://fonts.x/a.css from another host"),
        ('<p style="background: url(https://x.y/z)">', "loads https://x.y/z from another host"),
        ('<p id="top"></p>', "two elements with the id top"),
    ],
)
def test_a_fault_of_a_page_is_found(site: Path, markup: str, fault: str) -> None:
    path = site / "index.html"
    path.write_text(path.read_text() + markup)
    assert websitecheck.faults(site) == [f"index.html: {fault}"]


def test_a_link_out_of_the_book_is_the_readers_to_follow(site: Path) -> None:
    (site / "b.html").write_text('<a href="https://arxiv.org/abs/1602.01783">the paper</a>')
    assert websitecheck.faults(site) == []


def test_styles_scripts_and_sizes_are_looked_at(site: Path, monkeypatch) -> None:
    monkeypatch.setattr(websitecheck, "LARGEST", 48)
    (site / "a.css").write_text("@import 'https://a.b/c.css'; p { background: url(d.png) }")
    (site / "a.js").write_text("fetch('https://a.b/c.json') // https://www.w3.org/2000/svg")
    assert set(websitecheck.faults(site)) == {
        "a.css: loads https://a.b/c.css from another host",
        "a.js: names another host: a.b/c.json",
        "sub/a.html: 50 bytes; a page has at most 48",
    }


def test_a_folder_without_pages_is_no_site(tmp_path: Path) -> None:
    assert websitecheck.faults(tmp_path) == [f"there is no page in {tmp_path}"]


def test_the_command_ends_well_where_there_is_no_fault(site: Path) -> None:
    command = [sys.executable, websitecheck.__file__, str(site)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")
    (site / "index.html").write_text('<p id="top"><a href="gone.html">a</a></p>')
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (1, "index.html: there is no gone.html\n")


# The site as Sphinx builds it: `make site` in an environment that has it


def test_the_site_is_built_without_a_warning_or_a_fault(built: Path) -> None:
    assert websitecheck.faults(built) == []


def test_every_exercise_figure_and_word_can_be_linked(built: Path) -> None:
    for name in NAMES:
        found = websitecheck.parsed(built / "chapters" / f"{name}.html")
        _, stubs = stored(name)
        assert {website.label(each) for each in page.exercises(stubs)} <= found.anchors
    glossary = websitecheck.parsed(built / "docs" / "glossary.html")
    assert {"markov-property", "td-0", "entropy"} <= glossary.anchors
    listed = (built / "genindex.html").read_text("utf-8")
    assert "Markov property" in listed
    assert "n_step_returns() (in module a3c_lib.returns)" in listed


def test_every_setting_is_on_its_page_with_what_the_source_says_of_it(built: Path) -> None:
    own = (built / "api" / "training.html").read_text("utf-8")
    assert "discount per step, in [0, 1] [A3C]" in own
    inherited = (built / "api" / "a3c.html").read_text("utf-8")
    assert "discount per step, in [0, 1] [A3C]" in inherited
    assert "at least 1; as many as there are cores is good" in inherited
