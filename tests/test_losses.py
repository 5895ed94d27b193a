import math

import pytest
import torch
from torch.distributions import Categorical

from a3c_lib.actor_critic import actor_critic_loss
from a3c_lib.losses import Config, a2c_loss, entropy


def rollout(T=3, N=2, A=4, seed=0):
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(T, N, A, generator=random).requires_grad_()
    values, returns = torch.randn(2, T, N, generator=random)
    actions = torch.randint(A, (T, N), generator=random)
    return logits, values.requires_grad_(), actions, returns


def test_entropy_on_paper():
    logits = torch.tensor([0.9, 0.1]).log().requires_grad_()
    H = entropy(logits)
    assert H.item() == pytest.approx(0.32508, abs=1e-5)
    (gradient,) = torch.autograd.grad(H, logits)
    assert gradient.tolist() == pytest.approx([-0.19775, 0.19775], abs=1e-5)


def test_entropy_is_the_distributions_own():
    logits = torch.randn(5, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(entropy(logits), Categorical(logits=logits).entropy())


def test_a_uniform_policy_has_the_most_entropy_and_no_gradient():
    logits = torch.full((6,), 3.0, requires_grad=True)
    H = entropy(logits)
    assert H.item() == pytest.approx(math.log(6))
    assert torch.autograd.grad(H, logits)[0].abs().max() < 1e-6


def test_a_certain_policy_has_none_and_nothing_becomes_nan():
    logits = torch.tensor([1000.0, 0.0, -1000.0], requires_grad=True)
    H = entropy(logits)
    assert H.item() == 0
    assert torch.autograd.grad(H, logits)[0].isfinite().all()


def test_an_action_that_cannot_be_taken_adds_nothing_to_the_entropy_and_has_no_gradient():
    masked = torch.tensor([[1.0, -math.inf, 0.0]], requires_grad=True)
    without = torch.tensor([[1.0, 0.0]], requires_grad=True)
    torch.testing.assert_close(entropy(masked), entropy(without))
    (gradient,) = torch.autograd.grad(1e6 * entropy(masked).sum(), masked)
    (expected,) = torch.autograd.grad(1e6 * entropy(without).sum(), without)
    torch.testing.assert_close(gradient[:, [0, 2]], expected)
    assert gradient[0, 1] == 0


def test_the_total_is_made_of_its_parts():
    loss = a2c_loss(*rollout(), value_weight=0.3, entropy_weight=0.2)
    expected = loss.policy + 0.3 * loss.value - 0.2 * loss.entropy
    torch.testing.assert_close(loss.total, expected)


def test_without_the_bonus_it_is_chapter_01s_loss():
    arguments = rollout()
    with_0, without = a2c_loss(*arguments, entropy_weight=0.0), actor_critic_loss(*arguments)
    for one, two in zip(with_0, without, strict=True):
        torch.testing.assert_close(one, two)


def test_descending_the_loss_raises_entropy():
    logits, values, actions, _ = rollout()
    # Returns equal to values: no advantage, so the bonus is all that moves the policy.
    loss = a2c_loss(logits, values, actions, values.detach(), entropy_weight=0.5)
    (gradient,) = torch.autograd.grad(loss.total, logits)
    after = entropy(logits - 0.1 * gradient).mean()
    assert after > loss.entropy


def test_the_bonus_is_a_mean_over_steps():
    logits, values, actions, _ = rollout()
    twice = [torch.cat([x, x]) for x in (logits, values, actions, values.detach())]
    once = a2c_loss(logits, values, actions, values.detach(), entropy_weight=0.5)
    torch.testing.assert_close(a2c_loss(*twice, entropy_weight=0.5).total, once.total)
    assert once.entropy.item() == pytest.approx(entropy(logits).sum().item() / 6)


def test_a_configs_loss_has_its_weights():
    arguments = rollout()
    ours = Config(value_weight=0.3, entropy_weight=0.2).loss(*arguments)
    assert all(map(torch.equal, ours, a2c_loss(*arguments, value_weight=0.3, entropy_weight=0.2)))
    default, defaults = Config().loss(*arguments), a2c_loss(*arguments)
    assert all(map(torch.equal, default, defaults))


@pytest.mark.parametrize("name", ["value_weight", "entropy_weight"])
@pytest.mark.parametrize("weight", [-0.1, math.nan])
def test_a_weight_that_cannot_be_is_refused(name, weight):
    with pytest.raises(ValueError, match=f"{name} is at least 0; got {weight}"):
        Config(**{name: weight})


def test_a_negative_bonus_is_refused():
    with pytest.raises(ValueError, match=r"at least 0; got -0\.01"):
        a2c_loss(*rollout(), entropy_weight=-0.01)
