"""What was measured of HalfCheetah-v5, as tables, sentences and a figure."""

from collections.abc import Sequence
from statistics import median
from typing import cast

from matplotlib.figure import Figure

from a3c_lib.figures.drawing import axes
from bench.figures import bars, scores
from bench.reports import Speeds, drawn, note_of, of_kind, reached, speed_table, speeds, times
from bench.tables import AS_THE_ZOO, RETURN, Row, aligned, spread

SPEED_AIM = 3.0  # times stable-baselines3's steps per second
# What rl-baselines3-zoo gives of its own agent: the mean and the deviation of 150 episodes.
REFERENCE, DEVIATION = 3041, 157


def courses(rows: Sequence[Row]) -> dict[str, list[list[Row]]]:
    """By line: of every seed, the evaluations in order."""
    own = [row for row in rows if row["quantity"] == RETURN]
    seeds = dict.fromkeys((row["line"], row["repetition"]) for row in own)
    ways: dict[str, list[list[Row]]] = {line: [] for line, _ in seeds}
    for line, seed in seeds:
        its = [row for row in own if (row["line"], row["repetition"]) == (line, seed)]
        ways[line].append(its)
    return ways


def finals(ways: Sequence[Sequence[Row]]) -> tuple[float, ...]:
    """Every seed's score at the end."""
    return tuple(way[-1]["value"] for way in ways)


def score_table(rows: Sequence[Row]) -> str:
    ways = courses(rows)
    steps = max(way[-1]["steps"] for each in ways.values() for way in each)
    head = ["", f"score after {steps:,} steps", "lowest – highest", f"{REFERENCE:,} or more"]
    body = []
    for line, each in ways.items():
        last = finals(each)
        there = f"{sum(score >= REFERENCE for score in last)} of {len(last)} seeds"
        body.append([line, *spread(last), there])
    zoo = ["rl-baselines3-zoo's own agent", f"{REFERENCE:,} ± {DEVIATION}", "", ""]
    return aligned([head, *body, zoo])


def score_sentences(rows: Sequence[Row]) -> list[str]:
    """How far ours is from the zoo's score."""
    ways = courses(rows)
    middle = {line: median(finals(each)) for line, each in ways.items()}
    return [
        f"{line}: a score of {middle[line]:,.0f} in the median of {len(ways[line])} seeds; "
        f"aim: at least {REFERENCE:,}, {reached(middle[line] >= REFERENCE)}"
        for line, each in ways.items()
        if each[0][0]["kind"] == "ours"
    ]


def text(rows: Sequence[Row], cores: int) -> str:
    measured = speeds(rows, cores)
    ours = [line for line in of_kind(measured.lines, "ours") if not line.name.endswith(AS_THE_ZOO)]
    said = [times(line, measured.theirs, SPEED_AIM) for line in ours if measured.theirs]
    said += score_sentences(rows)
    return "\n".join([speed_table(measured, cores), "", score_table(rows), "", *said])


def figure(rows: Sequence[Row], cores: int) -> Figure:
    """Left the rates, with what the environment alone takes; right the scores over steps."""
    measured, ways = speeds(rows, cores), courses(rows)
    alone = {"the environment alone": median(measured.alone)} if measured.alone else {}
    measured = measured._replace(alone=None)  # a level says it: no share beside each bar
    lines = [line for line in measured.lines if line.kind != "part"]
    notes = {line.name: note_of(measured, line) for line in lines}
    left, right = axes(width=12, height=3.8, columns=2)
    bars(lines, notes, alone, _speed_title(measured), drawn(measured, cores), left)
    scores(ways, REFERENCE, _title(ways), "10 episodes; thin: a seed, thick: their median", right)
    return cast(Figure, left.figure)


def _speed_title(speeds: Speeds) -> str:
    ratio = speeds.ratio(speeds.ours)
    if ratio is None:
        return "HalfCheetah: steps a second"
    return f"HalfCheetah: {median(ratio):.1f} × stable-baselines3"


def _title(ways: dict[str, list[list[Row]]]) -> str:
    """Our A2C's score, and theirs."""
    best = {each[0][0]["kind"]: line for line, each in reversed(ways.items())}
    said = (f"{line} {median(finals(ways[line])):,.0f}" for line in best.values())
    return f"Score: {', '.join(said)}"
