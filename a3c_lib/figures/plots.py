"""Chapter 00: the book's figures, one a function, on the axes it is given or on new ones.

Colours, style and the parts that figures share stand in `drawing`. For figures of your own in the
same style, `plt.style.use(plots.STYLE)` and `plots.axes()`; letters in a colour have its `ink`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar, cast, runtime_checkable

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter
from numpy.typing import ArrayLike, NDArray

from a3c_lib.figures.drawing import (
    BLACK,
    BLUE,
    DASHES,
    FORMS,
    GREEN,
    GREY,
    LIGHT_GREY,
    ORANGE,
    PALETTE,
    PURPLE,
    RED,
    SKY,
    SMALL,
    STYLE,
    TEXT,
    End,
    Floats,
    action_colours,
    axes,
    block,
    entitle,
    entitle_all,
    ink,
    label_ends,
    note,
    states_axis,
    steps_axis,
    styled,
    view,
)
from a3c_lib.figures.pictures import Picture, describe

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "GREY",
    "LIGHT_GREY",
    "ORANGE",
    "PALETTE",
    "PURPLE",
    "RED",
    "SKY",
    "STYLE",
    "axes",
    "bias_variance",
    "describe",
    "dots_with_interval",
    "frames",
    "ink",
    "learning_curves",
    "moving_mean",
    "policy_bars",
    "signals",
    "strip",
    "value_map",
]

SIGNALS = ("episode_return", "entropy", "explained_variance", "gradient_norm")

Curve = tuple[ArrayLike, ArrayLike]  # steps (K,), values (K,)
T = TypeVar("T")


class HasSteps(Protocol):
    """What a trainer reports: the steps so far, and whatever signals it has."""

    @property
    def steps(self) -> int:
        """Environment steps so far."""


@runtime_checkable
class HasColumns(Protocol):
    """Updates that are kept by signal: less memory, where there are very many."""

    def column(self, name: str) -> Floats:
        """One number of each update, (K,)."""


# Runs


@styled
def learning_curves(
    curves: Mapping[str, Sequence[Curve]],
    *,
    centre: Literal["median", "mean"] = "median",
    window: float = 0,
    each_seed: bool = False,
    lines: Mapping[str, float] | None = None,
    title: str = "",
    x_label: str = "environment steps",
    y_label: str = "episode return",
    ax: Axes | None = None,
) -> Axes:
    """Draw, for each label, the centre of several seeds' curves with a band over the seeds.

    `curves[label]` holds one (steps, values) pair a seed. Lengths may differ, and values that are
    not finite are left out (NaN: no episode ended there); drawn are the steps that all seeds of the
    label cover. With centre="median" the band goes from the lowest to the highest seed, with "mean"
    it is ± 2 standard errors; each_seed=True draws every seed as a thin line instead. A `window`
    above 0 first replaces each value by the mean over the last `window` steps. `lines` are levels
    to compare with, such as {"V*": 0.43}. Raises ValueError for curves that are empty or ragged.

    >>> seeds = [([0, 10, 20], [0.0, 0.5, 0.8]), ([0, 10, 20], [0.2, 0.5, 1.0])]
    >>> ax = learning_curves({"one step": seeds}, title="It learns")
    >>> ax.lines[0].get_ydata().round(2).tolist()
    [0.1, 0.5, 0.9]
    >>> plt.close()
    """
    if centre not in ("median", "mean"):
        raise ValueError(f"centre is 'median' or 'mean'; got {centre!r}")
    sampled = [
        (label, *_on_a_grid(f"curves[{label!r}]", seeds, window), colour)
        for label, seeds, colour in _coloured(curves, "curves")
    ]
    ax = ax or axes()
    counts = {len(values) for _, _, values, _ in sampled}
    ends = []
    for label, grid, values, colour in sampled:
        middle, low, high = _summary(values, centre)
        ax.plot(grid, middle, color=colour, label=label, zorder=3)
        if each_seed:
            ax.plot(grid, values.T, color=colour, linewidth=0.7, alpha=0.5)
        else:
            ax.fill_between(grid, low, high, color=colour, alpha=0.2, linewidth=0)
        name = label if len(counts) == 1 else f"{label} ({_seeds(len(values))})"
        ends.append(End(grid[-1], middle[-1], name, colour))
    first, last = min(grid[0] for _, grid, _, _ in sampled), max(end.x for end in ends)
    steps_axis(ax, first, last, ticks=9)
    ax.set(xlabel=x_label, ylabel=y_label)
    label_ends(ax, ends, lines)
    entitle(ax, title, _what_curves_show(counts, centre, each_seed, window))
    return ax


def moving_mean(steps: ArrayLike, values: ArrayLike, window: float) -> Floats:
    """The mean of the values at steps in (s − window, s], for each s.   (K,), (K,) → (K,).

    >>> moving_mean([10, 20, 30, 40], [0.0, 4.0, 2.0, 6.0], window=20).tolist()
    [0.0, 2.0, 3.0, 4.0]
    """
    if not window >= 0:
        raise ValueError(f"window is a number of steps, at least 0; got {window}")
    s, v = np.asarray(steps, float), np.asarray(values, float)
    if window == 0:
        return v
    sums = np.concatenate([[0.0], v.cumsum()])
    first, last = (np.searchsorted(s, at, side="right") for at in (s - window, s))
    means: Floats = (sums[last] - sums[first]) / (last - first)
    return means


@styled
def signals(
    runs: Mapping[str, Sequence[HasSteps]] | Sequence[HasSteps],
    *,
    names: Sequence[str] | None = None,
    window: float | None = None,
    lines: Mapping[str, Mapping[str, float]] | None = None,
    title: str = "",
    panels: Sequence[Axes] | None = None,
) -> list[Axes]:
    """Draw what runs reported, a panel for each signal: moving means, and of a single run every
    value as well, pale.

    `runs` is the list of a trainer's updates, or several such lists by label. `names` are
    attributes of the updates; if None, those of episode_return, entropy, explained_variance and
    gradient_norm that the updates have. The moving mean covers `window` steps; if None, a twentieth
    of the longest run. `lines` are levels to compare with, by signal: {"entropy": {"ln 2": 0.69}}.
    Cut off are the outermost pale values, one in a hundred, and explained variance below −1.

    >>> from a3c_lib.reinforce import Config, TabularPolicy, train
    >>> with train(TabularPolicy(4, 2), "a3c_lib/Corridor-v0", Config(total_steps=99)) as training:
    ...     panels = signals(list(training))
    >>> [ax.get_title(loc="left") for ax in panels]
    ['episode return', 'entropy (nats)', 'gradient norm']
    >>> plt.close()
    """
    runs = runs if isinstance(runs, Mapping) else {"": runs}
    coloured = list(_coloured(runs, "runs"))
    for label, updates in runs.items():
        if len(updates) == 0:
            raise ValueError(f"run {label!r} has no updates")
    names = names or [n for n in SIGNALS if all(hasattr(u[0], n) for u in runs.values())]
    if not names:
        raise ValueError(f"the updates have none of {SIGNALS}; say which `names` to draw")
    last = max(updates[-1].steps for updates in runs.values())
    window = last / 20 if window is None else window
    panels = panels or _panels(len(names))
    for name, ax in zip(names, panels, strict=True):
        _draw_signal(ax, name, coloured, window, (lines or {}).get(name, {}))
        steps_axis(ax, 0, last, ticks=5)
    figure = cast(Figure, panels[0].figure)
    if len(runs) > 1:
        handles, labels = panels[0].get_legend_handles_labels()
        look: dict[str, Any] = {"loc": "outside lower center", "handlelength": 3.2}
        figure.legend(handles, labels, ncols=len(runs), **look)
    for ax in panels[-2:]:
        ax.set_xlabel("environment steps" + f" (mean over the last {window:,.0f})" * (window > 0))
        ax.tick_params(labelbottom=True)
    entitle_all(figure, title)
    return list(panels)


def _draw_signal(
    ax: Axes,
    name: str,
    runs: Sequence[tuple[str, Sequence[HasSteps], str]],
    window: float,
    lines: Mapping[str, float],
) -> None:
    seen = [*lines.values()]
    for (label, updates, colour), form in zip(runs, FORMS, strict=False):
        steps, values = _signal(updates, name)
        means = moving_mean(steps, values, window)
        ax.plot(steps, means, color=colour, linestyle=form, label=label, zorder=3)
        seen += [means.min(), means.max()] if len(means) else []
        if len(runs) == 1:  # of several, the pale ones would hide each other
            ax.plot(steps, values, color=colour, alpha=0.3, linewidth=0.7)
            seen += [*np.quantile(values, [0.005, 0.995])] if len(values) else []
    view(ax, seen, lowest=-1 if name == "explained_variance" else -math.inf)
    label_ends(ax, [], lines)
    text = name.replace("_", " ") + " (nats)" * (name == "entropy")
    ax.set_title(text, fontsize=TEXT, fontweight="normal")


# Small worlds


@styled
def value_map(
    values: Mapping[str, ArrayLike],
    *,
    terminal: Mapping[int, str] | None = None,
    start: int | None = None,
    names: Sequence[str] | None = None,
    limit: float | None = None,
    digits: int = 2,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw the values of states that stand in a row as cells, a row for each label.

    `values[label]` is (S,). `terminal` says what the states are where the world ends, such as
    {8: "goal"}: their cells say so, and have no value. `names` of the states are their numbers if
    None. Blue is positive, orange negative; `limit` is the value of the strongest colour, for maps
    that are to be compared, the largest value if None.

    >>> ax = value_map({"V*": [0.81, 0.9, 1.0, 0.0]}, terminal={3: "goal"}, start=0)
    >>> [text.get_text() for text in ax.texts[:4]]
    ['0.81', '0.90', '1.00', 'goal']
    >>> plt.close()
    """
    table = _table(_some(values, "values"))
    ends = _terminal(terminal, table.shape[1])
    inner = [state for state in range(table.shape[1]) if state not in ends]
    limit = limit or np.abs(table[:, inner]).max(initial=0) or 1.0
    colours = LinearSegmentedColormap.from_list("values", [ORANGE, "white", BLUE])
    ax = ax or axes(height=0.9 + 0.5 * len(table))
    for (y, state), value in np.ndenumerate(table):
        if state in ends:
            block(ax, state, y - 0.43, 0.86, LIGHT_GREY, ends[state])
        else:
            colour = colours(Normalize(-limit, limit, clip=True)(value))
            block(ax, state, y - 0.43, 0.86, colour, f"{value:.{digits}f}".replace("-", "−"))
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_yticks(range(len(table)), list(values))
    states_axis(ax, table.shape[1], start, names)
    entitle(ax, title)
    return ax


@styled
def policy_bars(
    probabilities: ArrayLike,
    action_names: Sequence[str],
    *,
    terminal: Mapping[int, str] | None = None,
    start: int | None = None,
    names: Sequence[str] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw π(a | s) as a bar for each state, divided among the actions.

    probabilities (S, A), rows that add up to 1. The last action stands at the bottom: with
    ("left", "right") the height of the blue is the probability of "right". `terminal`, `start` and
    `names` as in `value_map`.

    >>> ax = policy_bars([[0.25, 0.75], [0.5, 0.5]], ["left", "right"], terminal={1: "goal"})
    >>> [text.get_text() for text in ax.texts[:3]]
    ['0.75', '0.25', 'goal']
    >>> plt.close()
    """
    pi = _distributions(probabilities, len(action_names))
    ends = _terminal(terminal, len(pi))
    colours = action_colours(len(action_names))
    ax = ax or axes(height=2.6)
    for state, row in enumerate(pi):
        if state in ends:
            block(ax, state, 0, 1, LIGHT_GREY, ends[state])
            continue
        bottoms = row.sum() - row.cumsum()
        for p, bottom, colour in reversed(list(zip(row, bottoms, colours, strict=True))):
            block(ax, state, bottom, p, colour, f"{p:.2f}" if p >= 0.1 else "")
    ax.set(ylim=(0, 1), yticks=[0.5, 1], ylabel="probability")
    states_axis(ax, len(pi), start, names)
    entitle(ax, title)
    patches = [Rectangle((0, 0), 1, 1, facecolor=colour) for colour in colours]
    ax.legend(patches, action_names, loc="center left", bbox_to_anchor=(1, 0.5), handlelength=1)
    return ax


@styled
def frames(
    images: Sequence[NDArray[np.uint8]],
    titles: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    title: str = "",
) -> list[Axes]:
    """Draw pictures (H, W, 3) side by side, as a filmstrip; rows of `columns`, at most 6 if None.

    >>> panels = frames([np.zeros((48, 192, 3), np.uint8)] * 3, ["step 0", "step 1", "step 2"])
    >>> [ax.get_title("center") for ax in panels]
    ['step 0', 'step 1', 'step 2']
    >>> plt.close()
    """
    if len(images) == 0:
        raise ValueError("images is empty; a filmstrip needs at least one picture")
    names = [""] * len(images) if titles is None else titles
    if len(names) != len(images):
        raise ValueError(f"{len(images)} images need as many titles; got {len(names)}")
    columns = columns or min(len(images), 6)
    rows = math.ceil(len(images) / columns)
    height, width = images[0].shape[:2]
    each = min(7.5 / columns, width / 60)  # inches wide
    size = each * columns, rows * (each * height / width + 0.3) + 0.3 * bool(title)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, FigureClass=Picture)
    for ax in grid.flat:
        ax.set_axis_off()
    for ax, image, name in zip(grid.flat, images, names, strict=False):
        ax.imshow(image)
        ax.set_title(name, loc="center", fontsize=SMALL, fontweight="normal", pad=3)
    entitle_all(figure, title)
    return list(grid.flat[: len(images)])


# Comparisons


@styled
def dots_with_interval(
    names: Sequence[str],
    estimates: Mapping[str, tuple[ArrayLike, ArrayLike]],
    exact: ArrayLike,
    *,
    title: str = "",
    y_label: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw estimates with ± 2 standard errors beside the exact numbers, which are black bars.

    `estimates[label]` is (estimates, standard errors), each (K,) for K `names`; exact is (K,).

    >>> ax = dots_with_interval(
    ...     ["cell 0", "cell 1"], {"1000 episodes": ([0.1, 0.3], [0.02, 0.01])}, exact=[0.12, 0.29]
    ... )
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['exact', '1000 episodes']
    >>> plt.close()
    """
    truth = _vector(exact, "exact", len(names))
    places = np.arange(len(names), dtype=float)
    coloured = list(_coloured(estimates, "estimates"))
    offsets = min(0.18, 0.7 / len(coloured)) * (np.arange(len(coloured)) - (len(coloured) - 1) / 2)
    ax = ax or axes()
    exact_bars = ax.hlines(truth, places - 0.4, places + 0.4, color=BLACK, label="exact")
    dots = []
    for (label, pair, colour), offset in zip(coloured, offsets, strict=True):
        estimate = _vector(pair[0], f"estimates of {label!r}", len(names))
        margin = 2 * _vector(pair[1], f"standard errors of {label!r}", len(names))
        look: dict[str, Any] = {"color": colour, "fmt": "o", "markersize": 6, "capsize": 4}
        dots.append(ax.errorbar(places + offset, estimate, margin, label=label, zorder=3, **look))
    ax.set_xticks(places, names)
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_ylabel(y_label)
    ax.grid(visible=False, axis="x")
    ax.legend(handles=[exact_bars, *dots])
    entitle(ax, title, "dots: estimates ± 2 standard errors")
    return ax


@styled
def bias_variance(
    n: ArrayLike,
    bias: ArrayLike,
    standard_deviation: ArrayLike,
    *,
    title: str = "",
    x_label: str = "n",
    y_label: str = "error of the target",
    ax: Axes | None = None,
) -> Axes:
    """Draw |bias|, standard deviation and their root mean square √(bias² + sd²) over n.

    All (K,); n is positive and increases, on a logarithmic axis.

    >>> ax = bias_variance([1, 2, 4], [0.8, 0.6, 0.3], [0.1, 0.3, 0.4], title="Between is best")
    >>> [line.get_label() for line in ax.lines]
    ['|bias|', 'standard deviation', 'both: √(bias² + sd²)']
    >>> plt.close()
    """
    count = np.size(n)
    at, b = _vector(n, "n", count), np.abs(_vector(bias, "bias", count))
    sd = _vector(standard_deviation, "standard_deviation", count)
    if count == 0 or not (at > 0).all() or not (np.diff(at) > 0).all():
        raise ValueError(f"n is positive and increases; got {at.tolist()}")
    if not (sd >= 0).all():
        raise ValueError(f"standard_deviation is at least 0; got {sd.tolist()}")
    parts = {"|bias|": b, "standard deviation": sd, "both: √(bias² + sd²)": np.hypot(b, sd)}
    ax = ax or axes()
    ends = []
    for (label, y), colour, form in zip(
        parts.items(), (RED, BLUE, BLACK), ("s--", "o--", "D-"), strict=True
    ):
        ax.plot(at, y, form, color=colour, label=label, markersize=5)
        ends.append(End(at[-1], y[-1], label, colour))
    ax.set_xscale("log", base=2)
    ax.set_xlim(at[0] / 1.1, at[-1] * 1.03)
    ax.xaxis.set_major_locator(FixedLocator(at.tolist()))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.set_ylim(bottom=0)
    ax.set(xlabel=x_label, ylabel=y_label)
    label_ends(ax, ends)
    entitle(ax, title)
    return ax


@styled
def strip(
    groups: Mapping[str, ArrayLike],
    *,
    below: float | None = None,
    called: str = "stuck",
    lines: Mapping[str, float] | None = None,
    title: str = "",
    x_label: str = "episode return at the end",
    ax: Axes | None = None,
) -> Axes:
    """Draw one mark a seed, one row a setting; `groups[label]` holds the seeds' outcomes.

    With `below`, outcomes under it are crosses, and beside each row stands how many there are, such
    as "13 of 20 stuck" (or whatever they are `called`). In a row, seeds stand in order from top to
    bottom, so that they do not hide each other.

    >>> ax = strip({"β = 0": [0.1, 0.1, 1.0], "β = 0.03": [1.0, 1.0, 1.0]}, below=0.5)
    >>> [text.get_text() for text in ax.texts[:2]]
    ['2 of 3 stuck', '0 of 3 stuck']
    >>> plt.close()
    """
    rows = {
        label: _vector(outcomes, f"groups[{label!r}]", np.size(outcomes))
        for label, outcomes in _some(groups, "groups").items()
    }
    for label, outcomes in rows.items():
        if outcomes.size == 0:
            raise ValueError(f"groups[{label!r}] is empty; it holds one outcome a seed")
    ax = ax or axes(height=1.1 + 0.6 * len(rows))
    for y, outcomes in enumerate(rows.values()):
        heights = y + (np.arange(len(outcomes)) + 0.5) * 0.7 / len(outcomes) - 0.35
        bad = outcomes < (-math.inf if below is None else below)
        for chosen, colour, marker in (~bad, BLUE, "o"), (bad, RED, "x"):
            look: dict[str, Any] = {"marker": marker, "color": colour, "clip_on": False}
            ax.scatter(outcomes[chosen], heights[chosen], s=30, **look)
        if below is not None:
            text = f"{bad.sum()} of {len(bad)} {called}"
            where = ("axes fraction", "data")
            note(ax, text, (1, y), (10, 0), where, va="center", color=BLACK, fontsize=TEXT)
        ax.axhline(y + 0.5, color=LIGHT_GREY, linewidth=0.8, zorder=0)
    for label, x in (lines or {}).items():
        ax.axvline(x, color=GREY, linewidth=1, linestyle=DASHES, zorder=1)
        note(ax, label, (x, 1), (0, 3), ("data", "axes fraction"), ha="center")
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    if ax.get_xlim()[1] >= 1000:
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,g}"))
    ax.set_xlabel(x_label)
    entitle(ax, title, "one mark a seed", lift=14 if lines else 0)
    return ax


# What is given, checked and as arrays


def _some(given: Mapping[str, T], name: str) -> Mapping[str, T]:
    if len(given) == 0:
        raise ValueError(f"{name} is empty; it needs one entry at least")
    return given


def _coloured(given: Mapping[str, T], name: str) -> Iterator[tuple[str, T, str]]:
    """Label, value and colour of each entry."""
    if len(_some(given, name)) > len(PALETTE):
        raise ValueError(
            f"{name} has at most {len(PALETTE)} entries, one a colour; got {len(given)}"
        )
    for (label, value), colour in zip(given.items(), PALETTE, strict=False):
        yield label, value, colour


def _vector(values: ArrayLike, name: str, length: int) -> Floats:
    vector = np.asarray(values, float)
    if vector.shape != (length,):
        raise ValueError(f"{name} must have shape ({length},); got {vector.shape}")
    if not np.isfinite(vector).all():
        raise ValueError(f"{name} must be finite; got {vector.tolist()}")
    return vector


def _table(rows: Mapping[str, ArrayLike]) -> Floats:
    shapes = {label: np.shape(row) for label, row in rows.items()}
    first, *others = shapes.values()
    if len(first) != 1 or first == (0,) or any(other != first for other in others):
        raise ValueError(f"values are (S,) each, with S the same for all; got shapes {shapes}")
    return np.stack([_vector(row, f"values[{label!r}]", *first) for label, row in rows.items()])


def _distributions(probabilities: ArrayLike, actions: int) -> Floats:
    pi = np.asarray(probabilities, float)
    if pi.ndim != 2 or pi.shape[1] != actions or len(pi) == 0:
        raise ValueError(
            f"probabilities are (S, A), with A = {actions} action_names; got shape {pi.shape}"
        )
    for state, row in enumerate(pi):
        if not (row >= 0).all() or not math.isclose(row.sum(), 1, abs_tol=1e-4):
            raise ValueError(
                f"probabilities are at least 0 and add up to 1; state {state} has {row.tolist()}"
            )
    return pi


def _terminal(terminal: Mapping[int, str] | None, states: int) -> dict[int, str]:
    for state in terminal or {}:
        if not 0 <= state < states:
            raise ValueError(f"terminal states are among 0 … {states - 1}; got {state}")
    return dict(terminal or {})


def _on_a_grid(name: str, seeds: Sequence[Curve], window: float) -> tuple[Floats, Floats]:
    """The seeds' curves at common steps.   → grid (K,), values (seeds, K)."""
    if len(seeds) == 0:
        raise ValueError(f"{name} is empty; it holds one (steps, values) pair a seed")
    pairs = [_curve(name, seed, window) for seed in seeds]
    first, last = max(s[0] for s, _ in pairs), min(s[-1] for s, _ in pairs)
    if first == last and len(pairs) == 1:
        raise ValueError(f"{name}: of one update there is no curve")
    if first >= last:
        raise ValueError(f"{name}: the seeds have no range of steps in common")
    grid = np.unique(np.concatenate([s for s, _ in pairs]))
    grid = grid[(first <= grid) & (grid <= last)]
    if len(grid) > 400:  # more than a figure can show
        grid = np.linspace(first, last, 400)
    return grid, np.stack([np.interp(grid, s, v) for s, v in pairs])


def _curve(name: str, seed: Curve, window: float) -> tuple[Floats, Floats]:
    if len(seed) != 2 or np.ndim(seed[0]) != 1 or np.shape(seed[0]) != np.shape(seed[1]):
        raise ValueError(
            f"{name} is a list with one pair (steps, values) a seed, both (K,); "
            f"got {[np.shape(part) for part in seed]}"
        )
    steps, values = np.asarray(seed[0], float), np.asarray(seed[1], float)
    if (np.diff(steps) < 0).any():
        raise ValueError(f"{name}: steps must not decrease; got {steps.tolist()}")
    there = np.isfinite(values)
    if not there.any():
        raise ValueError(f"{name}: a seed has no values")
    return steps[there], moving_mean(steps[there], values[there], window)


def _signal(updates: Sequence[HasSteps], name: str) -> tuple[Floats, Floats]:
    """Steps and values of a signal, where it is a number.   → (K,), (K,)."""
    if isinstance(updates, HasColumns):
        steps, values = updates.column("steps"), updates.column(name)
    else:
        steps = np.array([update.steps for update in updates], float)
        values = np.array([getattr(update, name) for update in updates], float)
    there = np.isfinite(values)
    return steps[there], values[there]


def _summary(values: Floats, centre: str) -> tuple[Floats, Floats, Floats]:
    """Centre, lower and upper edge of the band over seeds.   (seeds, K) → (K,) each."""
    if centre == "median":
        return np.median(values, axis=0), values.min(axis=0), values.max(axis=0)
    mean, margin = values.mean(axis=0), np.zeros(values.shape[1])
    if len(values) > 1:
        margin = 2 * values.std(axis=0, ddof=1) / math.sqrt(len(values))
    return mean, mean - margin, mean + margin


def _panels(count: int) -> list[Axes]:
    columns, rows = min(count, 2), math.ceil(count / 2)
    size = 7.5, 0.6 + 1.9 * rows
    _, grid = plt.subplots(
        rows, columns, figsize=size, squeeze=False, sharex=True, FigureClass=Picture
    )
    for spare in grid.flat[count:]:
        spare.remove()
    return list(grid.flat[:count])


def _what_curves_show(counts: set[int], centre: str, each_seed: bool, window: float) -> str:
    seeds = _seeds(*counts) if len(counts) == 1 else "the seeds"
    band = "min to max" if centre == "median" else "± 2 standard errors"
    spread = "thin: each seed" if each_seed else f"band: {band}"
    said = seeds if counts == {1} else f"{centre} of {seeds}, {spread}"
    return said + f"; each value a mean over {window:,.0f} steps" * (window > 0)


def _seeds(count: int) -> str:
    return f"{count} seed" + "s" * (count != 1)
