"""The mean of Σ_t γ^t G_t ∇log π(a_t | s_t) over episodes is the exact policy gradient of the
corridor, within its standard error; without γ^t it is longer, in nearly the same direction.

The policy is fixed and goes left and right with equal probability. Each seed plays 1000 episodes.
"""

from types import SimpleNamespace

import torch
from torch import Tensor

from a3c_lib.reinforce import TabularPolicy, discounted_returns, reinforce_loss
from a3c_lib.rollout import Rollout, collect_episode, make_envs, sampled, start
from a3c_lib.worlds.envs import RIGHT, corridor
from a3c_lib.worlds.exact import policy_gradient

SETTINGS = [{"episodes": 1000}]
SEEDS = range(40)
CELLS = 3


def config(seed: int, episodes: int) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world="a3c_lib/Corridor-v0",
        model=TabularPolicy(CELLS + 1, 2),
        episodes=episodes,
        gamma=0.9,
    )


def run(seed: int, episodes: int) -> list[dict[str, float]]:
    its = config(seed, episodes)
    envs = make_envs(its.world)
    act = sampled(its.model, torch.Generator().manual_seed(seed))
    position = start(envs, seed)
    with_discount, without = [], []
    for _ in range(its.episodes):
        rollout, position = collect_episode(envs, act, position)
        returns = discounted_returns(rollout.rewards[:, 0], its.gamma)
        discounts = its.gamma ** torch.arange(len(returns))
        with_discount.append(estimate(its.model, rollout, discounts * returns))
        without.append(estimate(its.model, rollout, returns))
    envs.close()
    return [*rows("γ^t", with_discount, its.gamma), *rows("1", without, its.gamma)]


def estimate(policy: TabularPolicy, rollout: Rollout, weights: Tensor) -> Tensor:
    """Σ_t weights_t ∇log π(a_t | s_t), the part that belongs to the action RIGHT.   → (CELLS,)"""
    log_pi = policy.logits(rollout.observations).log_softmax(dim=-1)
    taken = log_pi.gather(-1, rollout.actions[..., None])[:, 0, 0]
    (gradient,) = torch.autograd.grad(-reinforce_loss(taken, weights), policy.table)
    return gradient[:CELLS, RIGHT]


def rows(weight: str, estimates: list[Tensor], gamma: float) -> list[dict[str, float]]:
    sample = torch.stack(estimates)
    exact = policy_gradient(corridor(CELLS), torch.zeros(CELLS + 1, 2), gamma)[:CELLS, RIGHT]
    return [
        {
            "weight": weight,
            "state": state,
            "estimate": sample[:, state].mean().item(),
            "standard_error": sample[:, state].std().item() / len(sample) ** 0.5,
            "exact": exact[state].item(),
        }
        for state in range(CELLS)
    ]
