"""What stands behind `make`: the set-up names what is missing, and the update loses nothing."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NETWORK_ERROR = "WARNING: Retrying after connection broken by 'NewConnectionError(...)'"


def test_make_alone_lists_every_target() -> None:
    listed = run(["make"], cwd=ROOT).stdout
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert [line.split()[1] for line in listed.splitlines()] == targets
    assert {"lab", "test", "book", "claims", "bench", "site", "check", "update", "clean"} <= set(
        targets
    )


def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    # The tests may themselves run under make, whose own settings are not meant for these.
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        command, cwd=cwd, env=outside, capture_output=True, text=True, check=False
    )


# The set-up


Fake = Callable[..., str]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with nothing but its set-up."""
    (tmp_path / "tools").mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "tools/setup.sh"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """Write a Python that is a few lines of shell: what it answers to what it is asked."""

    def write(*cases: str) -> str:
        path = tmp_path / "python of the test"
        path.write_text("\n".join(["#!/bin/sh", 'case "$*" in', *cases, "esac", ""]))
        path.chmod(0o755)
        return str(path)

    return write


MAKES_VENV = '"-m venv .venv") mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;'


def sentence(project: Path, python: str) -> str:
    """What a set-up that fails says at the end."""
    made = run(["make", f"PYTHON={python}", "lab"], cwd=project)
    assert made.returncode != 0
    assert not (project / ".venv" / "ready-for-lab").exists()
    said, makes_own = made.stderr.strip().splitlines()[-2:]
    assert makes_own.startswith("make: ***")
    return said


def test_no_python_at_all(project: Path) -> None:
    said = sentence(project, "no-such-python")
    assert said.startswith("There is no command no-such-python that runs here: install Python 3.11")


def test_too_old_a_python(project: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    python = fake("*version_info*) exit 1 ;;", "--version) echo Python 3.9.2 ;;")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # where a newer one may lie, or not
    said = sentence(project, python)
    assert said.startswith(f"The book needs Python 3.11 or newer, and {python} is Python 3.9.2")
    assert said.endswith("lab")


def test_the_oldest_python_is_the_projects() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest = table["requires-python"].removeprefix(">=")
    set_up = (ROOT / "tools" / "setup.sh").read_text()
    assert f"sys.version_info < ({oldest.replace('.', ', ')})" in set_up
    assert set(re.findall(r"Python (3\.\d+) or newer", set_up)) == {oldest}


def test_a_newer_python_beside_an_old_one_is_named(
    project: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = fake("*version_info*) exit 1 ;;", "--version) echo Python 3.9.2 ;;")
    (newer := project / "python3.14").write_text("#!/bin/sh\n")
    newer.chmod(0o755)
    monkeypatch.setenv("PATH", f"{project}:/usr/bin:/bin")
    assert sentence(project, python).endswith(
        "there is a newer one here: make PYTHON=python3.14 lab"
    )


def test_a_python_without_its_venv_module(project: Path, fake: Fake) -> None:
    said = sentence(project, fake('*"import ensurepip, venv"*) exit 1 ;;'))
    assert said.startswith("This Python comes without its venv module: install it")


def test_a_damaged_environment(project: Path) -> None:
    (project / ".venv").mkdir()
    assert sentence(project, "python3").startswith("The folder .venv is damaged, was moved, or")


def test_no_network(project: Path, fake: Fake) -> None:
    python = fake(MAKES_VENV, f'*"pip install"*) echo "{NETWORK_ERROR}" >&2; exit 1 ;;')
    assert sentence(project, python).startswith("pip could not reach its package index: connect")


def test_pip_fails_for_another_reason_which_is_shown(project: Path, fake: Fake) -> None:
    python = fake(MAKES_VENV, '*"pip install"*) echo "ERROR: No space left" >&2; exit 1 ;;')
    assert sentence(project, python).startswith("pip could not install the packages; the reason")
    made = run(["make", f"PYTHON={python}", "lab"], cwd=project)
    assert "ERROR: No space left" in made.stderr


def test_the_set_up_asks_for_the_tested_versions_and_is_made_once(
    project: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = project / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text('#!/bin/sh\necho "$*" >> asked-of-npm; exit 1\n')
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}:{os.environ['PATH']}")
    python = fake(MAKES_VENV, '*"pip install"*) echo "$*" >> asked ;;')
    assert run(["make", f"PYTHON={python}", ".venv/ready-for-lab"], project).returncode == 0
    asked = (project / "asked").read_text().splitlines()
    assert asked == [
        "-m pip install --constraint constraints.txt setuptools",
        "-m pip install --constraint constraints.txt --no-build-isolation --editable .[book,cli]",
    ]
    assert run(["make", f"PYTHON={python}", ".venv/ready-for-lab"], project).returncode == 0
    assert len((project / "asked").read_text().splitlines()) == 2
    for goal, extras in (
        ("bench", "book,cli,bench"),
        ("test", "book,cli,tensorboard,bench,maker,site,test"),
        ("site", "book,cli,tensorboard,bench,maker,site,test,browser"),
    ):
        assert run(["make", f"PYTHON={python}", f".venv/ready-for-{goal}"], project).returncode == 0
        assert (project / "asked").read_text().endswith(f"--editable .[{extras}]\n")
    (line,) = (project / "asked-of-npm").read_text().splitlines()  # it may fail, as it does here
    assert line.startswith("pack --silent --pack-destination build/axe axe-core@4.")


# The update


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
    made = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return made.stdout


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """The book's repository."""
    origin = tmp_path / "origin"
    for folder in ("chapters", "solutions", "tools"):
        (origin / folder).mkdir(parents=True)
    for name in "update.sh", "edited.py":
        shutil.copy(ROOT / "tools" / name, origin / "tools")
    shutil.copy(ROOT / "Makefile", origin)
    shutil.copy(ROOT / ".gitignore", origin)
    (origin / "chapters" / "02_n.ipynb").write_text("first edition")
    (origin / "chapters" / "03_e.ipynb").write_text("first edition")
    (origin / "solutions" / "02_n.ipynb").write_text("solved")
    git(origin, "init")
    git(origin, "add", ".")
    git(origin, "commit", "-m", "first")
    return origin


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    git(tmp_path, "clone", str(origin), "clone")
    (origin / "chapters" / "02_n.ipynb").write_text("second edition")
    git(origin, "commit", "-am", "second")
    return tmp_path / "clone"


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_an_update_puts_edits_aside_and_brings_the_newest_version(clone: Path) -> None:
    (clone / "chapters" / "02_n.ipynb").write_text("my work")
    (clone / "chapters" / "03_e.ipynb").unlink()
    (clone / "solutions" / "02_n.ipynb").write_text("run again")
    made = run(["make", "update"], cwd=clone)
    assert made.returncode == 0, made.stderr
    assert "your chapters/02_n.ipynb is now my/02_n.ipynb" in made.stdout
    assert contents(clone / "my") == {"02_n.ipynb": "my work", "02_n-solved.ipynb": "run again"}
    assert contents(clone / "chapters") == {
        "02_n.ipynb": "second edition",
        "03_e.ipynb": "first edition",
    }
    assert git(clone, "status", "--porcelain") == ""


def test_an_update_overwrites_nothing(clone: Path) -> None:
    for work in ("one", "two", "two", "three"):
        (clone / "chapters" / "02_n.ipynb").write_text(work)
        assert run(["make", "update"], cwd=clone).returncode == 0
    assert contents(clone / "my") == {
        "02_n.ipynb": "one",
        "02_n-2.ipynb": "two",
        "02_n-3.ipynb": "three",
    }


def test_without_edits_an_update_only_pulls(clone: Path) -> None:
    assert run(["make", "update"], cwd=clone).returncode == 0
    assert (clone / "chapters" / "02_n.ipynb").read_text() == "second edition"
    assert not (clone / "my").exists()


OPENED = {"kernelspec": {"display_name": "Another"}, "language_info": {"version": "3.13.1"}}


@pytest.fixture
def read(origin: Path, clone: Path) -> Path:
    """A notebook of the clone, which has a cell and an output."""
    cell = {
        "cell_type": "code",
        "id": "a",
        "metadata": {"tags": ["prediction"]},
        "source": "x = 1\nx",
        "execution_count": 1,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "1\n2\n"}],
    }
    book = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (origin / "chapters" / "04_l.ipynb").write_text(json.dumps(book))
    git(origin, "add", ".")
    git(origin, "commit", "-m", "third")
    git(clone, "pull")
    return clone / "chapters" / "04_l.ipynb"


def test_a_notebook_that_was_only_opened_is_no_edit(read: Path, clone: Path) -> None:
    book = json.loads(read.read_text())
    book["metadata"], book["nbformat_minor"] = OPENED, 4
    (cell,) = book["cells"]
    cell["metadata"]["jupyter"] = {"source_hidden": False}
    cell["source"], cell["outputs"][0]["text"] = ["x = 1\n", "x"], ["1\n", "2\n"]
    read.write_text(json.dumps(book, indent=1))
    assert git(clone, "status", "--porcelain") != ""
    assert run(["make", "update"], cwd=clone).returncode == 0
    assert not (clone / "my").exists()
    assert git(clone, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("part", "value"), [("source", "x = 2"), ("outputs", []), ("cell_type", "raw")]
)
def test_a_notebook_that_was_edited_or_run_is_put_aside(
    part: str, value: object, read: Path, clone: Path
) -> None:
    book = json.loads(read.read_text())
    book["cells"][0][part] = value
    read.write_text(json.dumps(book))
    assert run(["make", "update"], cwd=clone).returncode == 0
    assert (clone / "my" / "04_l.ipynb").exists()


def test_where_notebooks_cannot_be_compared_nothing_is_changed(read: Path, clone: Path) -> None:
    (clone / "tools" / "edited.py").write_text("raise SystemExit(1)\n")
    read.write_text("my work")
    made = run(["make", "update"], cwd=clone)
    assert made.returncode != 0
    assert "could not be compared" in made.stderr
    assert read.read_text() == "my work"


def test_an_update_without_a_remote_says_so_and_keeps_the_edits(origin: Path) -> None:
    (origin / "chapters" / "02_n.ipynb").write_text("my work")
    made = run(["make", "update"], cwd=origin)
    assert made.returncode == 0
    assert made.stdout.endswith("follows no remote branch, so there is nothing newer to get.\n")
    assert contents(origin / "my") == {"02_n.ipynb": "my work"}


def test_an_update_that_cannot_pull_says_so_and_keeps_the_edits(clone: Path, origin: Path) -> None:
    (clone / "chapters" / "02_n.ipynb").write_text("my work")
    origin.rename(origin.with_name("gone"))
    made = run(["make", "update"], cwd=clone)
    assert made.returncode != 0
    assert "git could not get the newest version; the reason stands above" in made.stderr
    assert contents(clone / "my") == {"02_n.ipynb": "my work"}


def test_a_folder_that_is_no_clone_is_left_alone(origin: Path) -> None:
    shutil.rmtree(origin / ".git")
    (origin / "chapters" / "02_n.ipynb").write_text("my work")
    made = run(["make", "update"], cwd=origin)
    assert made.returncode != 0
    assert made.stderr.startswith("This folder was not made with git clone")
    assert (origin / "chapters" / "02_n.ipynb").read_text() == "my work"


def test_continuous_integration_runs_what_a_developer_runs() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "exec make test"
