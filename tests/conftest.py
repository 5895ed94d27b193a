"""What several test files need.

Hypothesis does not look at the clock: on a busy machine any example may take long.
"""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")

# A shell that runs the tests in the background lets them ignore Ctrl-C, and so would every process
# that they start: what is to end at it would never do.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The web site, where there is what builds it."""
    for needed in "myst_nb", "sphinx_book_theme", "sphinx_copybutton":
        pytest.importorskip(needed, reason="the site needs Sphinx: make .venv/ready-for-test")
    import website

    folder = tmp_path_factory.mktemp("web")
    website.write_sources(folder / "source")
    website.build(folder / "site", folder / "source")
    return folder / "site"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, where there is one and what drives it."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        program = shutil.which("chromium") or playwright.chromium.executable_path
        if not Path(program).exists():
            pytest.skip("there is no Chromium")
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()
