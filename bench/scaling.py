"""More cores, or a GPU: A3C's steps per second over 1, 2, 4, 8 and 16 workers, and A2C's on a GPU
over batch sizes, both in Pong from pixels.

Not part of `make bench`, since it says little on two cores: `python -m bench scaling`. How many steps
a score takes with more workers is another matter, and a series of `python -m claims.games`.
Neither has been run yet on a machine with more cores, or with a GPU.
"""

import dataclasses
from collections.abc import Sequence
from functools import partial
from statistics import median

import torch
from matplotlib.figure import Figure

from a3c_lib import a2c, a3c
from a3c_lib.encoders import paper_network
from a3c_lib.figures.drawing import BLUE, DASHES, GREY, RED, axes, entitle
from a3c_lib.one_look import OneLook
from bench.measuring import FOREVER, Line, Watch, follow
from bench.pong import GAME, T_MAX, TARGETS
from bench.tables import Measured, Row, aligned, rates_of, ratios, spread

WORKERS = 1, 2, 4, 8, 16
EACH = 16  # environments of a worker
BATCHES = 16, 64, 256, 1024  # environments of A2C on a GPU
# How much sooner than one thread so many reached a reference score, mean of 7 games: A3C's row.
# [A3C, table 2]
PAPER = {1: 1.0, 2: 2.1, 4: 3.7, 8: 6.9, 16: 12.5}


def with_workers(number: int, watch: Watch) -> None:
    config = a3c.Config(total_steps=FOREVER, num_envs=EACH, num_workers=number, t_max=T_MAX)
    follow(a3c.train(OneLook(paper_network(GAME)), GAME, config, targets=TARGETS), watch)


def on_a_gpu(num_envs: int, watch: Watch) -> None:
    """With all cores for the games, so that they do not wait for one."""
    game = dataclasses.replace(GAME, num_threads=0)
    config = a2c.Config(total_steps=FOREVER, num_envs=num_envs, t_max=T_MAX, device="cuda")
    follow(a2c.train(OneLook(paper_network(game)), game, config, targets=TARGETS), watch)


def lines() -> list[Line]:
    """All that can be measured here: the GPU's only where there is one."""
    batches = BATCHES if torch.cuda.is_available() else ()
    return [
        *(Line(_workers(number), "ours", partial(with_workers, number)) for number in WORKERS),
        *(Line(f"a2c, GPU, {n} environments", "ours", partial(on_a_gpu, n)) for n in batches),
    ]


def _workers(number: int) -> str:
    return f"a3c, {number} worker{'s' * (number > 1)}"


def speed_ups(lines: Sequence[Measured]) -> dict[int, tuple[float, ...]]:
    """By the number of workers: steps per second, as a multiple of one worker's, round by round."""
    rates = {line.name: line.rates for line in lines}
    measured = [number for number in WORKERS if _workers(number) in rates]
    return {number: ratios(rates[_workers(number)], rates[_workers(1)]) for number in measured}


def text(rows: Sequence[Row], cores: int) -> str:
    lines = rates_of(rows)
    ratio = {_workers(number): of_one for number, of_one in speed_ups(lines).items()}
    said = {_workers(number): f"{times:.1f}" for number, times in PAPER.items()}
    head = ["", "steps/s", "lowest – highest", "× one worker", "paper: sooner by"]
    body = [
        [
            line.name,
            *spread(line.rates),
            spread(ratio[line.name], ".2f")[0] if line.name in ratio else "",
            said.get(line.name, ""),
        ]
        for line in lines
    ]
    told = "The paper's numbers are of time to a score: steps per second and steps needed, in one."
    return "\n".join([aligned([head, *body]), "", f"{cores} cores. {told}"])


def figure(rows: Sequence[Row], cores: int) -> Figure:
    """Speed-ups over workers, beside the cores' own limit and the paper's."""
    ours = speed_ups(rates_of(rows))
    ax = axes(width=7, height=4)
    numbers = list(ours)
    ax.plot(numbers, [median(of_one) for of_one in ours.values()], "o-", color=BLUE, label="here")
    for number, of_one in ours.items():
        ax.plot([number] * len(of_one), of_one, ".", color=BLUE)
    limit = [min(number, cores) for number in numbers]
    ax.plot(numbers, limit, color=GREY, linestyle=DASHES, label=f"{cores} cores at most")
    ax.plot(list(PAPER), list(PAPER.values()), "s", color=RED, label="paper: time to a score")
    ax.set(xlabel="workers", ylabel="times one worker", xscale="log", yscale="log")
    for axis in ax.xaxis, ax.yaxis:
        axis.set_major_formatter("{x:g}")
        axis.set_ticks(list(WORKERS))
        axis.set_minor_formatter("")
    ax.legend(loc="upper left")
    entitle(
        ax, "A3C in Pong: steps per second with more workers", f"{cores} cores; medians, rounds"
    )
    return ax.figure  # type: ignore[return-value]
