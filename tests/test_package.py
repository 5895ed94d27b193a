"""What is installed without the book's folder: the wheel's contents, and its types."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path
from venv import EnvBuilder

import pytest

ROOT = Path(__file__).resolve().parent.parent
TYPED = """\
from a3c_lib import a2c
from a3c_lib.app import records

config = a2c.Config(total_steps=100)
reveal_type(config.gamma)
reveal_type(records.load("x").rows)
"""
USED = """\
import gymnasium as gym
import a3c_lib
from a3c_lib import ActorCritic, a2c, evaluate
from a3c_lib.app import records

print(a3c_lib.__file__)
model = ActorCritic.for_env(gym.make("a3c_lib/Corridor-v0"), seed=0)
config = a2c.Config(total_steps=200, seed=0)
with a2c.train(model, "a3c_lib/Corridor-v0", config) as training:
    list(training)
print(evaluate(model, "a3c_lib/Corridor-v0", episodes=2))
print(str(records.load("trap_entropy")).splitlines()[0])
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a package is made of, apart from the checkout, where builds leave nothing then."""
    copy = tmp_path_factory.mktemp("package")
    for folder in "a3c_lib", "claims/records":
        shutil.copytree(
            ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "unfinished")
        )
    for name in tracked_files():
        shutil.copy(ROOT / name, copy / name)
    return copy


def tracked_files() -> list[str]:
    return [
        path.name
        for path in ROOT.iterdir()
        if path.is_file() and path.suffix in {".py", ".md", ".toml", ".in", ".txt"}
    ] + ["LICENSE"]


def made(copy: Path, kind: str, out: Path) -> Path:
    """A wheel or an sdist, by the build backend that pyproject.toml names, without a network."""
    out.mkdir(exist_ok=True)
    code = f"from setuptools.build_meta import *; build_{kind}({str(out)!r})"
    subprocess.run(
        [sys.executable, "-c", code], cwd=copy, check=True, capture_output=True, text=True
    )
    (found,) = out.iterdir()
    return found


@pytest.fixture(scope="module")
def wheel(copy: Path) -> Path:
    return made(copy, "wheel", copy / "wheel")


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python of its own, with the wheel, and what else there is here from where it lies."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    EnvBuilder(with_pip=False, symlinks=True).create(folder)
    python = next(path for path in folder.glob("*/python*") if path.stem == "python")
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(ran([str(python), "-c", where], cwd=folder).strip())
    zipfile.ZipFile(wheel).extractall(packages)
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    return python


def ran(command: list[str], cwd: Path) -> str:
    """What a command prints that leaves the checkout's own package alone."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "MYPYPATH")}
    made = subprocess.run(
        command, cwd=cwd, env=inherited, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return made.stdout


def test_a_wheel_has_all_modules_all_records_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "a3c_lib").rglob("*.py")}
    records = {
        f"a3c_lib/app/recorded/{path.relative_to(ROOT / 'claims/records')}"
        for path in (ROOT / "claims" / "records").rglob("*")
        if path.is_file() and "unfinished" not in path.parts
    }
    assert len(records) > 10
    assert names == modules | records | {"a3c_lib/py.typed"}


def test_a_wheel_says_under_which_licence_it_is_and_what_it_brings(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
    said = archive.read(metadata).decode()
    assert "License-Expression: MIT" in said
    assert "Description-Content-Type: text/markdown" in said
    assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())


def test_a_wheel_can_be_made_from_what_an_sdist_holds(copy: Path, wheel: Path, tmp_path) -> None:
    sdist = made(copy, "sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = (path.parent for path in tmp_path.glob("*/pyproject.toml"))
    again = made(unpacked, "wheel", tmp_path / "again")
    assert zipfile.ZipFile(again).namelist() == zipfile.ZipFile(wheel).namelist()


def test_the_wheel_alone_trains_evaluates_and_reads_records(python: Path, tmp_path: Path) -> None:
    place, evaluated, record = ran([str(python), "-c", USED], cwd=tmp_path).splitlines()
    assert Path(place).is_relative_to(python.parent.parent)
    assert "(2 episodes, " in evaluated
    assert record.startswith("Recorded, not run here: ")


def test_a_consumer_sees_the_types(python: Path, tmp_path: Path) -> None:
    (tmp_path / "consumer.py").write_text(TYPED)
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python)]
    said = ran([*command, "--config-file=", "consumer.py"], cwd=tmp_path)
    assert 'Revealed type is "float"' in said
    assert 'Revealed type is "list[dict[str, Any]]"' in said
