"""What a piece of our code depends on, as a short text: a fingerprint of *definitions*, not files.

    Tree(root).reach(["claims.signals.run"]).fingerprint

From a few names to every definition of ours that they reach: functions, constants, and classes,
each whole. Followed are names, attributes of modules, imports (also those inside a function and
those through an `__init__`), base classes, decorators, default arguments, the annotations of
fields, and the ids of worlds: "a3c_lib/Catch-v0" leads to its `gym.register` and from there to the
class. Of every module that something is reached in, the statements that do something when it is
imported count too.

Left out is what changes no result: where a definition stands, what its module is called, imports,
docstrings, comments, and the annotations of functions and of their variables, which nothing of
ours reads. So a module can be moved, and a function added, and the fingerprint stays. A name of
somebody else's is written as where it comes from: `nn.Linear` is torch.nn.Linear.

A name that means one of our definitions is written as the number of that definition, in the order
in which they are met. That says which definition is meant without saying where it stands; two
helpers of the same name are not confused, and definitions that need each other are no problem.

The form in which code is written here is our own, for `ast.dump` differs from Python to Python.
Nothing is imported that does not come with Python, and nothing of ours is run.

Limits. What is looked up by a text made at run time is not seen: `getattr(module, name)` counts
the whole module, `import_module(name)` nothing; an id of a world counts if it stands somewhere as a
whole, and if a statement of its own in a module registers it. Nor is seen what one module changes
in another from afar, what a decorator or the value of a constant does beyond giving a value, files
that are read, and versions of packages. A method is not looked for in a subclass that nobody names,
and an import in the body of a class is not followed. `from x import *` and relative imports are
refused.
"""

import ast
import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

OURS = ("a3c_lib", "claims")  # packages whose definitions are followed
EFFECTS = "what it does when it is imported"  # stands for a definition, as no name has spaces

WORLD = re.compile(rf"\b(?:{'|'.join(OURS)})/[\w-]+-v\d+")
ENTRY_POINT = re.compile(rf"((?:{'|'.join(OURS)})[\w.]*):([\w.]+)")


class Reference(NamedTuple):
    """Something to be looked up: a name of the module, a path from the top, or a world's id."""

    kind: str
    to: str


Text = tuple[str | Reference, ...]  # code in a form of our own


class Module(NamedTuple):
    """What a module's source gives, whatever the module is called."""

    definitions: dict[str, Text]  # a world that is registered is one, by its id
    imports: dict[str, str]  # local name → path
    effects: Text
    exact: dict[str, str]  # the definitions as they are written


class Place(NamedTuple):
    """Where a path leads to. Without a module: to somebody else's, and `rest` is all of it."""

    module: str
    name: str  # of the definition; "" is the whole module
    rest: str  # attributes of that


class Tree:
    """The sources of ours below a folder. `script` is a program that is not a file: __main__. Of
    other `packages` than all of ours, the rest counts as somebody else's."""

    def __init__(
        self, root: Path, script: str | None = None, packages: Collection[str] = OURS
    ) -> None:
        self.root, self.packages = root, packages
        main = None if script is None else module_of(script, is_main=True)
        self._modules: dict[str, Module | None] = {"__main__": main}
        self._worlds: dict[str, str] | None = None

    def module(self, name: str) -> Module | None:
        """A module of ours; None if there is none of that name."""
        if name not in self._modules:
            source = self._source(name)
            self._modules[name] = None if source is None else module_of(source)
        return self._modules[name]

    def _source(self, name: str) -> str | None:
        if name.partition(".")[0] not in self.packages:
            return None
        path = self.root.joinpath(*name.split("."))
        for file in path.with_suffix(".py"), path / "__init__.py":
            if file.exists():
                return file.read_text(encoding="utf-8")
        return "" if path.is_dir() else None

    def find(self, path: str) -> Place:
        """Follow a path from module to module, through imports, to a definition."""
        module, *rest = path.split(".")
        while (here := self.module(module)) is not None:
            if not rest:
                return Place(module, "", "")
            name, *after = rest
            if name in here.definitions:
                return Place(module, name, ".".join(after))
            imported = here.imports.get(name, f"{module}.{name}")
            if imported != f"{module}.{name}":
                return self.find(".".join([imported, *after]))
            if self.module(imported) is None:  # built in, or made at run time
                return Place("", "", ".".join(rest))
            module, rest = imported, after
        return Place("", "", path)

    def world(self, id: str) -> Place | None:
        """Where a world is registered; None if it is none of ours."""
        if self._worlds is None:
            self._worlds = {
                name: at for at, here in self._all() for name in here.definitions if "/" in name
            }
        return Place(self._worlds[id], id, "") if id in self._worlds else None

    def _all(self) -> Iterator[tuple[str, Module]]:
        """All modules, with their names."""
        names = ["__main__"]
        for package in self.packages:
            for path in sorted((self.root / package).rglob("*.py")):
                parts = path.relative_to(self.root).with_suffix("").parts
                names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
        for name in names:
            if module := self.module(name):
                yield name, module

    def reach(self, paths: Iterable[str]) -> "Reach":
        """All definitions that are reached from some. Raises LookupError if those are not there."""
        return Reach(self, [self._known(path) for path in paths])

    def _known(self, path: str) -> Place:
        place = self.find(path)
        if not place.module:
            raise LookupError(f"there is no {path} in {', '.join(self.packages)}")
        return place


class Reach:
    """The definitions that are reached, in the order in which they are met, and written so."""

    def __init__(self, tree: Tree, roots: Iterable[Place]) -> None:
        self.tree = tree
        self._numbers: dict[tuple[str, ...], int] = {}
        self.definitions: list[tuple[str, ...]] = []  # module and name
        for root in roots:
            self._number(root)
        # The list grows while it is written.
        self.text = "\n".join([self._written(*definition) for definition in self.definitions])

    @property
    def fingerprint(self) -> str:
        return short(self.text)

    def __contains__(self, definition: tuple[str, str]) -> bool:
        return definition in self._numbers

    def _number(self, place: Place) -> int:
        """The number of a definition; a new one waits to be written."""
        number = self._wait(place.module, place.name)
        if self._module(place.module).effects:
            self._wait(place.module, EFFECTS)
        return number

    def _wait(self, *definition: str) -> int:
        if definition not in self._numbers:
            self._numbers[definition] = len(self.definitions)
            self.definitions.append(definition)
        return self._numbers[definition]

    def _written(self, module: str, name: str) -> str:
        pieces = self.pieces(module, name)
        said = (p if isinstance(p, str) else self._said(self.place(module, p)) for p in pieces)
        return f"{name}: {''.join(said)}"

    def pieces(self, module: str, name: str) -> Text:
        here = self._module(module)
        if name == EFFECTS:
            return here.effects
        if name:
            return here.definitions[name]
        return tuple(Reference("name", each) for each in sorted(here.definitions))

    def _module(self, name: str) -> Module:
        module = self.tree.module(name)
        assert module is not None
        return module

    def place(self, module: str, reference: Reference) -> Place | None:
        """What a reference in a module is to; None for a world that is none of ours."""
        if reference.kind == "world":
            return self.tree.world(reference.to)
        at = f"{module}." if reference.kind == "name" else ""
        return self.tree.find(at + reference.to)

    def _said(self, place: Place | None) -> str:
        if place is None:
            return ""
        if not place.module:
            return f" <{place.rest}>"
        return f" #{self._number(place)}" + (f".{place.rest}" if place.rest else "")


def short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# What stands in a module


@cache
def module_of(source: str, is_main: bool = False) -> Module:
    """Take a source apart into definitions, imports and effects."""
    module = Module({}, {}, (), {})
    effects: list[str | Reference] = []
    lines = source.split("\n")
    for statement in ast.parse(source).body:
        if _is_for_main(statement) and not is_main:
            continue
        names = bound([statement])
        module.imports.update({name: path for name, path in names.items() if path})
        if _is_for_types(statement):
            continue
        text = written(statement)
        if world := _registered(statement):
            names = {world: ""}
        elif _does_something(statement):
            effects += text
        for name in sorted(name for name, path in names.items() if not path):
            module.definitions[name] = module.definitions.get(name, ()) + text
            module.exact[name] = module.exact.get(name, "") + _exact(lines, statement)
    for name in module.definitions.keys() & module.imports.keys():  # now this, now that
        module.definitions[name] += (Reference("path", module.imports[name]),)
    return module._replace(effects=tuple(effects))


def _exact(lines: list[str], statement: ast.stmt) -> str:
    """A statement as it is written, with its decorators."""
    first = min([statement, *getattr(statement, "decorator_list", [])], key=lambda n: n.lineno)
    return "\n".join(lines[first.lineno - 1 : statement.end_lineno])


def _is_for_main(statement: ast.stmt) -> bool:
    """`if __name__ == "__main__":`, which an import does not run."""
    match statement:
        case ast.If(ast.Compare(ast.Name("__name__"))):
            return True
    return False


def _is_for_types(statement: ast.stmt) -> bool:
    """`if TYPE_CHECKING:`, which nothing runs."""
    match statement:
        case ast.If(ast.Name("TYPE_CHECKING") | ast.Attribute(_, "TYPE_CHECKING")):
            return True
    return False


def _registered(statement: ast.stmt) -> str | None:
    """The id that `gym.register(id, …)` is about, if it is a world of ours."""
    match statement:
        case ast.Expr(ast.Call(ast.Attribute(_, "register"), [ast.Constant(str(id)), *_])):
            return id if WORLD.fullmatch(id) else None
    return None


def _does_something(statement: ast.stmt) -> bool:
    """Whether importing a module does more with a statement than to give names a value."""
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return any(
            isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store)
            for node in ast.walk(statement)
        )
    only_defines = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom
    return not (isinstance(statement, only_defines) or _is_silent(statement))


def _is_silent(node: ast.AST) -> bool:
    """Statements that do nothing, or only import: docstrings and other lone constants, `pass`."""
    return isinstance(node, ast.Import | ast.ImportFrom | ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def bound(body: Iterable[ast.AST]) -> dict[str, str]:
    """The names that statements give a value, in the scope in which they stand; with the path for
    those that are imported."""
    names: dict[str, str] = {}
    elsewhere: set[str] = set()
    for node in _of_this_scope(body):
        match node:
            case ast.Import() | ast.ImportFrom():
                names.update(_imported(node))
            case ast.Global(declared) | ast.Nonlocal(declared):
                elsewhere.update(declared)
            case ast.Name(id, ast.Store() | ast.Del()):
                names.setdefault(id, "")
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                names.setdefault(name, "")
            case ast.ExceptHandler(name=str(name)) | ast.MatchMapping(rest=str(name)):
                names.setdefault(name, "")
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                names.setdefault(name, "")
    return {name: path for name, path in names.items() if name not in elsewhere}


def _of_this_scope(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Nodes outside of functions, classes and the loops of comprehensions within."""
    for node in body:
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.comprehension):
            yield from _of_this_scope([node.iter, *node.ifs])
        else:
            yield from _of_this_scope(ast.iter_child_nodes(node))


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    if isinstance(node, ast.Import):
        tops = {name.name.partition(".")[0] for name in node.names if not name.asname}
        return {n.asname: n.name for n in node.names if n.asname} | {top: top for top in tops}
    if node.level or node.names[0].name == "*":
        raise ValueError(f"line {node.lineno}: not followed: {ast.unparse(node)}")
    return {name.asname or name.name: f"{node.module}.{name.name}" for name in node.names}


# Code in a form of our own


def written(statement: ast.stmt) -> Text:
    """A statement of a module: (Kind field field …), empty fields left out."""
    writer = _Writer()
    writer.write(statement)
    text: list[str | Reference] = []
    for is_text, group in groupby(writer.pieces, lambda piece: isinstance(piece, str)):
        pieces = list(group)
        text += ["".join(map(str, pieces))] if is_text else pieces
    return tuple(text)


class _Writer:
    """Writes nodes piece by piece."""

    def __init__(self) -> None:
        self.pieces: list[str | Reference] = []
        # The functions and comprehensions around, the innermost last, each as `bound` gives it.
        self.scopes: list[dict[str, str]] = []
        self.in_function = False  # and not in a class inside of it

    def write(self, value: object) -> None:
        match value:
            case list():
                self._list(value)
            case ast.Name() | ast.Attribute() if chain := _chain(value):
                self._name(value, chain)
            case ast.Constant():
                self._constant(value.value)
            case ast.JoinedStr():
                self._fields("JoinedStr", values=_joined(value.values))
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self._function(value)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._comprehension(value)
            case ast.ClassDef():
                was, self.in_function = self.in_function, False
                self._fields("ClassDef", **_fields_of(value))
                self.in_function = was
            case ast.AnnAssign() if self.in_function:
                self._fields("Assign", targets=[value.target], value=value.value)
            case ast.AST():
                self._fields(type(value).__name__, **_fields_of(value))
            case _:
                self.pieces.append(_atom(value))

    def _fields(self, kind: str, **fields: object) -> None:
        self.pieces.append(f"({kind}")
        for name, value in fields.items():
            if value is None or value == []:  # as a field that a newer Python has
                continue
            self.pieces.append(f" {name}=")
            self.write(value)
        self.pieces.append(")")

    def _list(self, values: list[object]) -> None:
        self.pieces.append("[")
        for value in values:
            if isinstance(value, ast.AST) and _is_silent(value):
                continue
            self.write(value)
            self.pieces.append(" ")
        self.pieces.append("]")

    def _constant(self, value: object) -> None:
        """A text may name a definition: a world by its id, or another by 'module:name'."""
        if isinstance(value, str) and (entry := ENTRY_POINT.fullmatch(value)):
            self.pieces += ["(Entry", Reference("path", ".".join(entry.groups())), ")"]
            return
        self.pieces.append(f"(Constant {_atom(value)}")
        if isinstance(value, str):
            self.pieces += [Reference("world", id) for id in WORLD.findall(value)]
        self.pieces.append(")")

    def _name(self, node: ast.Name | ast.Attribute, chain: str) -> None:
        """A name, with its attributes: local, imported inside a function, or the module's."""
        name, _, rest = chain.partition(".")
        scope = next((scope for scope in reversed(self.scopes) if name in scope), None)
        if scope is None:
            is_given = isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
            # A module's own name that is given a value here, unless a function says `global`.
            is_own = is_given and not self.in_function
            self.pieces.append(chain if is_own else Reference("name", chain))
        elif path := scope[name]:
            self.pieces.append(Reference("path", f"{path}.{rest}" if rest else path))
        else:
            self.pieces.append(chain)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        """What stands before the colon belongs to the scope around, but for the arguments' names.
        Types are left out."""
        given = node.args
        positional, named = _named(given.posonlyargs), _named(given.args)
        only_named, rest = _named(given.kwonlyargs), _named([given.vararg, given.kwarg])
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        types = getattr(node, "type_params", [])
        scope = bound([*body, *types]) | {t.name: "" for t in types}
        scope |= dict.fromkeys(positional + named + only_named + rest, "")
        self._fields(
            type(node).__name__,
            name=getattr(node, "name", None),
            decorators=getattr(node, "decorator_list", []),
            positional=positional,
            args=named,
            star=given.vararg and given.vararg.arg,
            only_named=only_named,
            stars=given.kwarg and given.kwarg.arg,
            defaults=given.defaults,
            defaults_of_named=given.kw_defaults,
        )
        was, self.in_function = self.in_function, True
        self.scopes.append(scope)
        self.write(body)
        self.scopes.pop()
        self.in_function = was

    def _comprehension(self, node: ast.AST) -> None:
        """The first thing that is gone through belongs to the scope around."""
        (first, *others) = node.generators  # type: ignore[attr-defined]
        targets = [loop.target for loop in (first, *others)]
        kind = type(node).__name__
        self._fields(kind, through=first.iter, is_async=first.is_async)
        self.scopes.append(bound(targets))
        parts = {name: getattr(node, name, None) for name in ("key", "value", "elt")}
        self._fields("each", target=first.target, ifs=first.ifs, others=others, **parts)
        self.scopes.pop()


def _chain(node: ast.expr) -> str | None:
    """`a.b.c` as a text; None if it begins with anything but a name."""
    match node:
        case ast.Name(id):
            return id
        case ast.Attribute(value, attr):
            before = _chain(value)
            return before and f"{before}.{attr}"
    return None


def _fields_of(node: ast.AST) -> dict[str, object]:
    return {name: getattr(node, name, None) for name in node._fields if name != "ctx"}


def _named(args: Iterable[ast.arg | None]) -> list[str]:
    return [arg.arg for arg in args if arg]


def _joined(values: Iterable[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string. Some Pythons cut its constant parts into several."""
    parts: list[ast.expr] = []
    for value in values:
        match parts, value:
            case _, ast.Constant(""):
                pass
            case [*_, ast.Constant(str(before))], ast.Constant(str(text)):
                parts[-1] = ast.Constant(before + text)
            case _:
                parts.append(value)
    return parts


def _atom(value: object) -> str:
    """A plain value, the same everywhere: which letters `repr` shows depends on the Python."""
    return ascii(value)
