"""Replay beside methods that look at each step once, on Catch: after how many steps, and after how
many seconds of computing, do greedy actions catch every ball? A2C, A3C, n-step Q, DQN, and DQN with
five steps, Double, two streams and priorities, each with two learning rates. Whichever way it comes
out.

All have as many steps, the same γ and a hidden layer of 64. The workers of A3C and n-step Q take
turns in one process, so that a run can be repeated. `greedy` is the mean of 50 episodes of greedy
actions, every 1,000 steps: five different balls fall in Catch, so above 0.9 it is all of them.
`seconds` are those that the process has computed so far, on one core and without that evaluation;
what else the machine does counts little in them. `kept` is how many steps are there to learn from,
and `looks` how often each step is learned from on average.
"""

import time
from functools import partial
from types import SimpleNamespace
from typing import Any

from a3c_lib import a2c, a3c, dqn, q_learning
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.q_learning import NStepQ
from a3c_lib.q_networks import QNetwork
from claims.n_step_catch import flat_catch

RATES = {
    "A2C": (0.01, 0.03),  # of RMSProp
    "A3C": (0.01, 0.03),
    "n-step Q": (0.01, 0.03),
    "DQN": (0.001, 0.003),  # of Adam
    "DQN with everything": (0.001, 0.003),
}
SETTINGS = [
    {"method": method, "learning_rate": rate} for method, rates in RATES.items() for rate in rates
]
SEEDS = range(10)
ALONE = True  # no run of the same claim at the same time
CLOCKED = ("seconds",)

EVERY = 1_000  # steps from one row to the next
ALL = {"total_steps": 20_000, "num_envs": 8}
ONCE = {**ALL, "t_max": 5}
WORKERS = {**ONCE, "num_workers": 4, "schedule": "round-robin"}
EPSILON = {"target_period": 500, "epsilon_steps": 5_000}
REPLAY = {**ALL, **EPSILON, "t_max": 1, "final_epsilon": 0.1}
REPLAY |= {"capacity": 10_000, "batch_size": 32, "warm_up": 500}
EVERYTHING = {"n_steps": 5, "double": True, "dueling": True, "prioritized": True}


def config(seed: int, method: str, learning_rate: float) -> SimpleNamespace:
    """All that a run is made of."""
    its: dict[str, Any] = {"learning_rate": learning_rate, "seed": seed}
    if method == "DQN":
        return by_replay(its)
    if method == "DQN with everything":
        return by_replay(its | EVERYTHING)
    training: a2c.Config | a3c.Config | q_learning.Config
    if method == "A2C":
        training = a2c.Config(**ONCE, **its)
    elif method == "A3C":
        training = a3c.Config(**WORKERS, **its)
    else:
        training = q_learning.Config(**WORKERS, **EPSILON, **its)
        return on_catch(training, QNetwork)
    return on_catch(training, ActorCritic)


def by_replay(options: dict[str, Any]) -> SimpleNamespace:
    """DQN with options of its own."""
    training = dqn.Config(**REPLAY | options)
    return on_catch(training, training.network)


def on_catch(training: Any, network: Any) -> SimpleNamespace:
    return SimpleNamespace(
        world=flat_catch,
        model=network.for_env(flat_catch(), hidden=(64,), seed=training.seed),
        training=training,
        evaluation={"episodes": 50, "actions": "greedy"},
    )


TRAIN: dict[str, Any] = {
    "A2C": a2c.train,
    "A3C": a3c.train,
    "n-step Q": partial(q_learning.train, method=NStepQ),
    "DQN": dqn.train,
    "DQN with everything": dqn.train,
}


def run(seed: int, method: str, learning_rate: float) -> list[dict[str, float]]:
    return measured(TRAIN[method], config(seed, method, learning_rate))


def measured(train: Any, its: SimpleNamespace) -> list[dict[str, float]]:
    """A row for every thousand steps of a training."""
    rows: list[dict[str, float]] = []
    seconds, seed = 0.0, 1000 + its.training.seed
    with train(its.model, its.world, its.training) as training:
        began = time.process_time()
        for update in training:
            if update.steps // EVERY > len(rows):
                seconds += time.process_time() - began
                played = evaluate(its.model, its.world, **its.evaluation, seed=seed, num_envs=25)
                steps = EVERY * (len(rows) + 1)
                rows.append({"steps": steps, "seconds": seconds, "greedy": played.mean})
                began = time.process_time()
    return [{**row, **looked_at(its.training)} for row in rows]


def looked_at(training: Any) -> dict[str, float]:
    """How many steps are kept to learn from, and how often one is learned from on average."""
    played = training.t_max * training.num_envs
    if isinstance(training, dqn.Config):
        drawn = training.draws * training.batch_size
        return {"kept": training.capacity, "looks": drawn / played}
    return {"kept": played * getattr(training, "num_workers", 1), "looks": 1}
