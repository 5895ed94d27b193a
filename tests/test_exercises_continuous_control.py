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


gae = returns.lambda_returns


def under_another_name(t, deltas, ended, gamma, lambda_):
    nothing, no = torch.zeros(len(deltas), 1), torch.zeros(len(deltas), 1, dtype=torch.bool)
    return gae(deltas[:, None], nothing, ended[:, None], no, gamma * lambda_, 1.0)[t, 0]


def test_the_sum_of_errors_is_not_asked_of_what_it_is_to_test():
    told = said("10.6", under_another_name)
    assert "`lambda_returns` computes them, here called `gae`." in told


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


# What a reader types, each in another form than the edit that names it


def densities_of(mean, sigma, actions, by=lambda each: each.sum(-1)):
    """A result of 10.1, with another way from the axes to one number."""
    pi = Normal(mean, sigma)
    return by(pi.log_prob(actions)), by(pi.entropy())


def exponential(mean, deviation, actions):
    return densities_of(mean, deviation.exp(), actions)


def of_all_observations(mean, deviation, actions):
    return densities_of(mean, deviation, actions, torch.sum)


def over_the_observations(mean, deviation, actions):
    return densities_of(mean, deviation, actions, lambda each: each.sum(0))


def a_column(mean, deviation, actions):
    return densities_of(mean, deviation, actions, lambda each: each.sum(-1)[..., None])


def logarithms_multiplied(mean, deviation, actions):
    log_pi, H = densities_of(mean, deviation, actions, lambda each: each)
    return log_pi.prod(-1), H.sum(-1)


def as_of_a_list(mean, deviation, actions):
    log_pi, _ = densities_of(mean, deviation, actions)
    return log_pi, -log_pi.exp() * log_pi


def no_half_in_the_entropy(mean, deviation, actions):
    log_pi, _ = densities_of(mean, deviation, actions)
    return log_pi, (2 * math.pi * math.e * deviation**2).log().sum(-1)


def without_two_pi(mean, deviation, actions):
    z = (actions - mean) / deviation
    return (-(z**2) / 2 - deviation.log()).sum(-1), (deviation.log() + 0.5).sum(-1)


def not_squared(mean, deviation, actions):
    z = (actions - mean) / deviation
    log_sigma = deviation.log() + math.log(2 * math.pi) / 2
    return (-z / 2 - log_sigma).sum(-1), (log_sigma + 0.5).sum(-1)


def variance_of_the_world(said, centre, reach):
    mean, x = said.chunk(2, -1)
    return centre + mean * reach, reach**2 * softplus(x)


def rectified(said, centre, reach):
    mean, x = said.chunk(2, -1)
    return centre + mean * reach, reach * torch.relu(x) ** 0.5


def exchanged(said, centre, reach):
    mean, x = said.chunk(2, -1)
    return reach + centre * mean, centre * softplus(x).sqrt()


def from_the_lowest(said, centre, reach):
    mean, x = said.chunk(2, -1)
    low, high = centre - reach, centre + reach
    return low + (high - low) * mean, reach * softplus(x).sqrt()


def never_narrow(said, centre, reach):
    mean, x = said.chunk(2, -1)
    return centre + reach * mean, reach * softplus(x).sqrt() + 0.01


def noise_clipped(mean, deviation, z, low, high):
    drawn = mean + torch.minimum(torch.maximum(z, low), high) * deviation
    return drawn, drawn.clamp(low, high)


def bounds_of_the_first_axis(mean, deviation, z, low, high):
    drawn = mean + deviation * z
    return drawn, drawn.clamp(low[0].item(), high[0].item())


def added_first(mean, deviation, z, low, high):
    drawn = (mean + deviation) * z
    return drawn, drawn.clamp(low, high)


def root_of_the_root(said, z):
    mean, x = said.chunk(2, -1)
    sigma = softplus(x).sqrt()
    actions = (mean + sigma * z).detach()
    return actions, Gaussian(mean, sigma.sqrt()).log_prob(actions)


def of_the_noise(said, z):
    mean, x = said.chunk(2, -1)
    pi = Gaussian(mean, softplus(x).sqrt())
    return (mean + pi.deviation * z).detach(), pi.log_prob(z)


def axis_for_axis(said, z):
    mean, x = said.chunk(2, -1)
    pi = Normal(mean, softplus(x).sqrt())
    actions = (mean + pi.stddev * z).detach()
    return actions, pi.log_prob(actions)


def with_another(rewards, next_values, terminated, truncated, gamma, lambda_, ahead=None, end=None):
    """λ-returns, with another mean of V and R or something else where the world ended."""
    R, returns_ = next_values[-1], []
    for r, V, ended, cut in reversed(
        list(zip(rewards, next_values, terminated, truncated, strict=True))
    ):
        mean = ahead(V, R) if ahead else (1 - lambda_) * V + lambda_ * R
        after = torch.where(cut, V, mean)
        R = r + gamma * torch.where(ended, end(V, R) if end else 0.0, after)
        returns_.insert(0, R)
    return torch.stack(returns_)


def gamma_and_lambda_exchanged(rewards, next_values, terminated, truncated, gamma, lambda_):
    return with_another(rewards, next_values, terminated, truncated, lambda_, gamma)


def discounted_twice(rewards, next_values, terminated, truncated, gamma, lambda_):
    given = rewards, next_values, terminated, truncated, gamma, lambda_
    return with_another(*given, ahead=lambda V, R: (1 - lambda_) * V + gamma * lambda_ * R)


def bootstrapped(rewards, next_values, terminated, truncated, gamma, lambda_):
    given = rewards, next_values, terminated, truncated, gamma, lambda_
    return with_another(*given, end=lambda V, R: V)


def only_v_is_masked(rewards, next_values, terminated, truncated, gamma, lambda_):
    given = rewards, next_values, terminated, truncated, gamma, lambda_
    return with_another(*given, end=lambda V, R: lambda_ * R)


def last_value_zeroed(rewards, next_values, terminated, truncated, gamma, lambda_):
    values = torch.cat([next_values[:-1], torch.zeros_like(next_values[-1:])])
    return with_another(rewards, values, terminated, truncated, gamma, lambda_)


def one_value_too_late(rewards, next_values, terminated, truncated, gamma, lambda_):
    values = torch.cat([next_values[1:], next_values[-1:]])
    return with_another(rewards, values, terminated, truncated, gamma, lambda_)


def only_the_last_end(rewards, next_values, terminated, truncated, gamma, lambda_):
    last = (torch.arange(len(rewards)) == len(rewards) - 1)[:, None]
    ends = terminated & last, truncated & last
    return with_another(rewards, next_values, *ends, gamma, lambda_)


def shortest_and_longest(rewards, next_values, terminated, truncated, gamma, lambda_):
    one = rewards + gamma * next_values * ~terminated
    far = returns.n_step_returns(rewards, next_values, terminated, truncated, gamma)
    return (1 - lambda_) * one + lambda_ * far


def reset_too_late(rewards, next_values, terminated, truncated, gamma, lambda_):
    R, returns_ = next_values[-1], []
    for t in reversed(range(len(rewards))):
        R = rewards[t] + gamma * ((1 - lambda_) * next_values[t] + lambda_ * R)
        returns_.append(R)
        R = R * ~(terminated[t] | truncated[t])
    return torch.stack(returns_[::-1])


def the_same_for_all(t, deltas, ended, gamma, lambda_):
    A = deltas[t]
    for k in range(t + 1, len(deltas)):
        if ended[k - 1]:
            break
        A = A + gamma * lambda_ * deltas[k]
    return A


def begun_anew(t, deltas, ended, gamma, lambda_):
    A, power = 0.0, 0
    for k in range(t, len(deltas)):
        A, power = A + (gamma * lambda_) ** power * deltas[k], power + 1
        if ended[k]:
            A, power = 0.0, 0
    return torch.as_tensor(A)


def without_the_last(t, deltas, ended, gamma, lambda_):
    last = len(deltas) - 1
    return sum(
        ((gamma * lambda_) ** (k - t) * deltas[k] for k in range(t, last) if not ended[t:k].any()),
        torch.zeros(()),
    )


def ended_anywhere(t, deltas, ended, gamma, lambda_):
    return deltas[t] if ended.any() else recursive(t, deltas, ended, gamma, lambda_)


@pytest.mark.parametrize(
    ("exercise", "answer", "hint"),
    [
        ("10.1", exponential, "You take `deviation` for log σ, everywhere"),
        ("10.1", of_all_observations, "Both are one number for all observations"),
        ("10.1", over_the_observations, "dim=0: those are the observations"),
        ("10.1", a_column, "Both keep an axis of length 1"),
        ("10.1", logarithms_multiplied, "The logarithms of the axes are multiplied"),
        ("10.1", as_of_a_list, "−π log π of one action is no entropy"),
        ("10.1", no_half_in_the_entropy, "The entropy is twice what it should be"),
        ("10.1", without_two_pi, "The 2π is missing in the entropy"),
        ("10.1", not_squared, "The bracket is not squared"),
        ("10.2", variance_of_the_world, "That is the variance, in the world's unit"),
        ("10.2", rectified, "You take the ReLU"),
        ("10.2", exchanged, "`centre` and `reach` are exchanged"),
        ("10.2", from_the_lowest, "You count from the lowest action"),
        ("10.2", never_narrow, "that knows nothing of the unit"),
        ("10.3", noise_clipped, "The noise z is clipped"),
        ("10.3", bounds_of_the_first_axis, "All axes are clipped to the same bounds"),
        ("10.3", added_first, "Mean and deviation are added"),
        ("10.4", root_of_the_root, "The root is taken twice for log π"),
        ("10.4", of_the_noise, "log π is asked of the noise"),
        ("10.4", axis_for_axis, "log π has a number for each axis"),
        ("10.5", gamma_and_lambda_exchanged, "γ and λ are exchanged"),
        ("10.5", discounted_twice, "The next return is discounted twice"),
        ("10.5", bootstrapped, "This bootstraps through termination"),
        ("10.5", only_v_is_masked, "the next return still counts with λ"),
        ("10.5", last_value_zeroed, "The last of next_values is taken for 0"),
        ("10.5", one_value_too_late, "next_values is read one step too late"),
        ("10.5", only_the_last_end, "Only an end at the last step is seen"),
        ("10.5", shortest_and_longest, "the shortest and the longest"),
        ("10.5", reset_too_late, "R is set to 0 after the step that ended has used it"),
        ("10.6", the_same_for_all, "The factor is γλ for all later errors"),
        ("10.6", begun_anew, "At an end the sum begins anew"),
        ("10.6", without_the_last, "The last error is left out"),
        ("10.6", ended_anywhere, "An end anywhere stops the sum"),
    ],
)
def test_what_is_wrong_is_said_and_not_only_shown(exercise, answer, hint):
    assert hint in said(exercise, answer)


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
