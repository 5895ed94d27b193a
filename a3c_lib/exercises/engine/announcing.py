"""Chapter 00: a verdict on the page: with colour and a mark in a notebook, else as plain text."""

import html
import sys

# Told apart by their marks too, and seen on a light and on a dark page. (No colour has enough
# contrast for words on both.)
COLOURS = {"✓": "#1a9850", "✗": "#d55e00", "○": "#888888"}


def announce(text: str) -> None:
    """Show a verdict. A notebook's page gets it as HTML, and with it the plain text for whoever
    reads no HTML."""
    if not in_notebook():
        print(text)
        return
    from IPython.display import display

    bundle = {"text/plain": text, "text/html": coloured(text)}
    display(bundle, raw=True)  # type: ignore[no-untyped-call]


def in_notebook() -> bool:
    """Whether a kernel runs this, with a page that shows HTML."""
    ipython = sys.modules.get("IPython")
    return hasattr(ipython.get_ipython() if ipython else None, "kernel")


def coloured(text: str) -> str:
    """A verdict as HTML: a line in its mark's colour at the left, and its beginning in bold, in the
    page's own colour.

    >>> coloured("✓ 2.1 f: right.").count("#1a9850")
    2
    """
    mark, (beginning, colon, rest) = text[0], html.escape(text[1:], quote=False).partition(":")
    colour = COLOURS[mark]
    return (
        f'<div style="border-left: 5px solid {colour}; padding-left: 10px">'
        '<pre style="white-space: pre-wrap; margin: 0">'
        f'<b><span style="color: {colour}">{mark}</span>{beginning}</b>{colon}{rest}</pre></div>'
    )
