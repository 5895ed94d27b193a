"""Chapter 00: every picture says in words what it shows, for those who do not see it.

A notebook keeps the words as the picture's alternative text: nbconvert writes them into
`<img alt>`, and where no picture can be shown they stand in its place. A figure's words are its
titles, what its axes measure and what is marked in it; `describe` gives it better ones.
"""

import sys
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

COLOURS = 64
MOST_MARKS = 8  # of a figure's marks, as many are named

Bundle = dict[str, Any]  # data by kind


class Sharp(Figure):
    """A figure of lines and words, which a notebook keeps with twice as many pixels as it shows."""


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
        yield from (text.get_text() for text in texts if any(map(str.isalpha, text.get_text())))


def _each(texts: Any) -> Iterator[str]:
    """Every text once, in one line, without the empty ones."""
    seen = dict.fromkeys(" ".join(text.split()) for text in texts)
    return iter(text for text in seen if text)


def _sentences(titles: list[str]) -> str:
    return " ".join(title if title[-1] in ".?!" else f"{title}." for title in titles)


# In a notebook


def words(figure: Figure, **_: Any) -> tuple[Bundle, Bundle]:
    """What a notebook keeps of a figure beside its pixels: data and metadata, by kind. Nothing of a
    figure without words; the book is not built with one."""
    said = description(figure)
    return ({"text/plain": said}, metadata(said)) if said else ({}, {})


def sharp(figure: Sharp) -> tuple[bytes, Bundle]:
    """A PNG with twice as many pixels as are shown, and how a notebook shows it."""
    drawn, png = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png", dpi=2 * figure.dpi)
    # Lines and words have few colours, with which a notebook is half as large.
    few = Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(png, format="PNG", optimize=True)
    width = round(figure.get_figwidth() * figure.dpi)
    return png.getvalue(), metadata(description(figure), width=width)["image/png"]


def teach(shell: Any) -> None:
    """Let a notebook's shell keep every figure's words with it, whatever draws the pixels."""
    shell.display_formatter.mimebundle_formatter.for_type(Figure, words)
    shell.display_formatter.formatters["image/png"].for_type(Sharp, sharp)


def metadata(alt: str, **more: Any) -> dict[str, Bundle]:
    """Metadata of an image/png with alternative text.

    >>> metadata("A film.", width=320)
    {'image/png': {'alt': 'A film.', 'width': 320}}
    """
    return {"image/png": {"alt": alt, **more}}


if (ipython := sys.modules.get("IPython")) and (shell := ipython.get_ipython()):
    teach(shell)
