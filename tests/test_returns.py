import pytest
import torch
from hypothesis import given, settings, strategies as st

from a3c_lib.actor_critic import one_step_targets
from a3c_lib.returns import Config, lambda_returns, n_step_returns


def column(*numbers):
    return torch.tensor(numbers)[:, None]


def definition(rewards, next_values, terminated, truncated, gamma):
    """Add up discounted rewards from t to the first end; then what is worth something there."""
    T, N = rewards.shape
    returns = torch.zeros_like(rewards)
    for t in range(T):
        for n in range(N):
            ends = [k for k in range(t, T) if terminated[k, n] or truncated[k, n]]
            last = ends[0] if ends else T - 1
            returns[t, n] = sum(gamma ** (k - t) * rewards[k, n] for k in range(t, last + 1))
            if not terminated[last, n]:
                returns[t, n] += gamma ** (last - t + 1) * next_values[last, n]
    return returns


@settings(max_examples=60, deadline=None)
@given(
    T=st.integers(1, 7),
    N=st.integers(1, 4),
    gamma=st.sampled_from([0.0, 0.5, 0.99, 1.0]),
    seed=st.integers(0, 10_000),
)
def test_the_recursion_equals_the_sum_it_abbreviates(T, N, gamma, seed):
    random = torch.Generator().manual_seed(seed)
    rewards, next_values = torch.randn(2, T, N, generator=random, dtype=torch.float64)
    terminated, truncated = torch.rand(2, T, N, generator=random) < 0.3
    arguments = rewards, next_values, terminated, truncated, gamma
    torch.testing.assert_close(n_step_returns(*arguments), definition(*arguments))


NO = column(False, False, False)
R = column(1.0, 2.0, 3.0)
V = column(4.0, 6.0, 8.0)


@pytest.mark.parametrize(
    ("terminated", "truncated", "expected"),
    [
        (NO, NO, [3.75, 5.5, 7]),
        (column(False, False, True), NO, [2.75, 3.5, 3]),
        (column(False, True, False), NO, [2, 2, 7]),
        (NO, column(False, True, False), [3.5, 5, 7]),  # 2 + ½·6 = 5
        # TimeLimit reports both when the last step allowed is also an ending: the ending wins.
        (column(False, True, False), column(False, True, False), [2, 2, 7]),
    ],
)
def test_three_steps_on_paper(terminated, truncated, expected):
    returns = n_step_returns(R, V, terminated, truncated, gamma=0.5)
    assert returns.squeeze().tolist() == expected


def test_a_rollout_of_one_step_has_the_one_step_target():
    arguments = R[:1], V[:1], NO[:1], NO[:1], 0.9
    assert torch.equal(n_step_returns(*arguments), one_step_targets(*arguments))


def test_values_are_read_only_where_something_was_cut():
    unread = column(float("nan"), 6.0, 8.0)
    returns = n_step_returns(R, unread, NO, column(False, True, False), gamma=0.5)
    assert returns.squeeze().tolist() == [3.5, 5, 7]


def test_environments_do_not_mix():
    rewards = torch.tensor([[1.0, 10.0], [2.0, 20.0]])
    values = torch.tensor([[0.0, 0.0], [4.0, 400.0]])
    no = torch.zeros(2, 2, dtype=torch.bool)
    assert n_step_returns(rewards, values, no, no, 0.5).tolist() == [[3.0, 120.0], [4.0, 220.0]]


def test_the_arguments_are_left_unchanged():
    copies = R.clone(), V.clone(), NO.clone(), NO.clone()
    n_step_returns(*copies, gamma=0.5)
    for copy, original in zip(copies, (R, V, NO, NO), strict=True):
        assert torch.equal(copy, original)


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"rewards \(3, 1\), next_values \(3,\)"):
        n_step_returns(R, V.squeeze(), NO, NO, 0.5)


# ---- λ-returns ----


def some_steps(T, N, seed, dtype=torch.float64):
    random = torch.Generator().manual_seed(seed)
    rewards, next_values = torch.randn(2, T, N, generator=random, dtype=dtype)
    terminated, truncated = torch.rand(2, T, N, generator=random) < 0.25
    return rewards, next_values, terminated, truncated


def mean_of_n_step_returns(rewards, next_values, terminated, truncated, gamma, lambda_):
    """The definition: (1 − λ) Σ λ^{n−1} R^(n), up to the cut, which has the weight that is left."""
    T, N = rewards.shape
    means = torch.zeros_like(rewards)
    for t in range(T):
        for n in range(N):
            left, total = 1.0, 0.0
            for k in range(t, T):
                total += gamma ** (k - t) * rewards[k, n]
                if terminated[k, n]:
                    means[t, n] += left * total
                    break
                bootstrapped = total + gamma ** (k - t + 1) * next_values[k, n]
                last = truncated[k, n] or k == T - 1
                means[t, n] += (left if last else left * (1 - lambda_)) * bootstrapped
                if last:
                    break
                left *= lambda_
    return means


def generalised_advantages(rewards, values, next_values, terminated, truncated, gamma, lambda_):
    """The sum of the paper: A_t = Σ_k (γλ)^k δ_{t+k}, up to the first end."""
    deltas = rewards + gamma * next_values * ~terminated - values
    T, N = rewards.shape
    advantages = torch.zeros_like(rewards)
    for t in range(T):
        for n in range(N):
            for k in range(t, T):
                advantages[t, n] += (gamma * lambda_) ** (k - t) * deltas[k, n]
                if terminated[k, n] or truncated[k, n]:
                    break
    return advantages


LAMBDAS = st.sampled_from([0.0, 0.3, 0.5, 0.95, 1.0])


@settings(max_examples=60)
@given(T=st.integers(1, 7), N=st.integers(1, 4), lambda_=LAMBDAS, seed=st.integers(0, 10_000))
def test_a_lambda_return_is_the_mean_that_it_abbreviates(T, N, lambda_, seed):
    arguments = *some_steps(T, N, seed), 0.9, lambda_
    torch.testing.assert_close(lambda_returns(*arguments), mean_of_n_step_returns(*arguments))


@settings(max_examples=60)
@given(T=st.integers(1, 7), N=st.integers(1, 4), lambda_=LAMBDAS, seed=st.integers(0, 10_000))
def test_advantages_are_the_generalised_ones(T, N, lambda_, seed):
    rewards, next_values, terminated, truncated = some_steps(T, N, seed)
    # Where an episode goes on, the next value is the next observation's own.
    values = torch.randn(T, N, dtype=torch.float64)
    goes_on = ~(terminated | truncated)[:-1]
    next_values[:-1][goes_on] = values[1:][goes_on]
    steps = next_values, terminated, truncated, 0.9, lambda_
    expected = generalised_advantages(rewards, values, *steps)
    torch.testing.assert_close(lambda_returns(rewards, *steps) - values, expected)


@settings(max_examples=60)
@given(T=st.integers(1, 7), N=st.integers(1, 4), seed=st.integers(0, 10_000))
def test_lambda_goes_from_one_step_to_n_steps_bit_for_bit(T, N, seed):
    arguments = *some_steps(T, N, seed, dtype=torch.float32), 0.97
    assert torch.equal(lambda_returns(*arguments, lambda_=1.0), n_step_returns(*arguments))
    assert torch.equal(lambda_returns(*arguments, lambda_=0.0), one_step_targets(*arguments))


@pytest.mark.parametrize(
    ("terminated", "truncated", "expected"),
    [
        # 2 + ½(½·6 + ½·7) = 5.25; 1 + ½(½·4 + ½·5.25) = 3.3125
        (NO, NO, [3.3125, 5.25, 7]),
        (column(False, False, True), NO, [3.0625, 4.25, 3]),
        (column(False, True, False), NO, [2.5, 2, 7]),
        (NO, column(False, True, False), [3.25, 5, 7]),
        (column(False, True, False), column(False, True, False), [2.5, 2, 7]),
    ],
)
def test_three_lambda_returns_on_paper(terminated, truncated, expected):
    returns = lambda_returns(R, V, terminated, truncated, gamma=0.5, lambda_=0.5)
    assert returns.squeeze().tolist() == expected


@pytest.mark.parametrize("lambda_", [-0.1, 1.1, float("nan")])
def test_a_lambda_outside_of_0_to_1_is_refused(lambda_):
    with pytest.raises(ValueError, match=r"lambda_ is in \[0, 1\]; got"):
        lambda_returns(R, V, NO, NO, 0.5, lambda_)
    with pytest.raises(ValueError, match="lambda_ is at"):
        Config(lambda_=lambda_)


def test_lambda_returns_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        lambda_returns(R, V[:, 0], NO, NO, 0.5, 0.5)


def test_a_configs_returns_have_its_lambda():
    arguments = R, V, NO, NO, 0.5
    assert Config().returns is n_step_returns
    half = lambda_returns(*arguments, lambda_=0.5)
    assert torch.equal(Config(lambda_=0.5).returns(*arguments), half)
