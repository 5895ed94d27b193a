"""The algorithm, in one process. What processes do besides is tested in test_workers.py."""

import math
from functools import partial
from itertools import islice

import gymnasium as gym
import numpy as np
import pytest
import torch
from scripted import Counting, Paying

from a3c_lib import a2c, a3c
from a3c_lib.hogwild import Shared, Worker
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.returns import n_step_returns

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


# ---- workers, one after another ----


def test_in_turn_a_gradient_is_as_old_as_there_are_other_workers():
    _, history = trained(in_turn(num_workers=3))
    assert [update.worker for update in history[:6]] == [0, 1, 2, 0, 1, 2]
    assert [update.policy_lag for update in history[:6]] == [0, 1, 2, 2, 2, 2]


def test_the_same_seed_gives_the_same_run():
    one, two, other = (trained(in_turn(num_workers=3, seed=seed))[0] for seed in (1, 1, 2))
    assert all(map(torch.equal, one, two))
    assert not all(map(torch.equal, one, other))


def test_every_step_is_counted_and_the_budget_is_kept():
    _, history = trained(in_turn(num_workers=4, total_steps=18, num_envs=2))
    assert [update.steps for update in history] == [10, 20]
    _, history = trained(in_turn(num_workers=4, total_steps=3, t_max=20))
    assert [update.steps for update in history] == [3]


def test_the_learning_rate_is_annealed_on_the_steps_of_all_workers():
    _, history = trained(in_turn(num_workers=4, total_steps=40, learning_rate=0.8))
    assert [update.learning_rate for update in history] == pytest.approx(
        [0.8 - 0.1 * k for k in range(8)]
    )


def test_it_goes_on_from_its_state():
    model = network()
    config = in_turn(num_workers=2)
    with a3c.train(model, "CartPole-v1", config) as training:
        list(islice(training, 4))
        state = training.state_dict()
        next(training)
    other = network()
    with a3c.train(other, "CartPole-v1", config, resume=state) as training:
        assert (training.steps, training.updates) == (20, 4)
        assert all(map(torch.equal, other.state_dict().values(), state["model"].values()))
        saved = state["optimizer"]["g"]
        assert all(map(torch.equal, training.shared.optimizer.statistics["g"], saved))
        history = list(training)
    assert history[0].learning_rate == pytest.approx(0.9 * config.learning_rate)
    assert history[-1].steps == 200


def test_a_training_that_has_used_its_budget_has_nothing_left():
    with a3c.train(network(), "CartPole-v1", in_turn()) as training:
        list(training)
        state = training.state_dict()
    with a3c.train(network(), "CartPole-v1", in_turn(), resume=state) as training:
        assert list(training) == []


# ---- one worker ----


def worker_of(shared, rank=0, config=None, make_env="CartPole-v1", model=None):
    return Worker(
        rank,
        shared,
        model or network(),
        make_env,
        config or in_turn(),
        n_step_returns,
        a2c_loss,
    )


def shared_by(num_workers, model=None, config=None):
    parameters = list((model or network()).parameters())
    optimizer = (config or in_turn()).make_optimizer(parameters)
    slots = torch.zeros(2, num_workers, dtype=torch.int64)
    return Shared(parameters, optimizer, *slots, a3c.nullcontext())


@torch.no_grad()
def somebody_changes(shared):
    for parameter in shared.parameters:
        parameter.add_(1)


def test_a_worker_acts_with_what_was_shared_when_it_began():
    shared = shared_by(1)
    worker = worker_of(shared)
    somebody_changes(shared)
    worker.begin()
    copies = list(worker.model.parameters())
    assert all(map(torch.equal, copies, shared.parameters))
    somebody_changes(shared)
    worker.finish()
    assert not any(map(torch.equal, copies, shared.parameters))


def test_a_worker_whose_budget_others_spend_just_then_takes_one_step():
    shared = shared_by(2)
    worker = worker_of(shared)
    shared.steps[1] = worker.config.total_steps
    worker.begin()
    assert worker.finish().steps == 1


def test_a_written_schedule_of_two_workers_loses_nothing():
    """A reads, B reads, A applies, B applies: both changes are there."""
    config = in_turn(optimizer="momentum", decay=0.0, anneal=False, learning_rate=1.0)
    shared = shared_by(2, config=config)
    before = [parameter.clone() for parameter in shared.parameters]
    a, b = (worker_of(shared, rank, config) for rank in (0, 1))
    a.begin()
    b.begin()
    a.finish()
    after_a = [parameter.clone() for parameter in shared.parameters]
    b.finish()

    lone = shared_by(2, config=config)
    alone = worker_of(lone, 1, config)
    alone.begin()
    alone.finish()
    for start, first, both, by_b in zip(
        before, after_a, shared.parameters, lone.parameters, strict=True
    ):
        torch.testing.assert_close(both, first + (by_b - start))


def test_workers_share_the_statistics_or_keep_their_own():
    for shares in True, False:
        config = in_turn(shared_statistics=shares)
        shared = shared_by(2, config=config)
        a, b = (worker_of(shared, rank, config) for rank in (0, 1))
        for worker in a, b:
            worker.begin()
            worker.finish()
        assert (a.optimizer is b.optimizer) == shares
        assert a.optimizer.parameters[0] is b.optimizer.parameters[0]
        assert any(g.any() for g in b.optimizer.statistics["g"])


def test_gradients_do_not_pile_up():
    """The same rollout, again and again, without learning: the gradient stays the same."""
    config = in_turn(learning_rate=1e-30, t_max=3)
    model = ActorCritic.for_env(Silent(), seed=0)
    shared = shared_by(1, model, config)
    worker = worker_of(shared, config=config, make_env=Silent, model=model)
    norms = []
    for _ in range(4):
        worker.begin()
        norms.append(worker.finish().gradient_norm)
    assert norms == pytest.approx([norms[0]] * 4)


class Silent(gym.Env):
    """One observation, one action; every episode is one step long, and pays nothing."""

    observation_space = gym.spaces.Box(0, 1, (4,))
    action_space = gym.spaces.Discrete(1)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.ones(4, np.float32), {}

    def step(self, action):
        return np.ones(4, np.float32), 0.0, True, False, {}


def test_workers_act_in_worlds_of_their_own():
    shared = shared_by(3)
    first = [worker_of(shared, rank).position.observation for rank in range(3)]
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[1], first[2])
    draws = [torch.rand(1, generator=worker_of(shared, rank).generator) for rank in range(3)]
    assert len({draw.item() for draw in draws}) == 3


# ---- what goes wrong ----


@pytest.mark.parametrize("reward", [math.nan, math.inf])
def test_what_is_not_finite_is_never_applied(reward):
    model = ActorCritic.for_env(Counting(), seed=0)
    before = [parameter.clone() for parameter in model.parameters()]
    config = in_turn(num_workers=2)
    with a3c.train(model, lambda: Paying(reward), config) as training:
        with pytest.raises(FloatingPointError, match=r"worker 0, after 0 steps: the loss is"):
            next(training)
        assert list(training) == []
    assert all(map(torch.equal, before, model.parameters()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_workers": 0}, "num_workers is at least 1; got 0"),
        ({"schedule": "threads"}, "'processes' or 'round-robin'; got 'threads'"),
        ({"max_restarts": -1}, "max_restarts is at least 0; got -1"),
        ({"lock": True, "max_restarts": 2}, "takes the lock with it.* got 2"),
        ({"gamma": 1.5}, r"gamma is a discount in \[0, 1\]; got 1.5"),
        ({"total_steps": 0}, "total_steps is at least 1; got 0"),
    ],
)
def test_bad_input_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        a3c.Config(**options)


def test_a_state_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"lacks \['optimizer', 'steps', 'updates'\]"):
        a3c.train(network(), "CartPole-v1", in_turn(), resume={"model": {}})
