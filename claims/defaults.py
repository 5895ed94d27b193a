"""What an algorithm learns of CartPole-v1 and of FrozenLake-v1 with the settings that the command line
begins with, `a3c-lib train ALGORITHM WORLD`, in 100,000 steps: on CartPole-v1 a network, on
FrozenLake-v1, whose observations are state numbers, a table.

`mean` is that of the returns of 100 episodes, as `a3c-lib evaluate` plays them (with `--actions greedy`
where actions come from their values), with the ends of its 95 % interval. The settings were looked
for with other seeds. a3c, parallel-a2c, q, sarsa and n-step-q run in processes of their own, and
what those learn does not repeat.
"""

from types import SimpleNamespace

from a3c_lib import dqn, q_learning
from a3c_lib.app.cli import parsed
from a3c_lib.app.plan import ALGORITHMS, Plan
from a3c_lib.evaluation import evaluate

WORLDS = "CartPole-v1", "FrozenLake-v1"
SETTINGS = [{"algorithm": name, "world": world} for name in ALGORITHMS for world in WORLDS]
SEEDS = range(5)
ALONE = True  # some have processes of their own
BY_COMMIT = True  # it reaches all that the command line does


def config(seed: int, algorithm: str, world: str) -> SimpleNamespace:
    """All that a run is made of: what the command line makes of no option but the seed."""
    begin = parsed(["train", algorithm, world, "--seed", str(seed)]).begin
    by_value = issubclass(type(begin.config), (q_learning.Config, dqn.Config))
    actions = "greedy" if by_value else "sampled"
    evaluation = parsed(["evaluate", str(begin.folder), "--actions", actions])
    options = "episodes", "seed", "actions", "num_envs"
    return SimpleNamespace(
        training=begin.config,
        network=begin.network,
        algorithm=begin.algorithm,
        world=begin.env,
        evaluation={name: getattr(evaluation, name) for name in options},
    )


def run(seed: int, algorithm: str, world: str) -> list[dict[str, float]]:
    its = config(seed, algorithm, world)
    plan = Plan(its.algorithm, its.world, its.training, its.network)
    model = plan.make_model()
    with plan.train(model) as training:
        for _ in training:
            pass
    played = evaluate(model, plan.world(), **its.evaluation)
    return [{"steps": training.steps, "mean": played.mean, "low": played.low, "high": played.high}]
