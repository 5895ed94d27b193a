"""The form of a page of the book: what every chapter's notebook has beside what its author wrote.

An author writes cells and tags them; here a page gets

- links to the chapters before and after it, to the notation, the glossary and the bibliography;
- the time it takes, in place of `{time}`: words at 150 a minute, lines of code at 40, and the
  minutes of its exercises, which stand at each exercise too;
- where the repository's address is known, the buttons that open it without installing;
- a first cell that says what to do where the package is missing, and installs it on Colab;
- folded cells: those tagged `hide-input`, and the asserts with which a cell ends;
- in the learner's notebook no output where a cell is tagged `prediction`, nor in those that follow
  it up to the next text.
"""

import ast
import copy
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from address import Repository
from nbformat import NotebookNode

from a3c_lib.exercises.engine import registry

WORDS_A_MINUTE, LINES_A_MINUTE = 150, 40
CHECKED, FOLDED, PREDICTED = "nbval-check-output", "hide-input", "prediction"  # tags

PAGES = {
    "contents": "../README.md",
    "notation": "../NOTATION.md",
    "glossary": "../docs/glossary.md",
    "bibliography": "../docs/bibliography.md",
}
GUARD = """\
# Is the book's package there? If it is not, this says what to do.
import importlib.util
import sys

if importlib.util.find_spec("a3c_lib") is None:
    raise SystemExit(
        f"The package a3c_lib is not there for {sys.executable}, which runs this notebook.\\n"
        "- On your own machine: open the book with `make lab`, and choose the kernel “A3C book” "
        "(Kernel → Change Kernel); in VS Code, the Python in the book's folder .venv.\\n"
        "- On Colab or another machine: bring the whole folder of the book there, run "
        "%pip install -e 'FOLDER[book]', restart the kernel, and work in FOLDER/chapters."
    )"""


INSTALL = """\
if importlib.util.find_spec("a3c_lib") is None and "google.colab" in sys.modules:
    %pip install --quiet "a3c_lib[book] @ git+{url}"

"""


class PageError(Exception):
    """A page lacks what its form needs; the message says what, and where."""


# Links


def links(source: Path, sources: Sequence[Path]) -> str:
    """A line of links: the chapters before and after, and the pages that belong to all of them."""
    at = sources.index(source)
    line = [f"[← {title(each)}]({each.stem}.ipynb)" for each in sources[:at][-1:]]
    line += [f"[{name}]({path})" for name, path in PAGES.items()]
    line += [f"[{title(each)} →]({each.stem}.ipynb)" for each in sources[at + 1 :][:1]]
    return " · ".join(line)


def title(source: Path) -> str:
    """A chapter's number and name, from its first heading: "01 Actor-critic"."""
    found = re.search(r"^# # (\d\d) +(.+)$", source.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise PageError(f"{source.name}: the first heading is to be `# # NN  Name`")
    return f"{found[1]} {found[2]}"


def linked(notebook: NotebookNode, line: str, buttons: str = "") -> NotebookNode:
    """The page with the links under its title, and once more at its end; under the title also what
    opens it without installing, if there is something."""
    page = copy.deepcopy(notebook)
    first = page.cells[0]
    heading, newline, rest = first.source.partition("\n")
    under = f"{line}\n\n{buttons}" if buttons else line
    first.source = f"{heading}\n\n{under}{newline}{rest}"
    end = NotebookNode(cell_type="markdown", id="links", metadata=NotebookNode(), source=line)
    page.cells.append(end)
    return page


# Time


class Minutes(NamedTuple):
    """What a page takes."""

    words: float
    code: float
    exercises: float

    @property
    def total(self) -> int:
        """To the next five minutes."""
        return max(5, 5 * round(sum(self) / 5))

    def __str__(self) -> str:
        return (
            f"about {self.total} minutes: {self.words:.0f} for the text, {self.code:.0f} for the "
            f"code, {self.exercises:.0f} for the exercises"
        )


def minutes(stubs: NotebookNode) -> Minutes:
    """Of the learner's notebook: what is folded away, and written by the learner, is not read."""
    texts = [cell.source for cell in stubs.cells if cell.cell_type == "markdown"]
    code = [c.source for c in stubs.cells if c.cell_type == "code" and not is_folded(c)]
    lines = [line for source in code for line in source.splitlines() if line.strip()]
    return Minutes(
        words=sum(len(text.split()) for text in texts) / WORDS_A_MINUTE,
        code=len(lines) / LINES_A_MINUTE,
        exercises=sum(registry.find(exercise_id).minutes for exercise_id in exercises(stubs)),
    )


HEADING = re.compile(r"^### Exercise (\d+\.\d+)  .+$", re.MULTILINE)


def exercises(notebook: NotebookNode) -> Iterator[str]:
    """The ids in the headings of exercises, in order."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield from HEADING.findall(cell.source)


def timed(notebook: NotebookNode, spent: Minutes) -> NotebookNode:
    """The page that says what it takes, all of it and each exercise."""
    page = copy.deepcopy(notebook)
    first = page.cells[0]
    if "{time}" not in first.source:
        raise PageError(f"{first.id}: the header says no `{{time}}`")
    first.source = first.source.replace("{time}", str(spent))
    for cell in page.cells:
        if cell.cell_type == "markdown":
            cell.source = HEADING.sub(_with_effort, cell.source)
    return page


def _with_effort(heading: re.Match[str]) -> str:
    asked = registry.find(heading[1])
    help_line = f' · for help: `hint("{asked.id}")`' if asked.hints else ""
    return f"{heading[0]}\n\n*{asked.effort}*{help_line}"


# The first cell


def guarded(notebook: NotebookNode, known: Repository | None = None) -> NotebookNode:
    """The page with a first cell that asks for the package; on Colab it installs it, if it is known
    from where."""
    page = copy.deepcopy(notebook)
    page.cells.insert(1, code_cell(guard(known), "guard", [FOLDED]))
    return page


def guard(known: Repository | None) -> str:
    if known is None:
        return GUARD
    imports, condition, rest = GUARD.partition("if importlib")
    return imports + INSTALL.format(url=known.url) + condition + rest


def code_cell(source: str, cell_id: str, tags: list[str]) -> NotebookNode:
    return NotebookNode(
        cell_type="code",
        id=cell_id,
        metadata=NotebookNode(tags=tags),
        source=source,
        execution_count=None,
        outputs=[],
    )


# What is folded away


def folded(notebook: NotebookNode) -> NotebookNode:
    """The page on which the book's own checks stand in cells of their own, folded like every cell
    that is tagged so."""
    page = copy.deepcopy(notebook)
    page.cells = [part for cell in page.cells for part in _parts(cell)]
    for cell in page.cells:
        if is_folded(cell):
            cell.metadata["jupyter"] = NotebookNode(source_hidden=True)
    return page


def is_folded(cell: NotebookNode) -> bool:
    return FOLDED in cell.metadata.get("tags", [])


def _parts(cell: NotebookNode) -> Iterator[NotebookNode]:
    """A cell, and its checks apart; a cell of nothing but checks is folded as a whole."""
    if cell.cell_type != "code" or "@exercise(" in cell.source or is_folded(cell):
        yield cell
        return
    shown, checks = without_checks(cell.source)
    if not checks:
        yield cell
    elif not shown:
        cell.metadata["tags"] = [*cell.metadata.get("tags", []), FOLDED]
        yield cell
    else:
        cell.source = shown
        yield cell
        yield code_cell(checks, f"{cell.id}-check", [FOLDED])


def without_checks(source: str) -> tuple[str, str]:
    """A cell's code, and the asserts with which it ends.

    >>> without_checks("x = 1\\n# One.\\nassert x == 1\\nassert x < 2")
    ('x = 1', '# One.\\nassert x == 1\\nassert x < 2')
    """
    try:
        body = ast.parse(source).body
    except SyntaxError:  # an IPython command
        return source, ""
    first = len(body)
    while first and checks_only(body[first - 1]):
        first -= 1
    if first == len(body):
        return source, ""
    lines = source.split("\n")
    at = body[first].lineno - 1
    while at and lines[at - 1].lstrip().startswith("#"):  # what the checks are about
        at -= 1
    return "\n".join(lines[:at]).rstrip(), "\n".join(lines[at:])


def checks_only(statement: ast.stmt) -> bool:
    """Whether a statement does nothing but assert."""
    match statement:
        case ast.Assert():
            return True
        case ast.Expr(ast.Call(ast.Attribute(_, name))):
            return name.startswith("assert_")
        case ast.For(body=body, orelse=[]) | ast.With(body=body):
            return all(map(checks_only, body))
    return False


# Predictions


def unspoiled(stubs: NotebookNode) -> NotebookNode:
    """The learner's page: of a cell that asks for a prediction, and of those that follow it up to
    the next text, no output is stored or compared."""
    page = copy.deepcopy(stubs)
    asked = False
    for cell in page.cells:
        asked = cell.cell_type == "code" and (asked or is_predicted(cell))
        if asked:
            tags = cell.metadata.get("tags", [])
            kept = [tag for tag in tags if tag not in (CHECKED, PREDICTED)]
            cell.metadata["tags"] = [*kept, PREDICTED]
    return page


def answered(solved: NotebookNode) -> NotebookNode:
    """The solved page, which shows all outputs."""
    page = copy.deepcopy(solved)
    for cell in page.cells:
        if is_predicted(cell):
            cell.metadata["tags"] = [tag for tag in cell.metadata["tags"] if tag != PREDICTED]
            if not cell.metadata["tags"]:
                del cell.metadata["tags"]
    return page


def is_predicted(cell: NotebookNode) -> bool:
    return PREDICTED in cell.metadata.get("tags", [])


def without_answers(executed: NotebookNode) -> NotebookNode:
    """A page that was run, without the outputs that are to be predicted."""
    page = copy.deepcopy(executed)
    for cell in page.cells:
        if is_predicted(cell):
            cell.outputs = []
    return page
