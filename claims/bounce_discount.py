"""Is n-step Q behind the one-step methods on Bounce because of what its returns have in them from later
steps? All is as in `bounce_methods`, but γ = 0, with which a return of n steps is the first reward, as
a return of one step is.
"""

from dataclasses import replace
from types import SimpleNamespace

from a3c_lib.evaluation import evaluate
from claims import bounce_methods
from claims.curves import training_curve
from claims.q_catch import EVERY, trained

SETTINGS = [
    {"method": method, "learning_rate": learning_rate}
    for method in ("one-step Q", "n-step Q")
    for learning_rate in (0.001, 0.002, 0.004)
]
SEEDS = range(10)


def config(seed: int, method: str, learning_rate: float) -> SimpleNamespace:
    """All that a run is made of."""
    its = bounce_methods.config(seed, method, learning_rate)
    return SimpleNamespace(**{**vars(its), "training": replace(its.training, gamma=0.0)})


def run(seed: int, method: str, learning_rate: float) -> list[dict[str, float]]:
    its = config(seed, method, learning_rate)
    with trained(method, its) as training:
        rows = training_curve(training, EVERY)
    played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed, num_envs=50)
    return [{**row, "evaluated": played.mean} for row in rows]
