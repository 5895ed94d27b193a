"""Processes that do nothing but add 1 to a tensor they share lose a part of their additions without a
lock, where they run on cores of their own, and none with a lock or with a slot for each.

`tensor` is the share of additions missing in a tensor as large as a weight matrix of the book's
network, `counter` in one whole number, `locked` in a tensor behind a lock, `slots` in whole numbers
of which every process has its own.
"""

from functools import partial
from multiprocessing import get_context
from types import SimpleNamespace
from typing import Any

import torch

from a3c_lib.workers import Link, Team

SETTINGS = [{"workers": workers} for workers in (1, 2, 4)]
SEEDS = range(3)  # repetitions
ALONE = True  # with another run beside it, processes would wait for cores


def config(seed: int, workers: int) -> SimpleNamespace:
    """All that a run is made of. There is no chance in it that a seed could settle."""
    return SimpleNamespace(processes=workers, times=50_000, times_locked=5_000, shape=(64, 64))


def add(link: Link, shared: Any, times: int, times_locked: int) -> None:
    tensor, counter, slots, locked, lock = shared
    link.wait_for_all()
    for _ in range(times):
        tensor += 1
    for _ in range(times):
        counter += 1
    for _ in range(times):
        slots[link.rank] += 1
    for _ in range(times_locked):
        with lock:
            locked += 1


def run(seed: int, workers: int) -> list[dict[str, float]]:
    its = config(seed, workers)
    tensor, locked = (torch.zeros(its.shape).share_memory_() for _ in range(2))
    counter = torch.zeros((), dtype=torch.int64).share_memory_()
    slots = torch.zeros(its.processes, dtype=torch.int64).share_memory_()
    lock = get_context("spawn").Lock()
    body = partial(add, times=its.times, times_locked=its.times_locked)
    list(Team(body, (tensor, counter, slots, locked, lock), its.processes))
    wanted = its.processes * its.times
    wanted_locked = its.processes * its.times_locked
    return [
        {
            "tensor": 1 - tensor.double().mean().item() / wanted,
            "counter": 1 - int(counter) / wanted,
            "slots": 1 - int(slots.sum()) / wanted,
            "locked": 1 - locked.double().mean().item() / wanted_locked,
        }
    ]
