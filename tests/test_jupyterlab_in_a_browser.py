"""A learner's way through JupyterLab in a real browser, where there is one: run a chapter, answer
wrongly, ask for a hint, answer rightly, restart; and stop a training. `make .venv/ready-for-site`
brings playwright, and Chromium is the system's (or `playwright install chromium`'s).

The toolbar calls a notebook idle before it has a kernel, and "Run All" then does nothing. So what
is waited for is JupyterLab's own word, and its server's, never the look of the page.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import book
import nbformat
import psutil
import pytest

WRONG = """\
@exercise("1.1")
def one_step_targets(rewards, next_values, terminated, truncated, gamma):
    return rewards + gamma * next_values
"""
RIGHT = WRONG.replace("next_values\n", "next_values * ~terminated\n")
BUDGET, ENDLESS = '"total_steps": 150_000', '"total_steps": 10**9'
EPISODES = "        episodes += ["
PATIENCE = 240  # seconds, on a machine that does much else


def wait(condition: Callable[[], Any]) -> Any:
    """What `condition` gives, once it is true."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {PATIENCE} s"
        time.sleep(0.05)
    return found


class Cut(NamedTuple):
    """What lies between two headings of a chapter."""

    first: str
    end: str


def shortened(chapter: str, *cuts: Cut) -> nbformat.NotebookNode:
    """A chapter without its longest trainings, which nbval runs and which would only be waited for
    here."""
    notebook = nbformat.read(book.ROOT / "chapters" / f"{chapter}.ipynb", as_version=4)
    for cut in cuts:
        begin, end = (
            next(k for k, cell in enumerate(notebook.cells) if heading in cell.source.split("\n"))
            for heading in cut
        )
        del notebook.cells[begin:end]
    return notebook


SLOW = (
    Cut("## The noise, measured", "## A critic that learns"),
    Cut("### The critic first", "## Where the paper says it"),
)


def workers_of(kernel: psutil.Process) -> list[psutil.Process]:
    """The processes in which a kernel trains. (Python's own, which counts what they share, is
    none.)"""
    return [each for each in kernel.children() if "spawn_main" in " ".join(each.cmdline())]


class Server:
    """A JupyterLab of its own: settings, workspace, port and folder are nobody else's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "chapters").mkdir()
        (folder / "claims").symlink_to(book.ROOT / "claims")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.home = f"http://127.0.0.1:{port}/"
        own = {
            "PYTHONPATH": str(book.ROOT),
            "JUPYTER_PREFER_ENV_PATH": "1",
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "IPYTHONDIR": str(folder / "ipython"),
        }
        options = [
            "--no-browser",
            "--allow-root",
            "--expose-app-in-browser",
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",  # another port would be another's
            f"--ServerApp.root_dir={folder}",
            "--IdentityProvider.token=",
        ]
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *options],
                env=os.environ | own,
                cwd=folder,
                stdout=log,
                stderr=log,
            )

    def asked(self, place: str) -> Any:
        """What the server's REST API says; None while it does not answer."""
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            with urllib.request.urlopen(f"{self.home}api/{place}", timeout=PATIENCE) as answer:
                return json.load(answer)
        except OSError:
            return None

    def idle(self, path: str) -> bool:
        """Whether a notebook has a kernel, which waits for something to do."""
        sessions = self.asked("sessions") or []
        return [each["kernel"]["execution_state"] for each in sessions if each["path"] == path] == [
            "idle"
        ]

    def kernel(self) -> psutil.Process:
        """The process of the one kernel there is."""
        (found,) = (
            child
            for child in psutil.Process(self.process.pid).children()
            if "ipykernel_launcher" in " ".join(child.cmdline())
        )
        return found

    def close(self) -> None:
        kernels = psutil.Process(self.process.pid).children(recursive=True)
        self.process.terminate()
        self.process.wait(PATIENCE)
        _, left = psutil.wait_procs(kernels, PATIENCE)
        assert left == []


@pytest.fixture
def server(browser: Any, tmp_path: Path) -> Iterator[Server]:
    """A browser is asked for first, so that nothing is started in vain."""
    started = Server(tmp_path)
    try:
        wait(lambda: started.asked("status"))
        yield started
    finally:
        started.close()


HELPERS = """
window.book = {
  get panel() { return jupyterapp.shell.currentWidget },
  get notebook() { return this.panel.content },
  cell(text) {
    const at = this.notebook.widgets.findIndex(
      c => c.model.type === "code" && c.model.sharedModel.source.includes(text));
    if (at < 0) throw new Error(`no cell has ${text}`);
    return at;
  },
  async select(at) {
    this.notebook.mode = "command";
    this.notebook.activate();
    this.notebook.activeCellIndex = at;
    this.notebook.deselectAll();
    await this.notebook.scrollToItem(at);
    this.notebook.widgets[at].node.scrollIntoView();
  },
  begin(command) {  // and say when it has ended
    window.ended = null;
    jupyterapp.commands.execute(command).then(
      () => { window.ended = "well" }, error => { window.ended = String(error) });
  },
  count(at) { return this.notebook.widgets[at].model.executionCount },
  shown(at) {
    return this.notebook.widgets[at].node.querySelector(".jp-Cell-outputArea")?.innerText ?? "";
  },
  errors() {
    return this.notebook.widgets.filter(c => c.model.type === "code").flatMap(
      c => c.model.outputs.toJSON()).filter(o => o.output_type === "error").map(o => o.evalue);
  },
};
"""


class Notebook:
    """A notebook that is open in JupyterLab, with a kernel that waits for something to do."""

    def __init__(
        self, page: Any, server: Server, chapter: str, content: nbformat.NotebookNode
    ) -> None:
        path = f"chapters/{chapter}.ipynb"
        nbformat.write(content, server.folder / path)
        self.page, self.server, self.path = page, server, path
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(f"{server.home}lab?reset")
        page.wait_for_function("window.jupyterapp !== undefined")
        page.evaluate(HELPERS)
        page.evaluate("jupyterapp.restored.then(() => null)")
        page.evaluate(
            "path => jupyterapp.commands.execute('docmanager:open', {path}).then(() => null)", path
        )
        page.wait_for_function("book.panel?.context?.path === " + json.dumps(path))
        page.evaluate("book.panel.revealed.then(() => null)")
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        self.page.evaluate("book.panel.sessionContext.ready.then(() => null)")
        self.page.wait_for_function("book.panel.sessionContext.session?.kernel?.status === 'idle'")
        wait(lambda: self.server.idle(self.path))

    def do(self, command: str) -> None:
        self.page.evaluate("command => book.begin(command)", command)

    def wait_until_done(self) -> None:
        self.page.wait_for_function("window.ended !== null")
        assert self.page.evaluate("window.ended") == "well"
        self.wait_until_idle()

    def select(self, text: str) -> int:
        at = self.page.evaluate("text => book.cell(text)", text)
        self.page.evaluate("at => book.select(at)", at)
        return int(at)

    def type(self, text: str, at: int) -> None:
        """Write into a selected cell, with the keyboard, in place of what it has."""
        self.page.keyboard.press("Enter")
        self.page.wait_for_function(
            "at => book.notebook.widgets[at].node.querySelector('.cm-content')"
            "?.contains(document.activeElement)",
            arg=at,
        )
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)
        self.page.wait_for_function(
            "([at, text]) => book.notebook.widgets[at].model.sharedModel.source === text",
            arg=[at, text],
        )

    def run(self, at: int, said: str) -> str:
        """Run a cell with the keyboard.   → what stands under it, once that has `said`"""
        before = self.page.evaluate("at => book.count(at)", at)
        self.page.keyboard.press("Shift+Enter")
        self.page.wait_for_function(
            "([at, before]) => ![null, before].includes(book.count(at))", arg=[at, before]
        )
        self.page.wait_for_function("([at, said]) => book.shown(at).includes(said)", arg=[at, said])
        self.wait_until_idle()
        return self.shown(at)

    def shown(self, at: int) -> str:
        return str(self.page.evaluate("at => book.shown(at)", at))

    def errors(self) -> list[str]:
        return list(self.page.evaluate("book.errors()"))


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def test_a_learner_works_through_an_exercise(server: Server, page: Any) -> None:
    notebook = Notebook(page, server, "01_actor_critic", shortened("01_actor_critic", *SLOW))
    notebook.do("notebook:run-all-cells")
    notebook.wait_until_done()
    assert notebook.errors() == []
    at = notebook.select('@exercise("1.1")')
    assert "○ 1.1" in notebook.shown(at)

    notebook.type(WRONG, at)
    said = notebook.run(at, "✗ 1.1")
    assert "terminated" in said
    assert 'hint("1.1")' in said

    notebook.select('@exercise("1.1")')
    notebook.do("notebook:insert-cell-below")
    notebook.wait_until_done()
    notebook.type('hint("1.1")', at + 1)
    notebook.run(at + 1, "Hint 1 of")

    notebook.select('@exercise("1.1")')
    notebook.type(RIGHT, at)
    assert "✗" not in notebook.run(at, "✓ 1.1")

    notebook.do("notebook:restart-run-all")
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    notebook.wait_until_done()
    assert notebook.errors() == []
    assert "✓ 1.1" in notebook.shown(at)
    assert "This runs your one_step_targets" in notebook.shown(notebook.select("mine = make_model"))
    assert "1 of" in notebook.shown(notebook.select("progress()"))


def test_a_training_that_is_stopped_leaves_no_process(server: Server, page: Any) -> None:
    name = "05_hogwild_and_a3c"
    shorter = shortened(name, Cut("## Is an old gradient any good?", "## Real processes"))
    for cell in shorter.cells:  # it would not end, and says when it is under way
        cell.source = cell.source.replace(BUDGET, ENDLESS)
        cell.source = cell.source.replace(EPISODES, f"        print('An update.')\n{EPISODES}")
    notebook = Notebook(page, server, name, shorter)
    at = notebook.select(ENDLESS)
    notebook.do("notebook:run-all-above")
    notebook.wait_until_done()
    assert notebook.errors() == []

    kernel = server.kernel()
    assert workers_of(kernel) == []
    notebook.select(ENDLESS)
    page.keyboard.press("Shift+Enter")
    page.wait_for_function("at => book.shown(at).includes('An update.')", arg=at)
    workers = workers_of(kernel)
    assert len(workers) == 2
    page.locator('.jp-NotebookPanel-toolbar [data-command="notebook:interrupt-kernel"]').click()
    page.wait_for_function("at => book.shown(at).includes('KeyboardInterrupt')", arg=at)
    notebook.wait_until_idle()
    assert psutil.wait_procs(workers, 5)[1] == []
    assert workers_of(kernel) == []

    again = notebook.select("pickle.dumps(work)")
    assert "bytes" in notebook.run(again, "cloudpickle:")
