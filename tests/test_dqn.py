"""DQN, Double DQN, n steps, dueling networks, priorities: what they learn, alone and together. What
a replay memory draws is tested in test_replay.py."""

import itertools
import math
from dataclasses import replace
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from scripted import Scripted
from torch import nn

from a3c_lib import dqn, q_learning
from a3c_lib.actor_critic import WithContext
from a3c_lib.app import checkpoints
from a3c_lib.dqn import (
    Config,
    Dueling,
    DuelingQNetwork,
    double_values,
    lesson_of,
    max_values,
    next_values,
    train,
    weighted_loss,
)
from a3c_lib.evaluation import evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.q_learning import of_actions, q_loss
from a3c_lib.q_networks import QNetwork, RecurrentQNetwork
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.replay import Drawn, PrioritizedReplayMemory, ReplayMemory
from a3c_lib.rollout import Rollout, collect, start
from a3c_lib.worlds.atari import Game, clipped

small = partial(Config, total_steps=200, capacity=60, batch_size=8, warm_up=20, target_period=30)
# Plain gradient descent, so that an update is a textbook's.
plain = partial(
    small, optimizer="momentum", decay=0.0, max_grad_norm=math.inf, total_steps=600, gamma=0.9
)
SWITCHES = {"n_steps": 3, "double": True, "dueling": True, "prioritized": True, "error": "huber"}
ALONE = [{}, *({name: on} for name, on in SWITCHES.items()), SWITCHES]


def network(config=None, env="a3c_lib/Catch-v0", **options):
    kind = QNetwork if config is None else config.network
    return kind.for_env(gym.make(env), **{"hidden": (8,), "seed": 0, **options})


def trained(config, env="a3c_lib/Catch-v0", model=None, **options):
    model = network(config, env) if model is None else model
    with train(model, env, config, **options) as training:
        history = list(training)
    return list(model.parameters()), history


# ---- with a memory of one rollout it is one-step Q-learning ----


def one_step_q(config, model, env):
    """Chapter 08's, by one worker in turn, with the target network copied after every update."""
    its = q_learning.Config(
        schedule="round-robin",
        num_workers=1,
        final_epsilons=(config.final_epsilon,),
        epsilon_chances=(1.0,),
        **{
            name: getattr(config, name)
            for name in (
                *("total_steps", "gamma", "learning_rate", "seed", "t_max", "num_envs", "anneal"),
                *("max_grad_norm", "optimizer", "target_period", "first_epsilon", "epsilon_steps"),
            )
        },
    )
    with q_learning.train(model, env, its) as training:
        return list(training)


@pytest.mark.parametrize(
    ("env", "t_max", "hidden"),
    [("a3c_lib/Catch-v0", 1, (8,)), ("CartPole-v1", 1, (8,)), ("a3c_lib/Corridor-v0", 5, ())],
)
@pytest.mark.parametrize("prioritized", [False, True])
def test_with_a_memory_of_one_rollout_it_is_one_step_q_bit_for_bit(env, t_max, hidden, prioritized):
    """Capacity and batch of one rollout, θ⁻ = θ: all is drawn once, in order, and weighs 1."""
    config = Config(
        total_steps=800,
        t_max=t_max,
        num_envs=8,
        capacity=8 * t_max,
        batch_size=8 * t_max,
        warm_up=0,
        target_period=1,
        epsilon_steps=500,
        prioritized=prioritized,
        max_grad_norm=1.0,
    )
    ours, theirs = network(env=env, hidden=hidden), network(env=env, hidden=hidden)
    _, history = trained(config, env, ours)
    expected = one_step_q(config, theirs, env)
    assert all(map(torch.equal, ours.parameters(), theirs.parameters()))
    assert not torch.equal(ours.head.weight, network(env=env, hidden=hidden).head.weight)
    for name in "steps", "updates", "episodes", "value_loss", "q", "gradient_norm":
        assert [getattr(update, name) for update in history] == [
            getattr(update, name) for update in expected
        ]
    explained = [[u.explained_variance for u in updates] for updates in (history, expected)]
    np.testing.assert_array_equal(*explained)


# ---- on a table: the textbook's update ----

WORLD = {"id": "a3c_lib/Corridor-v0", "length": 4, "slip": 0.2, "reward_noise": 0.5}


class Logged(gym.Wrapper):
    """Keeps what happened in it: s, a, r, s′, terminated, truncated."""

    def __init__(self, env, logs):
        super().__init__(env)
        self.log = []
        logs.append(self.log)

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


def by_the_textbook(steps, Q, frozen, gamma, n_steps, double):
    """The return of the first of these steps of one environment."""
    R = 0.0
    for k, (_, _, r, after, terminated, truncated) in enumerate(steps):
        R += gamma**k * r
        if terminated:
            return R
        if truncated or k == n_steps - 1:
            best = frozen[after][np.argmax(Q[after])] if double else max(frozen[after])
            return R + gamma ** (k + 1) * best
    raise AssertionError("a step was drawn that has too few after it")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n_steps": 3},
        {"double": True},
        {"error": "huber"},
        {"prioritized": True},
        {"n_steps": 3, "double": True, "error": "huber", "prioritized": True, "draws": 2},
    ],
    ids=str,
)
def test_on_a_table_it_is_the_textbooks_update(options):
    """Update after update, in double precision and without a network, with the priorities and the
    weights of their definition. Which steps are drawn is all that is taken from the memory."""
    model, logs, drawn = table_of(), [], []
    config = plain(
        learning_rate=0.5,
        num_envs=2,
        t_max=3,
        priority_exponent=0.5,
        least_priority=0.25,
        **options,
    )

    def make_env():
        return Logged(gym.make(**WORLD, max_episode_steps=9), logs)

    p, ends = {}, [0, 0]
    with train(model, make_env, config) as training:
        draw, tables = training.memory.draw, [numbers_of(model)]

        def noted(*arguments):
            if drawn:
                tables.append(numbers_of(model))
            drawn.append((draw(*arguments), numbers_of(training.target), arguments, training.steps))
            return drawn[-1][0]

        training.memory.draw = noted
        for _ in training:
            check_updates(training, config, logs, drawn, tables, p, ends)
    assert min(ends) > 20
    assert np.abs(numbers_of(model)).max() > 0.3


def check_updates(training, config, logs, drawn, tables, p, ends):
    """The updates that were made since the last check; then they are forgotten. `p` are priorities
    by the number of a step, and in `ends` the ends that were learned from are counted."""
    N, rows, gamma = config.num_envs, len(logs[0]), config.gamma
    oldest, newest = max(0, rows - config.capacity // N), rows - config.n_steps
    remembered = [row * N + env for row in range(oldest, newest + 1) for env in range(N)]
    largest = max([p[i] for i in remembered if i in p], default=1.0)
    for i in remembered:
        p.setdefault(i, largest)
    tables.append(numbers_of(training.model))
    for (batch, frozen, arguments, before), Q, after in zip(
        drawn, tables, tables[1:], strict=False
    ):
        indices = batch.numbers.tolist()
        assert set(indices) <= set(remembered)
        assert len(indices) == config.batch_size
        weights = np.ones(len(indices))
        if config.prioritized:
            kappa = 0.4 + 0.6 * min(1, before / config.total_steps)
            assert arguments[1] == pytest.approx(kappa)
            P = np.array([p[i] for i in indices]) / sum(p[i] for i in remembered)
            weights = (len(remembered) * P) ** -kappa
            weights /= weights.max()
        np.testing.assert_allclose(batch.weights, weights, rtol=1e-5)
        expected, errors = Q.copy(), []
        for i, w in zip(indices, weights, strict=True):
            steps = logs[i % N][i // N : i // N + config.n_steps]
            s, a, _, _, terminated, truncated = steps[0]
            ends[0] += terminated
            ends[1] += truncated and not terminated
            R = by_the_textbook(steps, Q, frozen, gamma, config.n_steps, config.double)
            delta = R - Q[s, a]
            slope = 2 * delta
            if config.error == "huber":
                slope = 2 * np.clip(delta, -1, 1)
            expected[s, a] += config.learning_rate / len(indices) * w * slope
            errors.append(delta)
        np.testing.assert_allclose(after, expected, rtol=0, atol=3e-6)
        for i, delta in zip(indices, errors, strict=True):
            p[i] = math.sqrt(abs(delta) + 0.25)
    del tables[:-1]
    drawn.clear()


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
@pytest.mark.parametrize("n_steps", [1, 2, 3])
@pytest.mark.parametrize("best", [max_values, double_values])
def test_returns_stop_at_ends_bootstrap_at_limits_and_dummies_teach_nothing(mode, n_steps, best):
    """Every step of two environments with ends of each kind, against what is defined of it."""
    gamma, endings = 0.5, [(3, "terminated"), (2, "truncated"), (4, "terminated truncated")]
    make = [partial(Scripted, endings), partial(Scripted, endings[::-1], first=1000)]
    envs = SyncVectorEnv(make, autoreset_mode=mode)
    # Where θ and θ⁻ disagree which action is the better one.
    model, target = Pairs(1.0, 2.0), Pairs(-3.0, -5.0)
    rollout, _ = collect(envs, lambda seen, _: (torch.tensor([0, 1]), None), start(envs, 0), 40)
    memory = ReplayMemory(80, n_steps=n_steps)
    memory.add(rollout)
    drawn = memory.draw(len(memory))
    lesson = lesson_of(model, target, drawn, gamma, best=best)
    shown, expected = rollout.next_observations[..., 0], []
    for t in range(40 - n_steps + 1):
        for n in range(2):
            R = 0.0
            for k in range(n_steps):
                R += gamma**k * 0.5
                if rollout.terminated[t + k, n]:
                    break
                if rollout.truncated[t + k, n] or k == n_steps - 1:
                    o = shown[t + k, n].item()
                    R += gamma ** (k + 1) * (-5 * o if best is double_values else -3 * o)
                    break
            if not rollout.dummies[t, n]:
                expected.append(R)
    torch.testing.assert_close(lesson.returns, torch.tensor(expected))
    assert rollout.dummies.any() == (mode is AutoresetMode.NEXT_STEP)


class Pairs(nn.Module):
    """Q(o, ·) = (weight₀ · o, weight₁ · o), so that every observation has values of its own."""

    def __init__(self, *weights):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weights))

    def forward(self, observations):
        return observations * self.weight


# ---- Double: θ chooses, θ⁻ judges ----


def test_of_double_dqn_theta_chooses_and_the_target_says_what_that_is_worth():
    model, target = Pairs(1.0, 4.0, 2.0), Pairs(9.0, 5.0, 7.0)
    seen = torch.tensor([[1.0], [2.0]])
    assert max_values(model, target, seen).tolist() == [9.0, 18.0]
    assert double_values(model, target, seen).tolist() == [5.0, 10.0]
    assert double_values(target, target, seen).tolist() == [9.0, 18.0]


def test_of_noisy_values_the_largest_is_too_large_and_double_is_not():
    """All actions are worth 0; θ and θ⁻ are wrong about it apart from each other."""
    dice = torch.Generator().manual_seed(0)
    model, target = (torch.randn(20_000, 6, generator=dice) for _ in range(2))
    which = torch.arange(20_000)
    too_large = max_values(model.__getitem__, target.__getitem__, which)
    unbiased = double_values(model.__getitem__, target.__getitem__, which)
    assert too_large.mean() == pytest.approx(1.267, abs=0.02)  # E max of six
    assert unbiased.mean() == pytest.approx(0.0, abs=0.03)


def test_next_values_are_constants_and_are_looked_up_only_where_a_return_may_stop():
    seen = torch.arange(1.0, 7).reshape(3, 2, 1)
    end = torch.tensor([[False, True], [False, False]])
    shown = torch.tensor([[[3.0], [50.0]], [[5.0], [6.0]]])
    rollout = Rollout.of(seen[:2], end.long(), end.float(), shown, end, ~end & False)
    values = next_values(Pairs(1.0), Pairs(2.0), rollout)
    assert values.tolist() == [[0.0, 100.0], [10.0, 12.0]]
    assert not values.requires_grad


# ---- dueling ----


def test_a_dueling_head_takes_the_mean_over_actions_and_not_over_the_batch():
    head = Dueling(5, num_actions=3, hidden=(4,))
    features = torch.randn(7, 2, 5, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for theta in head.parameters():
            theta.normal_(generator=torch.Generator().manual_seed(1))
        q = head(features)
        for i, j in np.ndindex(7, 2):
            V, A = head.value(features[i, j]).item(), head.advantages(features[i, j]).tolist()
            by_definition = [V + a - sum(A) / 3 for a in A]
            np.testing.assert_allclose(q[i, j], by_definition, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(q.mean(dim=-1), head.value(features).squeeze(-1))
        torch.testing.assert_close(head(features[3]), q[3])  # whatever else is in the batch


def test_a_dueling_head_has_both_streams_learn_from_every_step():
    head = Dueling(5, num_actions=3, hidden=(4,))
    q = head(torch.randn(2, 5, generator=torch.Generator().manual_seed(0)))
    for theta in torch.autograd.grad(q[:, 1].sum(), list(head.parameters())):
        assert theta.abs().sum() > 0
    V, A = head.value[-1], head.advantages[-1]
    d_V, d_A = torch.autograd.grad(head(torch.zeros(2, 5))[:, 1].sum(), [V.bias, A.bias])
    assert d_V.tolist() == [2.0]
    torch.testing.assert_close(d_A, 2 * torch.tensor([-1 / 3, 2 / 3, -1 / 3]))


@pytest.mark.parametrize("hidden", [(), (8,), (8, 6)])
def test_a_dueling_network_has_its_last_layer_in_each_stream(hidden):
    """From one torso; for observations of each kind, and the same from the same seed."""
    for env, features in ("CartPole-v1", 4), ("a3c_lib/Corridor-v0", 4), ("a3c_lib/Catch-v0", None):
        before = torch.get_rng_state()
        model, same, other = (
            DuelingQNetwork.for_env(gym.make(env), hidden=hidden, seed=seed) for seed in (0, 0, 1)
        )
        assert torch.equal(torch.get_rng_state(), before)
        assert all(map(torch.equal, model.state_dict().values(), same.state_dict().values()))
        assert not torch.equal(model.head.advantages[-1].weight, other.head.advantages[-1].weight)
        widths = [layer.out_features for layer in model.torso if isinstance(layer, nn.Linear)]
        assert widths == list(hidden[:-1])
        for stream, outputs in (model.head.value, 1), (model.head.advantages, None):
            sizes = [layer.out_features for layer in stream if isinstance(layer, nn.Linear)]
            actions = gym.make(env).action_space.n if outputs is None else outputs
            assert sizes == [*hidden[-1:], actions]
            if features is not None and not hidden:
                assert stream[-1].in_features == features
        seen = gym.make(env).reset(seed=0)[0]
        q = model(torch.as_tensor(np.array([seen, seen])))
        assert q.abs().max() < 0.05
        assert evaluate(model, env, episodes=2, actions="greedy").mean >= -1


def test_a_dueling_network_of_a_game_has_streams_of_256():
    from a3c_lib.encoders import PaperEncoder

    model = DuelingQNetwork.for_env(
        Game("pong"), hidden=(256,), make_encoder=PaperEncoder, activation=nn.ReLU
    )
    assert model(torch.zeros(1, 4, 84, 84, dtype=torch.uint8)).shape == (1, 6)
    assert [type(layer).__name__ for layer in model.head.value] == ["Linear", "ReLU", "Linear"]


# ---- the loss ----


def test_with_weights_of_1_the_loss_is_chapter_08s_bit_for_bit():
    dice = torch.Generator().manual_seed(0)
    values, returns = (torch.randn(1, 33, generator=dice) * 3 for _ in range(2))
    values.requires_grad_(True)
    ours, theirs = weighted_loss(values, returns, torch.ones(1, 33)), q_loss(values, returns)
    assert all(map(torch.equal, ours, theirs))
    assert torch.equal(*(torch.autograd.grad(loss.total, values)[0] for loss in (ours, theirs)))


def test_the_loss_is_weighted_and_huber_is_no_steeper_beyond_1():
    values = torch.tensor([0.0, 0.0, 0.0, 0.0], requires_grad=True)
    returns = torch.tensor([0.5, -4.0, 1.0, 3.0], requires_grad=True)
    weights = torch.tensor([1.0, 0.5, 1.0, 0.25], requires_grad=True)
    squared = weighted_loss(values, returns, weights)
    huber = weighted_loss(values, returns, weights, "huber")
    assert squared.total.item() == (0.25 + 8 + 1 + 9 / 4) / 4
    assert huber.total.item() == (0.25 + 0.5 * 7 + 1 + 0.25 * 5) / 4
    for loss, slopes in (squared, [-1.0, 4.0, -2.0, -1.5]), (huber, [-1.0, 1.0, -2.0, -0.5]):
        assert (loss.value.item(), loss.q.item()) == ((0.25 + 16 + 1 + 9) / 4, 0.0)
        gradients = torch.autograd.grad(loss.total, [values, returns, weights], allow_unused=True)
        assert (4 * gradients[0]).tolist() == slopes
        assert gradients[1:] == (None, None)


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"returns \(1, 3\), weights \(3,\)"):
        weighted_loss(torch.zeros(1, 3), torch.zeros(1, 3), torch.zeros(3))


def test_a_batch_teaches_of_the_first_step_of_each_window_alone():
    """The others are only looked through."""
    model, memory = network(env="CartPole-v1"), ReplayMemory(40, n_steps=3)
    envs = SyncVectorEnv(
        [partial(gym.make, "CartPole-v1")] * 2, autoreset_mode=AutoresetMode.SAME_STEP
    )
    rollout, _ = collect(envs, lambda seen, _: (torch.tensor([0, 1]), None), start(envs, 0), 20)
    memory.add(rollout)
    drawn = memory.draw(5)
    lesson = lesson_of(model, network(env="CartPole-v1", seed=1), drawn, 0.9)
    q = model(drawn.rollout.observations[0])
    values = of_actions(q, drawn.rollout.actions[0])
    assert torch.equal(lesson.values, values)
    assert lesson.steps == 5
    loss = (lesson.returns - values).square().mean()
    for ours, theirs in zip(
        lesson.gradients, torch.autograd.grad(loss, list(model.parameters())), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


# ---- the switches ----


@pytest.mark.parametrize("options", ALONE, ids=str)
def test_each_switch_alone_and_all_together_learn_otherwise_and_repeatably(options):
    ours, history = trained(small(**options), "CartPole-v1")
    again, _ = trained(small(**options), "CartPole-v1")
    assert all(map(torch.equal, ours, again))
    assert len(history) == 50
    assert (history[-1].updates, history[-1].batches) == (50, 46)
    for name in options:
        without = {other: on for other, on in options.items() if other != name}
        others, _ = trained(small(**without), "CartPole-v1")
        assert len(ours) != len(others) or not any(map(torch.equal, ours, others))


def test_every_combination_of_switches_trains():
    for chosen in itertools.product([False, True], repeat=len(SWITCHES)):
        options = {name: SWITCHES[name] for name, on in zip(SWITCHES, chosen, strict=True) if on}
        config = small(total_steps=24, **options)
        _, history = trained(config)
        assert math.isfinite(history[-1].value_loss)
        assert history[-1].batches == 2
        kind = PrioritizedReplayMemory if config.prioritized else ReplayMemory
        assert type(config.memory()) is kind
        assert config.network is (DuelingQNetwork if config.dueling else QNetwork)
        assert config.memory().n_steps == config.n_steps


# ---- when it acts, learns and copies ----


@pytest.mark.parametrize("period", [7, 30])
def test_the_target_is_copied_at_the_marks_and_at_no_other_time(period):
    """It is no second name of the network, and what else a network keeps is copied too."""
    config, model = small(target_period=period), network()
    model.register_buffer("kept", torch.zeros(()))
    with train(model, "a3c_lib/Catch-v0", config) as training:
        before, target = 0, training.target
        assert target is training.target is not model
        frozen = [tensor.clone() for tensor in target.state_dict().values()]
        for update in training:
            due = update.steps // period > before // period
            if due:
                frozen = [tensor.clone() for tensor in model.state_dict().values()]
            assert all(map(torch.equal, target.state_dict().values(), frozen))
            before = update.steps
            model.kept += 1
    assert not any(theta.requires_grad for theta in target.parameters())


def test_it_learns_once_there_is_enough_and_as_often_as_it_says():
    config = small(warm_up=30, draws=3, num_envs=2, t_max=5, total_steps=75)
    _, history = trained(config)
    assert [update.steps for update in history] == [10, 20, 30, 40, 50, 60, 70, 76]
    assert [update.updates for update in history] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [update.batches for update in history] == [0, 0, 3, 6, 9, 12, 15, 18]
    for update in history:
        learned = update.batches > 0
        for name in "value_loss", "q", "gradient_norm":
            assert math.isfinite(getattr(update, name)) == learned
        assert update.as_row()["value_loss"] is None or learned
    assert {e.length for update in history for e in update.episodes} == {9}
    assert history[0].episodes == ()
    assert len(history[1].episodes) == 2


def test_dummies_are_no_steps():
    class Worlds:
        def make_envs(self, num_envs):
            make = [partial(Scripted, [(2, "terminated")])] * num_envs
            return SyncVectorEnv(make, autoreset_mode=AutoresetMode.NEXT_STEP)

    config = small(total_steps=40, num_envs=2, t_max=3)
    _, history = trained(config, Worlds(), Pairs(1e-3, 2e-3))
    assert [update.steps for update in history[:4]] == [4, 8, 12, 16]


def test_epsilon_comes_down_and_is_what_it_acts_with():
    config = small(first_epsilon=1.0, final_epsilon=0.0, epsilon_steps=100, warm_up=10**6)
    model = network(config)
    with torch.no_grad():
        model.head.bias[:] = torch.tensor([0.0, 9.0, 0.0])
    with train(model, "a3c_lib/Catch-v0", config) as training:
        history = list(training)
        actions = training.memory.draw(60).rollout.actions
    assert [update.epsilon for update in history[:4]] == [1.0, 0.96, 0.92, 0.88]
    assert history[25].epsilon == history[-1].epsilon == 0
    assert (actions == 1).all()  # the last 60 steps are greedy


def test_the_learning_rate_stays_unless_it_is_annealed():
    _, history = trained(small())
    assert {update.learning_rate for update in history} == {1e-3}
    _, history = trained(small(anneal=True))
    assert history[25].learning_rate == pytest.approx(1e-3 * (1 - 100 / 200))


def test_targets_may_be_others():
    """Of zero: what is learned is that nothing is worth anything."""

    def nothing(rewards, *_):
        return torch.zeros_like(rewards)

    _, history = trained(small(learning_rate=1e-30), targets=nothing)
    assert all(update.value_loss < 1e-3 for update in history if update.batches)


def test_frozen_parameters_stay_and_the_rest_learns():
    model = network()
    frozen = list(model.torso.requires_grad_(False).parameters())
    before = [theta.clone() for theta in frozen]
    head = model.head.weight.clone()
    trained(small(), model=model)
    assert all(map(torch.equal, frozen, before))
    assert not torch.equal(model.head.weight, head)


def test_what_is_not_finite_is_not_learned():
    class Paying(gym.RewardWrapper):
        def reward(self, reward):
            return math.inf

    model = network(env="CartPole-v1")
    before = [theta.clone() for theta in model.parameters()]
    with (
        train(model, lambda: Paying(gym.make("CartPole-v1")), small()) as training,
        pytest.raises(FloatingPointError, match=r"update 5, after 16 steps: the loss is inf"),
    ):
        list(training)
    assert all(map(torch.equal, model.parameters(), before))


# ---- going on ----


@pytest.mark.parametrize("options", ALONE, ids=str)
def test_it_goes_on_bit_for_bit(options, tmp_path):
    """By way of a checkpoint, before it has begun to learn and after the memory has wrapped."""
    config = small(num_envs=2, **options)
    whole, states = network(config), []
    with train(whole, "a3c_lib/Catch-v0", config) as training:
        history = []
        for update in training:
            history.append(update)
            if len(history) in (1, 5, 22):
                checkpoints.save(tmp_path / f"{len(history)}.pt", training.state_dict())
                states.append(len(history))
    for stop in states:
        model = network(config, seed=7)
        state = checkpoints.load(tmp_path / f"{stop}.pt")
        with train(model, "a3c_lib/Catch-v0", config, resume=state) as training:
            assert training.restored
            assert training.remembers
            assert repr(history[:stop] + list(training)) == repr(history)
        assert all(map(torch.equal, model.parameters(), whole.parameters()))
    assert states == [1, 5, 22]


def test_a_state_is_a_copy():
    config = small()
    with train(network(config), "a3c_lib/Catch-v0", config) as training:
        for _ in range(10):
            next(training)
        state = training.state_dict()
        before = repr(state)
        list(training)
        assert repr(state) == before


def test_a_memory_that_is_too_large_is_left_out_and_gathered_anew():
    """How large it may be is said in MB. Then it learns only after `warm_up` steps more."""
    config = small(num_envs=2)
    with train(network(), "a3c_lib/Catch-v0", config) as training:
        for _ in range(10):
            next(training)
        size = training.memory.num_bytes
        assert training.state_dict()["memory"] is not None
    model = network()
    config = replace(config, memory_in_state=(size - 1) / 1e6)
    with train(model, "a3c_lib/Catch-v0", config) as training:
        for _ in range(10):
            next(training)
        state, batches = training.state_dict(), training.batches
    assert state["memory"] is None
    with train(model, "a3c_lib/Catch-v0", config, resume=state) as training:
        assert not training.restored
        assert not training.remembers
        assert len(training.memory) == 0
        history = list(training)
    assert [update.batches - batches for update in history[:4]] == [0, 0, 1, 2]
    assert [update.steps for update in history[:4]] == [88, 96, 104, 112]


def test_where_new_episodes_begin_the_old_ones_are_cut():
    """CartPole cannot be put back. What is remembered is; and nothing is drawn across the break."""
    config = small(n_steps=3, capacity=200, total_steps=80)
    with train(network(env="CartPole-v1"), "CartPole-v1", config) as training:
        for _ in range(5):
            next(training)
        last, state = training.player.position.observation[0], training.state_dict()
        ended = training.memory.windows(torch.tensor([17])).ended[2, 0]
    model = network(env="CartPole-v1")
    with train(model, "CartPole-v1", config, resume=state) as training:
        assert not training.restored
        assert training.remembers
        next(training)
        window = training.memory.windows(torch.tensor([19]))
    assert not ended
    assert window.truncated[:, 0].tolist() == [True, False, False]
    assert torch.equal(window.next_observations[0, 0], last)


# ---- refusals ----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"capacity": 0}, "capacity is at least 1; got 0"),
        ({"capacity": 5, "n_steps": 3, "num_envs": 2}, r"n_steps · num_envs = 6; got 5"),
        ({"batch_size": 0}, "batch_size is at least 1; got 0"),
        ({"draws": 0}, "draws is at least 1; got 0"),
        ({"warm_up": -1}, "warm_up is at least 0; got -1"),
        ({"target_period": 0}, "target_period is at least 1; got 0"),
        ({"final_epsilon": 1.5}, "final_epsilon is at most 1; got 1.5"),
        ({"epsilon_steps": 0}, "epsilon_steps is at least 1; got 0"),
        ({"error": "absolute"}, "error is 'squared' or 'huber'; got 'absolute'"),
        ({"n_steps": 0}, "n_steps is at least 1; got 0"),
        ({"double": 1}, "double is True or False; got 1"),
        ({"priority_exponent": -0.1}, "priority_exponent is at least 0; got -0.1"),
        ({"least_priority": 0.0}, "least_priority is positive; got 0.0"),
        ({"first_importance_exponent": 2.0}, "first_importance_exponent is at most 1; got 2.0"),
        ({"memory_in_state": -1.0}, "memory_in_state is at least 0; got -1.0"),
    ],
)
def test_bad_input_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options)


@pytest.mark.parametrize(
    ("kind", "options", "error", "message"),
    [
        (ActorCritic, {}, TypeError, r"Q \(\*B, A\), as a QNetwork does; got ActorCritic"),
        (RecurrentActorCritic, {}, TypeError, "middle of an episode.*got RecurrentActorCritic"),
        (RecurrentQNetwork, {}, TypeError, "middle of an episode.*got RecurrentQNetwork"),
        (QNetwork, {"dueling": True}, ValueError, "dueling=True goes with a Dueling.*got QNetwork"),
        (DuelingQNetwork, {}, ValueError, "dueling=False goes with a QNetwork; got Dueling"),
    ],
)
def test_networks_that_do_not_fit_are_refused(kind, options, error, message):
    with pytest.raises(error, match=message):
        train(kind.for_env(gym.make("CartPole-v1")), "CartPole-v1", small(**options))


@pytest.mark.parametrize("options", ALONE, ids=str)
def test_a_network_in_double_precision_trains(options):
    config = small(**options)
    parameters, history = trained(config, model=network(config).double())
    assert history[-1].batches > 0
    assert {theta.dtype for theta in parameters} == {torch.float64}
    assert all(theta.isfinite().all() for theta in parameters)


def test_targets_that_ask_for_a_context_are_refused():
    targets = WithContext(lambda *_: None)
    for each in targets, clipped(targets):
        with pytest.raises(TypeError, match="trainers that hand over the Context, as a2c, a3c, p"):
            train(network(), "a3c_lib/Catch-v0", small(), targets=each)


def test_actions_of_a_box_are_refused():
    with pytest.raises(ValueError, match=r"Q\(o, a\) is of actions that are Discrete; .* Box"):
        train(Pairs(1.0), "Pendulum-v1", small())


def test_a_state_without_its_target_is_refused():
    with train(network(), "a3c_lib/Catch-v0", small()) as training:
        state = training.state_dict()
    del state["target"]
    with pytest.raises(ValueError, match=r"it lacks \['target'\]"):
        train(network(), "a3c_lib/Catch-v0", small(), resume=state)


# ---- it learns ----


@pytest.mark.learning
@pytest.mark.parametrize("options", [{}, SWITCHES], ids=str)
def test_it_finds_the_way_out_of_a_corridor(options):
    config = Config(
        total_steps=1_500,
        gamma=0.9,
        learning_rate=0.02,
        batch_size=32,
        warm_up=100,
        target_period=50,
        epsilon_steps=1_000,
        **options,
    )
    make_env = partial(gym.make, "a3c_lib/Corridor-v0", length=4)
    model = config.network.for_env(make_env(), hidden=())
    with train(model, make_env, config) as training:
        list(training)
    assert model(torch.arange(4)).argmax(dim=-1).tolist() == [1, 1, 1, 1]


def test_what_it_is_made_of_is_chapter_08s():
    assert dqn.Loss is q_learning.Loss
    assert dqn.of_actions is of_actions
    assert Drawn._fields == ("rollout", "weights", "numbers")
