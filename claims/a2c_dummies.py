"""What it does to learn from the steps that only reset an environment: A2C on CartPole-v1, 8
environments of Gymnasium's fast vector environment, with and without a mask. Whichever way it comes
out.

40,000 steps. `late` is the mean return of the episodes that ended in the last 100 updates.
"""

from functools import partial

import gymnasium as gym
import torch

from a3c_lib.a2c import make_vector_env
from a3c_lib.actor_critic import lesson_of
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic
from a3c_lib.optim import RMSProp
from a3c_lib.playing import Played
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import collect, dummy_steps, sampled, start
from a3c_lib.training import clip_gradients

SETTINGS = [{"dummies": dummies} for dummies in ("left out", "learned from")]
SEEDS = range(20)

STEPS = 40_000


def run(seed: int, dummies: str) -> list[dict[str, float]]:
    model = ActorCritic.for_env(gym.make("CartPole-v1"), seed=seed)
    optimizer = RMSProp(model.parameters())
    envs = make_vector_env("CartPole-v1", 8)
    policy = sampled(model, torch.Generator().manual_seed(seed))
    position, steps, returns = start(envs, seed), 0, []
    while steps < STEPS:
        began = position
        rollout, position = collect(envs, policy, began, t_max=16)
        mask = dummy_steps(envs, rollout, began)
        played = Played(rollout, dummies=mask if dummies == "left out" else None)
        loss = partial(a2c_loss, value_weight=0.1)
        lesson = lesson_of(model, played, n_step_returns, loss, 0.99)
        gradients, _ = clip_gradients(lesson.gradients, 0.5)
        optimizer.step(gradients, 0.01 * (1 - steps / STEPS))
        steps += int((~mask).sum())
        returns.append([episode.episode_return for episode in rollout.episodes])
    late = [episode_return for ended in returns[-100:] for episode_return in ended]
    return [{"late": sum(late) / len(late)}]
