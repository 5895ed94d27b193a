"""Chapter 00: how the book's figures look, and the parts that several of them share.

Colours are Okabe and Ito's, which colour-blind readers can tell apart. A title says what to see,
the grey line under it what is drawn, and curves are named where they end.
"""

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast, overload

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from a3c_lib.figures.pictures import Picture

BLUE, RED, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
GREY, LIGHT_GREY = "#666666", "#E6E6E6"
PALETTE = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, BLACK)

TITLE, TEXT, SMALL = 12, 10.5, 9  # sizes of letters, in points
STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.prop_cycle": cycler(color=PALETTE),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": TITLE,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.dpi": 110,
    "figure.figsize": (7, 3.2),
    "font.size": TEXT,
    "grid.color": LIGHT_GREY,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "xtick.color": GREY,
    "xtick.labelcolor": BLACK,
    "ytick.color": GREY,
    "ytick.labelcolor": BLACK,
}
DASHES = (0, (4, 3))
# Of several lines that are told apart by a legend alone, each has a form of its own: colours that
# are different may look alike.
FORMS: Sequence[Any] = (
    "-",
    (0, (5, 1.5)),
    (0, (1.2, 1.2)),
    (0, (6, 1.5, 1.2, 1.5)),
    (0, (2.5, 1)),
    (0, (6, 1.5, 1.2, 1.5, 1.2, 1.5)),
    (0, (9, 2)),
)

Floats = NDArray[np.float64]
P = ParamSpec("P")
T = TypeVar("T")


READABLE = 4.5  # to 1: the contrast that WCAG asks between letters and what they stand on


class End(NamedTuple):
    """Where a curve ends, and what stands there."""

    x: float
    y: float
    text: str
    colour: str


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Draw in the book's style, whatever style is in use outside."""

    @wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> T:
        with plt.rc_context(STYLE):
            return draw(*args, **kwargs)

    return in_style


@overload
def axes(width: float = ..., height: float = ...) -> Axes: ...
@overload
def axes(width: float = ..., height: float = ..., *, columns: int) -> list[Axes]: ...
@styled
def axes(width: float = 7, height: float = 3.2, *, columns: int | None = None) -> Axes | list[Axes]:
    """New axes in the book's style, on a figure of width × height inches; with `columns` a list of
    that many, side by side."""
    _, grid = plt.subplots(
        1, columns or 1, figsize=(width, height), squeeze=False, FigureClass=Picture
    )
    return grid[0, 0] if columns is None else list(grid[0])


# Words


def entitle(ax: Axes, title: str, said: str = "", lift: float = 0) -> None:
    """A title that fits the width, and a grey line under it that says what is drawn; both `lift`
    points higher than usual."""
    share = ax.get_position().width / 0.775  # of the width; 0.775 is a single column's
    letters = round(8.8 * cast(Figure, ax.figure).get_figwidth() * share)
    look: dict[str, Any] = {"loc": "left", "fontsize": TITLE, "fontweight": "bold"}
    ax.set_title(textwrap.fill(title, letters), pad=lift + (20 if said else 7), **look)
    note(ax, said, (0, 1), (0, lift + 6), "axes fraction")


def entitle_all(figure: Figure, title: str) -> None:
    """Give several axes one title."""
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=TITLE, fontweight="bold")


def luminance(colour: Any) -> float:
    """How light a colour is, from black, 0, to white, 1, as WCAG defines it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def ink(colour: Any) -> Any:
    """A colour for letters on white: the one that is given, darkened as far as they need it.

    >>> ink(BLUE)
    '#0072B2'
    >>> ink(ORANGE)
    '#9c6c00'
    """
    for part in np.linspace(1, 0, 101):
        darker = part * np.array(to_rgb(colour))
        if 1.05 / (luminance(darker) + 0.05) >= READABLE:
            break
    return colour if part == 1 else to_hex(darker)


def note(
    ax: Axes,
    text: str,
    at: tuple[float, float],
    offset: tuple[float, float],
    coordinates: str | tuple[str, str] = "data",
    **look: Any,
) -> None:
    """Small grey text, `offset` points from a place that may lie outside the axes."""
    look = {"color": GREY, "fontsize": SMALL, "annotation_clip": False, **look}
    if text:
        ax.annotate(text, at, offset, coordinates, "offset points", **look)


def label_ends(ax: Axes, ends: Sequence[End], lines: Mapping[str, float] | None = None) -> None:
    """Write each curve's name at the right of the axes, as high as its end, moved up or down where
    names would overlap. A dotted line leads from an end that lies farther left, since a name there
    would lie across the other curves. `lines` are dashed levels, named in the same way."""
    labels = list(ends)
    for text, level in (lines or {}).items():
        ax.axhline(level, color=GREY, linewidth=1, linestyle=DASHES, zorder=1)
        labels.append(End(ax.get_xlim()[1], level, text, GREY))
    if not labels:
        return
    ax.set_ylim(ax.get_ylim())  # from here on, heights stay
    points = 72 / cast(Figure, ax.figure).dpi
    heights = np.array([ax.transData.transform((end.x, end.y))[1] * points for end in labels])
    halo = [withStroke(linewidth=3, foreground="white")]
    edge, width = ax.get_xlim()[1], abs(np.subtract(*ax.get_xlim()))
    for end, shift in zip(labels, apart(heights, gap=12.5) - heights, strict=True):
        look: dict[str, Any] = {"color": ink(end.colour), "fontsize": TEXT, "va": "center"}
        note(ax, end.text, (max(end.x, edge), end.y), (7, shift), path_effects=halo, **look)
        if end.x < edge - 0.02 * width:
            dotted = {"arrowstyle": "-", "color": end.colour, "linestyle": ":"}
            ax.annotate("", (end.x, end.y), (edge, end.y), arrowprops=dotted)


def apart(heights: Floats, gap: float) -> Floats:
    """Move numbers, as little as possible, until neighbours differ by `gap`.   (K,) → (K,).

    >>> apart(np.array([0.0, 9.0, 10.0]), gap=4.0).tolist()
    [0.0, 7.5, 11.5]
    """
    order = np.argsort(heights)
    blocks: list[list[float]] = []  # of numbers that touch, each less its share of the gaps
    for place, height in enumerate(heights[order]):
        blocks.append([height - place * gap])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    moved = np.empty_like(heights)
    centres = [np.mean(block) for block in blocks for _ in block]
    moved[order] = np.array(centres) + gap * np.arange(len(heights))
    return moved


# Axes


class Whole(MaxNLocator):
    """Ticks at whole numbers, as many as have room beside each other, and at most so many. (A tick
    between two whole steps would be labelled with one of them.)"""

    def __init__(self, most: int) -> None:
        super().__init__(most, steps=[1, 2, 2.5, 5, 10], integer=True)
        self.most = most

    def __call__(self) -> Any:
        """Where they stand."""
        ax = cast(Any, self.axis).axes
        points = ax.bbox.width * 72 / ax.figure.dpi
        letters = len(f"{ax.get_xlim()[1]:,.0f}")
        room = int(points / (0.62 * TEXT * letters + 8))
        self.set_params(nbins=max(2, min(self.most, room)))
        return super().__call__()


def steps_axis(ax: Axes, first: float, last: float, ticks: int) -> None:
    """Environment steps from first to last, 12,000 with a comma, at no more than so many ticks, all
    whole numbers."""
    ax.set_xlim(first, last)
    ax.xaxis.set_major_locator(Whole(ticks))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))


def states_axis(
    ax: Axes, states: int, start: int | None = None, names: Sequence[str] | None = None
) -> None:
    """A row of states, by number if they have no names; without lines."""
    if start is not None and not 0 <= start < states:
        raise ValueError(f"start is a state among 0 … {states - 1}; got {start}")
    if names is not None and len(names) != states:
        raise ValueError(f"{states} states need as many names; got {len(names)}")
    texts = [str(state) for state in range(states)] if names is None else list(names)
    if start is not None:
        texts[start] += "\nstart"
    ax.set_xticks(range(states), texts)
    ax.set_xlim(-0.5, states - 0.5)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    if names is None:
        look = {"color": BLACK, "fontsize": TEXT, "ha": "right", "va": "top"}
        note(ax, "state", (0, 0), (-4, -3.5), "axes fraction", **look)


def view(ax: Axes, values: Sequence[float], lowest: float = -math.inf) -> None:
    """Limit y to the values, but not below `lowest`."""
    if len(values) == 0:
        return
    low, high = max(min(values), lowest), max(*values, lowest)
    room = 0.06 * (high - low) or 0.5
    ax.set_ylim(low - room, high + room)


# Areas with a number


def block(
    ax: Axes, middle: float, bottom: float, height: float, colour: Any, text: str = ""
) -> None:
    """A rectangle nearly 1 wide, and in it a text, black or white, whichever can be read."""
    look = {"facecolor": colour, "edgecolor": LIGHT_GREY, "linewidth": 0.8}
    ax.add_patch(Rectangle((middle - 0.47, bottom), 0.94, height, **look))
    white = 1.05 / (luminance(colour) + 0.05)  # its contrast
    # On dark blue it is easier to read than its contrast says, and black is harder.
    letters = "white" if white > 3.5 else BLACK
    place = middle, bottom + height / 2
    size = SMALL if len(text) < 6 else 0.8 * SMALL  # of ten cells in a row, each has room for six
    ax.text(*place, text, ha="center", va="center", color=letters, fontsize=size)


def action_colours(actions: int) -> Sequence[str]:
    """Of two or three actions the first is orange and the last blue: left, (stay,) right."""
    if actions > len(PALETTE):
        raise ValueError(f"at most {len(PALETTE)} actions have a colour each; got {actions}")
    few = {2: (ORANGE, BLUE), 3: (ORANGE, LIGHT_GREY, BLUE)}
    return few.get(actions, PALETTE[:actions])
