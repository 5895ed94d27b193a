import math

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from scripted import Pictured

from a3c_lib.encoders import PaperEncoder
from a3c_lib.evaluation import evaluate
from a3c_lib.figures.watching import watch
from a3c_lib.q_learning import epsilon_greedy
from a3c_lib.q_networks import (
    HasUnroll,
    QNetwork,
    RecurrentQNetwork,
    epsilon_greedy_probabilities,
)
from a3c_lib.rollout import Rollout, collect, greedy, initial_state, make_envs, sampled, start
from a3c_lib.worlds.atari import Game

VECTOR = spaces.Box(-1, 1, (4,), np.float64)
PICTURE = spaces.Box(0, 255, (2, 5, 6), np.uint8)
STATES = spaces.Discrete(7)
ACTIONS = spaces.Discrete(3)


def observations(space, *batch):
    space.seed(0)
    flat = np.stack([space.sample() for _ in range(math.prod(batch))])
    return torch.as_tensor(flat).reshape(*batch, *(space.shape or ()))


@pytest.mark.parametrize("space", [VECTOR, PICTURE, STATES])
@pytest.mark.parametrize("batch", [(5,), (4, 3), (2, 3, 2)])
@pytest.mark.parametrize("hidden", [(), (16,), (16, 8)])
def test_any_batch_axes_go_in_and_come_out(space, batch, hidden):
    model = QNetwork(space, ACTIONS, hidden=hidden)
    seen = observations(space, *batch)
    assert model(seen).shape == (*batch, 3)
    assert torch.equal(model.values(seen), model(seen).amax(-1))
    one = model(seen.reshape(-1, *(space.shape or ()))[:1])[0]
    torch.testing.assert_close(model(seen).reshape(-1, 3)[0], one)


def test_on_states_without_hidden_layers_it_is_a_table():
    """What is learned of one pair of state and action says nothing of another."""
    model = QNetwork(spaces.Discrete(4, start=2), ACTIONS, hidden=())
    (table,) = model.parameters()
    assert torch.equal(model(torch.arange(2, 6)), table.T)
    (gradient,) = torch.autograd.grad(model(torch.tensor([3]))[0, 2], [table])
    assert gradient.nonzero().tolist() == [[2, 1]]


def test_other_heads_have_a_bias():
    for model in (
        QNetwork(STATES, ACTIONS, hidden=(8,)),
        QNetwork(VECTOR, ACTIONS, hidden=()),
        RecurrentQNetwork(STATES, ACTIONS, hidden=()),
    ):
        assert model.head.bias is not None
        assert not model.head.bias.any()


@pytest.mark.parametrize("kind", [QNetwork, RecurrentQNetwork])
def test_at_first_every_action_is_worth_about_nothing(kind):
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    one, again, other = (kind(VECTOR, ACTIONS, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(map(torch.equal, one.parameters(), again.parameters()))
    assert not torch.equal(one.head.weight, other.head.weight)
    assert 0 < one.head.weight.abs().max() < 0.01


def test_pictures_of_a_game_go_through_the_papers_convolutions():
    model = QNetwork.for_env(Game("pong"), hidden=(256,), make_encoder=PaperEncoder)
    assert model(torch.zeros(2, 3, 4, 84, 84, dtype=torch.uint8)).shape == (2, 3, 6)


# ---- as a policy ----


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0])
def test_probabilities_are_those_of_the_epsilon_greedy_policy(epsilon):
    q = torch.tensor([[[0.0, 2.0, 1.0]], [[5.0, 5.0, -1.0]]])
    pi = epsilon_greedy_probabilities(q, epsilon)
    best, other = 1 - epsilon + epsilon / 3, epsilon / 3
    torch.testing.assert_close(pi, torch.tensor([[[other, best, other]], [[best, other, other]]]))


@pytest.mark.parametrize("epsilon", [0.0, 0.4])
def test_what_plays_a_policy_plays_the_epsilon_greedy_one(epsilon):
    model = QNetwork(STATES, ACTIONS, hidden=(), epsilon=epsilon)
    seen = torch.full((6000,), 3)
    best = model(seen[:1]).argmax().item()
    dice = torch.Generator().manual_seed(0)
    drawn, _ = sampled(model, dice)(seen, None)
    assert (drawn == best).float().mean().item() == pytest.approx(1 - epsilon * 2 / 3, abs=0.02)
    chosen, _ = greedy(model)(seen, None)
    assert (chosen == best).all()


@pytest.mark.parametrize("kind", [QNetwork, RecurrentQNetwork])
def test_it_is_evaluated_and_watched_like_any_policy(kind):
    model = kind.for_env(gym.make("a3c_lib/Corridor-v0"), hidden=(8,))
    with torch.no_grad():
        model.head.bias[1] = 1.0  # to the right
    best = evaluate(model, "a3c_lib/Corridor-v0", episodes=10, actions="greedy")
    assert set(best.lengths) == {3}
    others = evaluate(model, "a3c_lib/Corridor-v0", episodes=200, actions="sampled", seed=1)
    assert 3 < others.lengths.mean() < 3.5
    watched = watch(model, "a3c_lib/Corridor-v0", max_steps=3)
    np.testing.assert_allclose(watched.probabilities, [[0.025, 0.975]] * 3, rtol=1e-5)
    assert (watched.values > 0.9).all()


# ---- with memory ----


def rollout_of(space, T, N, ends=()):
    """Random observations, and episodes that end at `ends`, some in one way, some in the other."""
    seen = observations(space, T, N)
    shown = observations(space, T + 1, N)[1:].flip(0)
    ended = torch.zeros(T, N, dtype=torch.bool)
    for t, n in ends:
        ended[t, n] = True
    truncated = torch.zeros_like(ended)
    truncated[::2] = ended[::2]
    shown[:-1][~ended[:-1]] = seen[1:][~ended[:-1]]
    nothing = torch.zeros(T, N)
    return Rollout.of(seen, nothing.long(), nothing, shown, ended & ~truncated, truncated)


@pytest.mark.parametrize("space", [VECTOR, PICTURE, STATES])
def test_going_through_a_rollout_is_going_through_its_steps(space):
    T, N = 6, 2
    model = RecurrentQNetwork(space, ACTIONS, hidden=(8,), cells=5)
    rollout = rollout_of(space, T, N, ends=[(1, 0), (2, 1), (T - 1, 1)])
    state = began = tuple(torch.randn(N, 5) for _ in range(2))
    q, next_q = model.unroll(rollout, began)
    shown = rollout.next_observations
    for t in range(T):
        expected, state = model.q(rollout.observations[t], state)
        torch.testing.assert_close(q[t], expected)
        torch.testing.assert_close(next_q[t], model.q(shown[t], state)[0])
        torch.testing.assert_close(model.values(rollout.observations[t], began).shape, (N,))
        state = tuple(part.masked_fill(rollout.ended[t][:, None], 0) for part in state)
    assert not next_q.requires_grad


def test_a_loss_reaches_what_was_seen_before_and_not_the_rollout_before():
    model = RecurrentQNetwork(VECTOR, ACTIONS, cells=5)
    rollout = rollout_of(VECTOR, 4, 2, ends=[(1, 0)])
    began = tuple(torch.randn(2, 5, requires_grad=True) for _ in range(2))
    seen = rollout.seen.requires_grad_()
    q, _ = model.unroll(rollout, began)
    gradient, *others = torch.autograd.grad(q[3].sum(), [seen, *began], allow_unused=True)
    assert others == [None, None]
    reached = gradient.abs().sum(dim=(-1)) > 0
    assert reached.T.tolist() == [[False, False, True, True, False], [True] * 4 + [False]]


def test_a_dummy_step_begins_an_episode_after_it():
    """With NEXT_STEP, the step after an end only resets, and the memory is zeroed after it too."""
    model = RecurrentQNetwork(VECTOR, ACTIONS, cells=5)
    rollout = rollout_of(VECTOR, 4, 1)
    dummies = torch.tensor([[False], [True], [False], [False]])
    state = tuple(torch.randn(1, 5) for _ in range(2))
    q, _ = model.unroll(rollout._replace(dummies=dummies), state)
    afresh, _ = model.q(rollout.observations[2], model.initial_state(1))
    torch.testing.assert_close(q[2], afresh)


def test_who_goes_through_a_rollout_itself_is_known():
    assert isinstance(RecurrentQNetwork(VECTOR, ACTIONS), HasUnroll)
    assert not isinstance(QNetwork(VECTOR, ACTIONS), HasUnroll)


# ---- what is refused ----


@pytest.mark.parametrize("kind", [QNetwork, RecurrentQNetwork])
def test_bad_input_is_named(kind):
    with pytest.raises(ValueError, match=r"actions Box.* are not supported"):
        kind(VECTOR, VECTOR)
    with pytest.raises(ValueError, match=r"observations Box.* are not supported"):
        kind(spaces.Box(0, 1, (2, 2)), ACTIONS)
    for epsilon in (1.0, -0.1, math.nan):
        with pytest.raises(ValueError, match=rf"epsilon is (at least 0|below 1); got {epsilon}"):
            kind(VECTOR, ACTIONS, epsilon=epsilon)
    with pytest.raises(ValueError, match=r"hidden are whole numbers, each at least 1; got \(0,\)"):
        kind(VECTOR, ACTIONS, hidden=(0,))
    with pytest.raises(ValueError, match="seed is at least 0; got -1"):
        kind(VECTOR, ACTIONS, seed=-1)


def test_a_memory_of_nothing_is_refused():
    with pytest.raises(ValueError, match="cells is at least 1; got 0"):
        RecurrentQNetwork(VECTOR, ACTIONS, cells=0)


def test_the_small_pictures_of_the_package_are_supported():
    model = QNetwork.for_env(Pictured(), hidden=(8,))
    assert model(torch.zeros(3, 2, 22, 23, dtype=torch.uint8)).shape == (3, 2)


@pytest.mark.parametrize("kind", [QNetwork, RecurrentQNetwork])
def test_where_q_is_no_number_there_is_no_policy(kind):
    env = gym.make("a3c_lib/Corridor-v0")
    model = kind.for_env(env)
    with torch.no_grad():
        model.head.weight.fill_(math.nan)
    for actions in "greedy", "sampled":
        with pytest.raises(FloatingPointError, match="environment 0 shows has no policy"):
            evaluate(model, "a3c_lib/Corridor-v0", 2, actions=actions)
    envs = make_envs("a3c_lib/Corridor-v0")
    begun = start(envs, seed=0, policy_state=initial_state(model, 1))
    policy = epsilon_greedy(model, 0.5, torch.Generator())
    with pytest.raises(FloatingPointError, match=r"shows has no policy: Q is \[nan, nan\]"):
        collect(envs, policy, begun, t_max=1)
