"""Train for minutes, and train many times; memory, descriptors and threads must not grow.

python tools/soak.py --minutes 10 --trainings 200

A3C and parallel A2C train for so many minutes each, on CartPole-v1; then so many short trainings,
of five kinds in turn, run in this process. A line for every sample; exit code 1 if something grew.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import gymnasium as gym

from a3c_lib import a2c, a3c, actor_critic, parallel_a2c
from a3c_lib.networks import ActorCritic

ENV = "CartPole-v1"
SAMPLES = 40  # of each training
GROWN = 1.03  # times what it was: more than the noise of an allocator


class Sample(NamedTuple):
    """What the process and its largest worker hold."""

    memory: float  # MB
    workers_memory: float  # MB
    descriptors: int
    workers_descriptors: int
    threads: int


def sample(workers: Mapping[int, int]) -> Sample:
    own, others = held(os.getpid()), [held(pid) for pid in workers.values()] or [(0.0, 0, 0)]
    return Sample(
        own[0], max(each[0] for each in others), own[1], max(each[1] for each in others), own[2]
    )


def held(pid: int) -> tuple[float, int, int]:
    """Resident memory in MB, descriptors and threads of a process."""
    about = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return int(about["VmRSS"].split()[0]) / 1024, descriptors, int(about["Threads"])


def network() -> ActorCritic:
    return ActorCritic.for_env(gym.make(ENV), hidden=(32,), seed=0)


def one_long(train: Callable[..., Any], config: Any, seconds: float) -> Iterator[Sample]:
    """A training that is sampled as it runs."""
    with train(network(), ENV, config) as training:
        next(training)
        began, taken = time.monotonic(), 0
        for _ in training:
            gone = time.monotonic() - began
            if gone * SAMPLES >= seconds * taken:
                yield sample(training.pids)
                taken += 1
            if gone > seconds:
                return


def many_short(number: int) -> Iterator[Sample]:
    """So many trainings; those in processes, which take seconds to begin, are one in ten."""
    short: dict[str, Any] = {"total_steps": 100, "t_max": 5}
    in_turn = a3c.train, a3c.Config(schedule="round-robin", **short)
    in_one = (a2c.train, a2c.Config(**short)), (actor_critic.train, actor_critic.Config(**short))
    in_processes = (
        (a3c.train, a3c.Config(**short)),
        (parallel_a2c.train, parallel_a2c.Config(num_envs=2, **short)),
    )
    kinds = [*islice(cycle([*in_one, in_turn]), 9), in_processes[0]]
    kinds += [*islice(cycle([*in_one, in_turn]), 9), in_processes[1]]
    for train, config in islice(cycle(kinds), number):
        with train(network(), ENV, config) as training:
            list(training)
        yield sample({})


def report(name: str, samples: Iterator[Sample]) -> list[str]:
    """Print samples as they come.   → what grew, from the second quarter to the last"""
    print(f"{name}: {', '.join(Sample._fields)}", flush=True)
    taken = []
    for each in samples:
        taken.append(each)
        print("  ", *(f"{number:.1f}" for number in each), flush=True)
    quarter = max(1, len(taken) // 4)
    before, after = taken[quarter : 2 * quarter] or taken[:1], taken[-quarter:]
    grown = []
    for field, old, new in zip(
        Sample._fields, zip(*before, strict=True), zip(*after, strict=True), strict=True
    ):
        if median(new) > GROWN * median(old):
            grown.append(f"{name}: {field} grew from {median(old):.1f} to {median(new):.1f}")
    return grown


def main() -> int:
    parser = argparse.ArgumentParser(description="See that nothing grows.")
    parser.add_argument("--minutes", type=float, default=10.0, help="of each long training")
    parser.add_argument("--trainings", type=int, default=200, help="how many short ones")
    asked = parser.parse_args()
    endless: dict[str, Any] = {"total_steps": 10**12, "num_envs": 4}
    grown = []
    for name, train, config in (
        ("a3c", a3c.train, a3c.Config(**endless)),
        ("parallel a2c", parallel_a2c.train, parallel_a2c.Config(**endless)),
    ):
        grown += report(name, one_long(train, config, 60 * asked.minutes))
    grown += report(f"{asked.trainings} trainings", many_short(asked.trainings))
    print("\n".join(grown) or "nothing grew")
    return int(bool(grown))


if __name__ == "__main__":
    sys.exit(main())
