"""What A3C's workers learn. How they work is tested in test_hogwild.py and test_workers.py."""

import math
from functools import partial
from itertools import islice

import gymnasium as gym
import pytest
import torch

from a3c_lib import a2c, a3c
from a3c_lib.networks import ActorCritic
from a3c_lib.recurrent import RecurrentActorCritic

in_turn = partial(a3c.Config, schedule="round-robin", total_steps=200, t_max=5)


def network(kind=ActorCritic, env="CartPole-v1", **options):
    return kind.for_env(gym.make(env), seed=0, hidden=(8,), **options)


def trained(config, kind=ActorCritic, algorithm=a3c, updates=None):
    model = network(kind)
    with algorithm.train(model, "CartPole-v1", config) as training:
        history = list(islice(training, updates))
    return list(model.parameters()), history


# ---- one asynchronous worker is the synchronous algorithm ----


@pytest.mark.parametrize("kind", [ActorCritic, RecurrentActorCritic])
@pytest.mark.parametrize("optimizer", ["rmsprop", "momentum", "adam"])
def test_one_asynchronous_worker_is_the_synchronous_algorithm(kind, optimizer):
    """Bit for bit, after 60 updates, with a last rollout that the budget cuts short."""
    common = {"total_steps": 298, "t_max": 5, "optimizer": optimizer, "learning_rate": 0.01}
    one, asynchronous = trained(in_turn(num_workers=1, **common), kind)
    other, synchronous = trained(
        a2c.Config(num_envs=1, fast_envs=False, **common), kind, algorithm=a2c
    )
    assert all(map(torch.equal, one, other))
    assert not all(map(torch.equal, one, network(kind).parameters()))
    assert len(asynchronous) == len(synchronous) == 60
    for ours, theirs in zip(asynchronous, synchronous, strict=True):
        for name, value in theirs._asdict().items():
            assert getattr(ours, name) == value or math.isnan(value)
