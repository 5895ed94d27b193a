"""With what the command line begins with, every algorithm learns CartPole-v1 to a mean of at least
400, and FrozenLake-v1 to a mean of at least 0.5, over 100 episodes, within 100,000 steps, in 5 of 5
seeds.

`evaluated` is the mean return of 100 episodes with sampled actions after the last step. The best
that FrozenLake-v1 allows is 0.74; acting at random gives 0.014. A3C's processes do not repeat:
another run of a seed gives another number.
"""

from types import SimpleNamespace

from a3c_lib.app.plan import ALGORITHMS, Network, Plan
from a3c_lib.evaluation import evaluate

WORLDS = "CartPole-v1", "FrozenLake-v1"
SETTINGS = [{"world": world, "algorithm": name} for name in ALGORITHMS for world in WORLDS]
SEEDS = range(5)


def config(seed: int, world: str, algorithm: str) -> SimpleNamespace:
    """All that a run is made of."""
    its = ALGORITHMS[algorithm]
    training = its.config(**{**its.defaults, "total_steps": 100_000, "seed": seed})
    return SimpleNamespace(
        world=world,
        model=Plan(algorithm, world, training, Network()).make_model(),
        training=training,
        evaluation={"episodes": 100, "actions": "sampled"},
    )


def run(seed: int, world: str, algorithm: str) -> list[dict[str, float]]:
    its = config(seed, world, algorithm)
    plan = Plan(algorithm, its.world, its.training, Network())
    with plan.train(its.model) as training:
        for _ in training:
            pass
    played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed)
    return [{"steps": training.steps, "evaluated": played.mean}]
