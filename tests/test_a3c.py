"""What A3C's workers learn. How they work is tested in test_hogwild.py and test_workers.py."""

import math
from dataclasses import fields
from functools import partial

import gymnasium as gym
import pytest
import torch

from a3c_lib import a2c, a3c, hogwild, losses, optim, training
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic
from a3c_lib.recurrent import RecurrentActorCritic

in_turn = partial(a3c.Config, schedule="round-robin", total_steps=200, t_max=5)


def network(kind=ActorCritic, env="CartPole-v1", **options):
    return kind.for_env(gym.make(env), seed=0, hidden=(8,), **options)


def trained(config, kind=ActorCritic, algorithm=a3c, **options):
    model = network(kind)
    with algorithm.train(model, "CartPole-v1", config, **options) as training:
        history = list(training)
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


# ---- what it is told ----

LAYERS = {  # a value that each refuses
    training.Config: {"gamma": 1.5},
    training.RolloutConfig: {"t_max": 0},
    losses.Config: {"value_weight": -1.0},
    optim.Config: {"decay": 1.0},
    hogwild.Config: {"num_workers": 0},
}


@pytest.mark.parametrize("kind", [a2c.Config, a3c.Config])
def test_a_config_has_the_fields_of_all_its_layers_and_what_each_refuses(kind):
    for layer, bad in LAYERS.items():
        if issubclass(kind, layer):
            assert {f.name for f in fields(layer)} <= {f.name for f in fields(kind)}
            with pytest.raises(ValueError, match=f"{next(iter(bad))} is"):
                kind(**bad)
    assert issubclass(kind, losses.Config)
    assert issubclass(kind, optim.Config)


@pytest.mark.parametrize("kind", [a2c.Config, a3c.Config])
def test_every_layers_check_is_made_once(kind, monkeypatch):
    """Layers come together again in the one below them: whoever forgets one checks it never, whoever
    calls each of them checks that one twice."""
    checked = []
    for layer in kind.__mro__:
        if "__post_init__" in vars(layer):

            def check(self, layer=layer, check=layer.__post_init__):
                checked.append(layer)
                check(self)

            monkeypatch.setattr(layer, "__post_init__", check)
    kind()
    assert sorted(checked, key=str) == sorted(
        (layer for layer in kind.__mro__ if "__post_init__" in vars(layer)), key=str
    )
    assert len(checked) >= 2


def test_without_a_loss_it_is_the_configs():
    config = in_turn(value_weight=0.3, entropy_weight=0.2, total_steps=50)
    others = [
        {"value_weight": 0.3, "entropy_weight": 0.2},
        {"value_weight": 0.3},
        {"entropy_weight": 0.2},
    ]
    ours, _ = trained(config)
    same, *other = (trained(config, loss=partial(a2c_loss, **weights))[0] for weights in others)
    assert all(map(torch.equal, ours, same))
    assert not any(all(map(torch.equal, ours, weights)) for weights in other)


def test_the_critic_is_to_predict_what_targets_says():
    """With targets of 0, the value loss is what the critic said, squared."""

    def nothing(rewards, *_):
        return torch.zeros_like(rewards)

    _, history = trained(in_turn(num_workers=1, learning_rate=1e-30), targets=nothing)
    assert all(update.value_loss < 0.1 for update in history)
    _, history = trained(in_turn(num_workers=1, learning_rate=1e-30))
    assert all(update.value_loss > 1 for update in history)
