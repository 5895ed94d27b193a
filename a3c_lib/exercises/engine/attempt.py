"""Chapter 00: has anything been written yet?

A stub is a body of `...`, `pass`, a docstring alone or NotImplementedError. A bug hunt that is left
as it starts is no attempt either. Both are decided by the syntax tree, or by the bytecode where
there is no source.
"""

import ast
import dis
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType
from typing import Any

from a3c_lib.exercises.engine.cases import Answer
from a3c_lib.exercises.engine.written import (
    Definition,
    definition,
    functions_of,
    name_of,
    unwrapped,
)


def is_stub(answer: Answer) -> bool:
    """Whether a function is a stub, or a class in which nothing but stubs is written.

    >>> def twice(x):
    ...     "Twice x."
    >>> is_stub(twice)
    True
    """
    written = unwrapped(answer)
    tree = definition(written)
    if isinstance(written, type):
        methods = list(functions_of(written))
        if tree is None:
            return all(map(_is_stub_code, methods)) and not _has_data(written)
        return all(map(_is_stub_statement, tree.body))
    if tree is not None:
        return _is_stub_body(tree)
    return isinstance(written, FunctionType) and _is_stub_code(written)


def unwritten_methods(answer: Answer, reference: Answer) -> list[str]:
    """The names of a class's methods that are still stubs, where the reference has more."""
    written, right = unwrapped(answer), unwrapped(reference)
    if not isinstance(written, type) or not isinstance(right, type):
        return []
    return [
        function.__name__
        for function in functions_of(written)
        if _is_stub_function(function)
        and any(
            each.__name__ == function.__name__ and not _is_stub_function(each)
            for each in functions_of(right)
        )
    ]


def is_unchanged(answer: Answer, start: Answer) -> bool:
    """Whether an answer is the code that a bug hunt starts from, but for its name, comments,
    docstrings, annotations and decorators."""
    mine, given = unwrapped(answer), unwrapped(start)
    trees = definition(mine), definition(given)
    if trees[0] is not None and trees[1] is not None:
        return _essence(trees[0]) == _essence(trees[1])
    codes = [
        [_instructions(each.__code__, name_of(one)) for each in functions_of(one)]
        for one in (mine, given)
    ]
    return bool(codes[0]) and codes[0] == codes[1]


# By the syntax tree


def _is_stub_function(function: FunctionType) -> bool:
    tree = definition(function)
    return _is_stub_code(function) if tree is None else _is_stub_body(tree)


def _is_stub_body(tree: Definition) -> bool:
    body = [statement for statement in tree.body if not _calls_super_init(statement)]
    return bool(body) and all(map(_is_stub_statement, body))


def _is_stub_statement(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass():
            return True
        case ast.Expr(ast.Constant(value)):
            return value is ... or isinstance(value, str)
        case ast.Raise(ast.Name("NotImplementedError") | ast.Call(ast.Name("NotImplementedError"))):
            return True
        case ast.FunctionDef():
            return _is_stub_body(statement)
    return False


def _calls_super_init(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(ast.Call(ast.Attribute(ast.Call(ast.Name("super")), "__init__"))):
            return True
    return False


class _Essence(ast.NodeTransformer):
    """Takes from a definition what does not change what it does."""

    def __init__(self, name: str) -> None:
        self.name = name

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name("itself", node.ctx) if node.id == self.name else node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(node.arg)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        self.generic_visit(node)
        return None if node.value is None else ast.Assign([node.target], node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        body = _without_docstring(node.body)
        return ast.FunctionDef(node.name, node.args, body, [], None)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self.generic_visit(node)
        body = _without_docstring(node.body)
        return ast.ClassDef(node.name, node.bases, node.keywords, body, [])


def _essence(tree: Definition) -> str:
    bare = _Essence(tree.name).visit(ast.parse(ast.unparse(tree)).body[0])
    bare.name = "itself"
    return ast.dump(bare)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(ast.Constant(str())), *rest]:
            return rest
    return body


# By the bytecode


def _is_stub_code(function: FunctionType) -> bool:
    code = function.__code__
    constants = ("" if isinstance(each, str) else each for each in code.co_consts)
    wordless = code.replace(co_consts=tuple(constants))
    return function.__name__ != "<lambda>" and _instructions(wordless) in _STUBS


def _instructions(code: CodeType, name: str = "") -> list[tuple[str, Any]]:
    """What a function does, step by step; `name`, its own, stands as "itself"."""
    return [
        (each.opname, _operand(each.argval, name))
        for each in dis.get_instructions(code)
        if each.opname not in ("RESUME", "COPY_FREE_VARS")
    ]


def _operand(value: Any, name: str) -> Any:
    if isinstance(value, CodeType):
        return _instructions(value, name)
    return "itself" if name and value == name else (type(value), value)


def _stubs() -> Iterator[list[tuple[str, Any]]]:
    for body in "...", "raise NotImplementedError", "raise NotImplementedError('')":
        space: dict[str, Any] = {}
        exec(f"def stub(): {body}", space)
        yield _instructions(space["stub"].__code__)


_STUBS = list(_stubs())


def _has_data(answer: type) -> bool:
    return any(not name.startswith("__") for name in _data(vars(answer).items()))


def _data(attributes: Iterable[tuple[str, Any]]) -> Iterator[str]:
    for name, value in attributes:
        if not callable(value) and not isinstance(value, property | classmethod | staticmethod):
            yield name
