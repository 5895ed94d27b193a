"""How much of DQN's computing is acting, and how much learning? A second process, which would act while
the first one learns, could not make it faster than `everything / the longer of the two`.

`playing` is choosing actions and stepping the world, `adding` is writing to the replay memory, and
`learning` is all else: drawing, gradients, and what is reported. All are microseconds of computing
for a step of the world, on one core, over the updates after the first few that learned. Other
programs ran on the machine meanwhile. CartPole is as in `dqn_cartpole`. Pong is from pixels, with
the paper's network; "as in 2015" is DQN's proportion of a batch of 32 for every four steps, "with
eight" is the same proportion with eight environments, whose actions are chosen together, and "fewer
looks" a batch of 128 for every 32 steps, as on CartPole.
"""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from torch import nn

from a3c_lib import dqn
from a3c_lib.encoders import PaperEncoder
from a3c_lib.workers import keep_freed_memory
from a3c_lib.worlds.atari import Game
from claims import dqn_cartpole

PONG: dict[str, dict[str, Any]] = {
    "Pong, as in 2015": {"num_envs": 1, "batch_size": 32},
    "Pong, with eight": {"num_envs": 8, "batch_size": 32, "draws": 8},
    "Pong, fewer looks": {"num_envs": 8, "batch_size": 128, "n_steps": 5},
}
CARTPOLE = "CartPole"
SETTINGS = [{"run": name} for name in (CARTPOLE, *PONG)]
SEEDS = range(5)
ALONE = True  # no run of the same claim at the same time

SKIPPED = 5  # updates that learn, before it is measured


def config(seed: int, run: str) -> SimpleNamespace:
    """All that a run is made of."""
    if run == CARTPOLE:
        its = dqn_cartpole.config(seed, n_steps=5, double=False)
        return SimpleNamespace(
            world=its.world, model=its.model, training=its.training, measured=500
        )
    training = dqn.Config(t_max=4, capacity=20_000, target_period=10_000, seed=seed, **PONG[run])
    game = Game("pong")
    return SimpleNamespace(
        world=game,
        model=training.network.for_env(
            game, hidden=(256,), make_encoder=PaperEncoder, activation=nn.ReLU, seed=seed
        ),
        training=training,
        measured=50,
    )


class Stopwatch:
    """A function, and the seconds that the process has computed in it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.seconds = function, 0.0

    def __call__(self, *arguments: Any) -> Any:
        began = time.process_time()
        answer = self.function(*arguments)
        self.seconds += time.process_time() - began
        return answer


def run(seed: int, run: str) -> list[dict[str, float]]:
    its = config(seed, run)
    keep_freed_memory()
    with dqn.train(its.model, its.world, its.training) as training:
        while training.batches < SKIPPED * its.training.draws:
            next(training)
        playing, adding = Stopwatch(training.player.play), Stopwatch(training.memory.add)
        training.player.play, training.memory.add = playing, adding  # type: ignore[method-assign]
        before, began = training.steps, time.process_time()
        for _ in range(its.measured):
            next(training)
        everything = time.process_time() - began
        parts = {
            "playing": playing.seconds,
            "adding": adding.seconds,
            "learning": everything - playing.seconds - adding.seconds,
        }
        steps = training.steps - before
    return [{name: seconds / steps * 1e6 for name, seconds in parts.items()}]
