"""Does it matter for what is learned how many workers there are? A3C on CartPole-v1 with the paper's
rollouts of 5 steps and 1 or 8 workers, on the same number of steps and with the same settings.
Whichever way it comes out.

The workers act in turn, so that a run can be repeated: a gradient is as many updates old as there are
other workers. `episode_return` is the mean of the latest 50 episodes.
"""

from types import SimpleNamespace

import gymnasium as gym

from a3c_lib import a3c
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from claims.curves import training_curve

SETTINGS = [{"workers": workers} for workers in (1, 8)]
SEEDS = range(10)

WORLD = "CartPole-v1"
EVERY = 2_000  # steps from one row to the next


def config(seed: int, workers: int) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=WORLD,
        model=ActorCritic.for_env(gym.make(WORLD), seed=seed),
        training=a3c.Config(
            total_steps=24_000,
            t_max=5,
            num_workers=workers,
            schedule="round-robin",
            learning_rate=0.003,
            value_weight=0.05,
            entropy_weight=0.001,
            seed=seed,
        ),
        evaluation={"episodes": 100, "actions": "sampled"},
    )


def run(seed: int, workers: int) -> list[dict[str, float]]:
    its = config(seed, workers)
    with a3c.train(its.model, its.world, its.training) as training:
        rows = training_curve(training, EVERY, latest=50)
    played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed, num_envs=50)
    return [{**row, "evaluated": played.mean} for row in rows]
