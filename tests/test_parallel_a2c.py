"""A2C split among processes computes what A2C computes."""

import os
import signal
from types import SimpleNamespace

import gymnasium as gym
import pytest
import torch
from scripted import Counting
from test_workers import alive, assert_all_end, assert_finite, assert_soon, network

from a3c_lib import a2c, parallel_a2c
from a3c_lib.a2c import make_vector_env
from a3c_lib.actor_critic import values_after
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import collect, sampled, start
from a3c_lib.training import TorchOptimizer, clip_gradients, seeds
from a3c_lib.workers import WorkerError

SMALL = {"total_steps": 400, "t_max": 5, "num_envs": 4, "num_workers": 2, "fast_envs": False}


def config(**options):
    return parallel_a2c.Config(**{**SMALL, **options})


def flat(model):
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach()


@pytest.mark.parametrize(
    ("kind", "fast_envs"), [(ActorCritic, False), (RecurrentActorCritic, True)]
)
def test_one_worker_is_a2c_bit_for_bit(kind, fast_envs):
    options = {"total_steps": 1500, "t_max": 5, "num_envs": 4, "fast_envs": fast_envs, "seed": 3}
    models = [kind.for_env(gym.make("CartPole-v1"), hidden=(8,), seed=0) for _ in range(2)]
    with a2c.train(models[0], "CartPole-v1", a2c.Config(**options)) as training:
        history = list(training)
    with parallel_a2c.train(models[1], "CartPole-v1", config(**options, num_workers=1)) as training:
        assert list(training) == history
    assert torch.equal(flat(models[0]), flat(models[1]))


def shares_by_hand(model, workers, fast_envs=False, steps=0):
    """Two environments of each worker, its policy, and where it begins after so many steps."""
    shares = []
    for rank in range(workers):
        for_envs, for_actions = seeds(0, steps, rank)
        generator = torch.Generator().manual_seed(int(for_actions.generate_state(1)[0]))
        envs = make_vector_env("CartPole-v1", 2, fast_envs)
        shares.append([envs, sampled(model, generator), start(envs, for_envs)])
    return shares


def together_by_hand(model, shares, t_max):
    """Logits, values, actions and returns of all workers' next rollouts, in one batch."""
    columns = []
    for share in shares:
        envs, policy, began = share
        rollout, share[2] = collect(envs, policy, began, t_max)
        real = ~rollout.dummies
        logits, values = model(rollout.observations)
        after = values_after(model, rollout, values)
        returns = n_step_returns(
            rollout.rewards, after, rollout.terminated, rollout.truncated, 0.99
        )
        columns.append([x[real] for x in (logits, values, rollout.actions, returns)])
    return [torch.cat(column) for column in zip(*columns, strict=True)]


@pytest.mark.parametrize("fast_envs", [False, True])
def test_workers_together_take_the_step_of_all_their_environments(fast_envs):
    """By hand: the loss over all workers' steps in one batch, and torch's own descent."""
    number, steps = 3, 1190  # the last rollout is shorter
    options = config(
        num_workers=number,
        num_envs=2 * number,
        total_steps=steps,
        optimizer="momentum",
        decay=0.0,  # plain descent
        anneal=False,
        learning_rate=0.05,
        fast_envs=fast_envs,
    )
    model, by_hand = network(), network()
    with parallel_a2c.train(model, "CartPole-v1", options) as training:
        history = list(training)
    assert any(update.episodes for update in history)

    parameters = list(by_hand.parameters())
    descent = TorchOptimizer(torch.optim.SGD(parameters))
    shares = shares_by_hand(by_hand, number, fast_envs)
    done = 0
    for update in history:
        together = together_by_hand(by_hand, shares, min(5, -(-(steps - done) // (2 * number))))
        loss = a2c_loss(*together)
        gradients, norm = clip_gradients(torch.autograd.grad(loss.total, parameters), 0.5)
        descent.step(gradients, 0.05)
        done += len(together[0])
        assert update.steps == done
        assert update.gradient_norm == pytest.approx(norm, rel=1e-4)
        assert update.policy_loss == pytest.approx(loss.policy.item(), rel=1e-3, abs=1e-5)
        assert update.value_loss == pytest.approx(loss.value.item(), rel=1e-4)
        assert update.entropy == pytest.approx(loss.entropy.item(), rel=1e-4)
    torch.testing.assert_close(flat(model), flat(by_hand), rtol=1e-3, atol=1e-5)


def test_another_seed_is_another_run_and_every_environment_is_told_apart():
    runs = []
    for seed in 0, 1:
        options = config(total_steps=2000, seed=seed)
        with parallel_a2c.train(network(), "CartPole-v1", options) as training:
            runs.append([episode for update in training for episode in update.episodes])
    assert runs[0] != runs[1]
    for episodes in runs:
        assert {episode.env for episode in episodes} == {0, 1, 2, 3}


def test_it_goes_on_from_its_state_every_worker_with_the_statistics_of_before():
    """By hand: three more updates of all environments, with RMSProp as the first run left it."""
    with parallel_a2c.train(network(), "CartPole-v1", config()) as training:
        list(training)
    state = training.state_dict()
    assert (state["steps"], state["updates"]) == (400, 20)
    options = config(total_steps=460, anneal=False, learning_rate=0.01)
    model, by_hand = network(), network()
    with parallel_a2c.train(model, "CartPole-v1", options, resume=state) as training:
        assert [update.steps for update in training] == [420, 440, 460]
    by_hand.load_state_dict(state["model"])
    optimizer = options.make_optimizer(by_hand.parameters())
    optimizer.load_state_dict(state["optimizer"])
    shares = shares_by_hand(by_hand, workers=2, steps=400)
    for _ in range(3):
        loss = a2c_loss(*together_by_hand(by_hand, shares, t_max=5)).total
        gradients, _ = clip_gradients(torch.autograd.grad(loss, list(by_hand.parameters())), 0.5)
        optimizer.step(gradients, 0.01)
    torch.testing.assert_close(flat(model), flat(by_hand), rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="lacks"):
        parallel_a2c.train(model, "CartPole-v1", options, resume={"model": {}})


def test_a_state_is_of_one_update_however_far_the_workers_are():
    options = {"anneal": False, "optimizer": "adam"}
    with parallel_a2c.train(
        network(), "CartPole-v1", config(total_steps=10**9, **options)
    ) as training:
        for _ in range(5):
            next(training)
        under_way = training.state_dict()
    closed = training.state_dict()
    assert (training.steps, training.updates) == (closed["steps"], closed["updates"])
    assert closed["steps"] >= under_way["steps"] >= 100
    for state in under_way, closed:
        assert state["steps"] == 20 * state["updates"]
        model = network()
        with parallel_a2c.train(
            model, "CartPole-v1", config(total_steps=state["steps"], **options)
        ) as training:
            list(training)
        again = training.state_dict()
        for name, theta in state["model"].items():
            assert torch.equal(theta, again["model"][name])
        for name, tensors in state["optimizer"].items():
            assert all(map(torch.equal, tensors, again["optimizer"][name]))


def test_a_budget_that_is_spent_and_one_smaller_than_a_rollout():
    with parallel_a2c.train(network(), "CartPole-v1", config(total_steps=3, t_max=20)) as training:
        assert [update.steps for update in training] == [4]
    state = training.state_dict()
    with parallel_a2c.train(
        network(), "CartPole-v1", config(total_steps=4), resume=state
    ) as training:
        assert list(training) == []
        assert training.pids == {}


class Broken(Counting):
    """Pays what is no number, late."""

    def step(self, action):
        observation, _, terminated, truncated, info = super().step(action)
        return observation, float("nan"), terminated, truncated, info


def test_what_is_not_finite_is_never_applied():
    model = network(Broken)
    before = flat(model).clone()
    with (
        pytest.raises(FloatingPointError, match="loss is nan"),
        parallel_a2c.train(model, Broken, config()) as training,
    ):
        list(training)
    assert torch.equal(flat(model), before)
    assert training.pids == {}


def test_a_killed_worker_is_noticed_and_the_others_end():
    model = network()
    with parallel_a2c.train(model, "CartPole-v1", config(total_steps=10**9)) as training:
        pids = list(training.pids.values())
        next(training)
        os.kill(pids[1], signal.SIGKILL)
        with pytest.raises(WorkerError, match="worker 1 was killed by SIGKILL"):
            list(training)
    assert_all_end(pids)
    assert_finite(model)


def test_closed_in_the_middle_no_process_is_left_and_the_model_is_ones_own():
    model = network()
    with parallel_a2c.train(model, "CartPole-v1", config(total_steps=10**9)) as training:
        pids = list(training.pids.values())
        next(training)
        assert all(map(alive, pids))
    assert_soon(lambda: not any(map(alive, pids)))
    assert list(training) == []
    assert_finite(model)
    assert not any(theta.is_shared() for theta in model.parameters())


def fails(*_):
    raise OSError("no process can be started")


class Impatient:
    """No processes, and an interrupt where they are to be ended."""

    def __init__(self, *_):
        pass

    def close(self):
        raise KeyboardInterrupt


def test_the_model_is_ones_own_again_whatever_happens(monkeypatch):
    monkeypatch.setattr(parallel_a2c, "Team", fails)
    model = network()
    with pytest.raises(OSError, match="no process"):
        parallel_a2c.train(model, "CartPole-v1", config())
    assert not any(theta.is_shared() for theta in model.parameters())
    monkeypatch.setattr(parallel_a2c, "Team", Impatient)
    training = parallel_a2c.train(model, "CartPole-v1", config())
    assert all(theta.is_shared() for theta in model.parameters())
    with pytest.raises(KeyboardInterrupt):
        training.close()
    assert not any(theta.is_shared() for theta in model.parameters())
    training.close()


def test_where_a_network_does_not_fit_no_environment_is_left_open():
    made = []

    def world():
        made.append(Closing())
        return made[-1]

    model = ActorCritic(Counting().observation_space, gym.spaces.Discrete(3))
    options = config(num_envs=2, num_workers=1)
    optimizer = options.make_optimizer(model.parameters())
    shared = parallel_a2c.Shared(model, optimizer, torch.zeros(3), None, None, [], [])
    link = SimpleNamespace(rank=0)
    with pytest.raises(ValueError, match=r"has the shape \(2, 2\) here; got \(2, 3\)"):
        parallel_a2c.Worker(link, shared, world, options, n_step_returns, a2c_loss)
    assert [env.closed for env in made] == [True, True]


class Closing(Counting):
    closed = False

    def close(self):
        self.closed = True


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"num_workers": 0}, "got 0"),
        ({"num_workers": 3}, "divides num_envs, 4; got 3"),
        ({"device": "meta"}, "device .meta. cannot be used"),
    ],
)
def test_options_that_make_no_sense(wrong, said):
    with pytest.raises(ValueError, match=said):
        config(**wrong)
