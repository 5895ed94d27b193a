import math

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.distributions import Categorical as TorchCategorical

from a3c_lib.distributions import (
    Categorical,
    Gaussian,
    NoActionError,
    SquashedGaussian,
    distribution,
)

NAN = float("nan")


def doubles(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


def squashed(mean, deviation, low=-1.0, high=1.0):
    low, high = torch.as_tensor(low, dtype=mean.dtype), torch.as_tensor(high, dtype=mean.dtype)
    one = torch.ones(mean.shape[-1:], dtype=mean.dtype)
    return SquashedGaussian(mean, deviation, (low + high) / 2 * one, (high - low) / 2 * one)


def normal_density(x, mean, deviation):
    """The formula, an axis at a time, without torch's distributions."""
    return math.exp(-0.5 * ((x - mean) / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))


# ---- of logits ----


def test_logits_are_a_categorical_and_a_distribution_is_itself():
    pi = Gaussian(torch.zeros(1), torch.ones(1))
    assert distribution(pi) is pi
    assert distribution(torch.zeros(2)).log_prob(torch.tensor(1)).exp() == 0.5


def test_a_categorical_is_torchs():
    logits, actions = torch.randn(5, 3, 4), torch.randint(4, (5, 3))
    ours, torchs = Categorical(logits), TorchCategorical(logits=logits)
    assert torch.equal(ours.log_prob(actions), torchs.log_prob(actions))
    assert torch.equal(ours.entropy(), torchs.entropy())


def test_a_categorical_draws_as_often_as_it_says():
    logits = torch.tensor([0.2, 0.5, 0.3]).log().expand(100_000, 3)
    share = Categorical(logits).sample(dice()).bincount() / 100_000
    assert (share - torch.tensor([0.2, 0.5, 0.3])).abs().max() < 0.008  # five standard errors


# ---- Gaussians ----


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.floats(-3, 3), st.floats(0.05, 4), st.floats(-5, 5)), min_size=1, max_size=4
    )
)
def test_log_pi_is_the_product_of_the_axes_densities(axes):
    mean, deviation, action = doubles(*axes).T
    expected = sum(math.log(normal_density(a, m, s)) for m, s, a in axes if normal_density(a, m, s))
    if all(normal_density(a, m, s) for m, s, a in axes):
        assert Gaussian(mean, deviation).log_prob(action).item() == pytest.approx(expected)


def test_log_pi_and_entropy_on_paper():
    pi = Gaussian(doubles(1.0, -1.0), doubles(2.0, 0.5))
    # −½(½² + 2²) − log 2 − log ½ − log 2π
    assert pi.log_prob(doubles(2.0, 0.0)).item() == pytest.approx(-2.125 - math.log(2 * math.pi))
    assert pi.entropy().item() == pytest.approx(math.log(2 * math.pi * math.e))


def test_a_density_may_be_above_one_and_its_entropy_below_zero():
    pi = Gaussian(torch.zeros(1), torch.full((1,), 0.01))
    assert pi.log_prob(torch.zeros(1)) > 0
    assert pi.entropy().item() == pytest.approx(
        0.5 * math.log(2 * math.pi * math.e) - math.log(100)
    )


def test_entropy_is_the_mean_of_minus_log_pi():
    pi = Gaussian(torch.tensor([0.3, -2.0]).expand(200_000, 2), torch.tensor([0.2, 3.0]))
    drawn = pi.sample(dice())
    assert -pi.log_prob(drawn).mean() == pytest.approx(pi.entropy()[0].item(), abs=0.012)


def test_what_is_drawn_has_the_mean_and_the_deviation():
    mean, deviation = torch.tensor([0.3, -2.0]), torch.tensor([0.2, 3.0])
    drawn = Gaussian(mean.expand(200_000, 2), deviation).sample(dice())
    torch.testing.assert_close(drawn.mean(0), mean, rtol=0, atol=0.035)
    torch.testing.assert_close(drawn.std(0), deviation, rtol=0.01, atol=0)
    assert torch.corrcoef(drawn.T)[0, 1].abs() < 0.012  # five standard errors


def test_draws_come_from_the_generator_alone():
    pi, before = Gaussian(torch.zeros(3), torch.ones(3)), torch.get_rng_state()
    one, again, other = (pi.sample(dice(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_gradients_on_paper():
    """d log π / dμ = (a − μ)/σ², d log π / dσ = ((a − μ)² − σ²)/σ³, dH/dσ = 1/σ."""
    mean, deviation = doubles(1.0).requires_grad_(), doubles(2.0).requires_grad_()
    pi = Gaussian(mean, deviation)
    of_log_pi = torch.autograd.grad(pi.log_prob(doubles(4.0)), [mean, deviation])
    assert [g.item() for g in of_log_pi] == pytest.approx([3 / 4, 5 / 8])
    assert torch.autograd.grad(pi.entropy(), [deviation])[0].item() == pytest.approx(0.5)


def test_the_mean_score_of_clipped_actions_is_not_zero():
    """With μ at the bound and σ = 1, half of what is drawn is clipped to μ: the mean of
    (a − μ)/σ² is then −1/√2π, not 0. A policy that learns so walks away from the bound."""
    mean = torch.zeros(1_000_000, 1).requires_grad_()
    pi = Gaussian(mean, torch.ones(1))
    drawn = pi.sample(dice()).detach()
    clipped = drawn.clamp(max=0.0)
    for actions, expected in (drawn, 0.0), (clipped, -1 / math.sqrt(2 * math.pi)):
        (score,) = torch.autograd.grad(pi.log_prob(actions).sum(), mean, retain_graph=True)
        assert score.mean().item() == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("actions", [torch.zeros(5, 3), torch.zeros(5, 3, 2), torch.zeros(3, 1)])
def test_actions_that_would_broadcast_are_refused(actions):
    pi = Gaussian(torch.zeros(5, 3, 1), torch.ones(1))
    with pytest.raises(ValueError, match=r"actions \(.*\) must be the shape of .* \(5, 3, 1\)"):
        pi.log_prob(actions)


@pytest.mark.parametrize(
    ("mean", "deviation"),
    [(NAN, 1.0), (math.inf, 1.0), (0.0, NAN), (0.0, math.inf), (0.0, 0.0), (0.0, -1.0)],
)
def test_what_is_no_density_chooses_no_action(mean, deviation):
    pi = Gaussian(torch.tensor([0.0, mean]), torch.tensor([1.0, deviation]))
    assert "mean and deviation are" in pi.wrong()
    with pytest.raises(NoActionError):
        pi.sample(dice())
    with pytest.raises(NoActionError):
        pi.mode


def test_a_part_of_a_batch():
    mean, deviation = torch.randn(4, 3, 2), torch.rand(4, 3, 2) + 0.1
    real = torch.rand(4, 3) < 0.5
    actions = torch.randn(4, 3, 2)
    for pi in Gaussian(mean, deviation), squashed(mean, deviation):
        actions = pi.mode
        # Processors compute the last few numbers of a tensor in another way than those before.
        torch.testing.assert_close(pi[real].log_prob(actions[real]), pi.log_prob(actions)[real])
        torch.testing.assert_close(pi[real].mode, pi.mode[real])


# ---- squashed ----


def test_a_squashed_density_adds_up_to_one():
    a = torch.linspace(-2, 6, 400_002, dtype=torch.float64)[1:-1, None]
    for mean, deviation in (0.0, 0.5), (1.0, 1.0), (-0.7, 1.2):
        pi = squashed(doubles(mean).expand(len(a), 1), doubles(deviation), -2.0, 6.0)
        total = torch.trapezoid(pi.log_prob(a).exp(), a[:, 0])
        assert total.item() == pytest.approx(1, abs=2e-3)


def test_a_squashed_density_is_torchs():
    from torch.distributions import AffineTransform, Normal, TanhTransform, TransformedDistribution

    mean, deviation = doubles(0.3, -1.0), doubles(0.5, 1.5)
    transforms = [TanhTransform(), AffineTransform(1.0, 3.0)]
    torchs = TransformedDistribution(Normal(mean, deviation), transforms)
    actions = torchs.sample((50,))
    pi = squashed(mean.expand(50, 2), deviation, -2.0, 4.0)
    torch.testing.assert_close(pi.log_prob(actions), torchs.log_prob(actions).sum(-1))


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 0.3), (0.5, 0.8), (-2.0, 1.0), (0.0, 2.0)])
def test_squashed_entropy_is_the_integral(mean, deviation):
    u = torch.linspace(-16, 16, 200_001, dtype=torch.float64)[:, None]
    inside = (u.tanh().abs() < 1 - 1e-14).squeeze()
    u = u[inside]
    pi = squashed(doubles(mean).expand(len(u), 1), doubles(deviation), -2.0, 6.0)
    density = Gaussian(doubles(mean).expand(len(u), 1), doubles(deviation)).log_prob(u).exp()
    integral = -torch.trapezoid(density * pi.log_prob(2 + 4 * u.tanh()), u[:, 0])
    assert pi.entropy()[0].item() == pytest.approx(integral.item(), abs=2e-3)


def test_squashed_actions_stay_inside_and_are_learned_from_even_at_a_bound():
    mean = torch.full((1000, 1), 20.0).requires_grad_()
    pi = squashed(mean, torch.ones(1), -2.0, 2.0)
    drawn = pi.sample(dice()).detach()
    assert (drawn.abs() <= 2).all()
    (gradient,) = torch.autograd.grad(pi.log_prob(drawn).sum() + pi.entropy().sum(), mean)
    assert gradient.isfinite().all()


def test_the_determinant_changes_no_gradient_of_log_pi():
    """It depends on the action alone: what is learned from is the Gaussian's own score."""
    mean = torch.randn(6, 2, dtype=torch.float64).requires_grad_()
    deviation, u = torch.rand(2, dtype=torch.float64) + 0.5, torch.randn(6, 2, dtype=torch.float64)
    one = squashed(mean, deviation).log_prob(u.tanh()).sum()
    other = Gaussian(mean, deviation).log_prob(u).sum()
    torch.testing.assert_close(*(torch.autograd.grad(log_pi, mean) for log_pi in (one, other)))


def test_a_squashed_mode_is_the_squashed_mean():
    pi = squashed(doubles(2.0, -0.5), doubles(0.1, 0.3), low=-1.0, high=3.0)
    assert pi.mode.tolist() == pytest.approx([1 + 2 * math.tanh(2.0), 1 + 2 * math.tanh(-0.5)])


def test_a_categorical_has_a_mode_where_it_has_samples():
    none_possible = Categorical(torch.tensor([[0.0, 1.0], [-math.inf, -math.inf]]))
    with pytest.raises(NoActionError):
        none_possible.mode
    one_impossible = Categorical(torch.tensor([[0.0, -math.inf]]))
    assert one_impossible.mode.tolist() == [0]
