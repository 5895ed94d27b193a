"""Does DQN solve CartPole-v1 within 100,000 steps: a mean of at least 475 over 100 greedy episodes at
the end? With targets of five steps, and, all else the same, of one; and both again with Double.
Whichever way it comes out.

The settings were searched for with other seeds, and without Double. `greedy` is the mean of 20 episodes of greedy actions,
every 10,000 steps, and of 100 at the end. `batches` is how many were learned from so far; `seconds` are
those that the process has computed so far, on one core and without those episodes. Other programs
ran on the machine meanwhile.
"""

import time
from types import SimpleNamespace

import gymnasium as gym

from a3c_lib import dqn
from a3c_lib.evaluation import evaluate

SETTINGS = [
    {"n_steps": n_steps, "double": double} for double in (False, True) for n_steps in (5, 1)
]
SEEDS = range(20)
ALONE = True  # no run of the same claim at the same time
CLOCKED = ("seconds",)

WORLD = "CartPole-v1"
EVERY = 10_000  # steps from one row to the next


def config(seed: int, n_steps: int, double: bool) -> SimpleNamespace:
    """All that a run is made of."""
    training = dqn.Config(
        total_steps=100_000,
        num_envs=8,
        t_max=4,
        batch_size=128,
        n_steps=n_steps,
        double=double,
        capacity=100_000,
        warm_up=1_000,
        target_period=100,
        epsilon_steps=16_000,
        final_epsilon=0.04,
        learning_rate=0.01,
        anneal=True,
        seed=seed,
    )
    return SimpleNamespace(
        world=WORLD,
        model=training.network.for_env(gym.make(WORLD), hidden=(64, 64), seed=seed),
        training=training,
        on_the_way={"episodes": 20, "actions": "greedy", "num_envs": 20},
        evaluation={"episodes": 100, "actions": "greedy", "num_envs": 100},
    )


def run(seed: int, n_steps: int, double: bool) -> list[dict[str, float]]:
    its = config(seed, n_steps, double)
    rows: list[dict[str, float]] = []
    seconds = 0.0
    with dqn.train(its.model, its.world, its.training) as training:
        began = time.process_time()
        for update in training:
            if update.steps // EVERY > len(rows):
                seconds += time.process_time() - began
                steps = EVERY * (len(rows) + 1)
                at_the_end = steps == its.training.total_steps
                how = its.evaluation if at_the_end else its.on_the_way
                played = evaluate(its.model, its.world, **how, seed=1000 + seed)
                row = {"steps": steps, "batches": update.batches, "seconds": seconds}
                rows.append({**row, "greedy": played.mean})
                began = time.process_time()
    return rows
