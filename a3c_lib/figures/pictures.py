"""Chapter 00: every picture says in words what it shows, for those who do not see it.

A notebook keeps a picture as HTML, `<img alt="…">`, and where no picture can be shown its words
stand in its place. A figure's words are its titles, what its axes measure and what is marked in it;
`describe` gives it better ones.
"""

import re
import sys
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from io import BytesIO
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

COLOURS = 64
MOST_MARKS = 8  # of a figure's marks, as many are named

Bundle = dict[str, Any]  # data by kind


class Picture(Figure):
    """A figure of the book's."""

    scale = 1  # pixels that are kept, to one that is shown

    def png(self) -> bytes:
        """It, drawn, without the white around it."""
        drawn = BytesIO()
        self.savefig(drawn, format="png", bbox_inches="tight")
        return drawn.getvalue()


class Sharp(Picture):
    """A figure of lines and words, which a notebook keeps with twice as many pixels as it shows."""

    scale = 2

    def png(self) -> bytes:
        """It, drawn; with few colours, with which a notebook is half as large."""
        drawn, png = BytesIO(), BytesIO()
        self.savefig(drawn, format="png", dpi=self.scale * self.dpi)
        few = Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(png, format="PNG", optimize=True)
        return png.getvalue()


def describe(picture: Figure | Axes, text: str) -> None:
    """Say what a figure shows.

    >>> figure = Figure()
    >>> describe(figure, "A curve that rises.")
    >>> description(figure)
    'A curve that rises.'
    """
    if not text.strip():
        raise ValueError("text says what the figure shows; it is empty")
    figure = picture.figure if isinstance(picture, Axes) else picture
    figure.set_label(text)


def description(figure: Figure) -> str:
    """What a figure shows; empty for one that has no title either.

    >>> figure = Figure()
    >>> ax = figure.subplots()
    >>> description(figure)
    ''
    >>> ax.set(title="It rises", xlabel="steps", ylabel="return")  # doctest: +ELLIPSIS
    [...]
    >>> description(figure)
    'It rises. Axes: steps; return.'
    """
    if said := str(figure.get_label()):
        return said
    titles = list(_each(_titles(figure)))
    if not titles:
        return ""
    axes = [f"{ax.get_xlabel()}; {ax.get_ylabel()}".strip("; ") for ax in figure.axes]
    parts = [_sentences(titles)]
    if measured := list(_each(axes)):
        parts.append(f"Axes: {'; '.join(measured)}.")
    if marks := [mark for mark in _each(_marks(figure)) if mark not in titles]:
        more = ", …" if len(marks) > MOST_MARKS else ""
        parts.append(f"Marked: {', '.join(marks[:MOST_MARKS])}{more}.")
    return " ".join(parts)


def _titles(figure: Figure) -> Iterator[str]:
    yield figure.get_suptitle()
    for ax in figure.axes:
        yield from (ax.get_title(place) for place in ("left", "center", "right"))


def _marks(figure: Figure) -> Iterator[str]:
    """Names of curves and rows, and what is written in the figure, numbers left out."""
    for ax in figure.axes:
        legend = ax.get_legend()
        yield from (text.get_text() for text in (legend.get_texts() if legend else []))
        texts = [*ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels()]
        yield from (text.get_text() for text in texts if _has_letters(text.get_text()))


def _has_letters(text: str) -> bool:
    """Whether it is more than a number. A logarithmic axis writes its numbers as formulas."""
    return any(map(str.isalpha, re.sub(r"\$\\mathdefault\{[^$]*\}\$", "", text)))


def _each(texts: Any) -> Iterator[str]:
    """Every text once, in one line, without the empty ones."""
    seen = dict.fromkeys(" ".join(text.split()) for text in texts)
    return iter(text for text in seen if text)


def _sentences(titles: list[str]) -> str:
    return " ".join(title if title[-1] in ".?!" else f"{title}." for title in titles)


# In a notebook


def as_html(png: bytes, alt: str, width: int) -> str:
    """A picture as HTML, `width` pixels wide. It holds the picture itself, so that it shows
    wherever HTML does, in a notebook that is not trusted too.

    >>> as_html(b"PNG", "A curve.", 96)
    '<img alt="A curve." width="96" src="data:image/png;base64,UE5H">'
    """
    data = b64encode(png).decode()
    words = f'alt="{escape(alt)}" ' if alt else ""
    return f'<img {words}width="{width}" src="data:image/png;base64,{data}">'


def bundle(picture: Picture, **_: Any) -> Bundle:
    """What a notebook keeps of a picture, by kind: HTML, and its words where nothing else shows.

    JupyterLab and nbconvert give no words to an image/png, so a picture is not kept as one. A
    picture without words has no `alt`, and the book is not built with it.
    """
    said, png = description(picture), picture.png()
    width = Image.open(BytesIO(png)).width // picture.scale
    return {"text/html": as_html(png, said, width), "text/plain": said}


def teach(shell: Any) -> None:
    """Let a notebook's shell keep pictures like this, whatever it does with other figures."""
    shell.display_formatter.mimebundle_formatter.for_type(Picture, bundle)
    shell.display_formatter.formatters["image/png"].for_type(Picture, lambda _: None)


if (ipython := sys.modules.get("IPython")) and (shell := ipython.get_ipython()):
    teach(shell)
