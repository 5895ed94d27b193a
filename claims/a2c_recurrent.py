"""A2C works with a network that has memory: in the T-maze, whose sign is shown 6 steps before the
turn, A2C with an LSTM turns the right way nearly always, and A2C without memory stays at chance.

100,000 steps of 16 environments in step with each other, rollouts of 32 steps. `evaluated` is the
mean return of 100 episodes with sampled actions: 1 for the right way, −1 for the other.
"""

from types import SimpleNamespace

import gymnasium as gym

from a3c_lib import a2c
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.recurrent import RecurrentActorCritic
from claims.curves import training_curve

SETTINGS = [{"network": network} for network in ("LSTM", "no memory")]
SEEDS = range(5)

MAZE = "a3c_lib/TMaze-v0"
EVERY = 5_000  # steps from one row to the next


def config(seed: int, network: str) -> SimpleNamespace:
    """All that a run is made of."""
    model: ActorCritic | RecurrentActorCritic
    if network == "LSTM":
        model = RecurrentActorCritic.for_env(gym.make(MAZE), hidden=(32,), cells=32, seed=seed)
    else:
        model = ActorCritic.for_env(gym.make(MAZE), hidden=(32, 32), seed=seed)
    return SimpleNamespace(
        world=MAZE,
        model=model,
        training=a2c.Config(
            total_steps=100_000,
            t_max=32,
            num_envs=16,
            learning_rate=0.01,
            entropy_weight=0.02,
            seed=seed,
        ),
        evaluation={"episodes": 100, "actions": "sampled"},
    )


def run(seed: int, network: str) -> list[dict[str, float]]:
    its = config(seed, network)
    with a2c.train(its.model, its.world, its.training) as training:
        rows = training_curve(training, EVERY)
    played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed)
    return [{**row, "evaluated": played.mean} for row in rows]
