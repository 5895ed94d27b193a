"""The paper's four asynchronous methods on Catch, side by side, on the same number of steps, each
with the same two learning rates. Whichever way it comes out.

Four workers act in turn, so that a run can be repeated. `episode_return` is the mean of the latest
100 episodes of training, with the workers' exploration in it; `evaluated` is the mean of 200
episodes of greedy actions after it.
"""

from types import SimpleNamespace
from typing import Any

from a3c_lib import a3c, q_learning
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.q_learning import NStepQ, OneStepQ, Sarsa
from a3c_lib.q_networks import QNetwork
from claims.curves import training_curve
from claims.n_step_catch import flat_catch

METHODS = {"one-step Q": OneStepQ, "one-step Sarsa": Sarsa, "n-step Q": NStepQ, "A3C": None}
SETTINGS = [
    {"method": method, "learning_rate": learning_rate}
    for method in METHODS
    for learning_rate in (0.003, 0.01)
]
SEEDS = range(10)

EVERY = 2_000  # steps from one row to the next
ALL = {"total_steps": 40_000, "t_max": 5, "num_envs": 8, "num_workers": 4, "gamma": 0.99}


def config(seed: int, method: str, learning_rate: float) -> SimpleNamespace:
    """All that a run is made of."""
    its: dict[str, Any] = {**ALL, "schedule": "round-robin", "learning_rate": learning_rate}
    if METHODS[method] is None:
        model: Any = ActorCritic.for_env(flat_catch(), hidden=(64,), seed=seed)
        training: Any = a3c.Config(**its, seed=seed)
    else:
        model = QNetwork.for_env(flat_catch(), hidden=(64,), seed=seed)
        training = q_learning.Config(**its, target_period=500, epsilon_steps=10_000, seed=seed)
    return SimpleNamespace(
        world=flat_catch,
        model=model,
        training=training,
        evaluation={"episodes": 200, "actions": "greedy"},
    )


def run(seed: int, method: str, learning_rate: float) -> list[dict[str, float]]:
    its = config(seed, method, learning_rate)
    with trained(method, its) as training:
        rows = training_curve(training, EVERY)
    played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed, num_envs=50)
    return [{**row, "evaluated": played.mean} for row in rows]


def trained(method: str, its: SimpleNamespace) -> Any:
    """The training of one of the paper's four methods."""
    if METHODS[method] is None:
        return a3c.train(its.model, its.world, its.training)
    return q_learning.train(its.model, its.world, its.training, method=METHODS[method])
