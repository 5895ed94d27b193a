"""What an algorithm learns of CartPole-v1 and of FrozenLake-v1 with the settings that the command line
begins with, `a3c-lib train ALGORITHM WORLD`, in 100,000 steps: on CartPole-v1 a network, on
FrozenLake-v1, whose observations are state numbers, a table.

`mean` is that of the returns of 100 episodes after the last step, as `a3c-lib evaluate` plays them
(with `--actions greedy` where actions come from their values), with the ends of its 95 % interval.
After every 5,000 steps, too, 100 episodes are played with the parameters as they were then; `learned`
is after how many steps their mean, for the first time, was what counts as learned; nan: it never was.
The settings were looked for with other seeds. a3c, q, sarsa and n-step-q run in processes of their
own, and what those learn does not repeat; of what runs in processes, parallel-a2c too, the parameters
are those as they are when an update is read, which may be some updates further.
"""

import math
from copy import deepcopy
from types import SimpleNamespace
from typing import cast

from torch import nn

from a3c_lib import dqn, q_learning
from a3c_lib.app.cli import parsed
from a3c_lib.app.plan import ALGORITHMS, Plan
from a3c_lib.evaluation import Evaluation, evaluate
from a3c_lib.rollout import HasLogits

LEARNED = {"CartPole-v1": 400, "FrozenLake-v1": 0.5}  # of at most 500, and 0.744
EVERY = 5_000  # steps from one evaluation to the next
SETTINGS = [{"algorithm": name, "world": world} for name in ALGORITHMS for world in LEARNED]
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
    then: list[tuple[int, nn.Module]] = []  # steps, and the model as it was after them
    with plan.train(model) as training:
        for update in training:
            if update.steps >= EVERY * (len(then) + 1):
                then.append((update.steps, deepcopy(model)))

    def played(model: nn.Module) -> Evaluation:
        return evaluate(cast(HasLogits, model), plan.world(), **its.evaluation)

    last = played(model)
    learned = (steps for steps, model in then if played(model).mean >= LEARNED[world])
    return [
        {
            "steps": training.steps,
            "mean": last.mean,
            "low": last.low,
            "high": last.high,
            "learned": next(learned, math.nan),
        }
    ]
