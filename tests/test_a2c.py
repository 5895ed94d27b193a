import math

import gymnasium as gym
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from scripted import Counting

from a3c_lib import a2c
from a3c_lib.actor_critic import lesson_of
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic
from a3c_lib.playing import Played, Player
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import initial_state, sampled
from a3c_lib.training import seeds

KINDS = [ActorCritic, RecurrentActorCritic]


def network(kind=ActorCritic):
    return kind.for_env(Counting(), seed=0, hidden=(4,))


def vector_env(lengths, mode):
    return SyncVectorEnv([lambda n=n: Counting(n) for n in lengths], autoreset_mode=mode)


def lesson_from(envs, model, t_max=6):
    player = Player(envs, seeds(seed=0, steps=0), model)
    played = player.play(sampled(model, player.generator), t_max)
    return played.rollout, lesson_of(model, played, n_step_returns, a2c_loss, 0.9)


# ---- many environments, one update ----


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_the_mean_of_what_each_environment_would_give(kind):
    model = network(kind)
    rollout, together = lesson_from(vector_env([3, 5, 9], AutoresetMode.SAME_STEP), model)
    alone = []
    for n in range(3):
        column = Played(rollout.column(n), initial_state(model, 1))
        alone.append(lesson_of(model, column, n_step_returns, a2c_loss, 0.9).gradients)
    for whole, *parts in zip(together.gradients, *alone, strict=True):
        torch.testing.assert_close(whole, torch.stack(parts).mean(dim=0))


# ---- dummy steps ----


@pytest.mark.parametrize("kind", KINDS)
def test_dummy_steps_are_not_learned_from(kind):
    """Episodes of 2 steps in both modes: six real steps against four and two dummies."""
    model = network(kind)
    _, same = lesson_from(vector_env([2], AutoresetMode.SAME_STEP), model, t_max=4)
    rollout, following = lesson_from(vector_env([2], AutoresetMode.NEXT_STEP), model, t_max=5)
    # Steps 0 and 1, a dummy, steps 3 and 4: the same two episodes.
    assert rollout.observations[:, 0, 0].tolist() == [0, 1, 2, 10, 11]
    assert following.steps == 4
    torch.testing.assert_close(following.returns, same.returns)
    torch.testing.assert_close(following.values, same.values)


def test_a_dummy_counts_neither_as_a_step_nor_in_an_episode():
    envs = vector_env([2, 2], AutoresetMode.NEXT_STEP)
    config = a2c.Config(total_steps=100, num_envs=2, t_max=6)
    with a2c.train(network(), envs, config) as training:
        update = next(training)
    assert update.steps == 8
    assert {episode.length for episode in update.episodes} == {2}
    assert {episode.episode_return for episode in update.episodes} == {3.0}


# ---- environments ----


def test_an_id_with_a_fast_vector_environment_gets_it():
    with a2c.train(
        ActorCritic.for_env(gym.make("CartPole-v1")), "CartPole-v1", a2c.Config(num_envs=3)
    ) as training:
        assert type(training.player.envs.unwrapped).__name__ == "CartPoleVectorEnv"
        assert next(training).steps <= 60
    slow = a2c.make_vector_env("CartPole-v1", 3, fast=False)
    assert isinstance(slow, SyncVectorEnv)
    assert isinstance(a2c.make_vector_env("a3c_lib/Corridor-v0", 2), SyncVectorEnv)
    assert isinstance(a2c.make_vector_env(Counting, 2), SyncVectorEnv)


def test_a_vector_environment_of_ones_own_has_to_be_of_the_configs_size():
    envs = vector_env([2, 2], AutoresetMode.SAME_STEP)
    with pytest.raises(ValueError, match="num_envs is that of the vector environment, 2; got 8"):
        a2c.train(network(), envs, a2c.Config())


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_run(kind):
    def parameters(seed):
        model = kind.for_env(gym.make("CartPole-v1"), seed=0, hidden=(4,))
        with a2c.train(model, "CartPole-v1", a2c.Config(total_steps=800, seed=seed)) as training:
            list(training)
        return list(model.parameters())

    assert all(map(torch.equal, parameters(1), parameters(1)))
    assert not all(map(torch.equal, parameters(1), parameters(2)))


def test_it_goes_on_from_its_state():
    config = a2c.Config(total_steps=60, num_envs=2, t_max=5)
    with a2c.train(network(), Counting, config) as training:
        next(training)
        state = training.state_dict()
        list(training)
    model = network()
    with a2c.train(model, Counting, config, resume=state) as training:
        assert (training.steps, training.updates) == (10, 1)
        saved = state["optimizer"]["g"]
        assert all(map(torch.equal, training.optimizer.statistics["g"], saved))
        assert [update.steps for update in training] == [20, 30, 40, 50, 60]


class Masked(ActorCritic):
    """May not take the last action."""

    def forward(self, observations):
        logits, values = super().forward(observations)
        return self._masked(logits), values

    def logits(self, observations):
        return self._masked(super().logits(observations))

    def _masked(self, logits):
        return logits.masked_fill(
            torch.arange(logits.shape[-1]) == logits.shape[-1] - 1, -torch.inf
        )


def test_who_may_not_take_every_action_learns():
    model = Masked.for_env(gym.make("a3c_lib/Catch-v0"), hidden=(4,), seed=0)
    before = [parameter.clone() for parameter in model.parameters()]
    with a2c.train(model, "a3c_lib/Catch-v0", a2c.Config(total_steps=400)) as training:
        history = list(training)
    assert all(0 < update.entropy <= math.log(2) + 1e-6 for update in history)
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    assert not any(map(torch.equal, before, model.parameters()))


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="device 'nowhere' cannot be used here"):
        a2c.Config(device="nowhere")


def test_the_network_may_live_elsewhere_than_the_environments():
    """torch's device "meta" computes nothing; that tensors are moved to it can still be seen."""
    seen = []

    class Spy(ActorCritic):
        def forward(self, observations):
            seen.append(observations.device.type)
            return super().forward(observations)

    model = Spy.for_env(Counting(), hidden=(4,)).to("meta")
    player = Player(vector_env([3], AutoresetMode.SAME_STEP), seeds(seed=0, steps=0), model)
    played = player.play(sampled(network(), player.generator), t_max=3)
    with pytest.raises((RuntimeError, NotImplementedError)):  # the loss has no number
        lesson_of(model, played, n_step_returns, a2c_loss, 0.9)
    assert seen == ["meta"]


def test_so_may_one_with_memory():
    seen = []

    class Spy(RecurrentActorCritic):
        def forward(self, observations, state, begins):
            seen.append({part.device.type for part in (observations, *state, begins)})
            return super().forward(observations, state, begins)

    options = {"hidden": (4,), "cells": 3}
    model = Spy.for_env(Counting(), **options).to("meta")
    actor = RecurrentActorCritic.for_env(Counting(), **options)
    player = Player(vector_env([3], AutoresetMode.SAME_STEP), seeds(seed=0, steps=0), actor)
    played = player.play(sampled(actor, player.generator), t_max=5)
    played = played._replace(state=model.initial_state(1))
    with pytest.raises((RuntimeError, NotImplementedError)):  # the loss has no number
        lesson_of(model, played, n_step_returns, a2c_loss, 0.9)
    assert seen == [{"meta"}]
