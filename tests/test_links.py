"""No link of the book is dead, and the glossary and the bibliography keep their form."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import book
import pytest

ROOT = book.ROOT
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
BIBLIOGRAPHY = (ROOT / "docs" / "bibliography.md").read_text("utf-8")
SOURCES = sorted((ROOT / "solutions").glob("*.py"))


class Link(NamedTuple):
    page: Path
    target: str


def links(page: Path, text: str) -> Iterator[Link]:
    """The links and pictures of a page, those in code left out."""
    without_code = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    for target in re.findall(r"\]\(<?([^)\s>]+)>?\)", without_code):
        yield Link(page, target)


def dead(link: Link) -> str:
    """What is wrong with a link; empty if it leads somewhere, or out of the book."""
    if link.target.startswith(("https://", "http://")):
        return "" if re.fullmatch(r"https?://[\w.-]+\.\w+(/\S*)?", link.target) else "no address"
    path, _, anchor = unquote(link.target).partition("#")
    place = (link.page.parent / path).resolve() if path else link.page
    if not place.exists():
        return f"there is no {path}"
    if anchor and anchor not in anchors(place):
        return f"{place.name} has no heading #{anchor}"
    return ""


def anchors(page: Path) -> set[str]:
    """What a link to a heading of a page may say after #."""
    if page.suffix == ".ipynb":
        headings = re.findall(r"^#+ +(.+)$", markdown(page), re.MULTILINE)
        return {heading.strip().replace(" ", "-") for heading in headings}
    headings = re.findall(r"^#+ +(.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {slug(heading) for heading in headings}


def slug(heading: str) -> str:
    """GitHub's, and JupyterLab's in its preview, of a heading without marks.

    >>> slug("TD(0)"), slug("n-step return")
    ('td0', 'n-step-return')
    """
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def markdown(path: Path) -> str:
    """The text of a notebook, as its source gives it."""
    solved, stubs = book.pages(ROOT / "solutions" / f"{path.stem}.py")
    page = stubs if path.parent.name == "chapters" else solved
    return "\n\n".join(cell.source for cell in page.cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_no_link_of_a_page_is_dead(page: Path) -> None:
    wrong = {link.target: dead(link) for link in links(page, page.read_text("utf-8"))}
    assert {target: why for target, why in wrong.items() if why} == {}


@pytest.mark.parametrize("folder", ["chapters", "solutions"])
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_no_link_of_a_chapter_is_dead(source: Path, folder: str) -> None:
    page = ROOT / folder / f"{source.stem}.ipynb"
    found = list(links(page, markdown(page)))
    assert found
    wrong = {link.target: dead(link) for link in found}
    # A neighbour that is not built yet has a source.
    built = {f"{each.stem}.ipynb" for each in SOURCES}
    assert {to: why for to, why in wrong.items() if why and to not in built} == {}


def test_dead_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "here.md").write_text("# TD(0) and more\n")
    page = tmp_path / "page.md"
    text = "[a](here.md#td0-and-more) [b](here.md#td) [c](gone.md) `[d](x)` [e](https://x)"
    assert [dead(link) for link in links(page, text)] == [
        "",
        "here.md has no heading #td",
        "there is no gone.md",
        "no address",
    ]


# The glossary and the bibliography

TERMS = [entry.partition("\n") for entry in GLOSSARY.split("\n## ")[1:]]


@pytest.mark.parametrize("entry", TERMS, ids=lambda entry: entry[0])
def test_a_term_has_two_sentences_a_chapter_and_what_others_call_it(entry) -> None:
    text, where = entry[2].strip().split("\n\n")
    sentences = re.split(r"(?<=[.?!])\s+(?=[A-Z$`γ])", re.sub(r"\$[^$]*\$", "$", text))
    assert len(sentences) == 2, sentences
    chapter = re.match(
        r"(?:\[Chapter (\d\d)\]\(\.\./chapters/\1_\w+\.ipynb\)|Chapter (\d\d))\.", where
    )
    assert chapter, where
    written = {source.name[:2] for source in SOURCES}
    assert (chapter[1] in written) if chapter[1] else (chapter[2] not in written), (
        "link the chapter"
    )
    assert re.fullmatch(r"(| (?:Others call it|Note): .+\.)", where[chapter.end() :])


def test_terms_stand_in_alphabetical_order_each_once() -> None:
    names = [name.lower() for name, _, _ in TERMS]
    assert names == sorted(set(names))
    assert len({slug(name) for name in names}) == len(names)


def test_the_fields_words_are_there() -> None:
    words = """Markov property, Partially observable, Bellman equation, Monte Carlo, TD(0), On-policy,
    Off-policy, Sample efficiency, Exploration, Credit assignment, Score function, GAE, PPO"""
    assert {word.strip() for word in words.split(",")} <= {name for name, _, _ in TERMS}


def test_a_work_has_a_year_and_a_line_on_what_to_read() -> None:
    works = re.findall(r"^\*\*.+?(?=\n\n|\Z)", BIBLIOGRAPHY, re.MULTILINE | re.DOTALL)
    assert len(works) > 20
    programs = BIBLIOGRAPHY.index("## Programs")
    for work in works:
        first, *lines = work.split("\n")
        assert lines, first
        if BIBLIOGRAPHY.index(work) < programs:
            assert re.search(r"\*\* (Second edition|(19|20)\d\d)\.", first), first
