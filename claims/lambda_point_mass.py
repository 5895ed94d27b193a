"""λ-returns beside n-step returns on the point mass, each with the same two learning rates, on the
same number of steps. Whichever way it comes out.

Rollouts are as long as episodes, 20 steps. n = 20 is λ = 1, and n = 1 is λ = 0. `evaluated` is the
mean return of 200 episodes of greedy actions after the last step.
"""

from functools import partial
from types import SimpleNamespace
from typing import Any

from a3c_lib import a2c
from a3c_lib.actor_critic import Targets
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.returns import lambda_returns
from a3c_lib.worlds.point_mass import PointMass
from claims.decorrelation import returns_looking

LENGTHS, LAMBDAS = (1, 4, 8, 20), (0.5, 0.8, 0.9, 0.95)
SETTINGS = [
    {"looks": looks, "learning_rate": rate}
    for looks in (*(f"n = {n}" for n in LENGTHS), *(f"λ = {lambda_}" for lambda_ in LAMBDAS))
    for rate in (0.003, 0.01)
]
SEEDS = range(10)


def targets(looks: str) -> Targets:
    """What the critic is to predict: "n = 4", or "λ = 0.9"."""
    by, _, number = looks.split()
    if by == "n":
        return partial(returns_looking, look_ahead=int(number))
    return partial(lambda_returns, lambda_=float(number))


def config(seed: int, looks: str, learning_rate: float) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=PointMass,
        model=ActorCritic.for_env(PointMass(), hidden=(32,), shared=False, seed=seed),
        training=a2c.Config(
            total_steps=20_000,
            t_max=20,
            num_envs=8,
            gamma=0.9,
            learning_rate=learning_rate,
            optimizer="adam",
            seed=seed,
        ),
        targets=targets(looks),
        evaluation={"episodes": 200, "actions": "greedy"},
    )


def run(seed: int, **setting: Any) -> list[dict[str, float]]:
    its = config(seed, **setting)
    with a2c.train(its.model, its.world, its.training, targets=its.targets) as training:
        for _ in training:
            pass
    played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed, num_envs=50)
    return [{"evaluated": played.mean}]
