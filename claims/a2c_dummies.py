"""What it does to learn from the steps that only reset an environment: A2C on CartPole-v1, 8
environments of Gymnasium's fast vector environment, with and without a mask. Whichever way it comes
out.

40,000 steps. `late` is the mean return of the episodes that ended in the last 100 updates.
"""

from types import SimpleNamespace

import gymnasium as gym
import torch

from a3c_lib import a2c
from a3c_lib.actor_critic import lesson_of
from a3c_lib.networks import ActorCritic
from a3c_lib.playing import Played
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import collect, sampled, start
from a3c_lib.training import clip_gradients

SETTINGS = [{"dummies": dummies} for dummies in ("left out", "learned from")]
SEEDS = range(20)

WORLD = "CartPole-v1"


def config(seed: int, dummies: str) -> SimpleNamespace:
    """All that a run is made of."""
    return SimpleNamespace(
        world=WORLD,
        model=ActorCritic.for_env(gym.make(WORLD), seed=seed),
        dummies=dummies,
        training=a2c.Config(
            total_steps=40_000,
            t_max=16,
            num_envs=8,
            learning_rate=0.01,
            value_weight=0.1,
            seed=seed,
        ),
        targets=n_step_returns,
    )


def run(seed: int, dummies: str) -> list[dict[str, float]]:
    its = config(seed, dummies)
    model, training = its.model, its.training
    optimizer = training.make_optimizer(model.parameters())
    envs = a2c.make_vector_env(its.world, training.num_envs, training.fast_envs)
    policy = sampled(model, torch.Generator().manual_seed(seed))
    position, steps, returns = start(envs, seed), 0, []
    while steps < training.total_steps:
        rollout, position = collect(envs, policy, position, training.t_max)
        real = ~rollout.dummies
        if its.dummies != "left out":
            rollout = rollout._replace(dummies=torch.zeros_like(real))
        lesson = lesson_of(model, Played(rollout), its.targets, training.loss, training.gamma)
        gradients, _ = clip_gradients(lesson.gradients, training.max_grad_norm)
        optimizer.step(gradients, training.annealed(steps))
        steps += int(real.sum())
        returns.append([episode.episode_return for episode in rollout.episodes])
    late = [episode_return for ended in returns[-100:] for episode_return in ended]
    return [{"late": sum(late) / len(late)}]
