"""The repository's address stands in one place, and what follows from it appears only with it."""

import re
import sys
from contextlib import nullcontext
from importlib import util
from pathlib import Path
from types import ModuleType

import address
import book
import page
import pytest
from IPython.core.inputtransformer2 import TransformerManager

ROOT = book.ROOT
KNOWN = address.Repository("me", "book")
README = (ROOT / "README.md").read_text("utf-8")
SOURCE = ROOT / "solutions" / "02_n_step_returns.py"


def project(tmp_path: Path, urls: str) -> Path:
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "x"\n{urls}')
    return tmp_path


def test_without_an_address_there_is_none(tmp_path: Path) -> None:
    assert address.repository(project(tmp_path, "")) is None
    assert address.repository(project(tmp_path, '[project.urls]\nHome = "x"\n')) is None


@pytest.mark.parametrize("ending", ["", "/", ".git"])
def test_an_address_is_taken_apart(tmp_path: Path, ending: str) -> None:
    urls = f'[project.urls]\nRepository = "https://github.com/me/book{ending}"\n'
    assert address.repository(project(tmp_path, urls)) == KNOWN


@pytest.mark.parametrize("url", ["https://gitlab.com/me/book", "github.com/me/book", "https://x"])
def test_what_is_no_address_on_github_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"OWNER/NAME; got {url!r}")):
        address.parsed(url)


def test_the_readme_has_the_buttons_of_the_address_that_is_known() -> None:
    known = address.repository()
    assert address.with_buttons(README, known) == README, "run: python tools/address.py"


def test_buttons_come_and_go_with_the_address() -> None:
    with_them = address.with_buttons(README, KNOWN)
    assert KNOWN.line(address.FIRST) in with_them
    assert address.with_buttons(with_them, address.repository()) == README
    assert (ROOT / address.FIRST).exists()
    with pytest.raises(ValueError, match="no place for the buttons"):
        address.with_buttons("# Book\n", KNOWN)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "repository", lambda: KNOWN)


@pytest.mark.usefixtures("known")
def test_a_chapter_has_the_buttons_and_installs_itself_on_colab() -> None:
    for notebook in book.pages(SOURCE):
        head, guard = (cell.source for cell in notebook.cells[:2])
        line = KNOWN.line("chapters/02_n_step_returns.ipynb")
        assert head.split("\n\n")[2] == line
        assert '%pip install --quiet "a3c_lib[book] @ git+https://github.com/me/book"' in guard
        compile(TransformerManager().transform_cell(guard), "guard", "exec")


@pytest.mark.parametrize(
    ("there", "on_colab", "installs"), [(True, True, 0), (False, False, 0), (False, True, 1)]
)
def test_the_first_cell_installs_on_colab_alone_and_only_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, there: bool, on_colab: bool, installs: int
) -> None:
    ran: list[str] = []

    class Shell:
        def run_line_magic(self, name: str, line: str) -> None:
            ran.append(f"{name} {line}")

    if on_colab:
        monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    monkeypatch.setattr(util, "find_spec", lambda name: (there or None, *ran)[-1])
    code = TransformerManager().transform_cell(page.guard(KNOWN))
    stops = pytest.raises(SystemExit) if not (there or on_colab) else nullcontext()
    with stops:
        exec(code, {"get_ipython": Shell})
    assert len(ran) == installs


@pytest.mark.skipif(address.repository() is not None, reason="the address is known")
def test_without_an_address_a_chapter_promises_no_button() -> None:
    for notebook in book.pages(SOURCE):
        assert "Open without installing" not in notebook.cells[0].source
        assert notebook.cells[1].source == page.GUARD
