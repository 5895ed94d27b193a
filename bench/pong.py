"""Pong from pixels: steps per second of the parts, of our trainers, and of stable-baselines3's A2C.

One network (the paper's small one), one preparation of the pictures, and 16 environments × 5 steps
for an update. A2C's workers share these 16 environments. A3C's may have as many each, since each
makes updates of its own. A step is an agent's decision: 4 frames.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from a3c_lib import a2c, a3c, parallel_a2c
from a3c_lib.encoders import paper_network
from a3c_lib.networks import ActorCritic
from a3c_lib.one_look import OneLook
from a3c_lib.returns import n_step_returns
from a3c_lib.worlds.atari import Game, clipped
from bench import baselines
from bench.measuring import CORES, FOREVER, THREADS, Line, Watch, follow, repeat
from bench.tables import ENVIRONMENT, KEPT, UNSHARED

if TYPE_CHECKING:
    from stable_baselines3 import A2C
    from stable_baselines3.common.vec_env import VecEnv

GAME, GAME_ID = Game("pong"), "ALE/Pong-v5"
ENVS, T_MAX = 16, 5


def workers_on(cores: int) -> int:
    """As many as there are cores, as far as the environments can be split evenly among them."""
    return max(n for n in range(1, cores + 1) if ENVS % n == 0)


WORKERS = workers_on(CORES)
EACH = ENVS // WORKERS  # environments of a worker, where they share them
TARGETS = clipped(n_step_returns)


def environment(num_envs: int, watch: Watch) -> None:
    """Random actions, in one thread."""
    envs = GAME.make_envs(num_envs)
    envs.reset(seed=0)
    dice = np.random.default_rng(0)
    repeat(lambda: envs.step(dice.integers(0, len(GAME.actions), num_envs)), num_envs, watch)
    envs.close()


def forward(num_envs: int, watch: Watch) -> None:
    """What acting needs: the policy of one step of every environment."""
    model, pictures = paper_network(GAME), _pictures(num_envs)
    with torch.no_grad():
        repeat(lambda: model.logits(pictures), num_envs, watch)


def forward_and_backward(num_envs: int, watch: Watch) -> None:
    """What learning needs: a rollout's policy and values, and their gradient."""
    model, pictures = paper_network(GAME), _pictures(T_MAX, num_envs)
    parameters = list(model.parameters())

    def differentiate() -> None:
        logits, values = model(pictures)
        torch.autograd.grad(logits.square().mean() + values.square().mean(), parameters)

    repeat(differentiate, T_MAX * num_envs, watch)


def unshared(num_envs: int, watch: Watch) -> None:
    """One worker of A3C by itself: nobody else reads or changes its θ."""
    config = a3c.Config(
        total_steps=FOREVER, num_envs=num_envs, num_workers=1, t_max=T_MAX, schedule="round-robin"
    )
    model = LOOKS[BEST_LOOK](paper_network(GAME))
    follow(a3c.train(model, GAME, config, targets=TARGETS), watch)


def _pictures(*batch: int) -> torch.Tensor:
    shape = (*batch, GAME.stack, GAME.size, GAME.size)
    dice = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=dice)


MadeOf = Callable[[ActorCritic], nn.Module]


def two_looks(model: ActorCritic) -> nn.Module:
    """The model as it is."""
    return model


BEST_LOOK = ", one look, bfloat16"
LOOKS: dict[str, MadeOf] = {
    "": two_looks,
    ", one look": OneLook,
    BEST_LOOK: partial(OneLook, bfloat16=True),
}


def our_a2c(watch: Watch) -> None:
    config = a2c.Config(total_steps=FOREVER, num_envs=ENVS, t_max=T_MAX)
    follow(a2c.train(paper_network(GAME), GAME, config, targets=TARGETS), watch)


def our_parallel_a2c(made_of: MadeOf, watch: Watch) -> None:
    config = parallel_a2c.Config(
        total_steps=FOREVER, num_envs=ENVS, num_workers=WORKERS, t_max=T_MAX
    )
    follow(parallel_a2c.train(made_of(paper_network(GAME)), GAME, config, targets=TARGETS), watch)


def our_a3c(made_of: MadeOf, watch: Watch, each: int, workers: int = WORKERS) -> None:
    config = a3c.Config(total_steps=FOREVER, num_envs=each, num_workers=workers, t_max=T_MAX)
    follow(a3c.train(made_of(paper_network(GAME)), GAME, config, targets=TARGETS), watch)


def their_model(envs: "VecEnv") -> "A2C":
    """stable-baselines3's A2C with the paper's network."""
    model = paper_network(GAME)
    return baselines.a2c_with_torso(
        envs, model.torso, model.policy_head.in_features, n_steps=T_MAX, ent_coef=0.01, seed=0
    )


def their_a2c(processes: bool, watch: Watch) -> None:
    envs = baselines.atari(GAME_ID, ENVS, GAME.stack, processes)
    baselines.follow(their_model(envs), watch)
    envs.close()


def _threads(number: int) -> str:
    return f"{number} thread{'s' * (number > 1)}"


def so_many(workers: int) -> str:
    """The name of the line that measures so many of A3C's workers."""
    return f"a3c, {workers} × {ENVS}{BEST_LOOK}"


# Processes that keep their memory, as workers do.
PARTS = [
    Line(name, "part", partial(part, ENVS), processes=processes, keeps_memory=True)
    for name, part, processes in (
        (ENVIRONMENT, environment, CORES),
        ("forward", forward, CORES),
        ("forward and backward", forward_and_backward, CORES),
        (UNSHARED, unshared, WORKERS),
    )
]
OURS = [
    *(Line(f"a2c, {_threads(n)}", "ours", our_a2c, threads=n) for n in THREADS),
    Line(so_many(1), "ours", partial(our_a3c, LOOKS[BEST_LOOK], each=ENVS, workers=1)),
    *(
        # workers × environments of each
        Line(f"{name}, {WORKERS} × {each}{looks}", "ours", partial(train, made_of))
        for name, each, train in (
            ("parallel_a2c", EACH, our_parallel_a2c),
            *(("a3c", each, partial(our_a3c, each=each)) for each in sorted({EACH, ENVS})),
        )
        for looks, made_of in LOOKS.items()
    ),
]
SB3 = "stable-baselines3"
THEIRS = [
    *(
        Line(f"{SB3}, {_threads(n)}", "theirs", partial(their_a2c, False), threads=n)
        for n in THREADS
    ),
    *(
        Line(
            f"{SB3}, {_threads(n)}, {KEPT}",
            "theirs",
            partial(their_a2c, False),
            threads=n,
            keeps_memory=True,
        )
        for n in THREADS
    ),
    Line(f"{SB3}, 1 thread, 16 processes", "theirs", partial(their_a2c, True)),
]


def lines() -> list[Line]:
    """All that is measured here; theirs only where stable-baselines3 is installed."""
    return [*PARTS, *OURS, *(THEIRS if baselines.installed() else [])]
