"""What was measured, as tables, sentences and figures."""

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple, cast

from matplotlib.figure import Figure

from a3c_lib.figures.drawing import axes
from bench.figures import bars, courses
from bench.tables import (
    RETURN,
    Measured,
    Row,
    aligned,
    best,
    ceiling,
    rates_of,
    ratios,
    spread,
)

SPEED_AIM = {"pong": 3.5, "cartpole": 3.0}  # times stable-baselines3's steps per second
SHARE_AIM = 0.9  # of the ceiling
SECONDS_AIM = 0.5  # of stable-baselines3's, until CartPole is learned
GOAL = 475  # a mean return over 100 episodes

Rates = tuple[float, ...]  # one for each round


class Speeds(NamedTuple):
    """Rates, and what they are compared with: None where that was not measured."""

    lines: list[Measured]
    theirs: Measured | None  # stable-baselines3's best
    ceiling: Rates | None

    @property
    def ours(self) -> Measured:
        """Our best."""
        return best(of_kind(self.lines, "ours"))

    def ratio(self, line: Measured) -> Rates | None:
        return None if self.theirs is None else ratios(line.rates, self.theirs.rates)

    def share(self, line: Measured) -> Rates | None:
        return None if self.ceiling is None else ratios(line.rates, self.ceiling)


def speeds(rows: Sequence[Row], cores: int) -> Speeds:
    """The rates among the rows, by line, in order of appearance."""
    lines = rates_of(rows)
    parts, theirs = of_kind(lines, "part"), of_kind(lines, "theirs")
    return Speeds(
        lines,
        best(theirs) if theirs else None,
        ceiling([part.rates for part in parts], cores) if parts else None,
    )


def of_kind(lines: Sequence[Measured], kind: str) -> list[Measured]:
    return [line for line in lines if line.kind == kind]


def speed_table(speeds: Speeds, cores: int) -> str:
    """Median, lowest and highest of every line, its ratio to theirs and its share of the ceiling."""
    head = ["", "steps/s", "lowest – highest"]
    head += ["× stable-baselines3"] * bool(speeds.theirs) + ["of the ceiling"] * bool(
        speeds.ceiling
    )
    body = [[line.name, *spread(line.rates)] for line in of_kind(speeds.lines, "part")]
    body = [[f"{name}, on each of {cores} cores", *rest] for name, *rest in body]
    if speeds.ceiling:
        body.append(["ceiling: cores / (1/a + 1/b + …)", *spread(speeds.ceiling)])
    body = [row + [""] * (len(head) - len(row)) for row in body]
    for line in (line for line in speeds.lines if line.kind != "part"):
        compared = [(speeds.ratio(line), ".2f"), (speeds.share(line), ".0%")]
        body.append(
            [line.name, *spread(line.rates)]
            + [spread(values, form)[0] for values, form in compared if values is not None]
        )
    return aligned([head, *body])


def speed_sentences(speeds: Speeds, aim: float) -> list[str]:
    """How far our best line is from what we aim at."""
    ours = speeds.ours
    ratio, share = speeds.ratio(ours), speeds.share(ours)
    said = []
    if speeds.theirs and ratio:
        middle, ends = spread(ratio, ".2f")
        said.append(
            f"{ours.name}: {middle} times the steps per second of {speeds.theirs.name} ({ends}); "
            f"aim: at least {aim}, {reached(median(ratio) >= aim)}"
        )
    if share:
        middle, ends = spread(share, ".0%")
        said.append(
            f"{ours.name}: {middle} of the ceiling ({ends}); "
            f"aim: at least {SHARE_AIM:.0%}, {reached(median(share) >= SHARE_AIM)}"
        )
    return said


def reached(is_so: bool) -> str:
    return "reached" if is_so else "not reached"


# CartPole


def ways(rows: Sequence[Row], kind: str) -> list[list[Row]]:
    """The evaluations of every seed, in order."""
    own = [row for row in rows if row["quantity"] == RETURN and row["kind"] == kind]
    seeds = dict.fromkeys(row["repetition"] for row in own)
    return [[row for row in own if row["repetition"] == seed] for seed in seeds]


def until_learned(ways: Sequence[Sequence[Row]], what: str) -> Rates:
    """Seconds or steps until the goal, of every seed; infinite where it was not reached."""
    return tuple(way[-1][what] if way[-1]["value"] >= GOAL else math.inf for way in ways)


def learning_table(rows: Sequence[Row]) -> str:
    head = ["", f"seconds to {GOAL}", "lowest – highest", "steps", "lowest – highest", "seeds"]
    body = []
    for kind, name in names(rows).items():
        own = ways(rows, kind)
        seconds, steps = (until_learned(own, what) for what in ("seconds", "steps"))
        there = f"{sum(map(math.isfinite, seconds))} of {len(own)}"
        body.append([name, *spread(seconds, ".1f"), *spread(steps), there])
    return aligned([head, *body])


def names(rows: Sequence[Row]) -> dict[str, str]:
    """By kind, what learned."""
    return {row["kind"]: row["line"] for row in rows if row["quantity"] == RETURN}


def learning_ratio(rows: Sequence[Row]) -> float | None:
    """Our median of seconds, as a multiple of theirs; None if either was not reached."""
    medians = [median(until_learned(ways(rows, kind), "seconds")) for kind in names(rows)]
    if len(medians) < 2 or not all(map(math.isfinite, medians)):
        return None
    return medians[0] / medians[1]


def learning_sentences(rows: Sequence[Row]) -> list[str]:
    ratio = learning_ratio(rows)
    if ratio is None:
        return []
    aim = f"aim: at most {SECONDS_AIM}, {reached(ratio <= SECONDS_AIM)}"
    return [f"seconds until learned: {ratio:.2f} of stable-baselines3's; {aim}"]


# Whole reports


def pong_text(rows: Sequence[Row], cores: int) -> str:
    measured = speeds(rows, cores)
    return "\n".join(
        [speed_table(measured, cores), "", *speed_sentences(measured, SPEED_AIM["pong"])]
    )


def cartpole_text(rows: Sequence[Row], cores: int) -> str:
    measured = speeds(rows, cores)
    said = speed_sentences(measured, SPEED_AIM["cartpole"]) + learning_sentences(rows)
    return "\n".join([speed_table(measured, cores), "", learning_table(rows), "", *said])


def pong_figure(rows: Sequence[Row], cores: int) -> Figure:
    """Our lines and theirs as bars, with the ceiling."""
    measured = speeds(rows, cores)
    lines = [line for line in measured.lines if line.kind != "part"]
    ax = bars(
        lines,
        {line.name: _note(measured, line) for line in lines},
        {"ceiling": median(measured.ceiling)} if measured.ceiling else {},
        _speed_title(measured, "Pong"),
        _drawn(measured, cores),
        axes(width=9, height=1.3 + 0.42 * len(lines)),
    )
    return cast(Figure, ax.figure)


def cartpole_figure(rows: Sequence[Row], cores: int) -> Figure:
    """Left the rates, right the way to the goal."""
    measured = speeds(rows, cores)
    left, right = axes(width=12, height=3.6, columns=2)
    bars(
        measured.lines,
        {line.name: _note(measured, line) for line in measured.lines},
        {},
        _speed_title(measured, "CartPole"),
        _drawn(measured, cores),
        left,
    )
    seeds = {kind: (name, ways(rows, kind)) for kind, name in names(rows).items()}
    said = f"a curve for each seed, until its mean is {GOAL}"
    courses(seeds, GOAL, _learning_title(rows), said, right)
    return cast(Figure, left.figure)


def _note(speeds: Speeds, line: Measured) -> str:
    """What stands beside a bar: rate · ratio · share of the ceiling."""
    ratio, share = speeds.ratio(line), speeds.share(line)
    said = [f"{median(line.rates):,.0f}"]
    said += [f"{median(ratio):.2f}×"] if ratio else []
    said += [f"{median(share):.0%}"] if share else []
    return " · ".join(said)


def _drawn(speeds: Speeds, cores: int) -> str:
    said = f"{cores} cores; medians and rounds"
    said += "; ×: of stable-baselines3's best" * bool(speeds.theirs)
    return said + "; %: of the ceiling" * bool(speeds.ceiling)


def _speed_title(speeds: Speeds, world: str) -> str:
    ratio = speeds.ratio(speeds.ours)
    if ratio is None:
        return f"{world}: {speeds.ours.name} takes most steps a second"
    return f"{world}: {median(ratio):.1f} times stable-baselines3's steps a second"


def _learning_title(rows: Sequence[Row]) -> str:
    ratio = learning_ratio(rows)
    if ratio is None:
        return "CartPole: seconds until it is learned"
    return f"CartPole: learned in {ratio:.2f} of stable-baselines3's seconds"
