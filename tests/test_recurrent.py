import gymnasium as gym
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from scripted import Counting

from a3c_lib.actor_critic import Config, lesson_of, train
from a3c_lib.evaluation import evaluate
from a3c_lib.losses import a2c_loss
from a3c_lib.networks import ActorCritic
from a3c_lib.playing import Played
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import (
    collect,
    initial_state,
    make_envs,
    sampled,
    start,
)

SEEING = spaces.Box(-100, 100, (1,))


def network(**options):
    """A small one, whose policy head is not small."""
    options = {"hidden": (4,), "cells": 3, "seed": 1, **options}
    model = RecurrentActorCritic(SEEING, spaces.Discrete(2), **options)
    with torch.no_grad():
        model.policy_head.weight *= 100
    return model


def lengths(*of_environments, mode=AutoresetMode.SAME_STEP, ends="terminated"):
    makes = [lambda n=n: Counting(n, ends) for n in of_environments]
    return SyncVectorEnv(makes, autoreset_mode=mode)


def played(model, envs, *t_maxes):
    """Rollouts in a row.   → (rollout, the position where it began) for each."""
    policy = sampled(model, torch.Generator().manual_seed(0))
    position = start(envs, 0, initial_state(model, envs.num_envs))
    result = []
    for t_max in t_maxes:
        rollout, after = collect(envs, policy, position, t_max)
        result.append((rollout, position))
        position = after
    return [*result, (None, position)]


def by_hand(model, observations):
    """One episode of one environment, one LSTM step at a time.   → logits, values, (h, c) (T, …)"""
    h, c = model.initial_state(1)
    rows = []
    for observation in observations:
        h, c = model.lstm(model.torso(observation[None]), (h, c))
        rows.append((model.policy_head(h)[0], model.value_head(h)[0, 0], h[0], c[0]))
    logits, values, h, c = (torch.stack(part) for part in zip(*rows, strict=True))
    return logits, values, (h, c)


# ---- stepwise and unrolled ----


def test_the_unrolled_pass_is_the_stepwise_one_with_ends_inside_the_rollout():
    model = network()
    (rollout, began), _ = played(model, lengths(3, 5, 99), 7)
    logits, values, _ = model.unroll(rollout, began.policy_state)
    for n, episodes in enumerate([[(0, 3), (3, 6), (6, 7)], [(0, 5), (5, 7)], [(0, 7)]]):
        for first, last in episodes:
            expected = by_hand(model, rollout.observations[first:last, n])
            torch.testing.assert_close(logits[first:last, n], expected[0])
            torch.testing.assert_close(values[first:last, n], expected[1])


def test_two_rollouts_in_a_row_see_what_one_long_one_sees():
    model = network()
    (first, began), (second, middle), _ = played(model, lengths(3, 5, 99), 4, 3)
    (whole, start_), _ = played(model, lengths(3, 5, 99), 7)
    together = torch.cat(
        [model.unroll(first, began.policy_state)[0], model.unroll(second, middle.policy_state)[0]]
    )
    torch.testing.assert_close(together, model.unroll(whole, start_.policy_state)[0])


def test_the_policy_carries_the_memory_that_the_unrolled_pass_computes():
    model = network()
    (rollout, _), (_, after) = played(model, lengths(99, 2), 4)
    h, c = by_hand(model, rollout.observations[:, 0])[2]
    torch.testing.assert_close(after.policy_state[0][0], h[-1])
    torch.testing.assert_close(after.policy_state[1][0], c[-1])
    assert c[-1].abs().min() > 0
    # Environment 1 ended with the rollout's last step: its memory, and its alone, is zero.
    assert not any(part[1].any() for part in after.policy_state)


def test_dummy_steps_leave_no_memory():
    model = network()
    envs = lengths(2, 99, mode=AutoresetMode.NEXT_STEP)
    (rollout, began), _ = played(model, envs, 6)
    assert rollout.dummies.any()
    logits, _, _ = model.unroll(rollout, began.policy_state)
    for first, last in (0, 2), (3, 5):
        expected = by_hand(model, rollout.observations[first:last, 0])[0]
        torch.testing.assert_close(logits[first:last, 0], expected)


# ---- values after a step ----


@pytest.mark.parametrize("ends", ["terminated", "truncated"])
def test_values_after_a_step_remember_the_episode_that_they_belong_to(ends):
    model = network()
    (rollout, began), _ = played(model, lengths(3, 99, ends=ends), 4)
    _, values, after = model.unroll(rollout, began.policy_state)
    torch.testing.assert_close(after[0], values[1])
    # Environment 0's first episode has three steps. The value of what came next is that of a
    # fourth observation in the same episode, not of a first one.
    episode = torch.cat([rollout.observations[:3, 0], rollout.next_observations[2:3, 0]])
    torch.testing.assert_close(after[2, 0], by_hand(model, episode)[1][3])
    # The rollout stops within the episode of environment 1.
    episode = torch.cat([rollout.observations[:, 1], rollout.next_observations[3:, 1]])
    torch.testing.assert_close(after[3, 1], by_hand(model, episode)[1][4])
    assert not after.requires_grad


def test_asking_for_values_does_not_advance_the_memory():
    model = network()
    memory = tuple(torch.rand(2, 3) for _ in range(2))
    copies = [part.clone() for part in memory]
    first = model.values(torch.ones(2, 1), memory)
    assert torch.equal(first, model.values(torch.ones(2, 1), memory))
    assert all(map(torch.equal, memory, copies))


# ---- gradients through time ----


def sensitivity(model, rollout, state, of):
    """How much the logits of step `of` depend on each step's observation.   → (T, N)"""
    seen = rollout.seen.clone().requires_grad_()
    logits, _, _ = model.unroll(rollout._replace(seen=seen), state)
    (gradient,) = torch.autograd.grad(logits[of].square().sum(), seen)
    return gradient[:-1].abs().sum(dim=-1)


def test_the_gradient_reaches_back_through_the_rollout_and_stops_at_an_episodes_beginning():
    model = network()
    (rollout, began), _ = played(model, lengths(3, 99), 5)
    reached = sensitivity(model, rollout, began.policy_state, of=4) > 0
    assert reached[:, 0].tolist() == [False, False, False, True, True]
    assert reached[:, 1].tolist() == [True] * 5


def test_no_gradient_flows_into_the_memory_that_a_rollout_begins_with():
    model = network()
    (rollout, _), _ = played(model, lengths(99), 2)
    memory = tuple(torch.rand(1, 3, requires_grad=True) for _ in range(2))
    logits, values, _ = model.unroll(rollout, memory)
    total = logits.sum() + values.sum()
    assert torch.autograd.grad(total, memory, allow_unused=True) == (None, None)


# ---- training ----


def trained(updates, evaluate_in_between=False, **options):
    model = network()
    config = Config(total_steps=10_000, t_max=5, num_envs=2, **options)
    with train(
        model, lambda: Counting(3), config, targets=n_step_returns, loss=a2c_loss
    ) as training:
        for _ in range(updates):
            update = next(training)
            if evaluate_in_between:
                evaluate(model, lambda: Counting(3), episodes=2)
    return model, update, training


def test_evaluation_disturbs_no_training():
    one, _, _ = trained(4)
    other, _, _ = trained(4, evaluate_in_between=True)
    assert all(map(torch.equal, one.parameters(), other.parameters()))


def test_the_trainer_learns_from_the_memory_that_it_acted_with():
    model = network()
    envs = make_envs(lambda: Counting(99), 1)
    _, (rollout, middle), _ = played(model, envs, 3, 2)
    lesson = lesson_of(model, Played(rollout, middle.policy_state), n_step_returns, a2c_loss, 0.9)
    _, values, _ = model.unroll(rollout, middle.policy_state)
    assert torch.equal(lesson.values, values.flatten())
    zeros = Played(rollout, model.initial_state(1))
    forgotten = lesson_of(model, zeros, n_step_returns, a2c_loss, 0.9)
    assert not torch.equal(lesson.values, forgotten.values)


def test_training_carries_the_memory_from_rollout_to_rollout():
    _, _, training = trained(1)
    (h, c) = training.player.position.policy_state
    assert h.abs().min() > 0
    assert c.abs().min() > 0


def test_at_first_the_forget_gate_keeps_most_of_the_cell():
    """With everything else at 0, the cell becomes σ(1) c in a step."""
    lstm = network(cells=3).lstm
    with torch.no_grad():
        for name, parameter in lstm.named_parameters():
            if name.startswith("weight"):
                parameter.zero_()
        biases = lstm.bias_ih + lstm.bias_hh
        assert biases[3:6].tolist() == [1.0] * 3
        lstm.bias_ih[[0, 1, 2, *range(6, 12)]] = 0
        lstm.bias_hh[[0, 1, 2, *range(6, 12)]] = 0
        _, c = lstm(torch.zeros(1, 4), (torch.zeros(1, 3), torch.ones(1, 3)))
    torch.testing.assert_close(c, torch.full((1, 3), 0.7310586))


def maze_share(model, seed):
    """Of its mazes that a model gets right after training, less those it gets wrong."""
    config = Config(total_steps=40_000, t_max=8, num_envs=8, learning_rate=0.01, seed=seed)
    maze = "a3c_lib/TMaze-v0"
    with train(model, maze, config, targets=n_step_returns, loss=a2c_loss) as training:
        list(training)
    return evaluate(model, maze, episodes=200, seed=seed, num_envs=50).mean


@pytest.mark.learning
def test_what_was_seen_six_steps_ago_is_remembered():
    """Not with every seed: with 18 of 20 in the records, and which ones depends on the processor."""
    env = gym.make("a3c_lib/TMaze-v0")
    assert any(
        maze_share(RecurrentActorCritic.for_env(env, hidden=(), cells=32, seed=seed), seed) > 0.8
        for seed in range(4)
    )


@pytest.mark.learning
@pytest.mark.parametrize("seed", range(3))
def test_without_memory_there_is_chance_alone(seed):
    env = gym.make("a3c_lib/TMaze-v0")
    share = maze_share(ActorCritic.for_env(env, hidden=(32,), seed=seed), seed)
    assert abs(share) < 0.36  # the standard error of 200 episodes is .07: five of them


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: RecurrentActorCritic(SEEING, spaces.MultiBinary(3)),
            "actions MultiBinary.*supported are",
        ),
        (lambda: network(cells=0), "cells is at least 1; got 0"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_same_seed_gives_the_same_network_and_leaves_torch_alone():
    before = torch.get_rng_state()
    one, two, other = (list(network(seed=seed).parameters()) for seed in (3, 3, 4))
    assert all(map(torch.equal, one, two))
    assert not torch.equal(one[0], other[0])
    assert torch.equal(before, torch.get_rng_state())
