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

NAMES = [source.stem for source in sorted((book.ROOT / "solutions").glob("*.py"))]
KINDS = (
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
    *(f"chapters/{name}.html" for name in NAMES),
)


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


@pytest.fixture(scope="module", params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    return request.param


class Visit:
    """A page that is open, and what went wrong on it."""

    def __init__(self, browser: Any, home: str, theme: str = "light", width: int = 1280) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme
        )
        self.home = home
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("console", lambda m: m.type == "error" and self.wrong.append(m.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", self._asked)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.home, "data:")):
            self.wrong.append(f"another host is asked: {request.url}")

    def open(self, path: str) -> Any:
        self.page.goto(self.home + path, wait_until="networkidle")
        return self.page

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


@pytest.mark.parametrize("path", KINDS)
def test_a_page_opens_without_an_error_and_asks_nobody_else(
    browser: Any, home: str, theme: str, path: str
) -> None:
    with Visit(browser, home, theme) as visit:
        page = visit.open(path)
        assert page.locator("html").get_attribute("data-theme") == theme
        assert page.locator("h1:visible").count() == 1
        assert visit.wrong == []


@pytest.mark.parametrize("path", KINDS)
def test_a_page_fits_a_phone(browser: Any, home: str, path: str) -> None:
    with Visit(browser, home, width=400) as visit:
        page = visit.open(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_formulas_are_drawn(browser: Any, home: str) -> None:
    with Visit(browser, home) as visit:
        for path in "chapters/02_n_step_returns.html", "NOTATION.html", "docs/glossary.html":
            page = visit.open(path)
            page.wait_for_selector("mjx-container svg")
            assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
            drawn = page.locator("mjx-container").count()
            assert drawn == page.locator("span.math, div.math").count() > 10
        assert visit.wrong == []


def test_a_formula_wider_than_the_page_is_reached_with_the_keyboard(
    browser: Any, home: str
) -> None:
    wide = """[...document.querySelectorAll('mjx-container[display="true"]')].filter(
        formula => formula.scrollWidth > formula.clientWidth)"""
    with Visit(browser, home, width=400) as visit:
        page = visit.open("chapters/10_continuous_control.html")
        page.wait_for_selector('mjx-container[display="true"][tabindex="0"]')
        assert page.evaluate(f"{wide}.length") > 3
        assert page.evaluate(f"{wide}.every(formula => formula.tabIndex === 0)")


def test_a_search_finds_entropy(browser: Any, home: str) -> None:
    with Visit(browser, home) as visit:
        page = visit.open("search.html?q=entropy")
        page.wait_for_selector("ul.search li a")
        found = page.locator("ul.search > li > a").all_inner_texts()
        assert "03 The entropy bonus" in found[:5]
        assert "System Settings" not in page.locator("ul.search").inner_text()


def test_the_theme_switches(browser: Any, home: str) -> None:
    with Visit(browser, home) as visit:
        page = visit.open("index.html")
        for chosen in "dark", "light":
            page.locator("button.theme-switch-button:visible").first.click()
            page.locator(f'button.theme-change-button[data-mode="{chosen}"]:visible').click()
            assert page.locator("html").get_attribute("data-theme") == chosen


def test_a_solution_is_folded_away_until_it_is_asked_for(browser: Any, home: str) -> None:
    with Visit(browser, home) as visit:
        page = visit.open("chapters/02_n_step_returns.html")
        fold = page.locator("details.solution").first
        assert not fold.locator("pre").first.is_visible()
        fold.locator("summary").click()
        assert fold.locator("pre").first.is_visible()
        assert "returns[::-1]" in fold.inner_text()


def test_a_film_stops_at_the_press_of_a_button(browser: Any, home: str) -> None:
    with Visit(browser, home) as visit:
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


def test_a_code_cell_can_be_copied(browser: Any, home: str) -> None:
    with Visit(browser, home) as visit:
        page = visit.open("chapters/02_n_step_returns.html")
        assert page.locator("button.copybtn").count() > 10


AXE = book.ROOT / "build" / "axe" / "package" / "axe.min.js"


@pytest.mark.skipif(
    not AXE.exists(), reason="there is no axe-core: make .venv/ready-for-site, where npm is"
)
@pytest.mark.parametrize(
    "path", [path for path in KINDS if "chapters/0" not in path or "02" in path]
)
def test_contrast_words_and_roles_are_accessible(
    browser: Any, home: str, theme: str, path: str
) -> None:
    with Visit(browser, home, theme) as visit:
        page = visit.open(path)
        page.add_script_tag(path=str(AXE))
        found = page.evaluate("axe.run()")["violations"]
        assert [
            (each["id"], node["html"][:200])
            for each in found
            if each["impact"] != "minor"
            for node in each["nodes"]
        ] == []
