"""Chapter 00: the book's ideas drawn as diagrams, one a function, from boxes, arrows and words.

A diagram is a figure, so the last line of a cell shows it: `diagrams.agent_and_world()`. A unit is
an inch. What must be told apart differs in its line or its words too, not in colour alone.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike

from a3c_lib.figures.drawing import (
    BLACK,
    BLUE,
    DASHES,
    GREEN,
    GREY,
    LIGHT_GREY,
    ORANGE,
    PURPLE,
    RED,
    SMALL,
    TEXT,
    action_colours,
    ink,
)
from a3c_lib.figures.pictures import Sharp, describe

Point = tuple[float, float]


# What diagrams are made of


def sheet(width: float, height: float, alt: str) -> tuple[Sharp, Axes]:
    """An empty diagram of width × height inches, which says what it will show.

    >>> diagram, ax = sheet(2, 1, "A box.")
    >>> box(ax, (1, 0.5), 1.5, 0.6, "torso")
    """
    diagram = Sharp(figsize=(width, height), dpi=110, facecolor="white")
    diagram.set_layout_engine("none")  # whatever the notebook's style asks for
    ax = diagram.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(0, height))
    ax.set_axis_off()
    describe(diagram, alt)
    return diagram, ax


def pale(colour: str) -> tuple[float, ...]:
    """The colour, mixed with six times as much white."""
    return tuple(1 - (1 - part) / 7 for part in to_rgb(colour))


def box(
    ax: Axes,
    middle: Point,
    width: float,
    height: float,
    text: str = "",
    colour: str = GREY,
) -> None:
    """A box with words in it."""
    x, y = middle[0] - width / 2, middle[1] - height / 2
    form: dict[str, Any] = {"facecolor": pale(colour), "edgecolor": colour, "linewidth": 1.4}
    round_corners = "round,pad=0,rounding_size=0.06"
    ax.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=round_corners, **form))
    label(ax, middle, text, path_effects=None)


def area(
    ax: Axes, corner: Point, width: float, height: float, colour: str = GREY, **look: Any
) -> None:
    """A rectangle, from its lower left corner."""
    form: dict[str, Any] = {"facecolor": pale(colour), "edgecolor": colour, "linewidth": 1}
    ax.add_patch(Rectangle(corner, width, height, **{**form, **look}))


def arrow(
    ax: Axes,
    start: Point,
    end: Point,
    colour: str = BLACK,
    *,
    dashed: bool = False,
    bend: float = 0,
    head: str = "-|>",
) -> None:
    """An arrow; `bend` is how far it swings out to its right, as a part of its length."""
    look: dict[str, Any] = {"linestyle": DASHES if dashed else "-", "linewidth": 1.5}
    curve = f"arc3,rad={bend}"
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle=head,
            connectionstyle=curve,
            color=colour,
            mutation_scale=11,
            shrinkA=0,
            shrinkB=0,
            **look,
        )
    )


def label(ax: Axes, at: Point, text: str, colour: str = BLACK, **look: Any) -> None:
    """Words, in the middle of a place if nothing else is said."""
    form = {"ha": "center", "va": "center", "fontsize": TEXT, "color": ink(colour), **look}
    halo = [withStroke(linewidth=2.5, foreground="white")]
    ax.text(*at, text, **{"path_effects": halo, **form})


def aside(ax: Axes, at: Point, text: str, **look: Any) -> None:
    """Small grey words beside what they are about."""
    label(ax, at, text, **{"colour": GREY, "fontsize": SMALL, "ha": "left", **look})


def line(ax: Axes, *points: Point, colour: str = BLACK, **look: Any) -> None:
    """A line through some points."""
    xs, ys = zip(*points, strict=True)
    ax.plot(xs, ys, **{"color": colour, "linewidth": 1.5, **look})


# 00: the loop, a rollout, an update


def agent_and_world() -> Sharp:
    """The loop: an agent acts, its world answers with a reward and the next observation."""
    diagram, ax = sheet(
        6,
        2.1,
        "Two boxes, agent and environment, in a circle. An arrow from the agent to the "
        "environment: action a_t. Two arrows back: reward r_t and next observation o_{t+1}.",
    )
    box(ax, (1.1, 1.05), 1.5, 0.8, "agent\n$\\pi(a\\mid o)$", BLUE)
    box(ax, (4.9, 1.05), 1.6, 0.8, "environment", GREEN)
    arrow(ax, (1.1, 1.45), (4.9, 1.45), BLUE, bend=-0.16)
    label(ax, (3, 1.93), "action $a_t$", BLUE)
    arrow(ax, (4.1, 0.95), (1.85, 0.95), RED, dashed=True)
    label(ax, (3, 1.12), "reward $r_t$", RED)
    arrow(ax, (4.9, 0.65), (1.1, 0.65), GREEN, bend=-0.16)
    label(ax, (3, 0.17), "next observation $o_{t+1}$", GREEN)
    return diagram


def rollout_grid(
    terminated: ArrayLike = ((0, 0, 1, 0, 0, 0), (0, 0, 0, 0, 0, 0), (0, 0, 0, 0, 1, 0)),
    truncated: ArrayLike = ((0, 0, 0, 0, 0, 0), (0, 0, 0, 1, 0, 0), (0, 0, 0, 0, 0, 0)),
) -> Sharp:
    """A rollout: T steps of N environments, with the ends of episodes in it.

    terminated, truncated (N, T), a row for each environment, as they are drawn.

    >>> len(rollout_grid([[0, 1, 0]], [[0, 0, 0]]).axes[0].patches)  # three steps, one arrow
    4
    """
    ended, cut = np.asarray(terminated, bool), np.asarray(truncated, bool)
    if ended.ndim != 2 or ended.shape != cut.shape:
        raise ValueError(
            f"terminated and truncated are (N, T); got shapes {ended.shape} and {cut.shape}"
        )
    environments, steps = ended.shape
    width, row = 0.8, 0.52
    left, top = 1.5, 0.62 + row * environments
    diagram, ax = sheet(
        left + width * steps + 0.5,
        top + 0.42,
        f"A grid of {environments} rows, the environments, and {steps} columns, the steps of a "
        f"rollout. {ended.sum()} episodes are terminated (a thick line after the step), "
        f"{cut.sum()} truncated (a dashed line); after an end the row goes on with a new episode.",
    )
    for n, t in np.ndindex(ended.shape):
        x, y = left + width * (t + 0.5), top - row * (n + 0.5)
        episode = int((ended | cut)[n, :t].sum())
        colour = (BLUE, ORANGE, GREEN, PURPLE)[episode % 4]
        box(ax, (x, y), width - 0.1, row - 0.14, f"$o_{t}, a_{t}, r_{t}$", colour)
        end, side = (y - row / 2, y + row / 2), x + width / 2
        if ended[n, t]:
            line(ax, (side, end[0]), (side, end[1]), linewidth=4, solid_capstyle="butt")
        elif cut[n, t]:
            line(ax, (side, end[0]), (side, end[1]), linewidth=2.5, linestyle=(0, (1.5, 1)))
    for n in range(environments):
        aside(ax, (left - 0.12, top - row * (n + 0.5)), f"environment {n}", ha="right")
    arrow(ax, (left, top + 0.16), (left + width * steps, top + 0.16), GREY)
    aside(ax, (left + width * steps / 2, top + 0.3), f"$T$ = {steps} steps", ha="center")
    aside(ax, (0.1, top - row * environments / 2), f"$N$ = {environments}", rotation=90)
    _legend_of_ends(ax, (left, 0.28))
    return diagram


def _legend_of_ends(ax: Axes, at: Point) -> None:
    x, y = at
    line(ax, (x, y - 0.13), (x, y + 0.13), linewidth=4, solid_capstyle="butt")
    aside(ax, (x + 0.1, y), "terminated: nothing comes after")
    line(ax, (x + 2.6, y - 0.13), (x + 2.6, y + 0.13), linewidth=2.5, linestyle=(0, (1.5, 1)))
    aside(ax, (x + 2.7, y), "truncated: it would go on")


def one_update(
    probabilities: Sequence[float] = (0.5, 0.5),
    action: int = 1,
    weight: float = 1.0,
    *,
    learning_rate: float = 1.0,
    names: Sequence[str] = ("left", "right"),
) -> Sharp:
    """What one step of the policy gradient does to π in one state: the logits move by
    η · weight · (1 for the action that was taken, else 0, minus π).

    `weight` is what the action is judged by: a return, or an advantage.

    >>> one_update((0.7, 0.3), action=1, weight=2.0).axes[0].texts[0].get_text()
    'before'
    """
    before = np.asarray(probabilities, float)
    if before.ndim != 1 or len(before) != len(names) or not 0 <= action < len(names):
        raise ValueError(
            f"probabilities (A,) and action, from 0, belong to {len(names)} names; "
            f"got {before.tolist()} and {action}"
        )
    after = updated(before, action, learning_rate * weight)
    diagram, ax = sheet(
        5.6,
        2.3,
        f"Bars of a policy before and after one update. {names[action]} was taken, with weight "
        f"{weight:g}: its probability goes from {before[action]:.2f} to {after[action]:.2f}, those "
        "of the others the other way.",
    )
    colours = action_colours(len(names))
    for x, pi, said in (1.2, before, "before"), (4.4, after, "after"):
        label(ax, (x, 2.14), said, GREY)
        step = 1.7 / len(names)
        for a, p in enumerate(pi):
            left, hatch = x - 0.85 + step * a, "///" if a == action else ""
            area(ax, (left + 0.06, 0.42), step - 0.12, 1.3 * p, colours[a], hatch=hatch)
            label(ax, (left + step / 2, 0.53 + 1.3 * p), f"{p:.2f}", fontsize=SMALL)
            label(ax, (left + step / 2, 0.25), names[a], fontsize=SMALL)
        line(ax, (x - 0.85, 0.42), (x + 0.85, 0.42), colour=GREY, linewidth=1)
    arrow(ax, (2.3, 1.0), (3.3, 1.0), BLACK)
    label(ax, (2.8, 1.34), f"“{names[action]}” taken,\nweight {weight:+g}".replace("-", "−"))
    aside(ax, (2.8, 0.68), "hatched: what\nwas done", ha="center")
    return diagram


def updated(probabilities: ArrayLike, action: int, step: float) -> np.ndarray[Any, Any]:
    """π after its logits moved by step · (1 where the action was taken, minus π).   (A,) → (A,)

    >>> updated([0.5, 0.5], 1, 1.0).round(2).tolist()
    [0.27, 0.73]
    """
    pi = np.asarray(probabilities, float)
    logits = np.log(pi) + step * (np.eye(len(pi))[action] - pi)
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())


# 01: actor and critic


def two_heads(observation: str = "$o_t$", torso: str = "torso") -> Sharp:
    """One torso, two heads: the policy's and the value's."""
    diagram, ax = sheet(
        6.4,
        2.0,
        "A network. The observation goes into one torso; its features go into two heads. The "
        "policy's head gives logits, and through a softmax the policy; the value's head gives one "
        "number, V.",
    )
    label(ax, (0.35, 1.0), observation)
    arrow(ax, (0.6, 1.0), (1.15, 1.0))
    box(ax, (1.85, 1.0), 1.3, 0.9, f"{torso}\n(shared)", GREY)
    aside(ax, (2.68, 1.62), "features", ha="center")
    for y, colour, head in (1.5, BLUE, "policy head"), (0.5, RED, "value head"):
        arrow(ax, (2.55, 1.0), (3.2, y), colour)
        box(ax, (3.9, y), 1.3, 0.55, head, colour)
    arrow(ax, (4.6, 1.5), (5.1, 1.5), BLUE)
    label(ax, (5.15, 1.5), "logits → $\\pi(a\\mid o)$", BLUE, ha="left", fontsize=SMALL)
    arrow(ax, (4.6, 0.5), (5.1, 0.5), RED)
    label(ax, (5.15, 0.5), "$V(o)$, one number", RED, ha="left", fontsize=SMALL)
    return diagram


# 02: n-step returns


def look_ahead(steps: int = 5, n: int | None = None) -> Sharp:
    """How far the return of each step of a rollout looks ahead: to the rollout's end, so that the
    first looks farthest (forward view), or n steps at most.

    >>> [t.get_text() for t in look_ahead(3).axes[0].texts if "steps" in t.get_text()]
    ['3 steps, then V', '2 steps, then V']
    """
    if steps < 1 or (n is not None and n < 1):
        raise ValueError(f"steps and n are at least 1; got {steps} and {n}")
    width, row, left = 0.85, 0.42, 0.75
    top = 0.35 + row * steps
    most = f"{n} step{'s' * (n > 1)} at most" if n else "all the steps that are left"
    diagram, ax = sheet(
        left + width * steps + 1.5,
        top + 0.55,
        f"A backup diagram. Below {steps} steps of a rollout stands a row for the return of each. "
        f"It takes the rewards of {most}, which are filled dots, and then V of the state that "
        "comes after, which is a square.",
    )
    for t in range(steps + 1):
        aside(ax, (left + width * t, top + 0.3), f"$o_{t}$", ha="center", fontsize=TEXT)
    for t in range(steps):
        ahead = min(n or steps, steps - t)
        y = top - row * (t + 0.5)
        aside(ax, (left - 0.3, y), f"$R_{t}$", ha="right", fontsize=TEXT)
        line(ax, (left + width * t, y), (left + width * (t + ahead), y), colour=GREY)
        line(ax, (left + width * t, y), marker="o", markerfacecolor="white", markersize=8)
        rewards = [(left + width * (t + k + 0.5), y) for k in range(ahead)]
        line(ax, *rewards, colour=BLUE, marker="o", markersize=5, linestyle="")
        line(ax, (left + width * (t + ahead), y), colour=RED, marker="s", markersize=8)
        said = f"{ahead} step{'s' * (ahead > 1)}, then V"
        aside(ax, (left + width * (t + ahead) + 0.25, y), said)
    line(ax, (left, 0.2), colour=BLUE, marker="o", markersize=5)
    aside(ax, (left + 0.15, 0.2), "a reward that was seen")
    line(ax, (left + 2.0, 0.2), colour=RED, marker="s", markersize=8)
    aside(ax, (left + 2.15, 0.2), "V, what is guessed of the rest")
    return diagram


# 03: the entropy bonus


def undecided(
    policies: Sequence[Sequence[float]] = ((0.5, 0.5), (0.9, 0.1), (1.0, 0.0)),
    names: Sequence[str] = ("left", "right"),
) -> Sharp:
    """Policies as bars, with the entropy of each: how undecided they are.

    >>> [text.get_text() for text in undecided().axes[0].texts if "nats" in text.get_text()]
    ['0.69 nats', '0.33 nats', '0.00 nats']
    """
    pis = [np.asarray(pi, float) for pi in policies]
    if any(len(pi) != len(names) for pi in pis):
        raise ValueError(f"each policy has {len(names)} probabilities; got {policies}")
    entropies = [sum(p * math.log(1 / p) for p in pi if p) for pi in pis]
    said = "; ".join(
        f"{', '.join(f'{p:.2f}' for p in pi)}: {entropy:.2f} nats"
        for pi, entropy in zip(pis, entropies, strict=True)
    )
    diagram, ax = sheet(
        2.1 * len(pis) + 0.2,
        2.2,
        f"Bars of {len(pis)} policies over {', '.join(names)}, with the entropy of each. {said}. "
        "The more even the bars, the larger it is.",
    )
    colours = action_colours(len(names))
    for k, (pi, entropy) in enumerate(zip(pis, entropies, strict=True)):
        middle, step = 1.15 + 2.1 * k, 1.6 / len(names)
        for a, p in enumerate(pi):
            left = middle - 0.8 + step * a
            area(ax, (left + 0.06, 0.42), step - 0.12, 1.1 * p, colours[a])
            label(ax, (left + step / 2, 0.53 + 1.1 * p), f"{p:.2f}", fontsize=SMALL)
            label(ax, (left + step / 2, 0.25), names[a], fontsize=SMALL)
        line(ax, (middle - 0.8, 0.42), (middle + 0.8, 0.42), colour=GREY, linewidth=1)
        label(ax, (middle, 2.0), f"{entropy:.2f} nats", fontweight="bold")
    return diagram


# 04: memory


def t_maze() -> Sharp:
    """Chapter 04's T-maze, once with each sign: what is seen in each square, and what is paid."""
    diagram, ax = sheet(
        8.7,
        2.5,
        "Two T-mazes of seven squares in a row. In the first square hangs a sign, up in one maze "
        "and down in the other; the agent sees 0 or 1 there. In the next five squares it sees 2, "
        "in the last one, the junction, 3. Above and below the junction lie the goals: the one "
        "that the sign named pays 1, the other one −1.",
    )
    side, y = 0.52, 1.15
    for left, sign, said in (0.6, 0, "up"), (4.9, 1, "down"):
        for k, seen in enumerate((sign, 2, 2, 2, 2, 2, 3)):
            x = left + side * k
            area(ax, (x, y), side, side, BLUE if k == 0 else GREY)
            label(ax, (x + side / 2, y + side / 2), str(seen))
            aside(ax, (x + side / 2, 0.42), str(k), ha="center")
        aside(ax, (left - 0.08, 0.42), "step", ha="right")
        label(ax, (left, y + 0.72), f"the sign: {said}", BLUE, ha="left")
        for above, pays in (1, sign == 0), (-1, sign == 1):
            corner = left + side * 6, y + side * above
            area(ax, corner, side, side, GREEN if pays else ORANGE)
            middle = corner[0] + side / 2, corner[1] + side / 2
            label(ax, middle, "+1" if pays else "−1", fontweight="bold")
    aside(ax, (0.6, 0.12), "In each square: what the agent sees there. The goals it does not see.")
    return diagram


def lstm_cell() -> Sharp:
    """One step of an LSTM: how its gates keep, write and show the cell."""
    diagram, ax = sheet(
        7.4,
        2.8,
        "One step of an LSTM, from left to right. Above runs the cell: c is multiplied by the "
        "forget gate f, then i times g is added, which gives c′. Below stand the forget gate f, "
        "the input gate i, the candidate g and the output gate o; each is computed from the "
        "features x and the last output h. The new output h′ is o times the tanh of c′.",
    )
    top, inputs, gates = 2.4, 0.3, 1.0
    label(ax, (0.55, top), "$c$")
    label(ax, (7.05, top), "$c'$")
    for start, end in (0.75, 1.79), (2.21, 3.39), (3.81, 6.82):
        arrow(ax, (start, top), (end, top), BLUE)
    box(ax, (2.0, top), 0.42, 0.36, "×", BLUE)
    box(ax, (3.6, top), 0.42, 0.36, "+", BLUE)
    aside(ax, (5.0, top + 0.22), "the cell", ha="center", colour=BLUE)
    label(ax, (0.55, inputs), "$x,\\ h$")
    line(ax, (0.85, inputs), (5.1, inputs), colour=GREY)
    for x, name, colour in (
        (2.0, "forget $f$", ORANGE),
        (3.1, "input $i$", ORANGE),
        (4.1, "new $g$", GREEN),
        (5.1, "output $o$", ORANGE),
    ):
        arrow(ax, (x, inputs), (x, gates - 0.25), GREY)
        box(ax, (x, gates), 0.84, 0.46, name, colour)
    arrow(ax, (2.0, 1.24), (2.0, 2.21), ORANGE)
    aside(ax, (2.1, 1.73), "keep")
    box(ax, (3.6, 1.75), 0.36, 0.32, "×", GREY)
    arrow(ax, (3.1, 1.24), (3.44, 1.58), ORANGE)
    arrow(ax, (4.1, 1.24), (3.76, 1.58), GREEN)
    arrow(ax, (3.6, 1.92), (3.6, 2.21))
    aside(ax, (3.88, 1.75), "write")
    arrow(ax, (6.05, top), (6.05, 2.08), BLUE)
    box(ax, (6.05, 1.9), 0.6, 0.34, "tanh", GREY)
    arrow(ax, (6.05, 1.72), (6.05, 1.53))
    box(ax, (6.05, 1.35), 0.36, 0.32, "×", GREY)
    arrow(ax, (5.53, 1.1), (5.85, 1.29), ORANGE)
    aside(ax, (5.72, 1.04), "show")
    arrow(ax, (6.24, 1.35), (6.82, 1.35))
    label(ax, (7.05, 1.35), "$h'$")
    return diagram


def lstm_unrolled() -> Sharp:
    """Two rollouts of a network with memory, and the four rules that its memory keeps."""
    diagram, ax = sheet(
        8.7,
        3.1,
        "Six steps of a recurrent network in two rollouts of three. The memory goes from each step "
        "to the next. Rule 1: it is carried into the next rollout. Rule 2: it is zero where an "
        "episode begins, here before step 2. Rule 3: gradients go back through the steps of one "
        "rollout and stop at its beginning. Rule 4: the value of what comes next is asked with the "
        "memory after the last step, which takes one more step of the LSTM, drawn pale, whose own "
        "memory is dropped.",
    )
    xs = [0.9 + 1.12 * t + 0.55 * (t > 2) for t in range(6)]
    for t, x in enumerate(xs):
        box(ax, (x, 1.75), 0.72, 0.55, "LSTM", GREY)
        arrow(ax, (x, 1.12), (x, 1.47), GREY)
        label(ax, (x, 1.0), f"$o_{t}$")
        arrow(ax, (x, 2.03), (x, 2.36), GREY)
        label(ax, (x, 2.48), "$\\pi, V$", fontsize=SMALL)
    for t in range(5):
        start, end = (xs[t] + 0.36, 1.75), (xs[t + 1] - 0.36, 1.75)
        if t == 1:
            label(ax, ((start[0] + end[0]) / 2 + 0.07, 1.75), "0", RED, fontweight="bold")
            line(ax, (start[0] + 0.12, 1.5), (start[0] + 0.12, 2.0), linewidth=4)
            continue
        arrow(ax, start, end, BLUE, dashed=t == 2)
    for first, last, name in (0, 2, "rollout"), (3, 5, "next rollout"):
        left, right = xs[first] - 0.5, xs[last] + 0.5
        area(ax, (left, 0.82), right - left, 1.85, facecolor="none", linestyle=":")
        aside(ax, ((left + right) / 2, 2.82), name, ha="center")
        begun = left if first else xs[1] + 0.48  # where the memory is 0 no gradient passes either
        arrow(ax, (xs[last], 0.68), (begun + 0.05, 0.68), PURPLE, dashed=True)
        line(ax, (left, 0.58), (left, 0.78), colour=PURPLE, linewidth=3)
    arrow(ax, (xs[1], 0.68), (xs[0] - 0.45, 0.68), PURPLE, dashed=True)
    label(ax, ((xs[2] + xs[3]) / 2, 2.1), "①", BLUE, fontweight="bold")
    label(ax, ((xs[1] + xs[2]) / 2, 2.2), "②", RED, fontweight="bold")
    label(ax, (xs[4], 0.52), "③", PURPLE, fontweight="bold")
    asked = xs[5] + 1.12
    arrow(ax, (xs[5] + 0.36, 1.75), (asked - 0.36, 1.75), BLUE)
    area(ax, (asked - 0.36, 1.475), 0.72, 0.55, facecolor="none", linestyle=":")
    label(ax, (asked, 1.75), "LSTM", GREY)
    arrow(ax, (asked, 1.12), (asked, 1.47), GREY)
    label(ax, (asked, 1.0), "$o_6$")
    arrow(ax, (asked, 2.03), (asked, 2.36), GREEN)
    label(ax, (asked, 2.48), "$V(o_6)$", GREEN, fontsize=SMALL)
    label(ax, (asked - 0.46, 2.1), "④", GREEN, fontweight="bold")
    for x, y, text in (
        (0.4, 0.33, "① the memory is carried into the next rollout"),
        (0.4, 0.12, "② it is 0 where an episode begins"),
        (4.2, 0.33, "③ gradients stop where the rollout began"),
        (4.2, 0.12, "④ $V(o_6)$ takes one more step, whose memory is dropped"),
    ):
        aside(ax, (x, y), text)
    return diagram


# 05: many workers


def workers(count: int = 3) -> Sharp:
    """Hogwild workers: what each has of its own, and what all of them share."""
    if not 1 <= count <= 4:
        raise ValueError(f"count is from 1 to 4, as many as can be drawn; got {count}")
    width = 2.15
    diagram, ax = sheet(
        0.6 + width * count,
        3.25,
        f"{count} workers, each with an environment and a copy θ′ of the parameters of its own. "
        "Above them, shared by all: the parameters θ, RMSProp's averages g and the count of steps. "
        "Each worker copies θ, plays t_max steps, and hands its gradient back, whenever it is "
        "ready; nobody waits, and nothing is locked.",
    )
    middle = (0.6 + width * count) / 2
    box(
        ax,
        (middle, 2.75),
        width * count,
        0.62,
        "shared:  $\\theta$,  $g$,  steps $T$",
        ORANGE,
    )
    for k in range(count):
        x = 0.3 + width * (k + 0.5)
        area(ax, (x - 0.98, 0.12), 1.96, 1.6, facecolor="none", linestyle=":")
        aside(ax, (x, 0.26), f"worker {k}: one process", ha="center")
        box(ax, (x - 0.45, 1.4), 0.85, 0.42, "copy $\\theta'$", BLUE)
        box(ax, (x, 0.66), 1.5, 0.42, "environment", GREEN)
        arrow(ax, (x - 0.55, 1.19), (x - 0.55, 0.87), BLUE)
        arrow(ax, (x + 0.45, 0.87), (x + 0.45, 1.2), GREEN)
        label(ax, (x + 0.47, 1.4), "gradient", RED, fontsize=SMALL)
        arrow(ax, (x - 0.45, 2.44), (x - 0.45, 1.62), BLUE, dashed=True)
        arrow(ax, (x + 0.45, 1.55), (x + 0.45, 2.44), RED)
        aside(ax, (x - 0.53, 2.05), "read", ha="right", colour=BLUE)
        aside(ax, (x + 0.53, 2.05), "change", colour=RED)
    return diagram


# 06: A3C beside A2C


def time_line() -> Sharp:
    """Time in A3C, where nobody waits, beside time in A2C, where all wait for the slowest."""
    diagram, ax = sheet(
        7.6,
        3.3,
        "Two time lines. Above, A3C: three workers play rollouts of unequal length and each "
        "changes θ at once, at moments of its own; nobody waits. Below, A2C: three environments "
        "take a step together, wait for the slowest, and after some steps one update follows, with "
        "the gradient of the whole batch.",
    )
    rollouts = (
        (0.9, 1.2, 0.8, 1.1, 1.0, 1.4),
        (1.3, 1.0, 1.4, 1.1, 0.7, 0.9),
        (1.0, 0.8, 1.1, 1.2, 0.9, 1.3),
    )
    label(ax, (0.1, 3.12), "A3C", ha="left", fontweight="bold")
    line(ax, (1.2, 3.08), (7.3, 3.08), colour=ORANGE, linewidth=3)
    label(ax, (7.42, 3.08), "θ", ORANGE)
    for k, durations in enumerate(rollouts):
        y, x = 2.72 - 0.34 * k, 1.2
        aside(ax, (1.1, y), f"worker {k}", ha="right")
        for duration in durations:
            end = min(x + duration, 7.3)
            _bar(ax, x, end, y, BLUE)
            if x + duration < 7.3:
                arrow(ax, (x + duration, y + 0.1), (x + duration, 3.05), RED)
            x = end
    label(ax, (0.1, 1.62), "A2C", ha="left", fontweight="bold")
    line(ax, (1.2, 1.58), (7.3, 1.58), colour=ORANGE, linewidth=3)
    label(ax, (7.42, 1.58), "θ", ORANGE)
    steps = ((0.5, 0.42, 0.55, 0.4), (0.7, 0.48, 0.45, 0.62), (0.45, 0.66, 0.6, 0.5))
    longest = [max(together) for together in zip(*steps, strict=True)]
    for k, row in enumerate(steps):
        y, x = 1.22 - 0.34 * k, 1.2
        aside(ax, (1.1, y), f"environment {k}", ha="right")
        for _ in range(2):
            for duration, slowest in zip(row, longest, strict=True):
                _bar(ax, x, x + duration, y, GREEN)
                _bar(ax, x + duration, x + slowest, y, LIGHT_GREY, "....")
                x += slowest
            x += 0.45
    x = 1.2
    for _ in range(2):
        x += sum(longest)
        box(ax, (x + 0.22, 0.88), 0.36, 1.02, "", RED)
        label(ax, (x + 0.22, 0.88), "update", RED, rotation=90, fontsize=SMALL)
        arrow(ax, (x + 0.22, 1.39), (x + 0.22, 1.55), RED)
        x += 0.45
    for x, colour, hatch, text in (
        (1.2, BLUE, "", "a rollout"),
        (2.55, GREEN, "", "a step"),
        (3.75, LIGHT_GREY, "....", "waiting for the slowest"),
    ):
        _bar(ax, x, x + 0.3, 0.13, colour, hatch)
        aside(ax, (x + 0.38, 0.13), text)
    arrow(ax, (6.1, 0.08), (6.1, 0.3), RED)
    aside(ax, (6.2, 0.13), "changes θ")
    return diagram


def _bar(ax: Axes, left: float, right: float, y: float, colour: str, hatch: str = "") -> None:
    edge = GREY if colour == LIGHT_GREY else colour
    area(ax, (left, y - 0.1), right - left, 0.2, colour, edgecolor=edge, hatch=hatch)


# 07: pictures


def convolutions(
    shapes: Sequence[tuple[int, int, int]] = ((4, 84, 84), (16, 20, 20), (32, 9, 9)),
    kernels: Sequence[tuple[int, int]] = ((8, 4), (4, 2)),
    features: int = 256,
    asked: int | None = None,
) -> Sharp:
    """A convolutional network: what each layer makes of a stack of pictures, and its two heads.

    `shapes` are (channels, height, width) of the input and after each layer, `kernels` (size,
    stride) of the layers. `asked` is the place in `shapes` that the reader is to work out.

    >>> convolutions().axes[0].texts[0].get_text()
    '4 × 84 × 84'
    >>> convolutions(asked=0).axes[0].texts[0].get_text()
    '4 × ? × ?'
    """
    if len(kernels) != len(shapes) - 1:
        raise ValueError(f"{len(shapes)} shapes need {len(shapes) - 1} kernels; got {len(kernels)}")
    sizes = ["? × ?" if k == asked else f"{h} × {w}" for k, (_, h, w) in enumerate(shapes)]
    layers = "; ".join(
        f"{c} pictures of {size}" for (c, *_), size in zip(shapes, sizes, strict=True)
    )
    step = 1.75
    left = step * len(shapes)
    diagram, ax = sheet(
        left + 3.3,
        2.5,
        f"A convolutional network, from left to right: {layers}; {features} features; and two "
        "heads, for the policy and for V. The pictures become smaller and more.",
    )
    largest = max(height for _, height, _ in shapes)
    for k, (channels, height, _) in enumerate(shapes):
        x, side = 0.25 + step * k, 0.25 + 0.95 * math.sqrt(height / largest)
        shown = min(channels, 4 + k)
        for depth in reversed(range(shown)):
            shift = 0.07 * depth
            area(ax, (x + shift, 1.15 - side / 2 + shift), side, side, BLUE)
        aside(ax, (x + side / 2, 0.32), f"{channels} × {sizes[k]}", ha="center")
        if k < len(kernels):
            size, stride = kernels[k]
            patch = side * size / height
            corner = (x + side * 0.25, 1.15 - side * 0.1)
            area(ax, corner, patch, patch, RED, facecolor="none")
            target = (0.25 + step * (k + 1) + 0.12, 1.15)
            for up in (0, patch):
                line(
                    ax,
                    (corner[0] + patch, corner[1] + up),
                    target,
                    colour=RED,
                    linewidth=0.9,
                    linestyle=DASHES,
                )
            aside(
                ax,
                (x + step * 0.62, 2.2),
                f"{size} × {size},\nstride {stride}",
                ha="center",
                colour=RED,
            )
    area(ax, (left + 0.15, 0.55), 0.18, 1.2)
    aside(ax, (left + 0.24, 0.32), f"{features} features", ha="center")
    arrow(ax, (left - 0.62, 1.15), (left + 0.1, 1.15), GREY)
    for y, colour, head in (1.6, BLUE, "policy, $\\pi(a\\mid o)$"), (0.75, RED, "value, $V(o)$"):
        arrow(ax, (left + 0.36, 1.15), (left + 0.85, y), colour)
        box(ax, (left + 1.8, y), 1.85, 0.46, head, colour)
    return diagram


# 08: values of actions


def three_targets(steps: int = 3) -> Sharp:
    """What Q(o, a) is to become: backup diagrams of one-step Q, Sarsa and n-step Q, whose rollout
    has so many `steps`.

    >>> [text.get_text() for text in three_targets(2).axes[0].texts if "-step" in text.get_text()]
    ['one-step Q', '2-step Q']
    """
    if not 1 <= steps <= 4:
        raise ValueError(f"steps is from 1 to 4, as many as can be drawn; got {steps}")
    diagram, ax = sheet(
        7.4,
        3.45,
        "Three backup diagrams, a row for each. One-step Q-learning takes one reward, which is a "
        "filled dot, and of the values of the next observation's actions, which are squares, the "
        "largest. One-step Sarsa takes one reward and the value of the action that is executed "
        f"next, largest or not. n-step Q-learning takes {steps} rewards, and then the largest "
        "value.",
    )
    rows = (
        ("one-step Q", 1, 0, "the largest"),
        ("Sarsa", 1, 1, "that of $a'$, which\nis executed next"),
        (f"{steps}-step Q", steps, 0, "the largest"),
    )
    for k, (name, rewards, taken, said) in enumerate(rows):
        y, left, width = 2.85 - 0.95 * k, 1.7, 0.95
        label(ax, (1.3, y), name, ha="right")
        for t in range(rewards):
            line(ax, (left + width * t, y), (left + width * (t + 1), y), colour=GREY)
            line(ax, (left + width * (t + 0.5), y), colour=BLUE, marker="o", markersize=6)
        end = left + width * rewards
        for a, rise in enumerate((0.3, 0.0, -0.3)):
            line(ax, (end, y), (end + 0.6, y + rise), colour=GREY)
            face = RED if a == taken else "white"
            form: dict[str, Any] = {"marker": "s", "markersize": 9, "markerfacecolor": face}
            line(ax, (end + 0.6, y + rise), colour=RED, **form)
        for t in range(rewards + 1):
            state: dict[str, Any] = {"marker": "o", "markersize": 9, "markerfacecolor": "white"}
            line(ax, (left + width * t, y), **state)
            marks = "'" * t
            aside(ax, (left + width * t, y + 0.26), f"$o{marks}$", ha="center", fontsize=TEXT)
        aside(ax, (end + 0.8, y + (0.3 if taken == 0 else 0.0)), said)
    line(ax, (0.9, 0.2), colour=BLUE, marker="o", markersize=6)
    aside(ax, (1.05, 0.2), "a reward that was seen")
    line(ax, (2.95, 0.2), colour=RED, marker="s", markersize=9)
    aside(ax, (3.1, 0.2), "the value that is taken")
    line(ax, (5.0, 0.2), colour=RED, marker="s", markersize=9, markerfacecolor="white")
    aside(ax, (5.15, 0.2), "values that are not")
    return diagram


def target_network(finals: Sequence[float] = (0.1, 0.01, 0.5)) -> Sharp:
    """Workers that learn values of actions, each with the final ε that is given for it: who reads θ
    and θ⁻, who changes them, and when.

    >>> texts = [text.get_text() for text in target_network((0.1, 0.5)).axes[0].texts]
    >>> [text for text in texts if "acts" in text]
    ['acts,\\nε → 0.1', 'acts,\\nε → 0.5']
    """
    if not 1 <= len(finals) <= 4:
        raise ValueError(f"finals are from 1 to 4, as many as can be drawn; got {len(finals)}")
    left, width = 0.2, 2.1
    right = left + width * len(finals)
    wide = right + 1.65
    said = ", ".join(f"{final:g}" for final in finals)
    diagram, ax = sheet(
        wide + 0.2,
        3.75,
        f"{len(finals)} workers between two sets of parameters that all of them share. Above lie "
        "θ, RMSProp's averages g and the count of steps T; below lies θ⁻. Each worker acts with an "
        f"ε that comes down to a final value of its own: {said}. It reads θ, asks θ⁻ for targets, "
        "and changes θ alone. One more arrow goes from θ to θ⁻: θ is copied when T comes to a "
        "multiple of I_target, or passes one.",
    )
    top, bottom, middle = 3.35, 0.4, (left + wide) / 2
    box(ax, (middle, top), wide - left, 0.5, "shared:  $\\theta$,  $g$,  steps $T$", ORANGE)
    still = "shared:  $\\theta^-$, which stands still"
    box(ax, (middle, bottom), wide - left, 0.5, still, PURPLE)
    for k, final in enumerate(finals):
        x = left + width * (k + 0.5)
        area(ax, (x - 0.98, 1.12), 1.96, 1.42, facecolor="none", linestyle=":")
        aside(ax, (x - 0.9, 1.27), f"worker {k}")
        box(ax, (x - 0.5, 1.9), 0.84, 0.62, f"acts,\nε → {final:g}", BLUE)
        box(ax, (x + 0.5, 1.9), 0.84, 0.62, "learns,\n$(R - Q)^2$", RED)
        arrow(ax, (x - 0.08, 1.9), (x + 0.08, 1.9), GREEN)
        arrow(ax, (x - 0.5, top - 0.25), (x - 0.5, 2.21), BLUE, dashed=True)
        aside(ax, (x - 0.42, 2.82), "read", colour=BLUE)
        arrow(ax, (x + 0.4, 2.21), (x + 0.4, top - 0.25), RED)
        aside(ax, (x + 0.48, 2.82), "change", colour=RED)
        arrow(ax, (x + 0.5, bottom + 0.25), (x + 0.5, 1.59), PURPLE, dashed=True)
        aside(ax, (x + 0.42, 0.88), "asked for targets", ha="right", colour=PURPLE)
    copied = right + 0.2
    arrow(ax, (copied, top - 0.25), (copied, bottom + 0.25), GREEN)
    words = "copied when $T$\ncomes to a\nmultiple of\n$I_{target}$, or\npasses one"
    aside(ax, (copied + 0.12, 1.85), words, colour=GREEN)
    return diagram


# 09: replay


def replay_memory(rows: int = 5, written: int = 7) -> Sharp:
    """A replay memory of so many `rows`, as a ring, after so many steps have been `written`.

    >>> texts = [text.get_text() for text in replay_memory(5, 7).axes[0].texts]
    >>> [text for text in texts if text.startswith("step ")]
    ['step 6', 'step 2', 'step 3', 'step 4', 'step 5']
    """
    if not (3 <= rows <= 6 and written >= rows):
        raise ValueError(
            "rows is from 3 to 6, as many as can be drawn, and written at least as many; "
            f"got {rows} and {written}"
        )
    size, width = rows + 1, 1.15
    left, wide = 1.9, width * size
    diagram, ax = sheet(
        left + wide + 0.3,
        3.0,
        f"A row of {size} places, which is a ring: after the last one comes the first. {rows} of "
        f"them hold steps, the newest of which is step {written - 1}; it was written over the "
        "oldest one. The next place holds only what was seen last, and is written next. An agent "
        "writes there; some steps from anywhere are drawn, and become a batch to learn from.",
    )
    y = 1.5
    box(ax, (0.85, y), 1.25, 0.7, "the agent\nacts", BLUE)
    for place in range(size):
        x = left + width * (place + 0.5)
        under_way = place == written % size
        area(ax, (x - width / 2, y - 0.35), width, 0.7, ORANGE if under_way else GREY)
        step = written - 1 - (written - 1 - place) % size
        label(ax, (x, y), "seen last" if under_way else f"step {step}", fontsize=SMALL)
        aside(ax, (x, y - 0.52), f"place {place}", ha="center")
    here = left + width * (written % size + 0.5)
    line(ax, (0.85, y + 0.35), (0.85, 2.45), (here, 2.45), colour=BLUE)
    arrow(ax, (here, 2.45), (here, y + 0.37), BLUE)
    side = 1 if here < left + wide / 2 else -1  # where there is room for words
    words = {"colour": BLUE, "ha": "left" if side > 0 else "right"}
    aside(ax, (here + 0.12 * side, 2.2), "the next step is written here", **words)
    for place in (written + 1, written + rows // 2 + 1, written + rows - 1):
        x = left + width * (place % size + 0.5)
        arrow(ax, (x, y - 0.66), (left + wide / 2 + (x - left - wide / 2) * 0.3, 0.5), RED)
    label(ax, (left + wide / 2, 0.27), "a batch, drawn by chance, to learn from", RED)
    return diagram


# 10: continuous control


def gaussian_policy() -> Sharp:
    """A Gaussian policy on one axis, as a density, and the edges of what the world takes.

    >>> [text.get_text() for text in gaussian_policy().axes[0].texts][:2]
    ['lowest', 'highest']
    """
    mean, deviation, low, high = 0.4, 0.5, -1.0, 1.0
    diagram, ax = sheet(
        6.5,
        2.85,
        "A bell over the axis of actions: a density, which is highest at its middle μ and has the "
        "half-width σ. Two upright lines are the lowest and the highest action that the world "
        "takes. A part of the bell lies beyond the highest: what is drawn there is taken as the "
        "edge.",
    )
    ground, height = 0.6, 1.5

    def place(action: ArrayLike) -> Any:
        return 3.0 + 1.3 * np.asarray(action, float)

    def up(action: ArrayLike) -> Any:
        z = (np.asarray(action, float) - mean) / deviation
        return ground + height * np.exp(-0.5 * z**2)

    beyond, all_of_it = np.linspace(high, 2.1, 40), np.linspace(-1.9, 2.1, 200)
    ax.fill_between(place(beyond), ground, up(beyond), color=ORANGE, alpha=0.5, linewidth=0)
    line(ax, *zip(place(all_of_it), up(all_of_it), strict=True), colour=BLUE)
    arrow(ax, (0.4, ground), (6.1, ground))
    for edge, said in (low, "lowest"), (high, "highest"):
        x = float(place(edge))
        line(ax, (x, ground), (x, 2.4), colour=GREY, linestyle=DASHES)
        aside(ax, (x, 2.6), said, ha="center")
    middle, right = float(place(mean)), float(place(mean + deviation))
    line(ax, (middle, ground), (middle, float(up(mean))), colour=BLUE, linewidth=0.8)
    label(ax, (middle, 0.38), r"$\mu$", BLUE)
    level = float(up(mean + deviation))
    arrow(ax, (middle, level), (right, level), BLUE, head="<|-|>")
    label(ax, ((middle + right) / 2, level + 0.17), r"$\sigma$", BLUE)
    label(ax, (1.0, 1.5), "density\n$\\pi(a\\mid o)$", BLUE)
    aside(ax, (4.75, 1.75), "what is drawn here\nis taken as the edge", colour=ORANGE)
    aside(ax, (6.1, 0.38), "action $a$", ha="right")
    return diagram


def lambda_weights(steps: int = 5, lambda_: float = 0.5) -> Sharp:
    """The returns of a rollout's first step that look 1, 2, … steps ahead, and how much each counts
    in the λ-return.

    >>> texts = [text.get_text() for text in lambda_weights(3, 0.5).axes[0].texts]
    >>> [text for text in texts if text.startswith("0.")]
    ['0.5', '0.25', '0.25']
    """
    if not (2 <= steps <= 6 and 0 <= lambda_ <= 1):
        raise ValueError(
            f"steps is from 2 to 6, as many as can be drawn, and lambda_ in [0, 1]; got {steps} "
            f"and {lambda_}"
        )
    weights = [(1 - lambda_) * lambda_**k for k in range(steps - 1)] + [lambda_ ** (steps - 1)]
    width, row, left = 0.7, 0.42, 0.4
    top, bars = 0.5 + row * steps, left + width * steps + 0.55
    # All digits of them: rounded to two they would not add up to 1.
    labels = [f"{weight:.6f}".rstrip("0").rstrip(".") for weight in weights]
    diagram, ax = sheet(
        bars + 2.6,
        top + 0.5,
        f"A backup diagram with {steps} rows, for returns of the first step that look 1 to {steps} "
        "steps ahead and then take V. Beside each stands a bar, its weight in the λ-return: "
        f"{', '.join(labels)}. The last one has all the rest.",
    )
    for t in range(steps + 1):
        aside(ax, (left + width * t, top + 0.25), f"$o_{t}$", ha="center", fontsize=TEXT)
    aside(ax, (bars, top + 0.25), f"weight, $\\lambda$ = {lambda_:g}")
    for k, (weight, said) in enumerate(zip(weights, labels, strict=True)):
        y, end = top - row * (k + 0.5), left + width * (k + 1)
        line(ax, (left, y), (end, y), colour=GREY)
        line(ax, (left, y), marker="o", markerfacecolor="white", markersize=8)
        rewards = [(left + width * (j + 0.5), y) for j in range(k + 1)]
        line(ax, *rewards, colour=BLUE, marker="o", markersize=5, linestyle="")
        line(ax, (end, y), colour=RED, marker="s", markersize=8)
        area(ax, (bars, y - 0.12), 1.6 * weight, 0.24, BLUE)
        aside(ax, (bars + 1.6 * weight + 0.08, y), said)
    line(ax, (left, 0.2), colour=BLUE, marker="o", markersize=5)
    aside(ax, (left + 0.15, 0.2), "a reward that was seen")
    line(ax, (left + 2.0, 0.2), colour=RED, marker="s", markersize=8)
    aside(ax, (left + 2.15, 0.2), "V, what is guessed of the rest")
    return diagram
