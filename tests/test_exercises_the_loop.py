"""Right answers to chapter 00's exercises in other forms, and what its scripted worlds do."""

import numpy as np
import pytest
import torch
from torch.distributions import Categorical
from torch.nn import functional as F

from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.checking import Kind, check
from a3c_lib.exercises.the_loop import MOST_RESETS, Scripted


def mean_squared_times_count(prediction, target):
    return F.mse_loss(prediction, target.detach(), reduction="sum")


def target_taken_under_no_grad(prediction, target):
    with torch.no_grad():
        fixed = target.clone()
    difference = prediction - fixed
    return difference @ difference


def one_number_at_a_time(prediction, target):
    return sum((p - y) ** 2 for p, y in zip(prediction, target.tolist(), strict=True))


def loop_with_a_break(env, choose, seed):
    observation, _ = env.reset(seed=seed)
    rewards = []
    while True:
        observation, reward, terminated, truncated, _ = env.step(choose(observation))
        rewards.append(np.float32(reward))
        if terminated or truncated:
            return tuple(rewards), np.bool_(terminated)


def play_recursively(env, choose, seed):
    def play_on(observation):
        observation, reward, terminated, truncated, _ = env.step(choose(observation))
        if terminated or truncated:
            return [reward], terminated
        later, ended = play_on(observation)
        return [reward, *later], ended

    return play_on(env.reset(seed=seed)[0])


def a_sum_within_a_loop(rewards, gamma):
    T = len(rewards)
    returns = [sum(gamma**k * rewards[t + k] for k in range(T - t)) for t in range(T)]
    return torch.stack([torch.as_tensor(G) for G in returns])


def a_matrix_of_discounts(rewards, gamma):
    t = torch.arange(len(rewards))
    later = t[None, :] - t[:, None]  # (T, T): how many steps column k comes after row t
    weights = torch.where(later >= 0, torch.tensor(gamma) ** later.clamp(min=0), 0.0)
    return weights @ rewards


def in_double_precision(rewards, gamma):
    returns, G = [], 0.0
    for reward in reversed(rewards.tolist()):
        G = reward + gamma * G
        returns.insert(0, G)
    return torch.tensor(returns, dtype=torch.float64)


def discounted_returns(rewards, gamma):
    """Recursive, by its own name."""
    if len(rewards) == 0:
        return rewards
    rest = discounted_returns(rewards[1:], gamma)
    return torch.cat([rewards[:1] + gamma * rest[:1].sum(), rest])


def discounting_forwards(env, choose, value_of, gamma, episodes, seed):
    total = 0.0
    for k in range(episodes):
        observation, _ = env.reset(seed=seed if k == 0 else None)
        discount = 1.0
        while True:
            observation, reward, terminated, truncated, _ = env.step(choose(observation))
            total += discount * reward
            discount *= gamma
            if terminated:
                break
            if truncated:
                total += discount * value_of(observation)
                break
    return total / episodes


def cut_unless_it_ended(env, choose, value_of, gamma, episodes, seed):
    returns = []
    observation, _ = env.reset(seed=seed)
    for _ in range(episodes):
        rewards = []
        terminated = truncated = False
        while not terminated and not truncated:
            observation, reward, terminated, truncated, _ = env.step(choose(observation))
            rewards.append(reward)
        G = value_of(observation) if truncated and not terminated else 0.0
        for reward in rewards[::-1]:
            G = reward + gamma * G
        returns.append(G)
        observation, _ = env.reset()
    return np.mean(returns)


def by_a_distribution(logits, actions):
    return Categorical(logits=logits).log_prob(actions)


def by_gather(logits, actions):
    return logits.log_softmax(dim=-1).gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def by_cross_entropy(logits, actions):
    return -F.cross_entropy(logits, actions, reduction="none")


def by_hand(logits, actions):
    """The largest logit taken away first, so that no exponential is too large."""
    rows = [row - row.max() for row in logits]
    taken = [row[a] - row.exp().sum().log() for row, a in zip(rows, actions, strict=True)]
    return torch.stack(taken)


def by_logsumexp(logits, actions):
    return logits[torch.arange(len(actions)), actions] - logits.logsumexp(dim=-1)


def by_one_hot(logits, actions):
    return (F.one_hot(actions, logits.shape[-1]) * logits.log_softmax(dim=-1)).sum(dim=-1)


def a_dot_product(log_probabilities, returns):
    return -torch.dot(log_probabilities, returns.detach())


def term_by_term(log_probabilities, returns):
    loss = torch.zeros(())
    for log_probability, G in zip(log_probabilities, returns.tolist(), strict=True):
        loss = loss - G * log_probability
    return loss


def negative_returns_first(log_probabilities, returns):
    with torch.no_grad():
        weights = -returns
    return torch.sum(log_probabilities.double() * weights.double())


@pytest.mark.parametrize(
    ("exercise_id", "answer"),
    [
        ("0.1", mean_squared_times_count),
        ("0.1", target_taken_under_no_grad),
        ("0.1", one_number_at_a_time),
        ("0.2", loop_with_a_break),
        ("0.2", play_recursively),
        ("0.3", a_sum_within_a_loop),
        ("0.3", a_matrix_of_discounts),
        ("0.3", in_double_precision),
        ("0.3", discounted_returns),
        ("0.4", discounting_forwards),
        ("0.4", cut_unless_it_ended),
        ("0.5", by_a_distribution),
        ("0.5", by_gather),
        ("0.5", by_cross_entropy),
        ("0.5", by_hand),
        ("0.5", by_logsumexp),
        ("0.5", by_one_hot),
        ("0.6", a_dot_product),
        ("0.6", term_by_term),
        ("0.6", negative_returns_first),
    ],
)
def test_a_right_answer_in_another_form_passes(exercise_id, answer):
    verdict = check(registry.find(exercise_id), answer)
    assert verdict.right, verdict.text


# Loops that would never end are stopped, and told why


def resets_in_every_step(env, choose, seed):
    rewards = []
    terminated = truncated = False
    while not (terminated or truncated):
        observation, _ = env.reset(seed=seed)
        _, reward, terminated, truncated, _ = env.step(choose(observation))
        rewards.append(reward)
    return rewards, terminated


def takes_four_steps_at_least(env, choose, seed):
    observation, _ = env.reset(seed=seed)
    rewards, over = [], False
    while not over or len(rewards) < 4:
        observation, reward, terminated, truncated, _ = env.step(choose(observation))
        rewards.append(reward)
        over = terminated or truncated
    return rewards, terminated


def waits_for_an_ending(env, choose, value_of, gamma, episodes, seed):
    returns = []
    observation, _ = env.reset(seed=seed)
    while len(returns) < episodes:
        rewards, terminated, truncated = [], False, False
        while not (terminated or truncated):
            observation, reward, terminated, truncated, _ = env.step(choose(observation))
            rewards.append(reward)
        if terminated:
            returns.append(sum(gamma**t * r for t, r in enumerate(rewards)))
        observation, _ = env.reset()
    return sum(returns) / episodes


@pytest.mark.parametrize(
    ("exercise_id", "answer", "message"),
    [
        ("0.2", resets_in_every_step, "before the loop"),
        ("0.2", takes_four_steps_at_least, "after a step that said terminated"),
        ("0.4", waits_for_an_ending, "where should this end?"),
    ],
)
def test_an_endless_loop_is_stopped(exercise_id, answer, message):
    verdict = check(registry.find(exercise_id), answer)
    assert verdict.kind is Kind.RAISED
    assert message in " ".join(verdict.text.split())


# The scripted world


def test_a_scripted_episode_pays_what_is_written_and_says_how_it_ends():
    env = Scripted(([1.0, 2.0, 3.0], 2), ([5.0], None))
    assert env.reset(seed=7) == (7, {})
    assert env.step(0.0) == (8, 1.0, False, False, {})
    assert env.step(10.0) == (9, 12.0, False, True, {})  # cut here
    assert env.step(0.0) == (10, 3.0, True, True, {})  # and the world itself ends here
    with pytest.raises(RuntimeError, match="terminated"):
        env.step(0.0)
    assert env.reset() == (-100, {})
    assert env.step(0.0) == (-99, 5.0, True, False, {})


def test_a_scripted_world_is_reset_so_often_and_no_more():
    env = Scripted(([1.0], None))
    for _ in range(MOST_RESETS):
        env.reset()
    with pytest.raises(RuntimeError, match="where should this end"):
        env.reset()
