"""The package's docstrings as Sphinx wants them.

They are plain text with formulas such as R_t, |x| and γ*, with `code` in single quotes of its kind,
examples and indented tables. reStructuredText would take much of that for markup.
"""

import ast
import dataclasses
import inspect
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from typing import Any

FIELD = re.compile(r"Alias for field number \d+")
ARRAY_LIKE = re.compile(r"~?[\w.]*_Buffer \|.*?_NestedSequence\[complex \| bytes \| str\]")


def process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Sphinx's hook: changes the lines of a docstring in place. A class of settings gets a list of
    those that it inherits; and of a module, which comes before what stands in it, Sphinx learns
    what the comments beside its classes' fields say."""
    lines[:] = as_rst(lines)
    if what == "module":
        explain_fields(name)
    if what == "class" and dataclasses.is_dataclass(obj):
        lines += inherited(obj)


def explain_fields(module: str) -> None:
    """Let Sphinx take the comment beside a field for its docstring."""
    from sphinx.pycode import ModuleAnalyzer

    analyzer = ModuleAnalyzer.for_module(module)
    analyzer.analyze()
    for owner in vars(sys.modules[module]).values():
        if isinstance(owner, type) and owner.__module__ == module:
            for field, said in comments(owner).items():
                analyzer.attr_docs.setdefault((owner.__qualname__, field), [said, ""])


@cache
def comments(owner: type) -> dict[str, str]:
    """What a class says of its own fields: the comment beside a field, or those right above it."""
    try:
        lines = inspect.cleandoc("\n" + inspect.getsource(owner)).splitlines()
    except (OSError, TypeError):  # made at run time
        return {}
    source = "\n".join(lines)
    beside = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    alone = {at for at in beside if lines[at - 1].lstrip().startswith("#")}
    found = {}
    for node in ast.parse(source).body[0].body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            inside = [at for at in range(node.lineno, node.end_lineno + 1) if at in beside]
            above = node.lineno
            while above - 1 in alone:
                above -= 1
            said = [beside[at] for at in inside or range(above, node.lineno)]
            if said:
                found[node.target.id] = " ".join(said)
    return found


def inherited(owner: type) -> Iterator[str]:
    """The fields that a dataclass has from others, one a line, with what those say of them."""
    own = vars(owner).get("__annotations__", {})
    fields = {each.name: each for each in dataclasses.fields(owner) if each.name not in own}
    for base in owner.__mro__[1:]:
        mine = [name for name in fields if name in vars(base).get("__annotations__", {})]
        if mine:
            yield from (
                "",
                f"From ``{base.__module__.removeprefix('a3c_lib.')}.{base.__name__}``:",
                "",
            )
        for name in mine:
            field = fields.pop(name)
            value = "" if field.default is dataclasses.MISSING else f" = {field.default!r}"
            said = "".join(as_rst([comments(base).get(name, "")]))
            yield f"- ``{name}{value}``: {said}" if said else f"- ``{name}{value}``"


def process_signature(
    app: Any,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    arguments: str | None,
    result: str | None,
) -> tuple[str | None, str | None]:
    """Sphinx's hook: the arguments of a function, without what their values may be."""
    return arguments and plain_types(arguments), result and plain_types(result)


def process_tree(app: Any, tree: Any) -> None:
    """Sphinx's hook: the types of a class's fields, without what their values may be."""
    from docutils import nodes
    from sphinx import addnodes

    for annotation in tree.findall(addnodes.desc_annotation):
        if (said := annotation.astext()) != (plain := plain_types(said)):
            annotation.children = [nodes.Text(plain)]


def plain_types(text: str) -> str:
    """Annotated types as what they annotate: a setting's page says in words what it may be. And
    NumPy's ArrayLike by its name, not as the union that it is.

    >>> plain_types("(t_max: Annotated[int, Range(least=1, most=None)] = 5, anneal: bool = True)")
    '(t_max: int = 5, anneal: bool = True)'
    >>> plain_types("(n: _Buffer | dtype[Any] | _NestedSequence[complex | bytes | str], m: int)")
    '(n: ArrayLike, m: int)'
    """
    text = ARRAY_LIKE.sub("ArrayLike", text)
    return re.sub(r"Annotated\[([\w.| ]+), ~?[\w.]+\([^()]*\)\]", r"\1", text)


def as_rst(lines: list[str]) -> list[str]:
    """A docstring's lines as reStructuredText that shows what they say.

    >>> as_rst(["R_t is `x`.", "    a  b", "", ">>> 1 * 1", "1"])
    ['R\\\\_t is ``x``.', '', '::', '', '    a  b', '', '>>> 1 * 1', '1']
    """
    return list(_rst(lines))


def _rst(lines: list[str]) -> Iterator[str]:
    example = table = False
    for line in lines:
        if FIELD.fullmatch(line):  # what a NamedTuple says of a field without words
            continue
        example = bool(line.strip()) and (example or line.lstrip().startswith(">>>"))
        if example:
            yield line
            continue
        if line.startswith("    ") and not table:
            yield from ("", "::", "")
            table = True
        if table and line.strip() and not line.startswith("    "):
            table = False
            yield ""
        yield line if table else _plain(line)


def _plain(line: str) -> str:
    """A line of text: code stays code, and nothing else is markup."""
    parts = re.split(r"(`[^`]+`)", line)
    return "".join(
        f"`{part}`" if at % 2 else re.sub(r"([\\*_|`])", r"\\\1", part)
        for at, part in enumerate(parts)
    )
