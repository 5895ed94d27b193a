"""Workers and their schedules, in one process. What processes do besides is tested in
test_workers.py; what A3C's workers learn, in test_a3c.py."""

import math
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import NamedTuple

import gymnasium as gym
import numpy as np
import pytest
import torch
from scripted import Counting, Paying
from torch import Tensor, nn

from a3c_lib import a2c, a3c, hogwild
from a3c_lib.hogwild import HogwildTraining, Shared, Worker, in_a_process, seeing
from a3c_lib.lessons import Lesson
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.restoring import rollout_from
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import Episode, make_envs
from a3c_lib.training import gradients_of
from a3c_lib.workers import WorkerError
from a3c_lib.worlds.exact import action_values, optimal_values

in_turn = partial(a3c.Config, schedule="round-robin", total_steps=200, t_max=5)


def network(kind=ActorCritic, env="CartPole-v1", **options):
    return kind.for_env(gym.make(env), seed=0, hidden=(8,), **options)


def trained(config):
    model = network()
    with a3c.train(model, "CartPole-v1", config) as training:
        history = list(training)
    return list(model.parameters()), history


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
    config = config or in_turn()
    method = a3c.Method(n_step_returns, a2c_loss, config.gamma)
    return Worker(rank, shared, model or network(), make_env, config, method)


def shared_by(num_workers, model=None, config=None):
    model = model or network()
    parameters, buffers = list(model.parameters()), list(model.buffers())
    optimizer = (config or in_turn()).make_optimizer(parameters)
    slots = torch.zeros(2, num_workers, dtype=torch.int64)
    return Shared(parameters, buffers, [], optimizer, *slots, nullcontext())


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
    first = [worker_of(shared, rank).player.position.observation for rank in range(3)]
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[1], first[2])
    draws = [torch.rand(1, generator=worker_of(shared, rank).player.generator) for rank in range(3)]
    assert len({draw.item() for draw in draws}) == 3


class Contended:
    """A lock for which another worker waits too: it makes an update before each of ours, and one
    as soon as we let go."""

    def __init__(self, shared):
        self.shared = shared

    def __enter__(self):
        somebody_changes(self.shared)
        self.shared.updates[1] += 1

    def __exit__(self, *_):
        self.__enter__()


def test_with_a_lock_the_lag_is_of_what_changed_between_reading_and_changing():
    """One update as soon as θ has been read, one just before it is changed, and no other."""
    shared = shared_by(2)
    worker = worker_of(shared._replace(lock=Contended(shared)))
    worker.begin()
    assert worker.finish().policy_lag == 2
    assert shared.updates.tolist() == [1, 4]


# ---- another method: one-step Q-learning, with a table and a target network ----


class Table(nn.Module):
    """Q(s, a) of the corridor's four states."""

    def __init__(self):
        super().__init__()
        self.Q = nn.Parameter(torch.zeros(4, 2))

    def forward(self, observations):
        return self.Q[observations]


class QLoss(NamedTuple):
    total: Tensor
    squared: Tensor  # mean (target − Q)²


class QUpdate(NamedTuple):
    """Another trainer's: it has no policy_loss, no value_loss and no entropy."""

    steps: int
    updates: int
    episodes: tuple[Episode, ...]
    squared: float
    explained_variance: float
    gradient_norm: float
    learning_rate: float
    worker: int
    policy_lag: int


@dataclass(frozen=True)
class OneStepQ:
    """r + γ max_a Q(s′, a; θ⁻); a worker acts with θ itself, and with an ε of its own."""

    epsilons: tuple[float, ...] = (1.0, 0.5, 0.2)
    gamma: float = 0.9
    period: int = 18  # steps from one θ⁻ ← θ to the next
    make_update: type[QUpdate] = QUpdate

    def policy(self, worker):
        epsilon, dice = self.epsilons[worker.rank], worker.player.generator

        @torch.no_grad()
        def policy(observation, state):
            best = worker.shared_model(observation).argmax(dim=-1)
            any_one = torch.randint(2, best.shape, generator=dice)
            explores = torch.rand(best.shape, generator=dice) < epsilon
            return torch.where(explores, any_one, best), state

        return policy

    def lesson(self, worker, played):
        rollout, model = played.rollout, worker.shared_model
        Q = model(rollout.observations).gather(-1, rollout.actions[..., None]).squeeze(-1)
        with torch.no_grad():
            after = worker.target(rollout.next_observations).amax(dim=-1)
        targets = rollout.rewards + self.gamma * after * ~rollout.terminated
        squared = (targets - Q).square().mean()
        gradients = gradients_of(squared, list(model.parameters()))
        loss = QLoss(squared, squared.detach())
        return Lesson(gradients, loss, targets.flatten(), Q.detach().flatten(), rollout.episodes)

    @torch.no_grad()
    def counted(self, shared, before, after):
        if after // self.period > before // self.period:
            for theirs, theta in zip(shared.target, shared.parameters, strict=True):
                theirs.copy_(theta)


def learning_Q(total_steps, resume=None, schedule="round-robin", **options):
    config = hogwild.Config(
        total_steps=total_steps,
        t_max=5,
        num_workers=3,
        schedule=schedule,
        optimizer="momentum",
        decay=0.0,
        learning_rate=1.0,
        anneal=False,
        max_grad_norm=math.inf,
        **options,
    )
    return HogwildTraining(
        Table(), "a3c_lib/Corridor-v0", config, OneStepQ(), resume, target=Table()
    )


def test_another_method_needs_no_other_workers():
    """Q* of the corridor, of which every step is certain, to the last few digits."""
    with learning_Q(total_steps=10_000) as training:
        history = list(training)
    mdp = gym.make("a3c_lib/Corridor-v0").unwrapped.mdp
    exact = action_values(mdp, optimal_values(mdp, gamma=0.9), gamma=0.9)[:3].float()
    torch.testing.assert_close(training.model.Q.detach()[:3], exact, rtol=0, atol=1e-3)
    torch.testing.assert_close(training.target.Q.detach()[:3], exact, rtol=0, atol=1e-3)
    assert type(history[0]) is QUpdate
    assert history[-1].steps == 10_000
    assert history[-1].squared < 1e-6 < max(update.squared for update in history)


def test_each_worker_explores_as_its_rank_says():
    """Once every greedy action is to the right, the shortest way pays most: whose ε is 0.2 needs
    the fewest steps."""
    with learning_Q(total_steps=10_000) as training:
        history = list(training)[1_000:]
    steps = [
        np.mean([e.length for u in history if u.worker == rank for e in u.episodes])
        for rank in range(3)
    ]
    assert steps[0] > steps[1] + 1 > steps[2] + 2
    assert steps[2] < 4


def test_a_method_is_told_of_every_step_that_is_counted():
    """θ⁻ ← θ at every multiple of 18 steps, and at no other time."""
    with learning_Q(total_steps=300) as training:
        copies = 0
        before, kept = 0, training.target.Q.clone()
        for update in training:
            due = update.steps // 18 > before // 18
            expected = training.model.Q if due else kept
            assert torch.equal(training.target.Q, expected)
            before, kept = update.steps, training.target.Q.clone()
            copies += due
    assert copies == 300 // 18


def test_workers_act_with_the_target_that_is_shared_and_with_the_shared_parameters():
    with learning_Q(total_steps=300) as training:
        next(training)
        (worker, *_) = training._schedule.workers
        with torch.no_grad():
            training.model.Q += 1
            training.target.Q += 2
        assert torch.equal(worker.shared_model.Q, training.model.Q)
        assert torch.equal(worker.target.Q, training.target.Q)
        assert not torch.equal(worker.model.Q, training.model.Q)


def test_a_run_with_a_target_goes_on_bit_for_bit():
    with learning_Q(total_steps=600) as whole:
        history = list(whole)
    with learning_Q(total_steps=600) as training:
        begun = list(islice(training, 61))
        state = training.state_dict()
        kept = state["target"]["Q"].clone()
        list(islice(training, 20))
    assert torch.equal(state["target"]["Q"], kept)  # a copy
    with learning_Q(total_steps=600, resume=state) as resumed:
        assert resumed.restored
        assert torch.equal(resumed.target.Q, kept)
        assert repr(begun + list(resumed)) == repr(history)
    assert torch.equal(resumed.model.Q, whole.model.Q)
    assert torch.equal(resumed.target.Q, whole.target.Q)


def test_a_state_without_its_target_is_refused():
    with learning_Q(total_steps=60) as training:
        state = training.state_dict()
    del state["target"]
    with pytest.raises(ValueError, match=r"it lacks \['target'\]"):
        learning_Q(total_steps=60, resume=state)


def test_processes_share_the_target():
    """Each worker adds to one θ, and whoever is at a multiple copies it to one θ⁻."""
    with learning_Q(total_steps=3_000, schedule="processes") as training:
        assert all(theirs.is_shared() for theirs in training.shared.target)
        assert not training.target.Q.any()
        history = list(training)
    assert {update.worker for update in history} == {0, 1, 2}
    assert training.model.Q[2, 1].item() == pytest.approx(1, abs=0.01)
    assert training.target.Q[2, 1].item() == pytest.approx(1, abs=0.01)
    assert not training.target.Q.is_shared()


def test_a_network_can_be_given_other_tensors():
    model = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    tensors = [tensor.clone() for tensor in (*model.parameters(), *model.buffers())]
    other = seeing(model, tensors)
    before = [tensor.clone() for tensor in (*model.parameters(), *model.buffers())]
    for tensor in tensors:
        tensor.add_(1)
    assert all(map(torch.equal, (*other.parameters(), *other.buffers()), tensors))
    assert all(map(torch.equal, (*model.parameters(), *model.buffers()), before))


# ---- what a network keeps besides its parameters ----


class Normed(nn.Module):
    """An actor-critic that looks at its observations through a BatchNorm."""

    def __init__(self):
        super().__init__()
        self.norm, self.heads = nn.BatchNorm1d(1), nn.Linear(1, 3)

    def forward(self, observations):
        seen = self.norm(observations.reshape(-1, 1)).reshape(observations.shape)
        heads = self.heads(seen)
        return heads[..., :2], heads[..., 2]

    def logits(self, observations):
        return self(observations)[0]

    def values(self, observations):
        return self(observations)[1]


def normed():
    torch.manual_seed(0)
    return Normed()


def test_one_worker_hands_back_what_the_synchronous_algorithm_would_have_kept():
    common = {"total_steps": 200, "t_max": 5, "num_envs": 2, "learning_rate": 0.01}
    one, other = normed(), normed()
    with a3c.train(one, Counting, in_turn(num_workers=1, **common)) as training:
        list(training)
    with a2c.train(other, Counting, a2c.Config(fast_envs=False, **common)) as training:
        list(training)
    assert other.norm.num_batches_tracked > 100
    for ours, theirs in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_worker_begins_with_the_running_means_that_are_shared_and_hands_back_its_own():
    """A rollout of 5 steps is 7 batches: 5 to act, 2 to learn."""
    model = normed()
    shared = shared_by(1, model)
    worker = normed_worker(0, shared)
    model.norm.num_batches_tracked.fill_(100)
    worker.begin()
    assert worker.model.norm.num_batches_tracked == 105
    assert model.norm.num_batches_tracked == 100
    worker.finish()
    assert model.norm.num_batches_tracked == 107
    assert torch.equal(model.norm.running_mean, worker.model.norm.running_mean)


def test_processes_hand_back_running_means():
    model = normed()
    config = a3c.Config(total_steps=400, t_max=5, num_workers=2, num_envs=2)
    with a3c.train(model, Counting, config) as training:
        assert all(buffer.is_shared() for buffer in training.shared.buffers)
        list(training)
    assert model.norm.num_batches_tracked >= 7  # a worker's, whose last rollout may be its first
    assert model.norm.running_mean > 0
    assert not model.norm.running_mean.is_shared()


# ---- a worker in a process ----


class SomeLink:
    """Where a worker reports, without a process around it."""

    rank, stopped = 0, False

    def __init__(self):
        self.waited, self.sent, self.was_done = 0, [], 0

    def wait_for_all(self):
        self.waited += 1

    def whole(self):
        return nullcontext()

    def send(self, update):
        self.sent.append(update)

    def done(self):
        self.was_done += 1


def in_shared_memory(model, but=()):
    shared = shared_by(1, model)
    everything = {
        "parameters": shared.parameters,
        "buffers": shared.buffers,
        "target": [torch.zeros(1)],
        "statistics": shared.optimizer.statistics["g"],
    }
    for name, tensors in everything.items():
        for tensor in tensors if name not in but else ():
            tensor.share_memory_()
    return shared._replace(target=everything["target"])


def test_a_worker_in_a_process_reports_until_the_budget_is_spent():
    link, shared, made = SomeLink(), in_shared_memory(normed()), []

    def make_worker(rank, shared):
        made.append(worker_of(shared, rank, in_turn(num_envs=2), Counting, normed()))
        return made[0]

    in_a_process(link, shared, make_worker, total_steps=45)
    assert (link.waited, link.was_done) == (1, 1)
    assert [update["steps"] for update in link.sent] == [10] * 5
    assert made[0].player.closed


@pytest.mark.parametrize("forgotten", ["parameters", "buffers", "target", "statistics"])
def test_what_all_change_has_to_be_in_shared_memory(forgotten):
    shared = in_shared_memory(normed(), but=[forgotten])
    with pytest.raises(AssertionError):
        in_a_process(SomeLink(), shared, normed_worker, total_steps=45)


def test_what_a_worker_has_for_itself_must_not_be():
    def make_worker(rank, shared):
        worker = normed_worker(rank, shared)
        worker.model.share_memory()
        return worker

    with pytest.raises(AssertionError):
        in_a_process(SomeLink(), in_shared_memory(normed()), make_worker, total_steps=45)


def normed_worker(rank, shared):
    return worker_of(shared, rank, in_turn(num_envs=2), Counting, normed())


# ---- states of before ----


@pytest.mark.parametrize("kind", [ActorCritic, RecurrentActorCritic])
def test_the_state_of_a_worker_of_version_0_1_is_read(kind):
    """It had the position in which the rollout under way began, and each observation twice."""
    env, config = "a3c_lib/TMaze-v0", in_turn(num_workers=2)
    whole, resumed = network(kind, env), network(kind, env)
    with a3c.train(whole, env, config) as training:
        list(islice(training, 8))
        state = training.state_dict()
        history = list(training)
    for worker in state["workers"]:
        if worker["under_way"] is not None:
            worker["under_way"] = as_version_0_1(worker["under_way"], worker["world"]["position"])
    with a3c.train(resumed, env, config, resume=state) as training:
        assert training.restored
        assert repr(list(training)) == repr(history)
    assert all(map(torch.equal, resumed.parameters(), whole.parameters()))


def as_version_0_1(under_way, position):
    rollout = rollout_from(under_way["rollout"])
    return {
        "began": {**position, "policy_state": under_way["memory"]},
        "rollout": {
            "observations": rollout.observations,
            "actions": rollout.actions,
            "rewards": rollout.rewards,
            "next_observations": rollout.next_observations,
            "terminated": rollout.terminated,
            "truncated": rollout.truncated,
            "episodes": under_way["rollout"]["episodes"],
        },
        "updates_seen": under_way["updates_seen"],
    }


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


def spoilt(model, step):
    """A step of the optimizer, after which a parameter is no number."""

    def spoiling(gradients, learning_rate):
        step(gradients, learning_rate)
        model.policy_head.bias.data[1] = math.inf

    return spoiling


def test_in_turn_a_step_that_spoils_a_parameter_is_undone_and_no_other_is(monkeypatch):
    """Its gradient is two updates old; those two are counted, and stay."""
    model = network()
    with a3c.train(model, "CartPole-v1", in_turn(num_workers=3)) as training:
        list(islice(training, 4))
        before = [parameter.clone() for parameter in model.parameters()]
        optimizer = training.shared.optimizer
        monkeypatch.setattr(optimizer, "step", spoilt(model, optimizer.step))
        said = r"not finite: policy_head.bias; the parameters are as the last good step left them"
        with pytest.raises(FloatingPointError, match=said):
            next(training)
    assert (training.steps, training.updates) == (20, 4)
    assert all(map(torch.equal, before, model.parameters()))


@pytest.mark.parametrize("lock", [False, True])
def test_so_it_is_in_processes_with_a_lock_and_without_one_all_is_as_it_was_read(lock, monkeypatch):
    """Without one it cannot be known which numbers another worker has spoilt meanwhile."""
    config, model = a3c.Config(total_steps=200, t_max=5, lock=lock), network()
    shared = shared_by(1, model, config)
    worker = worker_of(shared, config=config)
    read = [parameter.clone() for parameter in model.parameters()]
    worker.begin()
    somebody_changes(shared)
    monkeypatch.setattr(shared.optimizer, "step", spoilt(model, shared.optimizer.step))
    said = "as the last good step left them" if lock else "as it had read them before it acted"
    with pytest.raises(FloatingPointError, match=f"the parameters are {said}"):
        worker.finish()
    expected = [parameter + 1 for parameter in read] if lock else read
    assert all(map(torch.equal, expected, model.parameters()))


# ---- the model is its owner's again, whatever happens ----


def is_shared(model):
    return any(tensor.is_shared() for tensor in model.state_dict().values())


@pytest.mark.parametrize(
    ("make_env", "resume", "error"),
    [
        ("CartPole-v1", {"model": {}}, ValueError),
        (make_envs("CartPole-v1"), None, TypeError),
        ("NoSuchWorld-v0", None, gym.error.NameNotFound),
    ],
)
def test_a_training_that_cannot_begin_leaves_the_model_where_it_was(make_env, resume, error):
    model = network()
    with pytest.raises(error):
        a3c.train(model, make_env, a3c.Config(), resume=resume)
    assert not is_shared(model)


def test_so_does_one_whose_workers_cannot_begin(monkeypatch):
    def fails(make_worker, shared, config):
        assert is_shared(model)
        raise OSError("no process can be started")

    monkeypatch.setitem(hogwild.SCHEDULES, "processes", fails)
    model = network()
    with pytest.raises(OSError, match="no process"):
        a3c.train(model, "CartPole-v1", a3c.Config())
    assert not is_shared(model)


def test_and_one_that_is_interrupted_while_it_ends(monkeypatch):
    class Impatient(hogwild.InTurn):
        def close(self):
            super().close()
            raise KeyboardInterrupt

    monkeypatch.setitem(hogwild.SCHEDULES, "processes", Impatient)
    model = network()
    training = a3c.train(model, "CartPole-v1", a3c.Config())
    assert is_shared(model)
    with pytest.raises(KeyboardInterrupt):
        training.close()
    assert not is_shared(model)
    training.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_workers": 0}, "num_workers is at least 1; got 0"),
        ({"schedule": "threads"}, "'processes' or 'round-robin'; got 'threads'"),
        ({"max_restarts": -1}, "max_restarts is at least 0; got -1"),
        ({"lock": True, "max_restarts": 2}, "takes the lock with it.* got 2"),
        ({"t_max": 0}, "t_max is at least 1; got 0"),
        ({"decay": 1.0}, "decay is below 1; got 1.0"),
        ({"gamma": 1.5}, "gamma is at most 1; got 1.5"),
    ],
)
def test_bad_input_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        hogwild.Config(**options)


def test_a_state_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"lacks \['optimizer', 'steps', 'updates'\]"):
        a3c.train(network(), "CartPole-v1", in_turn(), resume={"model": {}})


@pytest.mark.parametrize("steps", [199, 200])
def test_a_worker_that_fails_fails_the_run_while_the_budget_lasts(steps, monkeypatch):
    class Failing(hogwild.InTurn):
        def __next__(self):
            self.shared.steps[0] = steps
            raise WorkerError("worker 1 was killed")

    monkeypatch.setitem(hogwild.SCHEDULES, "round-robin", Failing)
    training = a3c.train(network(), "CartPole-v1", in_turn())
    if steps < 200:
        with pytest.raises(WorkerError, match="worker 1 was killed"):
            next(training)
    else:
        with pytest.warns(RuntimeWarning, match="the budget is spent, but worker 1 was killed"):
            assert list(training) == []
    assert list(training) == []
