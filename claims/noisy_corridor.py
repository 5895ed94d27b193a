"""In the noisy corridor chapter 00's agent crawls with small steps and goes astray with large ones;
the same table with a critic beside it comes near the best value with every seed.

`share` is the exact value of the learned policy at the start as a share of V*, the best. With the
same optimiser, agents with tables differ in the critic, and in that the one without learns once an
episode, and the other every 8 steps, with its gradient clipped. With a network, which tells
cells apart less sharply, both do better. All have the same number of steps in the corridor.
"""

from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import torch
from torch import Tensor, nn

from a3c_lib import actor_critic, reinforce
from a3c_lib.networks import ActorCritic
from a3c_lib.reinforce import TabularPolicy
from a3c_lib.training import TorchOptimizer
from a3c_lib.worlds.exact import objective, optimal_values

RATES = {  # learning rates tried
    "REINFORCE, table, SGD": (0.03, 0.1, 0.3),
    "REINFORCE, table, Adam": (0.01, 0.03, 0.1),
    "actor-critic, tables, Adam": (0.01, 0.03, 0.1),
    "REINFORCE, network, Adam": (0.003, 0.01),
    "actor-critic, network, Adam": (0.003, 0.01),
}
SETTINGS = [
    {"agent": agent, "learning_rate": rate} for agent, rates in RATES.items() for rate in rates
]
SEEDS = range(8)
WORLD = "a3c_lib/NoisyCorridor-v0"
GAMMA = 0.95
EVERY = 500  # steps from one row to the next


class Tables(TabularPolicy):
    """Chapter 00's table of logits, and beside it a table of values, 0 at first."""

    def __init__(self, num_states: int, num_actions: int) -> None:
        super().__init__(num_states, num_actions)
        self.value_table = nn.Parameter(torch.zeros(num_states))

    def values(self, observations: Tensor) -> Tensor:
        return self.value_table[observations]

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        return self.logits(observations), self.values(observations)


def config(seed: int, agent: str, learning_rate: float) -> SimpleNamespace:
    """All that a run is made of."""
    kind, approximation, optimizer = agent.split(", ")
    env = gym.make(WORLD)
    options: dict[str, Any] = {
        "total_steps": 12_000,
        "gamma": GAMMA,
        "learning_rate": learning_rate,
        "seed": seed,
    }
    model: Any
    if approximation == "network":
        model = ActorCritic.for_env(env, hidden=(32,), seed=seed)
    else:
        model = (Tables if kind == "actor-critic" else TabularPolicy).for_env(env)
    training: Any
    if kind == "actor-critic":
        training = actor_critic.Config(**options, t_max=8, anneal=False)
    else:
        training = reinforce.Config(**options)
    return SimpleNamespace(world=WORLD, model=model, optimizer=optimizer, training=training)


def run(seed: int, agent: str, learning_rate: float) -> list[dict[str, float]]:
    its = config(seed, agent, learning_rate)
    with updates_of(its) as updates:
        rows = [{"steps": 0, "share": share(its.model)}]
        for update in updates:
            while len(rows) * EVERY <= min(update.steps, its.training.total_steps):
                rows.append({"steps": len(rows) * EVERY, "share": share(its.model)})
    return rows


def updates_of(its: SimpleNamespace) -> Any:
    if isinstance(its.training, actor_critic.Config):
        return actor_critic.train(its.model, its.world, its.training)
    updates = reinforce.train(its.model, its.world, its.training)
    if its.optimizer == "Adam":
        updates.optimizer = TorchOptimizer(torch.optim.Adam(its.model.parameters()))
    return updates


def share(model: Any) -> float:
    mdp = gym.make(WORLD).unwrapped.mdp  # type: ignore[attr-defined]
    with torch.no_grad():
        logits = model.logits(torch.arange(mdp.num_states))
    return (objective(mdp, logits, GAMMA) / optimal_values(mdp, GAMMA)[0]).item()
