"""What several test files need.

Hypothesis does not look at the clock: on a busy machine any example may take long.
"""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The web site, where there is what builds it."""
    for needed in "myst_nb", "sphinx_book_theme", "sphinx_copybutton":
        pytest.importorskip(needed, reason="the site needs Sphinx: make .venv/ready-for-site")
    import website

    folder = tmp_path_factory.mktemp("web")
    website.write_sources(folder / "source")
    website.build(folder / "site", folder / "source")
    return folder / "site"
