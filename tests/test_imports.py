"""The import graph is the table of contents.

import-linter holds the package's modules to the order of pyproject.toml; here that order is held to
the chapters, and the notebooks to what is built by then.
"""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import a3c_lib
from a3c_lib.exercises.engine.registry import MODULES as EXERCISES

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "a3c_lib"
SOURCES = sorted((ROOT / "solutions").glob("*.py"))
AT_HOME_ANYWHERE = {"exercises"}  # the engine; its modules belong to their chapters


def chapter_of(module: str) -> int:
    """The chapter that builds a module, as the first line of its docstring says."""
    path = PACKAGE.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    said = re.match(r"Chapter (\d\d): |Beside the chapters: ", docstring)
    assert said, f"{path.relative_to(ROOT)}: the docstring does not begin with 'Chapter NN: '"
    return int(said[1] or 99)  # beside the chapters is after all of them


def layers() -> list[str]:
    """The package's modules in the order in which they may import each other, earliest first."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = (c for c in table["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    return [layer.removeprefix("a3c_lib.") for layer in reversed(contract["layers"])]


@cache
def modules() -> set[str]:
    """All of the package's modules, those of a wing with its name before theirs."""
    paths = (path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py"))
    return {".".join(path.parts) for path in paths if path.name != "__init__"}


@cache
def exported() -> dict[str, str]:
    """The module behind each name of `from a3c_lib import …`."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("a3c_lib"):
            for alias in node.names:
                path = [*node.module.split("."), alias.name][1:]
                names[alias.asname or alias.name] = next(
                    ".".join(path[:n]) for n in (2, 1) if ".".join(path[:n]) in modules()
                )
    return names


def modules_used(source: str) -> Iterator[str]:
    """Modules of the package, as dotted paths below it, that a script imports or names."""
    behind = exported()
    submodules = {path.stem for path in PACKAGE.glob("*.py")} | {
        path.parent.name for path in PACKAGE.glob("*/__init__.py")
    }
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names):
                for name in names:
                    top, _, module = name.name.partition(".")
                    if top == "a3c_lib" and module:
                        yield module
            case ast.ImportFrom("a3c_lib", names):
                for name in names:
                    yield name.name if name.name in submodules else behind[name.name]
            case ast.ImportFrom(str(module), names) if module.startswith("a3c_lib."):
                below = module.removeprefix("a3c_lib.")
                yield below
                for name in names:
                    if (PACKAGE.joinpath(*below.split(".")) / f"{name.name}.py").exists():
                        yield f"{below}.{name.name}"
            case ast.Attribute(ast.Name("a3c_lib"), name) if name in submodules | set(behind):
                yield name if name in submodules else behind[name]


def too_early(source: str, chapter: int) -> list[str]:
    """Modules that a chapter's notebook uses before they are built."""
    used = set(modules_used(source)) - AT_HOME_ANYWHERE
    return sorted(module for module in used if chapter_of(module) > chapter)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_imports_only_what_its_chapter_or_an_earlier_one_built(source: Path) -> None:
    assert too_early(source.read_text(), int(source.name[:2])) == []


@pytest.mark.parametrize(
    "line",
    [
        "import a3c_lib.losses",
        "import a3c_lib.losses as losses",
        "from a3c_lib import losses",
        "from a3c_lib import a2c_loss",
        "from a3c_lib.losses import a2c_loss",
        "import a3c_lib\na3c_lib.a2c_loss",
        "def late():\n    import a3c_lib\n    a3c_lib.losses.entropy",
    ],
)
def test_every_way_to_import_too_early_is_seen(line: str) -> None:
    assert too_early(line, chapter=2) == ["losses"]
    assert too_early(line, chapter=3) == []


def test_every_module_has_its_place_in_the_order() -> None:
    assert len(layers()) == len(set(layers()))
    in_the_exercises = {module for module in modules() if module.startswith("exercises.")}
    assert set(layers()) == {"exercises"} | modules() - in_the_exercises


def test_the_order_of_the_modules_is_the_order_of_the_chapters() -> None:
    chapters = [chapter_of(module) for module in layers() if module not in AT_HOME_ANYWHERE]
    assert chapters == sorted(chapters)


def holds_exercises(path: Path) -> bool:
    """Whether a module is a chapter's: it holds its exercises in EXERCISES."""
    return "\nEXERCISES = " in path.read_text()


@pytest.mark.parametrize(
    "path",
    [p for p in (PACKAGE / "exercises").glob("*.py") if holds_exercises(p)],
    ids=lambda path: path.stem,
)
def test_a_chapters_exercises_use_only_what_is_built_by_then(path: Path) -> None:
    assert too_early(path.read_text(), chapter_of(f"exercises.{path.stem}")) == []


def test_the_engine_of_the_exercises_knows_nothing_of_the_book() -> None:
    engine = [
        *(PACKAGE / "exercises" / "engine").glob("*.py"),
        *(p for p in (PACKAGE / "exercises").glob("*.py") if not holds_exercises(p)),
    ]
    assert len(engine) > 10
    assert {p.stem for p in (PACKAGE / "exercises").glob("*.py") if holds_exercises(p)} == set(
        EXERCISES.values()
    )
    for path in engine:
        used = {module.partition(".")[0] for module in modules_used(path.read_text())}
        assert used <= {"exercises"}, path.name


def test_what_is_imported_when_it_is_asked_for_is_what_its_module_has() -> None:
    for name in a3c_lib._WHEN_ASKED_FOR:
        assert name in dir(a3c_lib)
        found, module = getattr(a3c_lib, name), exported()[name]
        home = importlib.import_module(f"a3c_lib.{module}")
        assert found is home or found is getattr(home, name)
    with pytest.raises(AttributeError, match="'a3c_lib' has no attribute 'tracks'"):
        getattr(a3c_lib, "tracks")  # noqa: B009  mypy knows that there is none


def test_importing_the_package_imports_nothing_that_only_the_book_needs() -> None:
    program = (
        "import sys, a3c_lib, a3c_lib.__main__; "
        "print(*{'matplotlib', 'IPython', 'ale_py', 'PIL', 'tyro'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout == "\n"
