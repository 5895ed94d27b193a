"""What `make bench` draws: rates as bars, the way to CartPole's goal, and HalfCheetah's scores."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from a3c_lib.figures.drawing import (
    BLACK,
    BLUE,
    DASHES,
    GREEN,
    GREY,
    RED,
    End,
    entitle,
    label_ends,
    note,
    steps_axis,
    styled,
    view,
)
from bench.tables import Measured, Row

COLOURS = {"ours": BLUE, "theirs": RED}


@styled
def bars(
    lines: Sequence[Measured],
    notes: Mapping[str, str],
    levels: Mapping[str, float],
    title: str,
    said: str,
    ax: Axes,
) -> Axes:
    """A bar for each line's median with its note, a dot for each round, and `levels` to compare
    with."""
    for place, line in enumerate(lines):
        ax.barh(place, median(line.rates), height=0.62, color=COLOURS[line.kind])
        ax.plot(line.rates, [place] * len(line.rates), "o", color=BLACK, markersize=3, zorder=4)
        look: dict[str, Any] = {
            "color": BLACK,
            "path_effects": [withStroke(linewidth=3, foreground="white")],
        }
        note(ax, notes[line.name], (max(line.rates), place), (6, -3), **look)
    ax.set_yticks(range(len(lines)), [_broken(line.name) for line in lines])
    ax.set_ylim(len(lines) - 0.4, -1.1 if levels else -0.6)
    for text, level in levels.items():
        ax.axvline(level, color=GREY, linewidth=1, linestyle=DASHES, zorder=1)
        note(ax, text, (level, -0.7), (-4, 0), ha="right")
    rightmost = 1.4 * max(max(line.rates) for line in lines)
    ax.set_xlim(0, max([rightmost, *(1.05 * level for level in levels.values())]))
    ax.locator_params(axis="x", nbins=5)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.set_xlabel("steps per second")
    ax.grid(visible=False, axis="y")
    entitle(ax, title, said)
    return ax


def _broken(name: str) -> str:
    """A long name on two lines."""
    return name if len(name) <= 30 else name.replace(", ", "\n", 1)


@styled
def courses(
    ways: Mapping[str, tuple[str, Sequence[Sequence[Row]]]],
    goal: float,
    title: str,
    said: str,
    ax: Axes,
) -> Axes:
    """Mean returns over seconds of training: by kind, a name and the rows of every seed."""
    for kind, (name, seeds) in ways.items():
        for number, way in enumerate(seeds):
            seconds, values = ([row[what] for row in way] for what in ("seconds", "value"))
            label = name if number == 0 else None
            ax.plot(seconds, values, color=COLOURS[kind], linewidth=1, alpha=0.7, label=label)
            ax.plot(seconds[-1], values[-1], "o", color=COLOURS[kind], markersize=5)
    ax.set(ylim=(0, 520), xlabel="seconds of training", ylabel="mean return of 100 episodes")
    ax.set_xlim(left=0)
    label_ends(ax, [], {f"{goal:g}": goal})
    ax.legend(loc="lower right")
    entitle(ax, title, said)
    return ax


@styled
def scores(
    ways: Mapping[str, Sequence[Sequence[Row]]], level: float, title: str, said: str, ax: Axes
) -> Axes:
    """Mean returns over steps: by line, the rows of every seed, and thick their median. Where a seed
    was evaluated once, that is a dot."""
    colours = {
        line: RED if seeds[0][0]["kind"] == "theirs" else BLUE for line, seeds in ways.items()
    }
    colours |= {line: GREEN for line in ways if line.startswith("a3c")}
    ends = []
    for line, seeds in ways.items():
        steps = [row["steps"] for row in max(seeds, key=len)]
        values = [[row["value"] for row in way] for way in seeds]
        for way in seeds:
            ax.plot(*_columns(way), color=colours[line], linewidth=0.8, alpha=0.5)
            ax.plot(*_columns(way[-1:]), "o", color=colours[line], markersize=4)
        middle = [median(at_once) for at_once in zip(*values, strict=False)]
        ax.plot(steps[: len(middle)], middle, color=colours[line], linewidth=2.2)
        ends.append(End(steps[len(middle) - 1], middle[-1], line, colours[line]))
    last = max(end.x for end in ends)
    steps_axis(ax, 0, last, ticks=5)
    view(ax, [level, *(row["value"] for seeds in ways.values() for way in seeds for row in way)])
    ax.set(xlabel="steps", ylabel="score")
    label_ends(ax, ends, {f"{level:,g}": level})
    entitle(ax, title, said)
    return ax


def _columns(way: Sequence[Row]) -> tuple[list[Any], list[Any]]:
    return [row["steps"] for row in way], [row["value"] for row in way]
