"""Chapter 00: what was written, under any wrapper: functions, syntax tree, name."""

import ast
import functools
import inspect
import linecache
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import CellType, CodeType, FunctionType
from typing import Any

from a3c_lib.exercises.engine.cases import Answer

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def unwrapped(answer: Any) -> Any:
    """The function or class itself: without functools.wraps or partial, a callable object's
    `__call__`.

    >>> unwrapped(functools.partial(unwrapped)) is unwrapped
    True
    """
    answer = inspect.unwrap(answer)
    if isinstance(answer, functools.partial):
        return unwrapped(answer.func)
    if inspect.ismethod(answer):
        return unwrapped(answer.__func__)
    if not isinstance(answer, FunctionType | type) and callable(answer):
        return unwrapped(type(answer).__call__)
    return answer


def name_of(answer: Any) -> str:
    """What a function or class is called."""
    return str(getattr(answer, "__name__", type(answer).__name__))


def functions_of(answer: Any) -> Iterator[FunctionType]:
    """The function, or the functions that a class defines."""
    if isinstance(answer, FunctionType):
        yield answer
    elif isinstance(answer, type):
        for attribute in vars(answer).values():
            plain = attribute.fget if isinstance(attribute, property) else attribute
            function = unwrapped(getattr(plain, "__func__", plain))
            own = getattr(function, "__qualname__", "").startswith(f"{answer.__qualname__}.")
            if own and isinstance(function, FunctionType):
                yield function


def names_in(answer: Any) -> set[str]:
    """Every global name and attribute that its code mentions, functions within it included.

    >>> sorted(names_in(lambda x: [abs(y) for y in x.tolist()]))
    ['abs', 'tolist']
    """
    names: set[str] = set()
    codes = [function.__code__ for function in functions_of(unwrapped(answer))]
    while codes:
        code = codes.pop()
        names.update(code.co_names)
        codes.extend(const for const in code.co_consts if isinstance(const, CodeType))
    return names


def own_names(answer: Any) -> dict[str, str]:
    """The names that its code mentions, by that under which each was defined: another one after
    `import … as` or an assignment. What functions beside it mention counts, where it calls them.

    >>> listed = names_in
    >>> own_names(lambda x: listed(x))["names_in"]
    'listed'
    """
    found: dict[str, str] = {}
    waiting = list(functions_of(unwrapped(answer)))
    seen = set(waiting)
    while waiting:
        function = waiting.pop()
        found |= {name: name for name in names_in(function)}
        for name, meant in _meant(function).items():
            found.setdefault(name_of(meant), name)
            if meant.__globals__ is function.__globals__ and meant not in seen:
                seen.add(meant)
                waiting.append(meant)
    return found


def _meant(function: FunctionType) -> dict[str, FunctionType]:
    """The functions that names in its code mean."""
    return {
        name: unwrapped(thing)
        for name, thing in meanings(function).items()
        if isinstance(thing, FunctionType | functools.partial)
        and isinstance(unwrapped(thing), FunctionType)
    }


def meanings(function: FunctionType) -> dict[str, Any]:
    """What names in its code mean: among its globals, or in a function around it."""
    space = dict(function.__globals__)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # empty
            space[name] = cell.cell_contents
    names = names_in(function).union(function.__code__.co_freevars) & space.keys()
    return {name: space[name] for name in sorted(names)}


def defaults_of(function: FunctionType) -> dict[str, Any]:
    """The default arguments, by their names.

    >>> defaults_of(lambda rewards, seen=[]: None)
    {'seen': []}
    """
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not each.empty}


def definition(answer: Any) -> Definition | None:
    """The syntax tree of its definition; None where there is no source, as with exec.

    A notebook's cells are found too: IPython keeps their source where tracebacks look for it.
    """
    for function in functions_of(answer):
        code = function.__code__
        lines = linecache.getlines(code.co_filename, function.__globals__)
        for node in ast.walk(_parsed("".join(lines))):
            if isinstance(node, Definition) and _defines(node, answer, code.co_firstlineno):
                return node
    return None


@functools.lru_cache(maxsize=8)
def _parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError:  # IPython's own syntax
        return ast.Module([], [])


def _defines(node: Definition, answer: Any, line: int) -> bool:
    """Whether a definition is that of a function, or of a class with a method on that line."""
    if isinstance(answer, type):
        inside = first_line(node) <= line <= (node.end_lineno or 0)
        return isinstance(node, ast.ClassDef) and node.name == answer.__name__ and inside
    return not isinstance(node, ast.ClassDef) and first_line(node) == line


def first_line(node: Definition) -> int:
    """Where the definition begins, its decorators included, as Python counts."""
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


@contextmanager
def known_by_its_name(answer: Answer) -> Iterator[None]:
    """Let the answer's own name mean the answer, so that it can call itself.

    While a cell runs, the name is not bound yet, or still means an earlier version. It stands among
    the function's globals, or in a cell of its closure where it was defined within a function.
    """
    written = inspect.unwrap(answer)  # a callable object has no name of its own
    name = name_of(written)
    with ExitStack() as undo:
        for function in functions_of(written):
            _bind(function.__globals__, name, answer, undo)
            cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
            for free, cell in cells:
                if free == name:
                    _fill(cell, answer, undo)
        yield


def _bind(space: dict[str, Any], name: str, answer: Answer, undo: ExitStack) -> None:
    if name in space:
        undo.callback(space.__setitem__, name, space[name])
    else:
        undo.callback(space.pop, name, None)
    space[name] = answer


def _fill(cell: CellType, answer: Answer, undo: ExitStack) -> None:
    try:
        undo.callback(setattr, cell, "cell_contents", cell.cell_contents)
    except ValueError:  # empty
        undo.callback(delattr, cell, "cell_contents")
    cell.cell_contents = answer
