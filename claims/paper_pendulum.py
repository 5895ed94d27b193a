"""The paper's network and weights for MuJoCo from states, on InvertedPendulum-v5: 200 ReLU units and
128 LSTM cells, two such networks, one for the policy and one for the critic; a variance for each
state by a softplus; β = 10⁻⁴; RMSProp, and learning rates from end to end of the paper's range. How
far does it come in 100,000 steps? Whichever way it comes out.

A2C with 16 environments stands where the paper has 16 threads. Every 10,000 steps: `greedy` is the
mean return of 20 episodes of the policy's mean action, `drawn` that of the episodes that ended since,
in which actions were drawn, and `deviation` the σ that the latest entropy is that of.
"""

import math
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
from torch import Tensor, nn

from a3c_lib import a2c
from a3c_lib.distributions import PolicyOutput
from a3c_lib.evaluation import evaluate
from a3c_lib.lessons import mean_return
from a3c_lib.recurrent import Memory, RecurrentActorCritic
from a3c_lib.rollout import Episode, Rollout

WORLD = "InvertedPendulum-v5"
SETTINGS: list[dict[str, Any]] = [
    {"learning_rate": rate} for rate in (0.0001, 0.0003, 0.001, 0.003, 0.01)
]
SEEDS = range(3)

EVERY = 10_000  # steps from one row to the next
UNIT = math.log(2 * math.pi * math.e) / 2  # the entropy of σ = 1, in nats

Memories = tuple[Memory, Memory]


class Apart(nn.Module):
    """A policy and a critic that share nothing, each with a memory of its own."""

    def __init__(self, env: gym.Env[Any, Any], seed: int) -> None:
        super().__init__()
        self.actor, self.critic = (
            RecurrentActorCritic.for_env(
                env, hidden=(200,), cells=128, activation=nn.ReLU, seed=2 * seed + which
            )
            for which in range(2)
        )
        # Each comes with both heads; what nobody asks is not learned.
        self.actor.value_head.requires_grad_(False)
        self.critic.policy_head.requires_grad_(False)

    def initial_state(self, num_envs: int) -> Memories:
        return self.actor.initial_state(num_envs), self.critic.initial_state(num_envs)

    def logits(self, observations: Tensor, state: Memories) -> tuple[PolicyOutput, Memories]:
        policy, its_memory = self.actor.logits(observations, state[0])
        _, critics_memory = self.critic.logits(observations, state[1])
        return policy, (its_memory, critics_memory)

    def unroll(self, rollout: Rollout, state: Memories) -> tuple[PolicyOutput, Tensor, Tensor]:
        policy, _, _ = self.actor.unroll(rollout, state[0])
        _, values, next_values = self.critic.unroll(rollout, state[1])
        return policy, values, next_values


def config(seed: int, learning_rate: float) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=WORLD,
        model=Apart(gym.make(WORLD), seed),
        training=a2c.Config(
            total_steps=100_000,
            t_max=20,
            num_envs=16,
            gamma=0.99,
            learning_rate=learning_rate,
            optimizer="rmsprop",
            entropy_weight=1e-4,
            seed=seed,
        ),
        evaluation={"episodes": 20, "actions": "greedy", "num_envs": 20},
    )


def run(seed: int, learning_rate: float) -> list[dict[str, float]]:
    """A row for every 10,000 steps."""
    its = config(seed, learning_rate=learning_rate)
    rows, episodes = list[dict[str, float]](), list[Episode]()
    with a2c.train(its.model, its.world, its.training) as training:
        for update in training:
            episodes += update.episodes
            if update.steps >= EVERY * (len(rows) + 1):
                played = evaluate(its.model, its.world, **its.evaluation, seed=1000 + seed)
                rows.append(
                    {
                        "steps": EVERY * (len(rows) + 1),
                        "greedy": played.mean,
                        "drawn": mean_return(tuple(episodes)),
                        "deviation": math.exp(update.entropy - UNIT),
                    }
                )
                episodes.clear()
    return rows
