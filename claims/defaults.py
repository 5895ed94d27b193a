"""How well each algorithm learns CartPole-v1 and FrozenLake-v1 within 100,000 steps, with what the
command line begins with: is the mean at least 400, and at least 0.5, in 5 of 5 seeds? Whichever
way it comes out.

`sampled` and `greedy` are mean returns of 100 episodes after the last step. The best that
FrozenLake-v1 allows is 0.74; acting at random gives 0.014. A3C's processes do not repeat: another
run of a seed gives another number.
"""

from types import SimpleNamespace

from a3c_lib.app.plan import ALGORITHMS, Network, Plan
from a3c_lib.evaluation import evaluate

WORLDS = "CartPole-v1", "FrozenLake-v1"
NAMES = "a3c", "a2c", "parallel-a2c", "actor-critic", "reinforce"
SETTINGS = [{"world": world, "algorithm": name} for name in NAMES for world in WORLDS]
SEEDS = range(5)


def config(seed: int, world: str, algorithm: str) -> SimpleNamespace:
    """All that a run is made of."""
    its = ALGORITHMS[algorithm]
    training = its.config(**{**its.defaults, "total_steps": 100_000, "seed": seed})
    return SimpleNamespace(
        world=world,
        model=Plan(algorithm, world, training, Network()).make_model(),
        training=training,
        evaluation={"episodes": 100},
    )


def run(seed: int, world: str, algorithm: str) -> list[dict[str, float]]:
    its = config(seed, world, algorithm)
    plan = Plan(algorithm, its.world, its.training, Network())
    with plan.train(its.model) as training:
        for _ in training:
            pass
    seed = 1000 + seed
    sampled = evaluate(its.model, its.world, **its.evaluation, seed=seed)
    greedy = evaluate(its.model, its.world, **its.evaluation, seed=seed, actions="greedy")
    return [{"steps": training.steps, "sampled": sampled.mean, "greedy": greedy.mean}]
