"""One-step Q, Sarsa and n-step Q: what workers learn by them. How workers work is tested in
test_hogwild.py and test_workers.py."""

import math
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from scripted import Counting, Scripted
from torch import nn
from torch.utils._pytree import tree_map

from a3c_lib import q_learning
from a3c_lib.actor_critic import WithContext
from a3c_lib.hogwild import Shared, Worker
from a3c_lib.networks import ActorCritic, torso
from a3c_lib.normalising import Normalised
from a3c_lib.playing import Player
from a3c_lib.q_learning import (
    Config,
    NStepQ,
    OneStepQ,
    Sarsa,
    copy_target,
    epsilon_greedy,
    look_back,
    of_actions,
    q_loss,
    train,
)
from a3c_lib.q_networks import QNetwork, RecurrentQNetwork
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import Rollout
from a3c_lib.training import seeds
from a3c_lib.worlds.atari import clipped

METHODS = [OneStepQ, Sarsa, NStepQ]
in_turn = partial(Config, schedule="round-robin", total_steps=200, num_workers=2)
# Plain gradient descent, so that an update is a textbook's.
plain = partial(
    Config,
    schedule="round-robin",
    optimizer="momentum",
    decay=0.0,
    anneal=False,
    max_grad_norm=math.inf,
)
ONE_EPSILON = {"final_epsilons": (0.1,), "epsilon_chances": (1.0,)}
GREEDY = {"first_epsilon": 0.0, "final_epsilons": (0.0,), "epsilon_chances": (1.0,)}


def network(env="CartPole-v1", kind=QNetwork, **options):
    return kind.for_env(gym.make(env), **{"hidden": (8,), "seed": 0, **options})


# ---- on a table: the textbook's update ----

WORLD = {"id": "a3c_lib/Corridor-v0", "length": 4, "slip": 0.2, "reward_noise": 0.5}


class Logged(gym.Wrapper):
    """Keeps what happened in it: s, a, r, s′, terminated, truncated."""

    def __init__(self, env, log):
        super().__init__(env)
        self.log = log

    def reset(self, **options):
        observation, info = self.env.reset(**options)
        self.state = int(observation)
        return observation, info

    def step(self, action):
        observation, *rest, info = self.env.step(action)
        self.log.append((self.state, int(action), float(rest[0]), int(observation), *rest[1:]))
        self.state = int(observation)
        return observation, *rest, info


def table_of():
    model = QNetwork(gym.spaces.Discrete(5), gym.spaces.Discrete(2), hidden=())
    with torch.no_grad():
        model.head.weight.zero_()
    return model


def numbers_of(model):
    """The table (S, A), in double precision."""
    return model.head.weight.detach().T.double().numpy().copy()


def experienced(method, config, model):
    """The log of a training, and the table (S, A) before the first update and after each."""
    log, tables = [], [numbers_of(model)]

    def make_env():
        return Logged(gym.make(**WORLD, max_episode_steps=9), log)

    with train(model, make_env, config, method=method) as training:
        tables += [numbers_of(model) for _ in training]
    return log, tables


def textbook_targets(method, steps, following, frozen, Q, epsilon, gamma):
    """What Q(s, a) of each step is to become.  `following` is the action after the last of them."""
    actions = [step[1] for step in steps[1:]] + [following]
    targets = []
    R = None
    for (_, _, r, after, terminated, truncated), a in reversed(
        list(zip(steps, actions, strict=True))
    ):
        best = max(frozen[after])
        if method is OneStepQ:
            value = best
        elif method is NStepQ:
            value = best if R is None or truncated else R
        elif truncated:
            pi = np.full(2, epsilon / 2)
            pi[np.argmax(Q[after])] += 1 - epsilon
            value = pi @ frozen[after]
        else:
            value = frozen[after][a]
        R = r + (0 if terminated else gamma * value)
        targets.insert(0, R)
    return targets


@pytest.mark.parametrize("t_max", [1, 5])
@pytest.mark.parametrize("method", METHODS)
def test_on_a_table_it_is_the_textbooks_update(method, t_max):
    """Update after update, for hundreds of steps, in double precision and without a network."""
    eta, gamma, period = 0.1 * t_max, 0.9, 30
    config = plain(
        total_steps=600,
        num_workers=1,
        t_max=t_max,
        gamma=gamma,
        learning_rate=eta,
        target_period=period,
        epsilon_steps=300,
        **ONE_EPSILON,
    )
    log, tables = experienced(method, config, table_of())
    assert len(log) == 600
    assert sum(terminated for *_, terminated, _ in log) > 20
    assert sum(truncated and not terminated for *_, terminated, truncated in log) > 20

    Q = np.zeros((5, 2))
    frozen = Q.copy()
    for update, began in enumerate(range(0, 600 - t_max, t_max), start=1):
        steps, following = log[began : began + t_max], log[began + t_max][1]
        epsilon = 1 - 0.9 * min(1, began / 300)
        targets = textbook_targets(method, steps, following, frozen, Q, epsilon, gamma)
        errors = [R - Q[s, a] for R, (s, a, *_) in zip(targets, steps, strict=True)]
        for (s, a, *_), error in zip(steps, errors, strict=True):
            Q[s, a] += 2 * eta / t_max * error  # the gradient of (R − Q)² is −2 (R − Q)
        if (began + t_max) % period == 0:
            frozen = Q.copy()
        np.testing.assert_allclose(tables[update], Q, rtol=0, atol=2e-6)
    assert np.abs(Q).max() > 0.3


@pytest.mark.parametrize("method", METHODS)
def test_a_greedy_worker_does_what_is_worth_most_then(method):
    """Sarsa chooses before θ changes what the others choose after it, but for an episode's first."""
    config = plain(total_steps=400, num_workers=1, t_max=1, learning_rate=0.4, gamma=0.5, **GREEDY)
    log, tables = experienced(method, config, table_of())
    before_and_after_differ = 0
    for k in range(1, len(log)):
        begins = log[k - 1][4] or log[k - 1][5]
        table = tables[k - 1] if method is Sarsa and not begins else tables[k]
        state, action = log[k][:2]
        assert action == np.argmax(table[state])
        before_and_after_differ += np.argmax(tables[k - 1][state]) != np.argmax(tables[k][state])
    assert before_and_after_differ > 3


def test_with_one_step_n_step_q_is_one_step_q():
    """They differ in nothing then, with one worker: bit for bit."""
    for env, kind in ("a3c_lib/Catch-v0", QNetwork), ("a3c_lib/TMaze-v0", RecurrentQNetwork):
        weights, histories = [], []
        for method in OneStepQ, NStepQ:
            model = network(env, kind)
            config = in_turn(num_workers=1, num_envs=2, t_max=1, target_period=30)
            with train(model, env, config, method=method) as training:
                histories.append(repr(list(training)))
            weights.append(list(model.parameters()))
        assert all(map(torch.equal, *weights))
        assert histories[0] == histories[1]


def test_with_more_steps_they_differ():
    ours, theirs = (trained(method, in_turn(num_workers=1))[0] for method in (OneStepQ, NStepQ))
    assert not any(map(torch.equal, ours, theirs))


# ---- one asynchronous worker is the synchronous algorithm ----


def trained(method, config, env="a3c_lib/Catch-v0", **options):
    model = network(env)
    with train(model, env, config, method=method, **options) as training:
        history = list(training)
    return list(model.parameters()), history


def beginning_with(actions, policy):
    """A policy whose first actions are these, where they are not −1."""
    left = [] if actions is None else [actions]

    def other(observation, state):
        action, state = policy(observation, state)
        return (torch.where(left[0] < 0, action, left.pop()) if left else action), state

    return other


def synchronous(method, config, env):
    """The algorithm as a loop, one thread and no workers."""
    model = network(env)
    frozen = deepcopy(model)
    parameters, optimizer = list(model.parameters()), config.make_optimizer(model.parameters())
    player = Player(
        q_learning.hogwild.make_envs(env, config.num_envs), seeds(config.seed, 0), model
    )
    T, chosen = 0, None
    while config.total_steps > T:
        explores = epsilon_greedy(model, config.epsilon(0, T), player.generator)
        policy = beginning_with(chosen, explores)
        rollout = player.play(policy, config.rollout_length(T)).rollout
        q, next_q = look_back(model, rollout)
        _, frozen_q = look_back(frozen, rollout)
        with torch.no_grad():
            best, ended = frozen_q.amax(-1), rollout.ended
            if method is Sarsa:
                epsilon = config.epsilon(0, T)
                explores = torch.rand(config.num_envs, generator=player.generator) < epsilon
                any_one = torch.randint(3, (config.num_envs,), generator=player.generator)
                chosen = torch.where(explores, any_one, next_q[-1].argmax(-1))
                following = torch.cat([rollout.actions[1:], chosen[None]])
                best = frozen_q.gather(-1, following[..., None])[..., 0]
                chosen = torch.where(ended[-1], -1, chosen)
            R = rollout.rewards + config.gamma * best * ~rollout.terminated
            if method is NStepQ:
                T_rows, R, rows = len(R), best[-1], []
                for t in reversed(range(T_rows)):
                    R = rollout.rewards[t] + config.gamma * R * ~rollout.terminated[t]
                    rows.append(R)
                R = torch.stack(rows[::-1])
        values = q.gather(-1, rollout.actions[..., None])[..., 0]
        gradients = torch.autograd.grad((R - values).square().mean(), parameters)
        norm = torch.cat([gradient.flatten() for gradient in gradients]).norm().item()
        scale = min(1.0, config.max_grad_norm / norm)
        assert scale == 1.0  # clipping is tested elsewhere
        optimizer.step(gradients, config.annealed(T))
        before, T = T, T + values.numel()
        if T // config.target_period > before // config.target_period:
            frozen.load_state_dict(model.state_dict())
    return parameters


@pytest.mark.parametrize("method", METHODS)
def test_one_asynchronous_worker_is_the_synchronous_algorithm(method):
    """Bit for bit, with several environments, and a last rollout that the budget cuts short."""
    config = in_turn(
        num_workers=1,
        num_envs=2,
        total_steps=596,
        target_period=70,
        epsilon_steps=300,
        max_grad_norm=100.0,
    )
    ours, history = trained(method, config)
    assert len(history) == 60
    assert all(map(torch.equal, ours, synchronous(method, config, "a3c_lib/Catch-v0")))
    assert not any(map(torch.equal, ours, network("a3c_lib/Catch-v0").parameters()))


# ---- whose parameters ----


def shared_by(num_workers, model, target=None, config=None):
    theta = [*model.parameters()], [*model.buffers()]
    target = target or deepcopy(model)
    frozen = [tensor.detach() for tensor in (*target.parameters(), *target.buffers())]
    optimizer = (config or in_turn()).make_optimizer(theta[0])
    slots = torch.zeros(2, num_workers, dtype=torch.int64)
    return Shared(*theta, frozen, optimizer, *slots, nullcontext())


class Meddling(Counting):
    """Somebody changes θ in its third step."""

    meddle = None

    def step(self, action):
        if self.t == 2:
            self.meddle()
        return super().step(action)


@pytest.mark.parametrize("method", METHODS)
def test_one_step_methods_act_and_learn_with_the_shared_parameters_n_step_q_with_a_copy(method):
    """An action is worth more than the other, until somebody turns that around."""
    world = Meddling(length=100)
    model = QNetwork.for_env(world, hidden=(), seed=0)
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias[:] = torch.tensor([1.0, 0.0])

    @torch.no_grad()
    def meddle():
        model.head.bias[:] = torch.tensor([0.0, 2.0])

    world.meddle = meddle
    config = in_turn(num_workers=1, **GREEDY)
    shared = shared_by(1, model)
    worker = Worker(0, shared, deepcopy(model), lambda: world, config, method(config))
    worker.begin()
    actions = worker.under_way.played.rollout.actions.flatten().tolist()
    assert actions == ([0] * 5 if method is NStepQ else [0, 0, 0, 1, 1])
    values = worker.method.lesson(worker, worker.under_way.played).values.tolist()
    assert values == ([1.0] * 5 if method is NStepQ else [0.0, 0.0, 0.0, 2.0, 2.0])


# ---- terminal, truncated and dummy steps ----


class Pairs(nn.Module):
    """Q(o, ·) = (weight₀ · o, weight₁ · o), so that every observation has values of its own."""

    def __init__(self, *weights):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weights))

    def forward(self, observations):
        return observations * self.weight


class Worlds:
    """Makes vector environments of scripts, in one mode of resetting or the other."""

    def __init__(self, mode):
        self.mode = mode

    def make_envs(self, num_envs):
        assert num_envs == 2
        endings = [(3, "terminated"), (2, "truncated"), (4, "terminated truncated")]
        make = [partial(Scripted, endings), partial(Scripted, endings[::-1], first=1000)]
        return SyncVectorEnv(make, autoreset_mode=self.mode)


@dataclass(frozen=True)
class Recorded:
    """A method whose rollouts and lessons are kept."""

    method: OneStepQ
    kept: list

    def lesson(self, worker, played):
        lesson = self.method.lesson(worker, played)
        self.kept.append((played, lesson))
        return lesson

    def __getattr__(self, name):
        return getattr(self.method, name)


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
@pytest.mark.parametrize("method", METHODS)
def test_ends_are_kept_apart_and_dummy_steps_teach_nothing(method, mode):
    """Every step of two environments, over many rollouts, against what is defined of it."""
    gamma, epsilon = 0.5, 0.25
    # At every observation above 0, θ prefers action 1 and θ⁻ has its own opinion.
    model, target = Pairs(1.0, 2.0), Pairs(-3.0, -5.0)
    config = plain(
        total_steps=300,
        num_workers=1,
        num_envs=2,
        t_max=4,
        gamma=gamma,
        learning_rate=1e-30,
        target_period=10**6,
        first_epsilon=epsilon,
        final_epsilons=(epsilon,),
        epsilon_chances=(1.0,),
    )
    kept = []
    worker = Worker(
        0, shared_by(1, model, target), deepcopy(model), Worlds(mode), config,
        Recorded(method(config), kept),
    )  # fmt: skip
    while worker.shared.step_count < 300:
        worker.begin()
        worker.finish()

    actions = torch.cat([played.rollout.actions for played, _ in kept])
    row, ends, dummies = 0, 0, 0
    for played, lesson in kept[:-1]:
        rollout, after = played.rollout, iter(lesson.returns.tolist())
        shown, real = rollout.next_observations[..., 0], ~rollout.dummies
        expected = {}
        for n in range(2):
            R = None
            for t in reversed(range(len(shown))):
                o = shown[t, n].item()
                best, terminated = max(-3 * o, -5 * o), rollout.terminated[t, n]
                truncated = rollout.truncated[t, n]
                value = best
                if method is NStepQ:
                    value = best if R is None or truncated else R
                if method is Sarsa:
                    a = actions[row + t + 1, n]
                    mean = (1 - epsilon / 2) * -5 * o + epsilon / 2 * -3 * o
                    value = mean if truncated else (-3, -5)[a] * o
                expected[t, n] = R = 0.5 + (0 if terminated else gamma * value)
        for t in range(len(shown)):
            for n in range(2):
                if real[t, n]:
                    assert next(after) == pytest.approx(expected[t, n], rel=1e-5)
        assert next(after, None) is None
        row, ends, dummies = row + len(shown), ends + rollout.ended.sum(), dummies + (~real).sum()
    assert ends > 50
    assert (dummies > 40) == (mode is AutoresetMode.NEXT_STEP)
    assert worker.shared.step_count == sum(lesson.steps for _, lesson in kept)


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_what_sarsa_has_chosen_is_carried_to_the_next_rollout_and_not_past_an_end(mode):
    """Whose policy would now choose the other action does what it said; a new episode asks anew."""
    model = Pairs(1.0, 2.0)
    config = in_turn(num_workers=1, num_envs=2, t_max=2, total_steps=10**6, **GREEDY)
    worker = Worker(0, shared_by(1, model), deepcopy(model), Worlds(mode), config, Sarsa(config))
    went_on = began = 0
    for _ in range(60):
        with torch.no_grad():
            model.weight[:] = torch.tensor([1.0, 2.0])  # chosen is 1, at observations above 0
        worker.begin()
        ended = worker.under_way.played.rollout.ended[-1]
        worker.finish()
        with torch.no_grad():
            model.weight[:] = torch.tensor([2.0, 1.0])  # now it would be 0
        worker.begin()
        for n in range(2):
            if not worker.under_way.played.rollout.dummies[0, n]:
                action = worker.under_way.played.rollout.actions[0, n].item()
                assert action == (0 if ended[n] else 1)
                went_on, began = went_on + int(~ended[n]), began + int(ended[n])
        worker.finish()
        with torch.no_grad():
            worker.player.position = worker.player.position._replace(policy_state=None)
    assert went_on > 20
    # With NEXT_STEP a dummy step comes after an end.
    assert (began > 5) == (mode is AutoresetMode.SAME_STEP)


def check_values_as_acted(model, env, method):
    """A lesson's Q(o_t, a_t) is what the policy saw: its memory goes on from rollout to rollout, and
    is `initial_state` again behind an end."""
    config = in_turn(num_workers=1, num_envs=2, t_max=3, learning_rate=1e-30)
    kept = []
    worker = Worker(
        0, shared_by(1, model), deepcopy(model), env, config, Recorded(method(config), kept)
    )
    for _ in range(12):
        worker.begin()
        worker.finish()
    state = first = model.initial_state(2)
    for played, lesson in kept:
        rollout, rows = played.rollout, []
        for t in range(3):
            q, state = model.q(rollout.observations[t], state)
            rows.append(of_actions(q, rollout.actions[t]))
            state = tree_map(partial(torch.where, rollout.ended[t][:, None]), first, state)
        torch.testing.assert_close(lesson.values, torch.cat(rows).detach())
    assert sum(len(played.rollout.episodes) for played, _ in kept) > 2


@pytest.mark.parametrize("method", METHODS)
def test_a_network_with_memory_looks_back_as_it_acted(method):
    env = "a3c_lib/TMaze-v0"
    model = network(env, RecurrentQNetwork, cells=4)
    check_values_as_acted(model, env, method)


def test_a_target_network_with_memory_knows_what_was_seen_in_earlier_rollouts():
    """It goes on from the memory with which the rollout began, and not from an empty one."""
    env = "a3c_lib/TMaze-v0"
    model = network(env, RecurrentQNetwork, cells=4)
    with torch.no_grad():
        model.head.weight *= 100  # so that it shows
    config = in_turn(num_workers=1, num_envs=2, t_max=3, learning_rate=1e-30)
    kept = []
    method = Recorded(OneStepQ(config), kept)
    worker = Worker(0, shared_by(1, model), deepcopy(model), env, config, method)
    for _ in range(12):
        worker.begin()
        worker.finish()
    state, differs = model.initial_state(2), 0.0
    for played, lesson in kept:
        rollout, rows = played.rollout, []
        for t in range(3):
            _, state = model.q(rollout.observations[t], state)
            best = model.values(rollout.next_observations[t], state)
            rows.append(rollout.rewards[t] + config.gamma * best * ~rollout.terminated[t])
            afresh = model.values(rollout.next_observations[t], model.initial_state(2))
            differs = max(differs, (best - afresh).abs().max().item())
            state = tuple(part.masked_fill(rollout.ended[t][:, None], 0) for part in state)
        torch.testing.assert_close(lesson.returns, torch.cat(rows).detach())
    assert differs > 0.01


class Remembering(nn.Module):
    """Somebody's Q(o_0 … o_t, a): its memory is one tensor, and begins with what is no zero."""

    def __init__(self, env, cells=4):
        super().__init__()
        self.first = nn.Parameter(torch.linspace(-1, 1, cells))
        self.torso, width = torso(env.observation_space, hidden=(8,))
        self.gru, self.head = nn.GRUCell(width, cells), nn.Linear(cells, int(env.action_space.n))

    def initial_state(self, num_envs):
        return self.first.expand(num_envs, -1)

    def q(self, observations, state):
        memory = self.gru(self.torso(observations), state)
        return self.head(memory), memory

    def unroll(self, rollout, state):
        state, now, following = state.detach(), [], []
        for t, anew in enumerate(rollout.ended | rollout.dummies):
            q, state = self.q(rollout.observations[t], state)
            now.append(q)
            following.append(self.q(rollout.next_observations[t], state)[0].detach())
            state = torch.where(anew[:, None], self.initial_state(len(anew)), state)
        return torch.stack(now), torch.stack(following)


@pytest.mark.parametrize("method", METHODS)
def test_a_memory_begins_every_episode_as_the_network_says(method):
    env = "a3c_lib/TMaze-v0"
    model = Remembering(gym.make(env))
    check_values_as_acted(model, env, method)


@pytest.mark.parametrize("method", METHODS)
def test_what_a_network_measures_of_what_it_sees_is_handed_back(method):
    model = network(make_encoder=Normalised)
    config = in_turn(num_workers=1, num_envs=2)
    with train(model, "CartPole-v1", config, method=method) as training:
        for update in training:
            assert model.torso[0].count == update.steps
    assert 0 < model.torso[0].variance.min() < 0.9  # at first it is 1


# ---- the network with which targets are computed ----


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("num_workers", [1, 3])
def test_in_turn_the_target_is_copied_at_the_marks_and_at_no_other_time(method, num_workers):
    config = in_turn(num_workers=num_workers, total_steps=300, target_period=18)
    model = network("a3c_lib/Corridor-v0", hidden=())
    with train(model, "a3c_lib/Corridor-v0", config, method=method) as training:
        before, kept, copies = 0, training.target.head.weight.clone(), []
        assert training.target is not model
        for update in training:
            due = update.steps // 18 > before // 18
            expected = model.head.weight if due else kept
            assert torch.equal(training.target.head.weight, expected)
            before, kept = update.steps, training.target.head.weight.clone()
            copies += [update.steps] * due
    assert copies == [-(-mark // 5) * 5 for mark in range(18, 301, 18)]


def test_a_target_that_is_copied_is_no_second_name_for_the_network():
    model = network("a3c_lib/Corridor-v0")
    with train(model, "a3c_lib/Corridor-v0", in_turn(target_period=10**6)) as training:
        before = [tensor.clone() for tensor in training.target.parameters()]
        list(training)
        assert all(map(torch.equal, training.target.parameters(), before))
        assert not any(map(torch.equal, training.target.parameters(), model.parameters()))


def test_what_else_a_network_keeps_is_copied_too():
    model, target = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    with torch.no_grad():
        model.weight += 3
        model.running_mean += 5
    copy_target(shared_by(1, model, target))
    assert all(map(torch.equal, target.state_dict().values(), model.state_dict().values()))


@dataclass(frozen=True)
class Logging(OneStepQ):
    """Writes down between which counts it was called, and whether it copied."""

    path: str = ""

    def counted(self, shared, before, after):
        with patch.object(q_learning, "copy_target", wraps=copy_target) as copies:
            OneStepQ.counted(self, shared, before, after)
        with Path(self.path).open("a") as file:
            file.write(f"{before} {after} {copies.call_count}\n")


def test_processes_miss_no_copy(tmp_path):
    """Whoever brings T past a mark copies, whatever others do at that moment."""
    path, model = tmp_path / "log", network("a3c_lib/Corridor-v0", hidden=())
    config = Config(total_steps=900, t_max=3, num_workers=3, target_period=7)
    method = partial(Logging, path=str(path))
    with train(model, "a3c_lib/Corridor-v0", config, method=method) as training:
        assert all(theirs.is_shared() for theirs in training.shared.target)
        assert {update.worker for update in training} == {0, 1, 2}
        steps = training.steps
    calls = [tuple(map(int, line.split())) for line in path.read_text().splitlines()]
    assert len(calls) == training.updates
    for mark in range(7, steps + 1, 7):
        assert any(copied and before < mark <= after for before, after, copied in calls)
    for before, after, copied in calls:
        assert copied == (after // 7 > before // 7)
    assert training.target.head.weight.isfinite().all()
    assert not training.target.head.weight.is_shared()


# ---- exploring ----


def test_a_policy_explores_with_probability_epsilon_and_each_action_alike():
    model = Pairs(1.0, 3.0, 2.0)
    seen = torch.ones(30_000, 1)
    for epsilon in 0.0, 0.3, 1.0:
        policy = epsilon_greedy(model, epsilon, torch.Generator().manual_seed(0))
        actions, state = policy(seen, None)
        shares = torch.bincount(actions, minlength=3) / len(seen)
        expected = torch.tensor([epsilon / 3, 1 - epsilon + epsilon / 3, epsilon / 3])
        torch.testing.assert_close(shares, expected, rtol=0, atol=0.01)
        assert state is None


def test_environments_explore_apart_from_each_other():
    policy = epsilon_greedy(Pairs(1.0, 3.0), 0.5, torch.Generator().manual_seed(0))
    rows = torch.stack([policy(torch.ones(2, 1), None)[0] for _ in range(200)])
    assert 0.1 < (rows[:, 0] != rows[:, 1]).float().mean() < 0.6


def test_workers_come_down_to_one_of_three_epsilons_as_often_as_it_says():
    config = Config(epsilon_steps=100)
    finals = [config.epsilon(rank, 100) for rank in range(3_000)]
    for epsilon, chance in (0.1, 0.4), (0.01, 0.3), (0.5, 0.3):
        share = np.mean([final == pytest.approx(epsilon) for final in finals])
        assert share == pytest.approx(chance, abs=0.03)
    other = [Config(seed=1, epsilon_steps=100).epsilon(rank, 100) for rank in range(100)]
    assert other != finals[:100]


def test_epsilon_comes_down_in_the_steps_of_all_workers():
    config = in_turn(num_workers=3, epsilon_steps=100, total_steps=300)
    seen = []

    class Noting(OneStepQ):
        def policy(self, worker):
            seen.append((worker.rank, worker.shared.step_count, self.epsilon(worker)))
            return super().policy(worker)

    trained(Noting, config)
    finals = [config.epsilon(rank, 10**6) for rank in range(3)]
    for rank, steps, epsilon in seen:
        assert epsilon == pytest.approx(1 + min(1, steps / 100) * (finals[rank] - 1))
    assert {steps for _, steps, _ in seen} > {0, 50, 100, 200}


# ---- a trainer like the others ----


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", [QNetwork, RecurrentQNetwork])
def test_in_turn_it_goes_on_bit_for_bit(method, kind):
    """Between any two updates, with what Sarsa has chosen, and the target as it was."""
    env = "a3c_lib/TMaze-v0"
    config = in_turn(t_max=3, num_envs=2, total_steps=240, target_period=25)
    whole = network(env, kind)
    states = []
    with train(whole, env, config, method=method) as training:
        history = []
        for update in training:
            history.append(update)
            states.append(training.state_dict())
    for stop in (1, 2, 17, 30):
        model = network(env, kind)
        with train(model, env, config, method=method, resume=states[stop - 1]) as training:
            assert training.restored
            assert repr(history[:stop] + list(training)) == repr(history)
        assert all(map(torch.equal, model.parameters(), whole.parameters()))


def test_a_state_without_its_target_is_refused():
    with train(network(), "CartPole-v1", in_turn()) as training:
        state = training.state_dict()
    del state["target"]
    with pytest.raises(ValueError, match=r"it lacks \['target'\]"):
        train(network(), "CartPole-v1", in_turn(), resume=state)


def test_targets_may_be_others():
    """Of zero: the loss is Q², whatever was paid."""

    def nothing(rewards, *_):
        return torch.zeros_like(rewards)

    for method in METHODS:
        _, history = trained(method, in_turn(learning_rate=1e-30), targets=nothing)
        assert all(update.value_loss < 1e-3 for update in history)
        _, history = trained(method, in_turn(learning_rate=1e-30))
        assert max(update.value_loss for update in history) > 0.1


@pytest.mark.parametrize("method", METHODS)
def test_what_an_update_reports(method):
    _, history = trained(method, in_turn(total_steps=60))
    assert [update.steps for update in history] == [5 * k for k in range(1, 13)]
    assert [update.worker for update in history[:4]] == [0, 1, 0, 1]
    assert {episode.length for update in history for episode in update.episodes} == {9}
    assert abs(history[0].q) < 0.05
    assert history[0].value_loss >= 0


@pytest.mark.learning
@pytest.mark.parametrize("method", METHODS)
def test_it_finds_the_way_out_of_a_corridor(method):
    model = table_of()
    config = plain(
        total_steps=2_000,
        num_workers=3,
        gamma=0.9,
        learning_rate=0.3,
        target_period=20,
        epsilon_steps=1_000,
        **ONE_EPSILON,
    )
    make_env = partial(gym.make, "a3c_lib/Corridor-v0", length=4)
    with train(model, make_env, config, method=method) as training:
        list(training)
    assert model(torch.arange(4)).argmax(dim=-1).tolist() == [1, 1, 1, 1]


# ---- small things ----


def test_the_loss_is_the_mean_square_and_no_gradient_flows_into_returns():
    values = torch.tensor([[1.0, 4.0]], requires_grad=True)
    returns = torch.tensor([[3.0, 3.0]], requires_grad=True)
    loss = q_loss(values, returns)
    assert (loss.total.item(), loss.value.item(), loss.q.item()) == (2.5, 2.5, 2.5)
    gradients = torch.autograd.grad(loss.total, [values, returns], allow_unused=True)
    assert gradients[0].tolist() == [[-2.0, 1.0]]
    assert gradients[1] is None


def test_next_values_are_those_of_what_was_shown_and_constants():
    seen, shown = (
        torch.tensor([[[1.0]], [[2.0]], [[9.0]]]),
        torch.tensor([[[2.0]], [[5.0]], [[7.0]]]),
    )
    no, end = torch.zeros(3, 1, dtype=torch.bool), torch.tensor([[False], [True], [False]])
    rollout = Rollout.of(seen, no.long(), no.float(), shown, end, no)
    q, next_q = look_back(Pairs(1.0, 2.0), rollout)
    assert q.tolist() == [[[1.0, 2.0]], [[2.0, 4.0]], [[9.0, 18.0]]]
    assert next_q.tolist() == [[[2.0, 4.0]], [[5.0, 10.0]], [[7.0, 14.0]]]
    assert q.requires_grad
    assert not next_q.requires_grad


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"values \(3, 1\), returns \(3,\)"):
        q_loss(torch.zeros(3, 1), torch.zeros(3))
    with pytest.raises(ValueError, match=r"q \(3, 1, 2\) must be the shape of actions \(3,\)"):
        of_actions(torch.zeros(3, 1, 2), torch.zeros(3, dtype=torch.int64))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_period": 0}, "target_period is at least 1; got 0"),
        ({"epsilon_steps": 0}, "epsilon_steps is at least 1; got 0"),
        ({"first_epsilon": 1.5}, "first_epsilon is at most 1; got 1.5"),
        ({"final_epsilons": (0.1, -0.1, 0.5)}, "final_epsilons are .*at least 0; got .*-0.1"),
        ({"epsilon_chances": (0.4, math.nan, 0.3)}, "epsilon_chances are .*at least 0; got .*nan"),
        ({"final_epsilons": (0.1,)}, r"one number for each of final_epsilons \(0.1,\); got \(0.4,"),
        ({"epsilon_chances": (0.4, 0.3, 0.1)}, r"epsilon_chances add up to 1; got \(0.4, 0.3"),
        ({"num_workers": 0}, "num_workers is at least 1; got 0"),
    ],
)
def test_bad_input_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options)


@pytest.mark.parametrize("method", METHODS)
def test_targets_that_ask_for_a_context_are_refused(method):
    """Before any worker begins; and wherever somebody else would call them without one."""
    targets = WithContext(lambda *_: None)
    said = "trainers that hand over the Context, as a2c, a3c, parallel_a2c and actor_critic do"
    for each in targets, clipped(targets):
        with pytest.raises(TypeError, match=said):
            train(network(), "CartPole-v1", Config(), method=method, targets=each)
        with pytest.raises(TypeError, match=said):
            each(*torch.zeros(5))


@pytest.mark.parametrize("kind", [ActorCritic, RecurrentActorCritic])
def test_an_actor_critic_is_no_network_of_action_values(kind):
    model = network(kind=kind)
    with pytest.raises(TypeError, match=rf"Q \(\*B, A\), as a QNetwork does; got {kind.__name__}"):
        train(model, "CartPole-v1", in_turn())


def test_n_step_targets_are_chapter_02s():
    assert NStepQ.targets is n_step_returns
