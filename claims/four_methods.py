"""The paper's four asynchronous methods on CartPole-v1, side by side, on the same number of steps, each
with the same learning rates and nothing else tuned. Whichever way it comes out.

The rates were chosen after one run of each method with these and with 0.001; its seed is none of the
record's. `q_catch` is the same for Catch, with two rates. Four workers act in turn, so that a run
can be repeated. `episode_return` is the mean of the latest 100 episodes of training, with the
workers' exploration in it; `evaluated` is the mean of 50 episodes of greedy actions after it.
"""

from types import SimpleNamespace
from typing import Any

import gymnasium as gym

from a3c_lib import a3c, q_learning
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.q_networks import QNetwork
from claims.curves import training_curve
from claims.q_catch import ALL, EVERY, METHODS, trained

SETTINGS = [
    {"method": method, "learning_rate": learning_rate}
    for method in METHODS
    for learning_rate in (0.003, 0.01, 0.03)
]
SEEDS = range(10)

WORLD = "CartPole-v1"


def config(seed: int, method: str, learning_rate: float) -> SimpleNamespace:
    """All that a run is made of."""
    its: dict[str, Any] = {**ALL, "schedule": "round-robin", "learning_rate": learning_rate}
    if METHODS[method] is None:
        model: Any = ActorCritic.for_env(gym.make(WORLD), hidden=(64,), seed=seed)
        training: Any = a3c.Config(**its, seed=seed)
    else:
        model = QNetwork.for_env(gym.make(WORLD), hidden=(64,), seed=seed)
        training = q_learning.Config(**its, target_period=500, epsilon_steps=10_000, seed=seed)
    return SimpleNamespace(
        world=WORLD,
        model=model,
        training=training,
        evaluation={"episodes": 50, "actions": "greedy"},
    )


def run(seed: int, method: str, learning_rate: float) -> list[dict[str, float]]:
    its = config(seed, method, learning_rate)
    with trained(method, its) as training:
        rows = training_curve(training, EVERY)
    played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed, num_envs=50)
    return [{**row, "evaluated": played.mean} for row in rows]
