"""A replay memory of 100,000 steps of pictures as Atari has them, 84 × 84 bytes and four to a stack,
takes less than 0.9 GB: by what it says of itself, and by what the process has grown by.

The pictures are noise. A game has 500 steps, and the next one begins with four pictures that are no
others' successors. 102,000 steps are written, so that the ring has been filled and gone round.
`computed` and `grown` are in MB, and `grown` is the memory of the process that is resident, as Linux
counts it. `adding` and `drawing` are microseconds of computing for one step that is written, and for
one batch of 32 that is drawn, on one core.
"""

import gc
import os
import time
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor

from a3c_lib.replay import PrioritizedReplayMemory, ReplayMemory
from a3c_lib.rollout import Rollout

KINDS = {"uniform": ReplayMemory, "prioritised": PrioritizedReplayMemory}
SETTINGS = [{"kind": kind} for kind in KINDS]
SEEDS = range(1)
ALONE = True  # no run of the same claim at the same time
CLOCKED = "grown", "adding", "drawing"  # by a clock, or the system

PICTURES = 600  # different ones
DRAWS = 500  # batches that are timed


def config(seed: int, kind: str) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        memory=KINDS[kind],
        capacity=100_000,
        observation=(4, 84, 84),
        steps=102_000,
        steps_of_a_game=500,
        batch_size=32,
    )


def run(seed: int, kind: str) -> list[dict[str, float]]:
    its = config(seed, kind)
    stack, *size = its.observation
    dice = torch.Generator().manual_seed(seed)
    pictures = torch.randint(0, 256, (PICTURES, *size), dtype=torch.uint8, generator=dice)
    before, adding, drawing = resident(), 0.0, 0.0
    memory = its.memory(its.capacity)
    for number in range(its.steps // its.steps_of_a_game):
        rollout = game(pictures, stack, number, its.steps_of_a_game)
        began = time.process_time()
        memory.add(rollout)
        adding += time.process_time() - began
    del rollout
    gc.collect()
    grown = resident() - before
    for _ in range(DRAWS):
        began = time.process_time()
        memory.draw(its.batch_size)
        drawing += time.process_time() - began
    return [
        {
            "steps": len(memory),
            "computed": memory.num_bytes / 1e6,
            "grown": grown / 1e6,
            "adding": adding / its.steps * 1e6,
            "drawing": drawing / DRAWS * 1e6,
        }
    ]


def game(pictures: Tensor, stack: int, number: int, T: int) -> Rollout:
    """A game of T steps, each on a stack of the latest pictures, and the first of the next game."""

    def seen(number: int, t: int) -> Tensor:
        latest = torch.arange(t - stack + 1, t + 1) + 37 * number
        return pictures[latest % len(pictures)][None]

    observations = [*(seen(number, t) for t in range(T)), seen(number + 1, 0)]
    no = torch.zeros(T, 1, dtype=torch.bool)
    ended = no.clone()
    ended[-1] = True
    return Rollout(
        seen=torch.stack(observations),
        actions=no.long(),
        rewards=no.float(),
        terminated=ended,
        truncated=no,
        final=seen(number, T),
        dummies=no,
        episodes=(),
    )


def resident() -> int:
    """How much memory the process has at hand, in bytes."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
