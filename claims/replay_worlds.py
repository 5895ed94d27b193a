"""Replay beside methods that look at each step once, as in `replay_catch`, on two more worlds: CartPole-v1,
and Catch as pictures, with two convolutions. After how many steps, and after how many seconds of
computing, do greedy actions reach a score for the first time? Whichever way it comes out.

All have as many steps, the same γ and the same layers within a world, and two learning rates each,
chosen by a few runs with other seeds. On CartPole A2C, A3C and
n-step Q learn with RMSProp and DQN with Adam, on Catch all with Adam: with RMSProp and rates of 0.001
to 0.03 A2C and A3C had learned nothing from its pictures. The workers of A3C and n-step Q take turns
in one process, so that a run can be repeated. On CartPole DQN has what was searched for in
`dqn_cartpole`. `greedy` is the mean of episodes of greedy actions, 20 of CartPole every 5,000 steps and
50 of Catch every 1,000. `seconds` are those that the process has computed so far, on one core and
without those episodes; another run had the other core. `kept` is how many steps are there to learn
from, and `looks` how often each step is learned from on average.
"""

import time
from types import SimpleNamespace
from typing import Any, NamedTuple

import gymnasium as gym

from a3c_lib import a2c, a3c, dqn, q_learning
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.q_networks import QNetwork
from claims.replay_catch import EVERYTHING, TRAIN, looked_at


class World(NamedTuple):
    """What is the same for all methods, and what is not."""

    id: str
    every: int  # steps from one row to the next
    hidden: tuple[int, ...]
    all: dict[str, Any]  # of every config
    once: dict[str, Any]  # of methods that look at each step once
    epsilon: dict[str, Any]  # of methods that learn what actions are worth
    replay: dict[str, Any]
    rates: dict[str, tuple[float, ...]]
    evaluation: dict[str, Any]


WORLDS = {
    "CartPole": World(
        id="CartPole-v1",
        every=5_000,
        hidden=(64, 64),
        all={"total_steps": 100_000, "num_envs": 8},
        once={"t_max": 16, "value_weight": 0.05},
        epsilon={"target_period": 100, "epsilon_steps": 16_000},
        replay={
            "t_max": 4,
            "batch_size": 128,
            "capacity": 100_000,
            "warm_up": 1_000,
            "final_epsilon": 0.04,
            "anneal": True,
        },
        rates=dict.fromkeys(TRAIN, (0.003, 0.01)),
        evaluation={"episodes": 20, "actions": "greedy", "num_envs": 20},
    ),
    "Catch, pictures": World(
        id="a3c_lib/Catch-v0",
        every=1_000,
        hidden=(64,),
        all={"total_steps": 30_000, "num_envs": 8, "optimizer": "adam"},
        once={"t_max": 5},
        epsilon={"target_period": 500, "epsilon_steps": 5_000},
        replay={
            "t_max": 1,
            "batch_size": 32,
            "capacity": 10_000,
            "warm_up": 500,
            "final_epsilon": 0.1,
        },
        rates={
            "A2C": (0.003, 0.01),
            "A3C": (0.003, 0.01),
            "n-step Q": (0.001, 0.003),
            "DQN": (0.001, 0.003),
            "DQN with everything": (0.001, 0.003),
        },
        evaluation={"episodes": 50, "actions": "greedy", "num_envs": 25},
    ),
}
SETTINGS = [
    {"world": name, "method": method, "learning_rate": rate}
    for name, world in WORLDS.items()
    for method, rates in world.rates.items()
    for rate in rates
]
SEEDS = range(10)
CLOCKED = ("seconds",)

WORKERS = {"num_workers": 4, "schedule": "round-robin"}


def config(seed: int, world: str, method: str, learning_rate: float) -> SimpleNamespace:
    """All that a run is made of."""
    its = WORLDS[world]
    training = trained_with(its, method, {**its.all, "learning_rate": learning_rate, "seed": seed})
    network = getattr(training, "network", QNetwork if method == "n-step Q" else ActorCritic)
    return SimpleNamespace(
        world=its.id,
        model=network.for_env(gym.make(its.id), hidden=its.hidden, seed=seed),
        training=training,
        evaluation=its.evaluation,
    )


def trained_with(its: World, method: str, options: dict[str, Any]) -> Any:
    """The config of a method."""
    if method.startswith("DQN"):
        everything = EVERYTHING if method == "DQN with everything" else {}
        return dqn.Config(**options | its.epsilon | its.replay | everything)
    if method == "A2C":
        return a2c.Config(**options | its.once)
    if method == "A3C":
        return a3c.Config(**options | its.once | WORKERS)
    once = {name: value for name, value in its.once.items() if name != "value_weight"}
    return q_learning.Config(**options | once | WORKERS | its.epsilon)


def run(seed: int, world: str, method: str, learning_rate: float) -> list[dict[str, float]]:
    """A row for every so many steps of a training."""
    its, every = config(seed, world, method, learning_rate), WORLDS[world].every
    rows: list[dict[str, float]] = []
    seconds = 0.0
    with TRAIN[method](its.model, its.world, its.training) as training:
        began = time.process_time()
        for update in training:
            if update.steps // every > len(rows):
                seconds += time.process_time() - began
                played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed)
                steps = every * (len(rows) + 1)
                rows.append({"steps": steps, "seconds": seconds, "greedy": played.mean})
                began = time.process_time()
    return [{**row, **looked_at(its.training)} for row in rows]
