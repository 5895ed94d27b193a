"""What is played: series of runs that differ in a setting and in the seed."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from a3c_lib.runs import Plan


class Series(NamedTuple):
    """Runs of `plans`, each with all seeds."""

    claim: str
    plans: Mapping[str, Plan]  # by what the setting is called
    seeds: Sequence[int]
    keeps: tuple[str, int] | None = None  # setting and seed of the run whose network is kept

    def runs_in(self, folder: Path) -> list["GameRun"]:
        return [
            GameRun(setting, seed, with_seed(plan, seed), folder / f"{_slug(setting)}-{seed}")
            for setting, plan in self.plans.items()
            for seed in self.seeds
        ]


class GameRun(NamedTuple):
    """One run of a series."""

    setting: str
    seed: int
    plan: Plan
    folder: Path


def with_seed(plan: Plan, seed: int) -> Plan:
    return plan._replace(config=dataclasses.replace(plan.config, seed=seed))


def _slug(setting: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", setting.lower()).strip("-")
