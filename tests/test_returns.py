import pytest
import torch
from hypothesis import given, settings, strategies as st

from a3c_lib.actor_critic import one_step_targets
from a3c_lib.returns import n_step_returns


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
