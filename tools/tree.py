"""What README says of the package and of the chapters, from where it stands.

python tools/tree.py     write both into README.md

The tree is of the first lines of the package's modules, the times are of the chapters' heads.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import book

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "a3c_lib"
BEGIN, END = "<!-- the package, by tools/tree.py -->\n", "<!-- end -->\n"
WINGS = "worlds", "figures", "app", "exercises"


def tree() -> str:
    """A line for each module: what it is, and the chapter that builds it."""
    modules = [module for module in in_order() if "." not in module and module not in WINGS]
    lines = ["a3c_lib/", *(f"  {line}" for line in lines_of(modules))]
    for wing in WINGS:
        lines.append(f"  {wing + '/':16}    {sentence(PACKAGE / wing / '__init__.py')}")
        inside = [m for m in in_order() if m.startswith(f"{wing}.")]
        lines += (f"    {line}" for line in lines_of(inside))
    engine = sentence(PACKAGE / "exercises" / "engine" / "__init__.py")
    lines.append(f"    {'engine/':14}     {engine}")
    return "```\n" + "\n".join(lines) + "\n```\n"


def in_order() -> list[str]:
    """The package's modules in the book's order, by their names below the package."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (c for c in table["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    return [layer.removeprefix("a3c_lib.") for layer in reversed(contract["layers"])]


def lines_of(modules: list[str]) -> Iterator[str]:
    for module in modules:
        path = PACKAGE.joinpath(*module.split(".")).with_suffix(".py")
        width = 16 - 2 * module.count(".")
        yield f"{path.name:{width}} {chapter(path)}  {sentence(path)}"


def chapter(path: Path) -> str:
    """The number of the chapter that builds a module; blank beside the chapters."""
    said = re.match(r"Chapter (\d\d): ", docstring(path))
    return said[1] if said else "  "


def sentence(path: Path) -> str:
    """What a module is, in its docstring's first sentence."""
    said = docstring(path).partition(": ")[2]
    return re.split(r"[.?;](?:\s|$)", said, maxsplit=1)[0].replace("\n", " ")


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def with_tree(readme: str) -> str:
    """README with the tree as it is now. Raises ValueError if there is no place for it."""
    before, found, rest = readme.partition(BEGIN)
    if not found or END not in rest:
        raise ValueError(f"README.md has no place for the tree, between {BEGIN!r} and {END!r}")
    return before + BEGIN + tree() + rest[rest.index(END) :]


def with_times(readme: str) -> str:
    """README with the times that the chapters' heads say now, in the last two columns."""

    def timed(row: re.Match[str]) -> str:
        minutes, computing = times(ROOT / "solutions" / f"{row[2]}.py")
        return f"{row[1]} {minutes} min | {computing} |"

    return re.sub(
        r"^(\|.*\(chapters/(\w+)\.ipynb\) \|.*\|)[^|]+\|[^|]+\|$", timed, readme, flags=re.MULTILINE
    )


def times(source: Path) -> tuple[str, str]:
    """What a chapter's head says: the reader's minutes, and how long the computer works.

    Raises ValueError where the head says no times.
    """
    head = book.pages(source)[1].cells[0].source
    found = re.search(r"\*\*Time\*\* about (\d+) minutes: .*; the computer works for (.+)\.", head)
    if found is None:
        raise ValueError(f"{source.name}: the head says no times")
    return found[1], found[2]


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(with_times(with_tree(path.read_text(encoding="utf-8"))), encoding="utf-8")
