"""The paper's four asynchronous methods on Bounce, from pixels, side by side, on the same number of steps,
each with the same learning rates and nothing else tuned. Whichever way it comes out.

The rates were chosen after one run of each method with these and with 0.0005; its seed is none of
the record's.
`q_catch` and `four_methods` are the same for Catch and CartPole. Four workers act in turn, so that a run
can be repeated. `episode_return` is the mean of the latest 100 episodes of training, with the
workers' exploration in it; `evaluated` is the mean of 100 episodes of greedy actions after it.
"""

from functools import partial
from types import SimpleNamespace
from typing import Any

from torch import nn

from a3c_lib import a3c, q_learning
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.q_networks import QNetwork
from claims.bounce_pictures import bounce
from claims.curves import training_curve
from claims.q_catch import ALL, EVERY, METHODS, trained

SETTINGS = [
    {"method": method, "learning_rate": learning_rate}
    for method in METHODS
    for learning_rate in (0.001, 0.002, 0.004)
]
SEEDS = range(10)

WORLD = partial(bounce, pictures=2)
PIXELS = {**ALL, "gamma": 0.5, "schedule": "round-robin", "optimizer": "adam"}


def config(seed: int, method: str, learning_rate: float) -> SimpleNamespace:
    """All that a run is made of."""
    its: dict[str, Any] = {**PIXELS, "learning_rate": learning_rate, "seed": seed}
    network = ActorCritic if METHODS[method] is None else QNetwork
    training: Any
    if METHODS[method] is None:
        training = a3c.Config(**its)
    else:
        training = q_learning.Config(**its, target_period=500, epsilon_steps=10_000)
    return SimpleNamespace(
        world=WORLD,
        model=network.for_env(WORLD(), hidden=(128,), activation=nn.ReLU, seed=seed),
        training=training,
        evaluation={"episodes": 100, "actions": "greedy"},
    )


def run(seed: int, method: str, learning_rate: float) -> list[dict[str, float]]:
    its = config(seed, method, learning_rate)
    with trained(method, its) as training:
        rows = training_curve(training, EVERY)
    played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed, num_envs=50)
    return [{**row, "evaluated": played.mean} for row in rows]
