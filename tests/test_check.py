import json
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from a3c_lib.app import check

ROOT = Path(__file__).resolve().parent.parent


def failing(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is said after [FAIL], and the remedies."""
    lines = capsys.readouterr().out.splitlines()
    return [line[7:] for line in lines if line.startswith(("[FAIL]", "       → "))]


def test_this_installation_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.installation()
    said = capsys.readouterr().out
    assert all(line.startswith("[OK]   ") for line in said.splitlines())
    words = "Python torch ale-py CartPole-v1 Corridor Pong InvertedPendulum kernel cores"
    for word in words.split():
        assert word in said


def test_every_package_that_the_book_asks_for_is_looked_at() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = table["dependencies"] + table["optional-dependencies"]["book"]
    assert {r.name for r in check.requirements()} == {Requirement(line).name for line in wanted}


def test_the_oldest_python_is_the_projects() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert table["requires-python"] == ">={}.{}".format(*check.OLDEST_PYTHON)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ("no-such-package>=1", "no-such-package: not installed"),
        ("numpy<1", f"numpy: {np.__version__}, but the book needs <1"),
    ],
)
def test_a_missing_or_old_package_fails_with_the_command_that_mends_it(
    asked: str,
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(check.metadata, "requires", lambda _: [asked])
    assert not check.installation()
    assert failing(capsys) == [problem, f'→ "{sys.executable}" -m pip install "{asked}"']


def test_a_package_that_is_not_installed_itself_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> list[str]:
        raise check.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(check.metadata, "requires", missing)
    monkeypatch.setattr(check.metadata, "version", missing)
    assert not check.installation()
    assert failing(capsys)[1] == "→ In the book's folder: make lab."


def test_an_old_python_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "OLDEST_PYTHON", (3, 999))
    assert not check.installation()
    assert "is too old" in failing(capsys)[0]


def test_a_broken_game_library_fails_and_the_rest_is_still_checked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ale_py", None)
    assert not check.installation()
    problem, remedy = failing(capsys)
    assert problem.startswith("Atari: ")
    assert "ale-py" in remedy


def test_a_missing_simulator_fails_with_what_brings_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> str:
        raise ImportError("No module named 'mujoco'")

    monkeypatch.setattr(check, "_mujoco", missing)
    assert not check.installation()
    problem, remedy = failing(capsys)
    assert problem == "MuJoCo: No module named 'mujoco'"
    assert "gymnasium[mujoco]" in remedy


@pytest.mark.parametrize(
    ("command", "right"),
    [
        ("python", True),
        (sys.executable, True),
        ("/elsewhere/bin/python3", False),
    ],
)
def test_a_kernel_of_another_python_fails(
    command: str,
    right: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "kernels" / "python3"
    folder.mkdir(parents=True)
    spec = {"argv": [command], "display_name": "Python", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert check.installation() is right
    assert [line.partition(":")[0] for line in failing(capsys)[:1]] == (
        [] if right else ["the notebooks' kernel"]
    )
