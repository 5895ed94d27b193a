"""Right answers to chapter 10's exercises in other forms, and what its cases tell apart."""

import math

import pytest
import torch
from gymnasium import spaces
from torch.distributions import Independent, Normal
from torch.nn.functional import softplus

from a3c_lib import returns
from a3c_lib.distributions import Gaussian
from a3c_lib.exercises import continuous_control as exercises
from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.checking import Kind, check
from a3c_lib.networks import GaussianHead

# 10.1


def with_torchs(mean, deviation, actions):
    pi = Independent(Normal(mean, deviation), 1)
    return pi.log_prob(actions), pi.entropy()


def axis_by_axis(mean, deviation, actions):
    log_pi = H = 0.0
    for d in range(mean.shape[-1]):
        mu, sigma, a = mean[..., d], deviation[..., d], actions[..., d]
        log_pi = log_pi - (a - mu) ** 2 / (2 * sigma**2) - (sigma * math.sqrt(2 * math.pi)).log()
        H = H + 0.5 * torch.log(2 * math.pi * math.e * sigma**2)
    return log_pi, H


# 10.2


def with_slices(said, centre, reach):
    D = len(centre)
    variance = torch.nn.Softplus()(said[..., D:])
    return said[..., :D] * reach + centre, (reach**2 * variance) ** 0.5


def with_the_logarithm(said, centre, reach):
    mean, x = torch.split(said, len(centre), dim=-1)
    return centre + mean * reach, reach * torch.logaddexp(x, torch.zeros(())).pow(0.5)


# 10.3


def with_where(mean, deviation, z, low, high):
    drawn = torch.addcmul(mean, deviation, z)
    taken = torch.where(drawn < low, low, torch.where(drawn > high, high, drawn))
    return drawn, taken


def with_minimum(mean, deviation, z, low, high):
    drawn = z * deviation + mean
    return drawn, torch.minimum(torch.maximum(drawn, low), high)


# 10.4


def by_hand(said, z):
    D = z.shape[-1]
    mean, sigma = said[..., :D], softplus(said[..., D:]) ** 0.5
    with torch.no_grad():
        actions = mean + sigma * z
    return actions, exercises.log_pi_and_entropy(mean, sigma, actions)[0]


# 10.5


def backwards_from_the_errors(rewards, next_values, terminated, truncated, gamma, lambda_):
    """R − V of the next step, carried along: another recursion of the same."""
    returns_, beyond = [], torch.zeros_like(rewards[0])
    for t in range(len(rewards) - 1, -1, -1):
        V = torch.where(terminated[t], torch.zeros(()), next_values[t])
        over = terminated[t] | truncated[t] | (t == len(rewards) - 1)
        R = rewards[t] + gamma * (V + lambda_ * torch.where(over, 0.0, beyond))
        returns_.insert(0, R)
        beyond = R - next_values[t - 1] if t else R
    return torch.stack(returns_)


def env_by_env(rewards, next_values, terminated, truncated, gamma, lambda_):
    T, N = rewards.shape
    R = torch.zeros(T, N)
    for n in range(N):
        for t in reversed(range(T)):
            if terminated[t, n]:
                R[t, n] = rewards[t, n]
            elif truncated[t, n] or t == T - 1:
                R[t, n] = rewards[t, n] + gamma * next_values[t, n]
            else:
                ahead = (1 - lambda_) * next_values[t, n] + lambda_ * R[t + 1, n]
                R[t, n] = rewards[t, n] + gamma * ahead
    return R


# 10.6


def as_one_sum(t, deltas, ended, gamma, lambda_):
    ends = ended[t:].nonzero().flatten().tolist()
    last = t + ends[0] if ends else len(deltas) - 1
    return sum((gamma * lambda_) ** (k - t) * deltas[k] for k in range(t, last + 1))


def recursive(t, deltas, ended, gamma, lambda_):
    if ended[t] or t + 1 == len(deltas):
        return deltas[t]
    return deltas[t] + gamma * lambda_ * recursive(t + 1, deltas, ended, gamma, lambda_)


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("10.1", with_torchs),
        ("10.1", axis_by_axis),
        ("10.2", with_slices),
        ("10.2", with_the_logarithm),
        ("10.3", with_where),
        ("10.3", with_minimum),
        ("10.4", by_hand),
        ("10.5", backwards_from_the_errors),
        ("10.5", env_by_env),
        ("10.5", exercises.lambda_returns_in_a_loop),
        ("10.6", as_one_sum),
        ("10.6", recursive),
    ],
)
def test_a_right_answer_in_another_form_is_right(exercise, answer):
    verdict = check(registry.find(exercise), answer)
    assert verdict.kind is Kind.RIGHT, verdict.text


def said(exercise, answer):
    verdict = check(registry.find(exercise), answer)
    assert verdict.kind is Kind.WRONG, verdict.text
    return " ".join(verdict.text.split())


def test_one_mistake_that_shows_in_both_results_is_told_as_one():
    def taken_for_a_variance(mean, deviation, actions):
        return with_torchs(mean, deviation.sqrt(), actions)

    def squared(mean, deviation, actions):
        return with_torchs(mean, deviation.square(), actions)

    def not_added_up(mean, deviation, actions):
        pi = Normal(mean, deviation)
        return pi.log_prob(actions), pi.entropy()

    assert "for the variance σ², everywhere" in said("10.1", taken_for_a_variance)
    assert "σ² where σ belongs" in said("10.1", squared)
    assert "Both have a number for each axis" in said("10.1", not_added_up)


def test_a_mistake_without_a_name_is_still_wrong():
    def never_certain(mean, deviation, actions):
        return with_torchs(mean, deviation.clamp(min=0.01), actions)

    def half_of_it(said, centre, reach):
        mean, deviation = exercises.mean_and_deviation(said, centre, reach)
        return mean, deviation / 2

    assert check(registry.find("10.1"), never_certain).kind is Kind.WRONG
    assert check(registry.find("10.2"), half_of_it).kind is Kind.WRONG


# What the references are


def test_the_parts_are_the_packages():
    head = GaussianHead(3, spaces.Box(0, 20, (2,)))
    features = torch.randn(5, 3)
    pi = head(features)
    mean, deviation = exercises.mean_and_deviation(head.linear(features), head.centre, head.reach)
    torch.testing.assert_close(pi.mean, mean)
    torch.testing.assert_close(pi.deviation, deviation)
    actions = torch.randn(5, 2)
    log_pi, H = exercises.log_pi_and_entropy(mean, deviation, actions)
    torch.testing.assert_close(Gaussian(mean, deviation).log_prob(actions), log_pi)
    torch.testing.assert_close(Gaussian(mean, deviation).entropy(), H)


@pytest.mark.parametrize("lambda_", [0.0, 0.5, 0.95, 1.0])
def test_the_sum_of_errors_is_the_return_minus_the_value(lambda_):
    T = 40
    rewards, values = torch.randn(2, T, 1)
    terminated, truncated = torch.rand(2, T, 1) < 0.15
    after = torch.randn(T, 1)
    goes_on = ~(terminated | truncated)[:-1]
    after[:-1][goes_on] = values[1:][goes_on]
    R = returns.lambda_returns(rewards, after, terminated, truncated, 0.9, lambda_)
    deltas = rewards + 0.9 * after * ~terminated - values
    for t in range(T):
        A = exercises.advantage_from(t, deltas[:, 0], (terminated | truncated)[:, 0], 0.9, lambda_)
        torch.testing.assert_close(A, (R - values)[t, 0])


def test_the_mean_score_of_what_is_drawn_is_zero_and_that_of_the_hunts_is_not():
    z = torch.randn(200_000, 1, generator=torch.Generator().manual_seed(0))

    def score(function, layer):
        given = torch.tensor(layer).expand(len(z), 2).clone().requires_grad_()
        (gradient,) = torch.autograd.grad(function(given, z)[1].sum(), [given])
        return gradient.mean(0)

    assert score(exercises.drawn_with_log_pi, [0.0, 4.0]).abs().max() < 0.01
    assert score(exercises.drawn_with_log_pi_with_a_bug, [0.0, 4.0])[1] > 0.3


def test_of_a_clipped_action_the_mean_score_is_what_it_is_on_paper():
    """μ at the upper edge and σ = 1: −1/√(2π) for μ, −½ for σ."""
    z = torch.randn(400_000, 1, generator=torch.Generator().manual_seed(0))
    mean, deviation = torch.zeros(1, requires_grad=True), torch.ones(1, requires_grad=True)
    low, high = torch.tensor([-math.inf]), torch.tensor([0.0])
    for actions, expected in zip(
        exercises.drawn_and_taken(mean.detach(), deviation.detach(), z, low, high),
        [(0.0, 0.0), (-1 / math.sqrt(2 * math.pi), -0.5)],
        strict=True,
    ):
        log_pi, _ = exercises.log_pi_and_entropy(mean, deviation, actions)
        of_mu, of_sigma = torch.autograd.grad(log_pi.mean(), [mean, deviation])
        assert of_mu.item() == pytest.approx(expected[0], abs=0.008)
        assert of_sigma.item() == pytest.approx(expected[1], abs=0.008)
