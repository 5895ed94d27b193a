"""The web site in a real browser, where there is one: `make .venv/ready-for-site` brings playwright,
and Chromium is the system's (or `playwright install chromium`'s)."""

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import book
import pytest

CHAPTERS = [
    f"chapters/{source.stem}.html" for source in sorted((book.ROOT / "solutions").glob("*.py"))
]
KINDS = (  # each kind of page, and of the chapters two
    "index.html",
    "exercises.html",
    "figures.html",
    "genindex.html",
    "NOTATION.html",
    "BUILDING.html",
    "docs/bibliography.html",
    "docs/glossary.html",
    "_modules/a3c_lib/returns.html",
    "api/index.html",
    "api/returns.html",
    "search.html?q=entropy",
    CHAPTERS[2],
    CHAPTERS[10],
)
PAGES = (*KINDS, *(chapter for chapter in CHAPTERS if chapter not in KINDS))


WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 400, "height": 900}
PATIENCE = 240  # seconds, on a machine that does much else
AXE = book.ROOT / "build" / "axe" / "package" / "axe.min.js"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture(scope="module")
def home(browser: Any, built: Path) -> Iterator[str]:
    """The site's address; a browser is asked for first, so that nothing is built in vain."""
    handler = partial(Quiet, directory=str(built))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Visit:
    """A page that is open, and what went wrong on it."""

    def __init__(self, context: Any, home: str) -> None:
        self.home = home
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE * 1000)
        self.wrong: list[str] = []
        self.page.on("console", lambda m: m.type == "error" and self.wrong.append(m.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", self._asked)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.home, "data:")):
            self.wrong.append(f"another host is asked: {request.url}")

    def open(self, path: str) -> Any:
        """Open a page, and wait for its scripts, and for what they fetch: on a busy machine the
        network is idle before they have begun."""
        self.page.goto(self.home + path, wait_until="load")
        self.page.wait_for_load_state("networkidle")
        return self.page


@pytest.fixture(scope="module", params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", params=PAGES)
def path(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def readers(browser: Any) -> Iterator[dict[str, Any]]:
    """Theme of a reader's system → a browser's context, in which no file is fetched twice."""
    contexts = {
        theme: browser.new_context(viewport=WIDE, color_scheme=theme) for theme in ("light", "dark")
    }
    yield contexts
    for context in contexts.values():
        context.close()


@pytest.fixture(scope="module")
def opened(readers: dict[str, Any], home: str, theme: str, path: str) -> Iterator[Visit]:
    """Each page in each theme, opened once for all that is asked of it."""
    visit = Visit(readers[theme], home)
    visit.open(path)
    yield visit
    visit.page.close()


@pytest.fixture
def visit(browser: Any, home: str) -> Iterator[Visit]:
    context = browser.new_context(viewport=WIDE, color_scheme="light")
    yield Visit(context, home)
    context.close()


def test_a_page_opens_without_an_error_and_asks_nobody_else(opened: Visit, theme: str) -> None:
    assert opened.page.locator("html").get_attribute("data-theme") == theme
    assert opened.page.locator("h1:visible").count() == 1
    assert opened.wrong == []


@pytest.mark.skipif(
    not AXE.exists(), reason="there is no axe-core: make .venv/ready-for-site, where npm is"
)
@pytest.mark.parametrize("path", KINDS, indirect=True)
def test_contrast_words_and_roles_are_accessible(opened: Visit) -> None:
    opened.page.add_script_tag(path=str(AXE))
    found = opened.page.evaluate("axe.run()")["violations"]
    assert [
        (each["id"], node["html"][:200])
        for each in found
        if each["impact"] != "minor"
        for node in each["nodes"]
    ] == []


def test_a_page_fits_a_phone(opened: Visit) -> None:
    opened.page.set_viewport_size(PHONE)
    needed = opened.page.evaluate("document.documentElement.scrollWidth")
    opened.page.set_viewport_size(WIDE)
    assert needed <= PHONE["width"]


def test_formulas_are_drawn(visit: Visit) -> None:
    for path in "chapters/02_n_step_returns.html", "NOTATION.html", "docs/glossary.html":
        page = visit.open(path)
        page.wait_for_selector("mjx-container svg")
        assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
        drawn = page.locator("mjx-container").count()
        assert drawn == page.locator("span.math, div.math").count() > 10
    assert visit.wrong == []


def test_a_formula_wider_than_the_page_is_reached_with_the_keyboard(visit: Visit) -> None:
    wide = """[...document.querySelectorAll('mjx-container[display="true"]')].filter(
        formula => formula.scrollWidth > formula.clientWidth)"""
    visit.page.set_viewport_size(PHONE)
    page = visit.open("chapters/10_continuous_control.html")
    page.wait_for_selector('mjx-container[display="true"][tabindex="0"]')
    assert page.evaluate(f"{wide}.length") > 3
    assert page.evaluate(f"{wide}.every(formula => formula.tabIndex === 0)")


def test_a_search_finds_entropy(visit: Visit) -> None:
    page = visit.open("search.html?q=entropy")
    page.wait_for_selector("ul.search li a")
    found = page.locator("ul.search > li > a").all_inner_texts()
    assert "03 The entropy bonus" in found[:5]
    assert "System Settings" not in page.locator("ul.search").inner_text()


def test_the_theme_switches(visit: Visit) -> None:
    page = visit.open("index.html")
    for chosen in "dark", "light":
        page.locator("button.theme-switch-button:visible").first.click()
        page.locator(f'button.theme-change-button[data-mode="{chosen}"]:visible').click()
        assert page.locator("html").get_attribute("data-theme") == chosen


def test_hints_and_a_solution_are_folded_away_until_they_are_asked_for(visit: Visit) -> None:
    page = visit.open("chapters/02_n_step_returns.html")
    folds = page.locator("details.hint, details.solution")
    summaries = ["Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3", "A solution"]
    said = ["", "", "for t in reversed(range(len(rewards)))", "returns[::-1]"]
    for fold, summary, words in zip(folds.all(), summaries, said, strict=False):
        shown = fold.locator("summary ~ *").first
        assert not shown.is_visible()
        fold.get_by_text(summary, exact=True).click()
        assert shown.is_visible()
        assert words in fold.inner_text()


def test_a_film_stops_at_the_press_of_a_button(visit: Visit) -> None:
    page = visit.open("chapters/00_the_loop.html")
    film = page.locator("img[data-still]").first
    moving = film.get_attribute("src")
    button = page.locator("button.film").first
    assert button.inner_text() == "❚❚ Pause"
    button.click()
    assert film.get_attribute("src") == film.get_attribute("data-still") != moving
    button.click()
    assert film.get_attribute("src") == moving
    assert visit.wrong == []


def test_a_code_cell_can_be_copied(visit: Visit) -> None:
    page = visit.open("chapters/02_n_step_returns.html")
    assert page.locator("button.copybtn").count() > 10
