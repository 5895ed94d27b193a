"""A3C works with a network that has memory: in the T-maze, whose sign is shown 6 steps before the
turn, A3C with an LSTM turns the right way nearly always, and A3C without memory stays at chance.

100,000 steps of two workers with eight environments each, rollouts of 32 steps: the settings of
`a2c_recurrent`, its sixteen environments shared out to two workers. They act in turn, so that a run
can be repeated: a gradient is one update old. `evaluated` is the mean return of 100 episodes with
sampled actions: 1 for the right way, −1 for the other.
"""

from types import SimpleNamespace

from a3c_lib import a3c
from a3c_lib.evaluation import evaluate
from claims import a2c_recurrent
from claims.curves import training_curve

SETTINGS = a2c_recurrent.SETTINGS
SEEDS = range(5)

EVERY = 5_000  # steps from one row to the next


def config(seed: int, network: str) -> SimpleNamespace:
    """All that a run is made of."""
    its = a2c_recurrent.config(seed, network)
    training = a3c.Config(
        total_steps=100_000,
        t_max=32,
        num_envs=8,
        num_workers=2,
        schedule="round-robin",
        learning_rate=0.01,
        entropy_weight=0.02,
        seed=seed,
    )
    return SimpleNamespace(**{**vars(its), "training": training})


def run(seed: int, network: str) -> list[dict[str, float]]:
    its = config(seed, network)
    with a3c.train(its.model, its.world, its.training) as training:
        rows = training_curve(training, EVERY)
    played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed)
    return [{**row, "evaluated": played.mean} for row in rows]
