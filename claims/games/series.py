"""What is played: series of runs that differ in a setting and in the seed."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from a3c_lib import a3c, dqn, parallel_a2c
from a3c_lib.app.plan import ALGORITHMS, ATARI, Network, Plan, Screen


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


PLAIN = Screen()
FAST = Network(normalise_pixels=True, orthogonal_init=True, one_look=True, bfloat16=True)
RECIPE: dict[str, Any] = {  # found by a search, whose record is pong_search
    "t_max": 5,
    "optimizer": "adam",
    "learning_rate": 3e-4,
    "entropy_weight": 0.003,
    "value_weight": 0.25,
}
SIX_GAMES = {
    "Beam Rider": "beam_rider",
    "Breakout": "breakout",
    "Pong": "pong",
    "Q*bert": "qbert",
    "Seaquest": "seaquest",
    "Space Invaders": "space_invaders",
}


def a2c_on_two_cores(game: str, total_steps: int, screen: Screen = PLAIN) -> Plan:
    """16 environments, 8 in each of two processes."""
    config = parallel_a2c.Config(total_steps=total_steps, num_envs=16, num_workers=2, **RECIPE)
    return Plan("parallel-a2c", ATARI + game, config, FAST, screen)


def a3c_with(num_workers: int, total_steps: int) -> Plan:
    """Workers with 16 environments each in Pong, so that an update has as many steps as A2C's. The
    learning rate is from a search of its own, pong_a3c_search."""
    options = {**RECIPE, "learning_rate": 6e-4}
    config = a3c.Config(total_steps=total_steps, num_envs=16, num_workers=num_workers, **options)
    return Plan("a3c", ATARI + "pong", config, FAST)


def dqn_on_one_core(total_steps: int) -> Plan:
    """Eight environments in Pong, whose steps are looked at eight times each, as with a batch of 32
    for every four steps; targets of three rewards."""
    config = dqn.Config(
        total_steps=total_steps,
        num_envs=8,
        t_max=4,
        batch_size=64,
        draws=4,
        n_steps=3,
        learning_rate=2.5e-4,
        capacity=100_000,
        warm_up=10_000,
        target_period=2_000,
        final_epsilon=0.02,
        epsilon_steps=100_000,
    )
    return Plan("dqn", ATARI + "pong", config, Network(normalise_pixels=True))


def by_value(algorithm: str, total_steps: int) -> Plan:
    """Two workers with 16 environments each in Pong, as A3C has them, that learn what actions are
    worth; the learning rate is A2C's, and no other was tried."""
    config = ALGORITHMS[algorithm].config(
        total_steps=total_steps,
        num_workers=2,
        num_envs=16,
        t_max=5,
        optimizer="adam",
        learning_rate=3e-4,
        target_period=5_000,
        final_epsilons=(0.02,),
        epsilon_chances=(1.0,),
        epsilon_steps=200_000,
    )
    return Plan(algorithm, ATARI + "pong", config, Network(normalise_pixels=True))


SERIES = {
    "pong": Series(
        "How A2C learns Pong from pixels in two processes on two cores, without sticky actions.",
        {"A2C": a2c_on_two_cores("pong", 2_000_000)},
        seeds=range(3),
        keeps=("A2C", 1),
    ),
    "pong_a3c": Series(
        "How A3C learns Pong from pixels with two workers on two cores, without sticky actions.",
        {"A3C": a3c_with(2, 2_000_000)},
        seeds=range(3),
    ),
    "pong_dqn": Series(
        "How DQN learns Pong from pixels on one core, without sticky actions.",
        {"DQN": dqn_on_one_core(700_000)},
        seeds=range(1),
    ),
    "pong_n_step_q": Series(
        "How asynchronous n-step Q-learning learns Pong from pixels with two workers on two cores.",
        {"n-step Q": by_value("n-step-q", 3_000_000)},
        seeds=range(1),
    ),
    "pong_one_step_q": Series(
        "How asynchronous one-step Q-learning learns Pong from pixels with two workers on two cores.",
        {"one-step Q": by_value("q", 4_500_000)},
        seeds=range(1),
    ),
    "pong_sticky": Series(
        "How A2C learns Pong where an action is repeated with probability 0.25 in every frame.",
        {"A2C, sticky": a2c_on_two_cores("pong", 2_000_000, Screen(sticky=0.25))},
        seeds=range(2),
    ),
    "pong_sticky_longer": Series(
        "Whether A2C learns Pong with sticky actions when it has twice the steps.",
        {"A2C, sticky, longer": a2c_on_two_cores("pong", 4_000_000, Screen(sticky=0.25))},
        seeds=range(1),
    ),
    "breakout": Series(
        "How far A2C comes in Breakout; a lost life ends what is learned from.",
        {"A2C": a2c_on_two_cores("breakout", 5_000_000, Screen(life_ends=True))},
        seeds=range(1),
        keeps=("A2C", 0),
    ),
    "breakout_elsewhere": Series(
        "The run of the series breakout on another processor.",
        {"A2C": a2c_on_two_cores("breakout", 5_000_000, Screen(life_ends=True))},
        seeds=range(1),
    ),
    "six_games": Series(
        "How far A2C comes in the six games on which the paper tuned its methods, by one recipe; a "
        "lost life ends what is learned from.",
        {
            game: a2c_on_two_cores(name, 5_000_000, Screen(life_ends=True))
            for game, name in SIX_GAMES.items()
        },
        seeds=range(1),
    ),
    "pong_workers": Series(
        "How many steps Pong takes with 1 to 16 workers; for a machine of 16 cores.",
        {f"A3C, {n} workers": a3c_with(n, 3_000_000) for n in (1, 2, 4, 8, 16)},
        seeds=range(3),
    ),
}
