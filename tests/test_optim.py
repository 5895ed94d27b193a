import math

import pytest
import torch
from hypothesis import given, strategies as st

from a3c_lib.optim import Adam, Config, Momentum, RMSProp

ALL = [RMSProp, Momentum, Adam]


def change(optimizer, gradient, learning_rate=0.1):
    """By how much a step lowers the first parameter."""
    before = optimizer.parameters[0].item()
    optimizer.step([torch.tensor([gradient])], learning_rate)
    return before - optimizer.parameters[0].item()


# ---- RMSProp ----


def test_epsilon_is_added_under_the_root():
    theta = torch.tensor([1.0])
    RMSProp([theta], decay=0.75, epsilon=1.75).step([torch.tensor([3.0])], 0.1)
    assert theta.item() == pytest.approx(1 - 0.1 * 3 / 2)  # √(9/4 + 7/4) = 2, √(9/4) + 7/4 = 13/4


def test_two_workers_share_what_is_known_of_the_gradients():
    """α = .99, ε = .1, η = .1: one worker's gradient is 2, then another's is 1."""
    theta = torch.zeros(1)
    shared = RMSProp([theta], epsilon=0.1)
    assert change(shared, 2.0) == pytest.approx(0.53452, abs=1e-5)
    assert change(shared, 1.0) == pytest.approx(0.25854, abs=1e-5)


def test_a_worker_with_statistics_of_its_own_knows_only_its_own_gradients():
    theta = torch.zeros(1)
    one, other = RMSProp([theta], epsilon=0.1), RMSProp([theta], epsilon=0.1)
    assert change(one, 2.0) == pytest.approx(0.53452, abs=1e-5)
    assert change(other, 1.0) == pytest.approx(0.30151, abs=1e-5)


gradients_ = st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=5)


@given(gradients=gradients_, decay=st.sampled_from([0.0, 0.5, 0.99]))
def test_rmsprop_by_its_definition(gradients, decay):
    """g after k gradients is (1 − α) Σ α^(k−i) Δθ_i²."""
    theta = torch.zeros(1, dtype=torch.float64)
    optimizer = RMSProp([theta], decay, epsilon=0.01)
    expected = 0.0
    for k in range(len(gradients)):
        optimizer.step([torch.tensor([gradients[k]], dtype=torch.float64)], 0.1)
        g = (1 - decay) * sum(decay ** (k - i) * gradients[i] ** 2 for i in range(k + 1))
        expected -= 0.1 * gradients[k] / math.sqrt(g + 0.01)
    assert theta.item() == pytest.approx(expected)


# ---- momentum and Adam ----


@given(gradients=gradients_, decay=st.sampled_from([0.0, 0.5, 0.99]))
def test_momentum_by_its_definition(gradients, decay):
    theta = torch.zeros(1, dtype=torch.float64)
    optimizer = Momentum([theta], decay)
    expected = 0.0
    for k in range(len(gradients)):
        optimizer.step([torch.tensor([gradients[k]], dtype=torch.float64)], 0.1)
        m = (1 - decay) * sum(decay ** (k - i) * gradients[i] for i in range(k + 1))
        expected -= 0.1 * m
    assert theta.item() == pytest.approx(expected)


def test_adam_is_torchs_adam():
    random = torch.Generator().manual_seed(0)
    ours = [torch.randn(3, 2, generator=random), torch.randn(4, generator=random)]
    torchs = [torch.nn.Parameter(theta.clone()) for theta in ours]
    optimizer, reference = Adam(ours), torch.optim.Adam(torchs, lr=0.01)
    for _ in range(20):
        gradients = [torch.randn(theta.shape, generator=random) for theta in ours]
        optimizer.step(gradients, 0.01)
        for theta, d_theta in zip(torchs, gradients, strict=True):
            theta.grad = d_theta.clone()
        reference.step()
    for theta, expected in zip(ours, torchs, strict=True):
        torch.testing.assert_close(theta, expected.data)


def test_a_weight_does_not_jump_where_a_worker_has_added_to_m_and_not_yet_to_v():
    """As two workers without a lock may meet; v was 0 so far."""
    theta = torch.zeros(2)
    optimizer = Adam([theta])
    optimizer.m[0][1] = 1e-4  # another worker's (1 − β₁) dθ
    optimizer.step([torch.tensor([1e-3, 0.0])], 0.01)
    assert theta[0].item() == pytest.approx(-0.01, rel=1e-4)
    assert theta[1].item() == 0  # −0.01 · 9e-5 / 0.1 / 1e-8 = −900, if m were divided by ε


@given(gradients=st.lists(st.floats(-1e3, 1e3, allow_subnormal=False), min_size=1, max_size=40))
def test_no_gradients_make_more_of_m_than_its_bound(gradients):
    (b1, b2), bound = (0.9, 0.999), Adam([torch.zeros(1)]).bound
    m = v = 0.0
    for d_theta in gradients:
        m, v = b1 * m + (1 - b1) * d_theta, b2 * v + (1 - b2) * d_theta**2
        assert abs(m) <= bound * v**0.5 * (1 + 1e-9) + 1e-150


# ---- all of them ----


@pytest.mark.parametrize("kind", ALL)
def test_a_step_goes_against_the_gradient(kind):
    assert change(kind([torch.zeros(1)]), 2.0) > 0
    assert change(kind([torch.zeros(1)]), -2.0) < 0


@pytest.mark.parametrize("kind", ALL)
def test_nothing_is_left_in_grad_and_the_gradients_are_left_alone(kind):
    theta, d_theta = torch.nn.Parameter(torch.ones(2)), torch.ones(2)
    optimizer = kind([theta])
    for _ in range(2):
        optimizer.step([d_theta], 0.1)
    assert theta.grad is None
    assert d_theta.tolist() == [1, 1]
    assert theta.requires_grad


@pytest.mark.parametrize("kind", ALL)
def test_shared_means_parameters_and_statistics(kind):
    optimizer = kind([torch.zeros(2)]).share_memory()
    for tensors in optimizer.statistics.values():
        assert all(tensor.is_shared() for tensor in tensors)


@pytest.mark.parametrize("kind", ALL)
def test_it_goes_on_from_its_state(kind):
    one, other = kind([torch.zeros(1)]), kind([torch.zeros(1)])
    change(one, 2.0)
    state = one.state_dict()
    change(one, 3.0)  # the state is a copy
    other.load_state_dict(state)
    change(other, 3.0)
    for name, tensors in one.statistics.items():
        assert all(map(torch.equal, tensors, other.statistics[name]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RMSProp([]), "at least one parameter"),
        (lambda: RMSProp([torch.zeros(1)], decay=1.0), "decay is below 1; got 1.0"),
        (lambda: RMSProp([torch.zeros(1)], epsilon=0.0), "epsilon is positive; got 0.0"),
        (
            lambda: Adam([torch.zeros(1)], decays=(0.9, 2.0)),
            "decays are numbers, each below 1; got .0.9, 2.0",
        ),
        (lambda: Adam([torch.zeros(1)], decays=(0.9,)), r"decays are two, β₁ and β₂; got \(0.9,\)"),
        (lambda: Adam([torch.zeros(1)], decays=(0.9, 0.8)), r"β₁² is below β₂.*got \(0.9, 0.8\)"),
        (lambda: Momentum([torch.zeros(1)]).load_state_dict({"g": []}), r"\['m'\]; got \['g'\]"),
        (
            lambda: RMSProp([torch.zeros(1)]).load_state_dict({"g": [torch.zeros(2)]}),
            r"g has the shapes \[\(1,\)\]; got \[\(2,\)\]",
        ),
        (lambda: Config(optimizer="sgd"), "'rmsprop', 'momentum' or 'adam'; got 'sgd'"),
        (lambda: Config(rmsprop_epsilon=0.0), "rmsprop_epsilon is positive; got 0.0"),
        (lambda: Config(decay=1), "decay is below 1; got 1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("name", "kind"), [("rmsprop", RMSProp), ("momentum", Momentum), ("adam", Adam)]
)
def test_the_config_makes_the_optimizer_that_it_names(name, kind):
    optimizer = Config(optimizer=name).make_optimizer([torch.zeros(1)])
    assert type(optimizer) is kind


def test_the_config_sets_the_optimizer_that_it_makes():
    config = {"decay": 0.75, "rmsprop_epsilon": 1.75}
    rmsprop = Config(**config).make_optimizer([torch.zeros(1)])
    momentum = Config(optimizer="momentum", **config).make_optimizer([torch.zeros(1)])
    assert (rmsprop.decay, rmsprop.epsilon, momentum.decay) == (0.75, 1.75, 0.75)
