"""CartPole without velocities: in each of five seeds an agent with an LSTM gets at least three times
the mean return that the best of five seeds without memory gets.
"""

from functools import partial
from itertools import groupby
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import TransformReward

from a3c_lib.actor_critic import Config, train
from a3c_lib.evaluation import evaluate
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.returns import n_step_returns

BLIND = "a3c_lib/CartPoleWithoutVelocities-v0"
SETTINGS = [{"agent": agent} for agent in ("feed-forward", "LSTM")]
SEEDS = range(5)

SCALE = 0.05  # of the rewards: returns of 5 instead of 100, for critic and actor share a torso
EVERY = 5_000  # steps from one row to the next


def config(seed: int, agent: str) -> SimpleNamespace:
    """All that a run is made of."""
    world = partial(blind_cartpole, reward_scale=SCALE)
    env = world()
    model: ActorCritic | RecurrentActorCritic
    if agent == "LSTM":
        model = RecurrentActorCritic.for_env(env, hidden=(64,), cells=64, seed=seed)
    else:
        model = ActorCritic.for_env(env, hidden=(64, 64), seed=seed)
    return SimpleNamespace(
        world=world,
        model=model,
        training=Config(total_steps=200_000, t_max=16, num_envs=8, learning_rate=5e-3, seed=seed),
        targets=n_step_returns,
        loss=a2c_loss,
        evaluation={"episodes": 100},
    )


def run(seed: int, agent: str) -> list[dict[str, float]]:
    its = config(seed, agent)
    rows: list[dict[str, float]] = []
    with train(its.model, its.world, its.training, targets=its.targets, loss=its.loss) as training:
        for steps, updates in groupby(training, lambda u: -(-u.steps // EVERY) * EVERY):
            ended = [e.episode_return / SCALE for update in updates for e in update.episodes]
            rows.append({"steps": steps, "episode_return": float(np.mean(ended))})
    for actions in "sampled", "greedy":
        score = evaluate(its.model, BLIND, **its.evaluation, seed=seed + 1000, actions=actions)
        rows[-1][actions] = score.mean
    return rows


def blind_cartpole(reward_scale: float) -> gym.Env:
    env: gym.Env = gym.make(BLIND)
    return TransformReward(env, lambda reward: reward_scale * float(reward))
