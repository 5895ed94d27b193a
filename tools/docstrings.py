"""The package's docstrings as Sphinx wants them.

They are plain text with formulas such as R_t, |x| and γ*, with `code` in single quotes of its kind,
examples and indented tables. reStructuredText would take much of that for markup.
"""

import re
from collections.abc import Iterator
from typing import Any

FIELD = re.compile(r"Alias for field number \d+")


def process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Sphinx's hook: changes the lines of a docstring in place."""
    lines[:] = as_rst(lines)


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
    """Annotated types as what they annotate: a setting's page says in words what it may be.

    >>> plain_types("(t_max: Annotated[int, Range(least=1, most=None)] = 5, anneal: bool = True)")
    '(t_max: int = 5, anneal: bool = True)'
    """
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
