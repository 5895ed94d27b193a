"""What was measured, as tables, sentences and figures."""

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple, cast

from matplotlib.figure import Figure

from a3c_lib.figures.drawing import axes
from bench import pong
from bench.figures import bars, courses
from bench.tables import (
    AS_THE_ZOO,
    ENVIRONMENT,
    KEPT,
    RETURN,
    UNSHARED,
    Measured,
    Row,
    aligned,
    best,
    rates_of,
    ratios,
    spread,
)

SPEED_AIM = {"pong": 3.5, "cartpole": 3.0}  # times stable-baselines3's steps per second
SHARE_AIM = 0.55  # of the environment alone
HOGWILD_AIM = 0.97  # of as many workers that share nothing
SAME_BATCH_AIM = 2.5  # times its steps per second, with its batch and network
SECONDS_AIM = 0.25  # of stable-baselines3's, until CartPole is learned
GOAL = 475  # a mean return over 100 episodes

Rates = tuple[float, ...]  # one for each round


class Speeds(NamedTuple):
    """Rates, and what they are compared with: None where that was not measured."""

    lines: list[Measured]
    theirs: Measured | None  # stable-baselines3's best
    installed: Measured | None  # its best without what is set from outside
    alone: Rates | None  # the environment's, on all cores at the same time

    @property
    def ours(self) -> Measured:
        """Our best."""
        return best(of_kind(self.lines, "ours"))

    def ratio(self, line: Measured) -> Rates | None:
        return None if self.theirs is None else ratios(line.rates, self.theirs.rates)

    def share(self, line: Measured) -> Rates | None:
        return None if self.alone is None else ratios(line.rates, self.alone)


def speeds(rows: Sequence[Row], cores: int) -> Speeds:
    """The rates among the rows, by line, in order of appearance."""
    lines = rates_of(rows)
    theirs = of_kind(lines, "theirs")
    installed = [line for line in theirs if not line.name.endswith(KEPT)]
    alone = [line.rates for line in lines if line.name == ENVIRONMENT]
    return Speeds(
        lines,
        best(theirs) if theirs else None,
        best(installed) if installed else None,
        tuple(cores * rate for rate in alone[0]) if alone else None,
    )


def of_kind(lines: Sequence[Measured], kind: str) -> list[Measured]:
    return [line for line in lines if line.kind == kind]


def speed_table(speeds: Speeds, cores: int) -> str:
    """Median, lowest and highest of every line, its ratio to theirs, and its share of what the
    environment alone takes on all cores."""
    head = ["", "steps/s", "lowest – highest"]
    head += ["× stable-baselines3"] * bool(speeds.theirs)
    head += ["of the environment"] * bool(speeds.alone)
    body = [[line.name, *spread(line.rates)] for line in of_kind(speeds.lines, "part")]
    body = [[f"{name}, on each of {cores} cores", *rest] for name, *rest in body]
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
    others = dict.fromkeys(filter(None, (speeds.installed, speeds.theirs)))
    return [times(speeds.ours, theirs, aim) for theirs in others]


def share_sentence(speeds: Speeds) -> list[str]:
    """How much our best line takes of what the environment alone does, where that is measured."""
    ours, share = speeds.ours, speeds.share(speeds.ours)
    if not share:
        return []
    middle, ends = spread(share, ".0%")
    return [
        f"{ours.name}: {middle} of what the environment alone takes ({ends}); "
        f"aim: at least {SHARE_AIM:.0%}, {reached(median(share) >= SHARE_AIM)}"
    ]


def same_batch_sentences(speeds: Speeds) -> list[str]:
    """How far ours is with the other library's batch and network."""
    ours = [line for line in speeds.lines if line.name.endswith(AS_THE_ZOO)]
    return [times(line, speeds.theirs, SAME_BATCH_AIM) for line in ours if speeds.theirs]


def times(ours: Measured, theirs: Measured, aim: float) -> str:
    """How many times their steps per second ours takes, and whether that is what we aim at."""
    ratio = ratios(ours.rates, theirs.rates)
    middle, ends = spread(ratio, ".2f")
    return (
        f"{ours.name}: {middle} times the steps per second of {theirs.name} ({ends}); "
        f"aim: at least {aim}, {reached(median(ratio) >= aim)}"
    )


def hogwild_sentences(speeds: Speeds, many: str, one: str, workers: int) -> list[str]:
    """What workers lose because they share θ, and the machine: so many against `one`, and against as
    many that share nothing."""
    rates = {line.name: line.rates for line in speeds.lines}
    if not {many, one, UNSHARED} <= rates.keys():
        return []
    of_one = spread(ratios(rates[many], rates[one]), ".2f")
    unshared = tuple(workers * rate for rate in rates[UNSHARED])
    machine = spread(ratios(unshared, rates[one]), ".2f")
    share = ratios(rates[many], unshared)
    middle, ends = spread(share, ".0%")
    return [
        f"{many}: {of_one[0]} times one worker ({of_one[1]}); {workers} workers that share nothing: "
        f"{machine[0]} times ({machine[1]}); that is {middle} of them ({ends}); "
        f"aim: at least {HOGWILD_AIM:.0%}, {reached(median(share) >= HOGWILD_AIM)}"
    ]


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
    said = speed_sentences(measured, SPEED_AIM["pong"]) + share_sentence(measured)
    workers = pong.workers_on(cores)
    said += hogwild_sentences(measured, pong.so_many(workers), pong.so_many(1), workers)
    return "\n".join([speed_table(measured, cores), "", *said])


def cartpole_text(rows: Sequence[Row], cores: int) -> str:
    measured = speeds(rows, cores)
    said = speed_sentences(measured, SPEED_AIM["cartpole"])
    said += same_batch_sentences(measured) + learning_sentences(rows)
    return "\n".join([speed_table(measured, cores), "", learning_table(rows), "", *said])


def pong_figure(rows: Sequence[Row], cores: int) -> Figure:
    """Our lines and theirs as bars, with the environment alone."""
    measured = speeds(rows, cores)
    lines = [line for line in measured.lines if line.kind != "part"]
    ax = bars(
        lines,
        {line.name: note_of(measured, line) for line in lines},
        {"the environment alone": median(measured.alone)} if measured.alone else {},
        _speed_title(measured, "Pong"),
        drawn(measured, cores),
        axes(width=9, height=1.3 + 0.42 * len(lines)),
    )
    return cast(Figure, ax.figure)


def cartpole_figure(rows: Sequence[Row], cores: int) -> Figure:
    """Left the rates, right the way to the goal."""
    measured = speeds(rows, cores)
    left, right = axes(width=12, height=3.6, columns=2)
    bars(
        measured.lines,
        {line.name: note_of(measured, line) for line in measured.lines},
        {},
        _speed_title(measured, "CartPole"),
        drawn(measured, cores),
        left,
    )
    seeds = {kind: (name, ways(rows, kind)) for kind, name in names(rows).items()}
    said = f"a curve for each seed, until its mean is {GOAL}"
    courses(seeds, GOAL, _learning_title(rows), said, right)
    return cast(Figure, left.figure)


def note_of(speeds: Speeds, line: Measured) -> str:
    """What stands beside a bar: rate · ratio · share of the environment alone."""
    ratio, share = speeds.ratio(line), speeds.share(line)
    said = [f"{median(line.rates):,.0f}"]
    said += [f"{median(ratio):.2f}×"] if ratio else []
    said += [f"{median(share):.0%}"] if share else []
    return " · ".join(said)


def drawn(speeds: Speeds, cores: int) -> str:
    """What is drawn as bars, in small letters."""
    said = f"{cores} cores; medians and rounds"
    said += "; ×: of stable-baselines3's best" * bool(speeds.theirs)
    return said + "; %: of the environment alone" * bool(speeds.alone)


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
