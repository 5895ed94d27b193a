"""In the trap at least 60 % of 20 seeds stay stuck without an entropy bonus, and at most 10 % with
one that fits the rewards. A smaller bonus frees too few, a larger one hurts all.

Stuck: the learned policy reaches the far exit from the start with a probability below one half,
computed exactly from its table.
"""

from functools import partial
from itertools import groupby
from types import SimpleNamespace

import gymnasium as gym
import torch

from a3c_lib.actor_critic import Config, train
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic
from a3c_lib.returns import n_step_returns
from a3c_lib.worlds.envs import RIGHT, trap
from a3c_lib.worlds.exact import objective

SETTINGS = [{"entropy_weight": beta} for beta in (0.0, 0.02, 0.07, 0.2, 0.5)]
SEEDS = range(20)

GAMMA = 0.95
EVERY = 400  # steps from one row to the next

WORLD = trap()
# Pays 1 at the far exit, nothing at the near one: undiscounted, J is the probability to get there.
FAR_EXIT = trap(small=0.0, large=1.0)


def config(seed: int, entropy_weight: float) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world="a3c_lib/Trap-v0",
        model=ActorCritic.for_env(gym.make("a3c_lib/Trap-v0"), hidden=(32,), seed=seed),
        training=Config(
            total_steps=8_000,
            t_max=10,
            gamma=GAMMA,
            learning_rate=0.02,
            anneal=False,
            seed=seed,
        ),
        targets=n_step_returns,
        loss=partial(a2c_loss, value_weight=0.5, entropy_weight=entropy_weight),
    )


def run(seed: int, entropy_weight: float) -> list[dict[str, float]]:
    its = config(seed, entropy_weight)
    rows = []
    with train(its.model, its.world, its.training, targets=its.targets, loss=its.loss) as training:
        for steps, updates in groupby(training, lambda u: -(-u.steps // EVERY) * EVERY):
            entropies = [update.entropy for update in updates]
            mean_entropy = sum(entropies) / len(entropies)
            rows.append({"steps": steps, "entropy": mean_entropy, **measured(its.model)})
    return rows


@torch.no_grad()
def measured(model: ActorCritic) -> dict[str, float]:
    """What the policy's table says, exactly."""
    logits = model.logits(torch.arange(WORLD.num_states))
    start = WORLD.start.argmax()
    return {
        "p_right": logits[start].softmax(dim=-1)[RIGHT].item(),
        "p_far": objective(FAR_EXIT, logits, gamma=1.0).item(),
        "J": objective(WORLD, logits, GAMMA).item(),
    }
