"""Rates: steps per second over some seconds, in one process or on all cores at the same time."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import fmean
from typing import Any, Literal, Protocol, TypeVar

import torch

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
# The numbers of torch threads that are tried: 1, 2, 4, … and all cores.
THREADS = sorted({min(2**power, CORES) for power in range(CORES.bit_length() + 1)})
FOREVER = 10**9  # steps: longer than anything is measured

# glibc gives what was freed back to the system, and the next pass has it cleared, page by page, again:
# up to half of a pass's time. With these it keeps what it has; other systems do not look at them.
KEEPS_MEMORY = {
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TOP_PAD_": str(2**26),
}

Kind = Literal["part", "ours", "theirs"]
Clock = Callable[[], float]
T = TypeVar("T")


class Watch(Protocol):
    """Told by a training how far it is, from 0 steps on; says whether it should go on."""

    def goes_on(self, steps: int) -> bool: ...


class Stopwatch:
    """Steps per second over at least `seconds`, from the first update after `warm_up` seconds on.

    >>> watch = Stopwatch(2, warm_up=1, clock=iter([0.0, 1.0, 2.0, 3.0]).__next__)
    >>> [watch.goes_on(steps) for steps in (0, 100, 600, 1100)], watch.rate
    ([True, True, True, False], 500.0)
    """

    def __init__(
        self, seconds: float, warm_up: float = 1.0, clock: Clock = time.perf_counter
    ) -> None:
        self.seconds, self.warm_up, self.clock = seconds, warm_up, clock
        self.told: float | None = None  # when, for the first time
        self.began: tuple[float, int] | None = None  # when, and after how many steps
        self.rate = 0.0

    def goes_on(self, steps: int) -> bool:
        now = self.clock()
        if self.told is None:
            self.told = now
        if self.began is None:
            if now - self.told >= self.warm_up:
                self.began = now, steps
            return True
        began, steps_before = self.began
        self.rate = (steps - steps_before) / (now - began)
        return now - began < self.seconds


class HasSteps(Protocol):
    @property
    def steps(self) -> int: ...


class Training(AbstractContextManager[Any], Iterable[HasSteps], Protocol):
    """A trainer of ours, whichever."""


def follow(training: Training, watch: Watch) -> None:
    """Train for as long as the watch says."""
    if watch.goes_on(0):
        with training:
            for update in training:
                if not watch.goes_on(update.steps):
                    break


def repeat(work: Callable[[], object], steps: int, watch: Watch) -> None:
    """Do `work`, of `steps` steps, again and again, for as long as the watch says."""
    done = 0
    while watch.goes_on(done):
        work()
        done += steps


@dataclass(frozen=True)
class Line:
    """Something whose steps per second are measured: `run(watch)` steps until the watch says
    stop."""

    name: str
    kind: Kind
    run: Callable[[Watch], object]
    threads: int = 1  # of torch
    processes: int = 1  # in which it runs at the same time; their mean rate counts
    keeps_memory: bool = False  # see KEEPS_MEMORY


def measured(line: Line, seconds: float) -> float:
    """Steps per second of a line, of one process."""
    with environment(KEEPS_MEMORY if line.keeps_memory else {}):
        return fmean(in_fresh_processes(line.processes, line.threads, _rate, line.run, seconds))


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Processes that are started meanwhile, and those that they start, have these variables."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def rounds(lines: Sequence[Line], repetitions: int, seconds: float) -> Iterator[list[float]]:
    """Every line once, then again.   → the lines' rates, a list for each round"""
    for number in range(repetitions):
        rates = []
        for line in lines:
            rates.append(measured(line, seconds))
            print(
                f"  round {number + 1}/{repetitions}  {line.name:40} {rates[-1]:9,.0f} steps/s",
                flush=True,
            )
        yield rates


def in_fresh_processes(
    processes: int, threads: int, work: Callable[..., T], *arguments: Any
) -> list[T]:
    """`work(*arguments)` in so many new processes, which begin when all of them are ready."""
    context = get_context("spawn")
    ready = context.Barrier(processes)
    with ProcessPoolExecutor(processes, context, _prepare, (ready, threads)) as pool:
        futures = [pool.submit(_together, work, arguments) for _ in range(processes)]
        return [future.result() for future in futures]


def side_by_side(tasks: Sequence[Callable[[], T]]) -> Iterator[T]:
    """Each in a new process of one thread, as many at a time as there are cores.   → their answers,
    in order"""
    with ProcessPoolExecutor(
        CORES,
        get_context("spawn"),
        initializer=torch.set_num_threads,
        initargs=(1,),
        max_tasks_per_child=1,
    ) as pool:
        yield from pool.map(_call, tasks)


def _call(task: Callable[[], T]) -> T:
    return task()


_ready: Any = None  # a barrier, in a process of `in_fresh_processes`


def _prepare(ready: Any, threads: int) -> None:
    global _ready  # noqa: PLW0603 - a barrier is handed over only where a process is started
    _ready = ready
    torch.set_num_threads(threads)


def _together(work: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    _ready.wait(timeout=120)
    return work(*arguments)


def _rate(run: Callable[[Watch], object], seconds: float) -> float:
    watch = Stopwatch(seconds)
    run(watch)
    return watch.rate
