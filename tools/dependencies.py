"""What the outputs of a notebook depend on, beside its own source, as a fingerprint.

That is every definition of ours that its cells reach (`claims.fingerprints` says how, and what is
not seen), the exercises of the chapters whose ids it names, the list of all exercises if it prints
its progress, and the records that it names. Where it prints sources of ours, of what it names
itself the exact text counts, with docstrings and comments.

A record counts if its name, or that of a folder above it, stands somewhere as a whole. The table of
the modules that hold exercises is part of their engine, so a new name for such a module counts.
"""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from claims.fingerprints import Place, Reach, Tree, short

EXERCISES = "a3c_lib.exercises"
PRINTS_SOURCES = {"inspect.getsource", "inspect.getsourcelines", "help"}


def fingerprint(notebook: NotebookNode, root: Path) -> str:
    """Of all that a notebook depends on in the repository at `root`."""
    script = script_of(notebook)
    tree = Tree(root, script)
    lists = lists_of_exercises(tree)
    asked = {int(chapter) for chapter in re.findall(r"""["'](\d+)\.\d+["']""", script)}
    reach = tree.reach(["__main__", *(lists[chapter] for chapter in sorted(asked & set(lists)))])
    parts = [reach.text, *exact_sources(reach), *records_named(root, reach.text)]
    if (EXERCISES, "progress") in reach:
        parts += [title for chapter in sorted(lists) for title in titles(tree, lists[chapter])]
    return short("\n".join(parts))


def script_of(notebook: NotebookNode) -> str:
    """The code of all cells. One that is no Python is left out: running it will say so."""
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return "\n".join(
        code for code in map(TransformerManager().transform_cell, cells) if _runs(code)
    )


def _runs(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


# Exercises, which the engine finds by the number of their chapter


def lists_of_exercises(tree: Tree) -> dict[int, str]:
    """By chapter, the path of the tuple that holds its exercises."""
    table = ast.parse(_exact(tree, tree.find(f"{EXERCISES}.engine.registry.MODULES"))).body
    modules = ast.literal_eval(table[0].value) if table else {}  # type: ignore[attr-defined]
    paths = {chapter: f"{EXERCISES}.{module}.EXERCISES" for chapter, module in modules.items()}
    return {chapter: path for chapter, path in paths.items() if tree.find(path).name}


def titles(tree: Tree, path: str) -> Iterator[str]:
    """What the list of exercises says of a chapter's, in order: id, title, minutes, difficulty."""
    for node in ast.walk(ast.parse(_exact(tree, tree.find(path)))):
        if isinstance(node, ast.Call):
            said = {
                k.arg: k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)
            }
            if {"id", "title"} <= said.keys():
                shown = said["id"], said["title"], said.get("minutes"), said.get("difficulty")
                yield " ".join(map(str, shown))


def _exact(tree: Tree, place: Place) -> str:
    """A definition, or all of a module, as it is written; "" for what is not ours."""
    module = tree.module(place.module)
    if module is None:
        return ""
    return module.exact[place.name] if place.name else "\n".join(module.exact.values())


# Sources that are printed


def exact_sources(reach: Reach) -> list[str]:
    """What the notebook, or a list of exercises, names itself, if somebody prints sources there."""
    named = {
        place
        for module, name in reach.definitions
        if module == "__main__" or name == "EXERCISES"
        for place in _named(reach, module, name)
    }
    further = {each for place in named for each in _named(reach, place.module, place.name)}
    if not PRINTS_SOURCES & {place.rest for place in named | further if not place.module}:
        return []
    return sorted(_exact(reach.tree, place) for place in named)


def _named(reach: Reach, module: str, name: str) -> Iterator[Place]:
    """What a definition refers to."""
    if (module, name) in reach:
        for piece in reach.pieces(module, name):
            place = None if isinstance(piece, str) else reach.place(module, piece)
            if place is not None:
                yield place


# Records


def records_named(root: Path, text: str) -> Iterator[str]:
    """The records, and the files beside them, whose name stands as a constant in a text of code."""
    folder = root / "claims" / "records"
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and any(f"(Constant {each!a}" in text for each in called(name)):
            yield f"{name}: {content(path)}"


def called(name: str) -> Iterator[str]:
    """The names by which a file is found: its own, a record's, and the folders above it."""
    yield name
    yield re.sub(r"\.(csv|json)$", "", name)
    parts = name.split("/")
    for depth in range(1, len(parts)):
        above = "/".join(parts[:depth])
        yield from (above, f"{above}/")


def content(path: Path) -> str:
    """What a file says. Of the page on a record, what it says of our code does not count."""
    if path.suffix == ".json":
        about = json.loads(path.read_text(encoding="utf-8"))
        return json.dumps({k: v for k, v in about.items() if k not in ("code", "repeated")})
    if path.suffix == ".csv":
        return short(path.read_text(encoding="utf-8"))
    return short(path.read_bytes().hex())
