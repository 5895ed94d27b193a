"""A learner's way through JupyterLab in a real browser, where there is one: run a chapter, answer
wrongly, ask for help, answer rightly, restart. `make .venv/ready-for-site` brings playwright."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import book
import pytest

CHAPTER = "01_actor_critic.ipynb"
WRONG = """\
@exercise("1.1")
def one_step_targets(rewards, next_values, terminated, truncated, gamma):
    return rewards + gamma * next_values
"""
RIGHT = WRONG.replace("next_values\n", "next_values * ~terminated\n")
SETTINGS = {  # every cell is in the page, and nobody is asked for news
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """The address of a JupyterLab in a folder with a chapter and the records."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    (tmp_path / "chapters").mkdir()
    shutil.copy(book.ROOT / "chapters" / CHAPTER, tmp_path / "chapters")
    (tmp_path / "claims").symlink_to(book.ROOT / "claims")
    for name, settings in SETTINGS.items():
        extension, _, plugin = name.partition("/")
        folder = tmp_path / "settings" / "@jupyterlab" / extension
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{plugin}.jupyterlab-settings").write_text(json.dumps(settings))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    options = ["--IdentityProvider.token=", f"--ServerApp.root_dir={tmp_path}"]
    inherited = {**os.environ, "PYTHONPATH": str(book.ROOT)}
    own = {
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, *options], env=inherited | own, stdout=log, stderr=log, cwd=tmp_path
        )
    try:
        yield answering(f"http://127.0.0.1:{port}/", server)
    finally:
        server.terminate()
        server.wait(30)


def answering(address: str, server: subprocess.Popen[bytes]) -> str:
    """The address, once a server answers there."""
    while server.poll() is None:
        try:
            urllib.request.urlopen(f"{address}api", timeout=5).close()
        except OSError:
            time.sleep(0.2)  # until it listens
        else:
            return address
    raise RuntimeError("JupyterLab ended before it answered")


class Notebook:
    """A notebook that is open in JupyterLab."""

    def __init__(self, page: Any) -> None:
        self.page = page
        page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')

    def cell(self, text: str) -> Any:
        return self.page.locator(".jp-CodeCell", has_text=text).first

    def run_all(self, menu_item: str, confirm: bool = False) -> None:
        self.page.locator(".lm-MenuBar-item", has_text="Run").first.click()
        exactly = re.compile(f"^{re.escape(menu_item)}\\s*$")
        self.page.locator(".lm-Menu-item", has_text=exactly).click()
        if confirm:
            self.page.locator(".jp-Dialog button.jp-mod-accept").click()
        self.page.wait_for_function(WAITING)
        self.page.wait_for_function(f"!({WAITING})")

    def answer(self, text: str, said: str) -> str:
        """Write into the cell of the exercise, run it, and wait for a verdict that begins so."""
        cell = self.cell('@exercise("1.1")')
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Shift+Enter")
        output = cell.locator(".jp-OutputArea", has_text=said)
        output.wait_for()
        return output.inner_text()

    def new_cell(self, text: str) -> str:
        """Put a cell under the exercise, and run it."""
        self.cell('@exercise("1.1")').locator(".jp-InputPrompt").first.click()
        self.page.keyboard.press("b")
        self.page.keyboard.press("Enter")
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Shift+Enter")
        output = self.page.locator(".jp-CodeCell.jp-mod-selected, .jp-CodeCell", has_text=text)
        shown = output.first.locator(".jp-OutputArea-output").first
        shown.wait_for()
        return shown.inner_text()

    def errors(self) -> list[str]:
        found = self.page.locator('[data-mime-type="application/vnd.jupyter.stderr"]')
        return found.all_inner_texts()


WAITING = "[...document.querySelectorAll('.jp-InputPrompt')].some(e => e.innerText.includes('*'))"


def test_a_learner_works_through_an_exercise(lab: str) -> None:
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        program = shutil.which("chromium") or playwright.chromium.executable_path
        if not Path(program).exists():
            pytest.skip("there is no Chromium")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(300_000)
        page.goto(f"{lab}lab/tree/chapters/{CHAPTER}?reset")
        notebook = Notebook(page)
        notebook.run_all("Run All Cells")
        assert notebook.errors() == []
        said = notebook.answer(WRONG, "✗ 1.1")
        assert "terminated" in said
        assert 'hint("1.1")' in said
        assert "1.1" in notebook.new_cell('hint("1.1")')
        assert "right" in notebook.answer(RIGHT, "✓ 1.1")
        notebook.run_all("Restart Kernel and Run All Cells…", confirm=True)
        assert notebook.errors() == []
        assert "✓ 1.1" in notebook.cell('@exercise("1.1")').inner_text()
        browser.close()
