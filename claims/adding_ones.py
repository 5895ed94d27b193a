"""Processes that do nothing but add 1 to a tensor they share lose a part of their additions without a
lock, where they run on cores of their own, and none with a lock or with a slot for each.

`tensor` is the share of additions missing in a tensor as large as a weight matrix of the book's
network, `counter` in one whole number, `locked` in a tensor behind a lock, `slots` in whole numbers
of which every process has its own.
"""

from multiprocessing import get_context
from typing import Any

import torch

from a3c_lib.workers import Link, Team

SETTINGS = [{"workers": workers} for workers in (1, 2, 4)]
SEEDS = range(3)  # repetitions

TIMES, TIMES_LOCKED = 50_000, 5_000


def add(link: Link, shared: Any) -> None:
    tensor, counter, slots, locked, lock = shared
    link.wait_for_all()
    for _ in range(TIMES):
        tensor += 1
    for _ in range(TIMES):
        counter += 1
    for _ in range(TIMES):
        slots[link.rank] += 1
    for _ in range(TIMES_LOCKED):
        with lock:
            locked += 1


def run(seed: int, workers: int) -> list[dict[str, float]]:
    tensor, locked = (torch.zeros(64, 64).share_memory_() for _ in range(2))
    counter = torch.zeros((), dtype=torch.int64).share_memory_()
    slots = torch.zeros(workers, dtype=torch.int64).share_memory_()
    lock = get_context("spawn").Lock()
    list(Team(add, (tensor, counter, slots, locked, lock), workers))
    wanted = workers * TIMES
    return [
        {
            "tensor": 1 - tensor.double().mean().item() / wanted,
            "counter": 1 - int(counter) / wanted,
            "slots": 1 - int(slots.sum()) / wanted,
            "locked": 1 - locked.double().mean().item() / (workers * TIMES_LOCKED),
        }
    ]
