"""The book as a web site: notebooks, documents and docstrings → build/site.

    python tools/website.py          write what Sphinx reads, let it build, and check what it built

Nothing is run and nothing is fetched. A chapter is its stored notebook of solutions/ with each
exercise as the learner gets it, from chapters/; its hints, its solution, and every output that the
text asks to predict, are folded away. Beside the chapters stand lists of all exercises and figures,
and a page for each module of the package.
"""

import base64
import copy
import hashlib
import html
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]
import page
import tree
import websitecheck

from a3c_lib.exercises.engine import registry

SITE = ROOT / "build" / "site"
SOURCE = ROOT / "build" / "site-source"
DOCUMENTS = (
    "NOTATION.md",
    "docs/glossary.md",
    "docs/bibliography.md",
    "docs/teaching.md",
    "BUILDING.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "SECURITY.md",
)
NO_PROSE = re.compile(
    r"""
    ```.*?```  |  `[^`]*`                                # code
    | \$\$.*?\$\$  |  \$[^$\n]*\$                        # formulas
    | !?\[ (?: [^\[\]] | \[[^\]]*\] )* \] \( [^)]* \)   # links and pictures
    | <[^>]*>                                            # tags
    | ^[#][^\n]*$ | ^\([^\n]*\)=$ | ^[ ]{4}[^\n]*$       # headings, their names, code
    """,
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
WORD = re.compile(r"\[\*\*([^\]]+)\*\*\]\(\.\./docs/glossary\.md#[^)]+\)")
IMAGE = re.compile(r'<img alt="([^"]*)" width="(\d+)" src="data:image/(\w+);base64,([^"]+)"\s*/?>')


NAMES_OF_BUTTONS = {
    '<summary aria-label="Toggle hidden content">': "<summary>",
    '<summary><span class="toctree-toggle"': (
        '<summary aria-label="The pages below"><span class="toctree-toggle"'
    ),
    'search-button-field search-button__button pst-js-only" title="Search" aria-label="Search"': (
        'search-button-field search-button__button pst-js-only" title="Search"'
    ),
}


CODE = re.compile(r"`[^`]*`")
ASKED = re.compile(r'^@exercise\("([\d.]+)"\)', re.MULTILINE)
LOGO = re.compile(
    r'<div class="sidebar-primary-item">(\s*<a class="navbar-brand logo"(?:(?!</a>).)*</a>\s*)</div>',
    re.DOTALL,
)


class SiteError(Exception):
    """The site cannot be built; the message says why."""


class Figure(NamedTuple):
    """A picture of a chapter, taken out of its page."""

    chapter: str  # the stem of its notebook
    number: int  # within the chapter, from 1
    words: str  # what it shows, for those who do not see it
    name: str  # of its file, from its content
    content: bytes

    @property
    def anchor(self) -> str:
        return f"figure-{self.chapter[:2]}-{self.number}"

    @property
    def called(self) -> str:
        """What the text may call it.

        >>> Figure("02_n", 3, "", "", b"").called
        'Figure 2.3'
        """
        return f"Figure {int(self.chapter[:2])}.{self.number}"

    @property
    def title(self) -> str:
        """The first sentence of its words; two where the first says little.

        >>> Figure("02_n", 3, "What 0.5 does here. Axes: n.", "", b"").title
        'What 0.5 does here'
        >>> Figure("02_n", 3, "Before. Cells and values. Axes: n.", "", b"").title
        'Before. Cells and values'
        """
        first, *rest = re.split(r"(?<=[.?!])\s+", self.words)
        said = f"{first} {rest[0]}" if rest and len(first.split()) < 3 else first
        return said.rstrip(".")


# A chapter


def chapter(
    name: str, solved: NotebookNode, stubs: NotebookNode, chapters: tuple[str, ...] = ()
) -> tuple[NotebookNode, list[Figure]]:
    """A chapter as the site has it, and its figures; `chapters` are those that can be linked.

    Raises SiteError if the two notebooks are not of one source.
    """
    learners = {cell.id: cell for cell in stubs.cells}
    if set(learners) != {cell.id for cell in solved.cells}:
        raise SiteError(f"{name}: solutions/ and chapters/ have different cells; run `make book`")
    result = copy.deepcopy(solved)
    figures: list[Figure] = []
    result.cells = [
        part
        for cell in result.cells
        if cell.id not in ("guard", "links")
        for part in parts(cell, learners[cell.id])
    ]
    for cell in result.cells:
        if cell.cell_type == "markdown":
            cell.source = text(cell.source, chapters)
        else:
            figures += taken_out(cell, name, len(figures))
    result.cells[0].source = with_links(result.cells[0].source, name)
    return result, figures


def parts(solved: NotebookNode, stub: NotebookNode) -> Iterator[NotebookNode]:
    """A cell of a chapter; an exercise becomes the stub, and its hints and its solution folded
    away."""
    if solved.cell_type == "code" and page.PREDICTED in stub.metadata.get("tags", []):
        solved.metadata["tags"] = [*solved.metadata.get("tags", []), "hide-output"]
    if solved.cell_type == "markdown":
        if solved.source != stub.source:
            solved.source = f"{stub.source}\n\n{folded('A solution', solved.source)}"
        yield solved
    elif solved.source == stub.source:
        yield solved
    else:
        asked = page.code_cell(stub.source, f"{solved.id}-stub", ["exercise"])
        yield asked
        answer = re.sub(r"^ *### (BEGIN|END) SOLUTION\n?", "", solved.source, flags=re.MULTILINE)
        yield NotebookNode(
            cell_type="markdown",
            id=f"{solved.id}-solution",
            metadata=NotebookNode(),
            source="\n\n".join(
                [*hints(stub.source), folded("A solution", f"```python\n{answer.rstrip()}\n```")]
            ),
        )
        said = [output for output in solved.outputs if not is_verdict(output)]
        if said:  # what the cell prints beside the verdict
            solved.outputs = said
            solved.metadata["tags"] = ["remove-input"]
            yield solved


def is_verdict(output: NotebookNode) -> bool:
    return output.get("data", {}).get("text/plain", "").startswith("✓ ")


def hints(stub: str) -> Iterator[str]:
    """What `hint` gives for an exercise in a notebook, one fold for each."""
    for exercise_id in ASKED.findall(stub):
        said = registry.find(exercise_id).hints
        for number, each in enumerate(said, start=1):
            yield folded(f"Hint {number} of {len(said)}", as_prose(each), "hint")


def as_prose(said: str) -> str:
    """Words that are no Markdown, but for code between backticks, as Markdown.

    >>> print(as_prose("x * y and `x * y`"))
    x \\* y and `x * y`
    """
    return outside(said, lambda words: re.sub(r"([\\*_\[\]{}<>()#+!|$~^-])", r"\\\1", words), CODE)


def folded(summary: str, content: str, kind: str = "solution") -> str:
    """Content that opens when its summary is clicked."""
    return f'<details class="{kind}"><summary>{summary}</summary>\n\n{content}\n\n</details>'


def taken_out(cell: NotebookNode, name: str, before: int) -> list[Figure]:
    """The figures of a cell, each replaced by a picture that lies beside the pages."""
    found: list[Figure] = []

    def picture(image: re.Match[str]) -> str:
        words, width, kind, data = image.groups()
        content = base64.b64decode(data)
        file = f"{hashlib.sha256(content).hexdigest()[:16]}.{kind}"
        figure = Figure(name, before + len(found) + 1, html.unescape(words), file, content)
        found.append(figure)
        return tag(figure, int(width))

    for output in cell.get("outputs", []):
        if "text/html" in (data := output.get("data", {})):
            data["text/html"] = IMAGE.sub(picture, data["text/html"])
    return found


def tag(figure: Figure, width: int) -> str:
    """A picture's HTML, with its number, and its shape, so that the page does not jump when it
    comes; a film gets its first frame beside it, to stand still."""
    across, down = struct.unpack(">II", figure.content[16:24])
    film = f' data-still="../figures/still-{figure.name}"' if still(figure.content) else ""
    return (
        f'<img id="{figure.anchor}" class="figure" alt="{html.escape(figure.words)}" '
        f'width="{width}" height="{round(width * down / across)}" loading="lazy" '
        f'src="../figures/{figure.name}"{film}>'
        f'<a class="figure-number" href="#{figure.anchor}">{figure.called}</a>'
    )


def still(png: bytes) -> bytes | None:
    """The first frame of an animated PNG, as a PNG of its own; None for one that does not move."""
    head, at, kept, moves = png[:8], 8, [], False
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind = png[at + 4 : at + 8]
        moves |= kind == b"acTL"
        if kind not in (b"acTL", b"fcTL", b"fdAT"):
            kept.append(png[at : at + length + 12])
        at += length + 12
    return head + b"".join(kept) if moves else None


# Text


def text(markdown: str, chapters: tuple[str, ...] = ()) -> str:
    """A cell's text with what only the site has: names for its exercises, links to exercises and
    chapters that are mentioned, an entry in the index for each word that is explained."""
    markdown = page.HEADING.sub(
        lambda found: f"({label(found[1])})=\n{found[0]}", markdown.replace("README.md", "index.md")
    )
    return indexed(outside(markdown, lambda prose: mentions(prose, chapters)))


def label(exercise_id: str) -> str:
    return f"exercise-{exercise_id.replace('.', '-')}"


def outside(markdown: str, change: Callable[[str], str], kept: re.Pattern[str] = NO_PROSE) -> str:
    """A change of the text that is no code, formula, link, heading or tag, or what else is kept."""
    result, at = [], 0
    for found in kept.finditer(markdown):
        result += [change(markdown[at : found.start()]), found[0]]
        at = found.end()
    return "".join([*result, change(markdown[at:])])


def mentions(prose: str, chapters: tuple[str, ...]) -> str:
    """ "exercise 2.1", "figure 2.1" and "chapter 03" as links, where the book has them.

    >>> mentions("as in chapter 03", ("03_entropy_bonus",))
    'as in [chapter 03](/chapters/03_entropy_bonus.ipynb)'
    >>> mentions("as in figure 3.2", ("03_entropy_bonus",))
    'as in <a href="03_entropy_bonus.html#figure-03-2">figure 3.2</a>'
    """
    stems = {stem[:2]: stem for stem in chapters}

    def to_chapter(found: re.Match[str]) -> str:
        stem = stems.get(found[1])
        return f"[{found[0]}](/chapters/{stem}.ipynb)" if stem else found[0]

    def to_exercise(found: re.Match[str]) -> str:
        known = found[1][0] in {stem[1] for stem in chapters}
        return f"[{found[0]}](#{label(found[1])})" if known else found[0]

    def to_figure(found: re.Match[str]) -> str:
        stem = stems.get(found[1].zfill(2))
        place = f"{stem}.html#figure-{found[1].zfill(2)}-{found[2]}"
        return f'<a href="{place}">{found[0]}</a>' if stem else found[0]

    prose = re.sub(r"\b[Cc]hapter (\d\d)\b", to_chapter, prose)
    prose = re.sub(r"\b[Ff]igure (\d+)\.(\d+)\b", to_figure, prose)
    return re.sub(r"\b[Ee]xercise (\d\.\d+)\b", to_exercise, prose)


def indexed(markdown: str) -> str:
    """The text with an index entry before each paragraph that explains a word."""
    blocks = re.split(r"\n\n(?![ \n])", markdown)
    return "\n\n".join(f"{entries(block)}{block}" for block in blocks)


def entries(block: str) -> str:
    words = (word.replace(";", ",") for word in WORD.findall(block))
    return "".join(f"```{{index}} {word}\n```\n\n" for word in words)


def with_links(head: str, name: str) -> str:
    """A chapter's first cell: in place of the notebook's line of links, which the site's own
    navigation makes needless, how to work through it."""
    lines = head.split("\n")
    if not lines[2].startswith(("[← ", "[contents]")):
        raise SiteError(f"{name}: the page begins without its links")
    file = f"{name}.ipynb"
    line = (
        f"To read here, and to work through as a notebook: `make lab` opens it, and "
        f'<a href="../notebooks/{file}" download>here is its file</a>.'
    )
    return "\n".join([*lines[:2], line, *lines[3:]])


# Pages beside the chapters


def with_entries(glossary: str) -> str:
    """The glossary with an entry in the index for each of its words.

    >>> with_entries("# Glossary\\n\\n## A2C\\n\\nIt is.")
    '# Glossary\\n\\n## A2C\\n\\n```{index} A2C\\n```\\n\\nIt is.'
    """
    return re.sub(r"^## (.+)$", r"\g<0>\n\n```{index} \1\n```", glossary, flags=re.MULTILINE)


def index(readme: str, chapters: tuple[str, ...]) -> str:
    """The first page: README, and the order of all pages."""
    parts = {
        "The chapters": [f"chapters/{name}" for name in chapters],
        "Beside the chapters": [
            "exercises",
            "figures",
            *(document.removesuffix(".md") for document in DOCUMENTS[:4]),
            "genindex",
        ],
        "The package": ["BUILDING", "api/index"],
        "The project": [document.removesuffix(".md") for document in DOCUMENTS[5:]],
    }
    return readme + "".join(toctree(pages, caption) for caption, pages in parts.items())


def toctree(pages: list[str], caption: str = "") -> str:
    lines = ["", "```{toctree}", ":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join([*lines, "", *pages, "```", ""])


def exercises_page(chapters: tuple[str, ...]) -> str:
    """A table of all exercises."""
    lines = [
        "# Exercises",
        "",
        "| exercise | what you write | time | difficulty |",
        "|---|---|---|---|",
    ]
    for name in chapters:
        for asked in registry.of_chapter(int(name[:2])):
            minutes, difficulty = asked.effort.split(", ")
            link = f"[{asked.id}](#{label(asked.id)})"
            lines.append(f"| {link} | {asked.title} | {minutes} | {difficulty} |")
    return "\n".join(lines) + "\n"


def figures_page(figures: list[Figure], titles: dict[str, str]) -> str:
    """A list of all figures, by chapter."""
    lines = ["# Figures and films", ""]
    for name, title in titles.items():
        lines += [f"## {title}", ""]
        for figure in figures:
            if figure.chapter == name:
                place = f"chapters/{name}.html#{figure.anchor}"
                said = html.escape(figure.title)
                lines.append(f'- <a href="{place}">{figure.called}</a>: {said}')
        lines.append("")
    return "\n".join(lines)


def api_index(modules: list[str]) -> str:
    lines = [
        "# The package, module by module",
        "",
        "What each module says of itself, in the order in which the book builds them.",
        "",
    ]
    for module in modules:
        path = tree.PACKAGE.joinpath(*module.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        lines.append(f"- [`a3c_lib.{module}`]({module}.md): {tree.sentence(path)}")
    return "\n".join(lines) + "\n" + toctree(modules)


def api_page(module: str) -> str:
    name = f"a3c_lib.{module}"
    return f"# {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n```\n"


# All of it


def write_sources(folder: Path = SOURCE, root: Path = ROOT) -> None:
    """Write everything that Sphinx reads."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(extra(folder), ignore_errors=True)
    sources = sorted((root / "solutions").glob("*.py"))
    names = tuple(source.stem for source in sources)
    modules = [m for m in tree.in_order() if m not in ("__main__", "exercises")]
    modules.append("exercises")
    figures: list[Figure] = []
    for name in names:
        solved, stubs = (
            nbformat.read(root / kind / f"{name}.ipynb", as_version=4)
            for kind in ("solutions", "chapters")
        )
        notebook, found = chapter(name, solved, stubs, names)
        figures += found
        put(folder / "chapters" / f"{name}.ipynb", nbformat.writes(notebook))
        notebooks = extra(folder) / "notebooks"
        notebooks.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / "chapters" / f"{name}.ipynb", notebooks)
    for figure in figures:
        put(extra(folder) / "figures" / figure.name, figure.content)
        if first := still(figure.content):
            put(extra(folder) / "figures" / f"still-{figure.name}", first)
    readme = (root / "README.md").read_text("utf-8")
    put(folder / "index.md", index(readme, names))
    for document in DOCUMENTS:
        said = (root / document).read_text("utf-8").replace("README.md", "index.md")
        put(folder / document, with_entries(said) if "glossary" in document else said)
    shutil.copytree(root / "images", folder / "images")
    titles = {source.stem: page.title(source) for source in sources}
    put(folder / "exercises.md", exercises_page(names))
    put(folder / "figures.md", figures_page(figures, titles))
    put(folder / "api" / "index.md", api_index(modules))
    for module in modules:
        put(folder / "api" / f"{module}.md", api_page(module))


def extra(source: Path) -> Path:
    """Where what goes into the site as it is lies, beside what Sphinx reads."""
    return source.with_name(f"{source.name}-extra")


def put(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def build(site: Path = SITE, source: Path = SOURCE) -> None:
    """Let Sphinx build the site anew. Raises SiteError where it warns of something."""
    shutil.rmtree(site, ignore_errors=True)
    doctrees = source.with_name(f"{source.name}-doctrees")
    options = ["--fail-on-warning", "--keep-going", "--quiet", "--fresh-env"]
    places = ["-c", str(ROOT / "web"), "-d", str(doctrees), str(source), str(site)]
    more = ["-D", f"html_extra_path={extra(source)}"]
    made = subprocess.run([sys.executable, "-m", "sphinx", *options, *more, *places], check=False)
    if made.returncode:
        raise SiteError("Sphinx did not build the site; the reasons stand above")
    for template in (site / "_static").glob("*.html"):  # the themes' own, which are no pages
        template.unlink()
    for path in site.rglob("*.html"):
        path.write_text(named(path.read_text("utf-8")), "utf-8")


def named(markup: str) -> str:
    """A page in which what can be clicked is called what it says, for whoever hears the page: the
    themes call a folded cell, and the field to search in, otherwise, and an arrow nothing."""
    for old, new in NAMES_OF_BUTTONS.items():
        markup = markup.replace(old, new)
    return LOGO.sub(
        r'<nav class="sidebar-primary-item" aria-label="The first page">\1</nav>', markup
    )


def main() -> None:
    try:
        write_sources()
        build()
    except SiteError as error:
        raise SystemExit(str(error)) from None
    if faults := websitecheck.faults(SITE):
        raise SystemExit("\n".join(faults))
    print(f"The site is built: open {SITE / 'index.html'}")


if __name__ == "__main__":
    main()
