"""Right answers to chapter 03's exercises in other forms."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Categorical
from torch.nn import functional as F

from a3c_lib.actor_critic import Loss, actor_critic_loss
from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.checking import Kind, check
from a3c_lib.exercises.entropy_bonus import full_loss_with_a_bug
from a3c_lib.losses import a2c_loss, entropy as package_entropy


def by_torchs_distribution(logits):
    return Categorical(logits=logits).entropy()


def in_float64(logits):
    log_pi = logits.double().log_softmax(dim=-1)
    return -(log_pi.exp() * log_pi).sum(dim=-1)


def cross_entropy_with_itself(logits):
    return -torch.einsum("...a,...a->...", logits.softmax(-1), F.log_softmax(logits, -1))


def log_partition_minus_mean_logit(logits):
    return logits.logsumexp(-1) - (logits.softmax(-1) * logits).sum(-1)


def action_by_action(logits):
    log_pi = logits.log_softmax(dim=-1).unbind(dim=-1)
    return sum(-each.exp() * each for each in log_pi)


def logarithms_detached(logits):
    # Σ π(a) d log π(a) is 0: the entropy's gradient flows through the other factor alone.
    log_pi = logits.log_softmax(dim=-1)
    pi = log_pi.exp()
    return -(pi * log_pi.detach()).sum(dim=-1)


def less_than_of_a_uniform_policy(logits):
    log_pi = logits.log_softmax(-1)
    A = logits.shape[-1]
    return math.log(A) - (log_pi.exp() * (log_pi + math.log(A))).sum(-1)


def in_one_piece(logits, values, actions, returns, value_weight=0.5, entropy_weight=0.01):
    pi = Categorical(logits=logits)
    advantages = (returns - values).detach()
    policy = -(pi.log_prob(actions) * advantages).mean()
    value = F.mse_loss(values, returns.detach())
    entropy = pi.entropy().mean()
    return Loss(policy + value_weight * value - entropy_weight * entropy, policy, value, entropy)


def sums_divided(logits, values, actions, returns, value_weight=0.5, entropy_weight=0.01):
    steps = actions.numel()
    log_pi = logits.reshape(steps, -1).log_softmax(-1)
    taken = log_pi[torch.arange(steps), actions.flatten()]
    fixed = returns.detach().flatten()
    policy = -(taken @ (fixed - values.detach().flatten())) / steps
    value = ((fixed - values.flatten()) ** 2).sum() / steps
    entropy = -(log_pi.exp() * log_pi).sum() / steps
    return Loss(policy + value_weight * value - entropy_weight * entropy, policy, value, entropy)


def negative_entropy_added(logits, values, actions, returns, value_weight=0.5, entropy_weight=0.01):
    loss = actor_critic_loss(logits, values, actions, returns, value_weight=value_weight)
    negative = -package_entropy(logits).mean()
    return loss._replace(total=loss.total + entropy_weight * negative, entropy=-negative)


def chapter_01s_own_entropy(
    logits, values, actions, returns, value_weight=0.5, entropy_weight=0.01
):
    loss = actor_critic_loss(logits, values, actions, returns, value_weight)
    return loss._replace(total=loss.total - entropy_weight * loss.entropy)


def parts_to_be_looked_at(*args, **weights):
    total, *parts = a2c_loss(*args, **weights)
    return Loss(total, *(part.detach() for part in parts))


def through_numpy(returns, values):
    R, V = returns.numpy(), values.numpy()
    with np.errstate(all="ignore"):
        return 1 - np.var(R - V) / np.var(R) if np.ptp(R) > 0 else np.nan


def with_unbiased_variances(returns, values):
    if (returns == returns.flatten()[0]).all():
        return float("nan")
    return float(1 - (returns - values).var() / returns.var())


def from_the_definition(returns, values):
    def variance(x):
        return ((x - x.mean()) ** 2).mean().item()

    if (returns == returns[0, 0]).all():
        return math.nan
    return 1 - variance(returns - values) / variance(returns)


def number_by_number(returns, values):
    R, V = returns.flatten().tolist(), values.flatten().tolist()
    if min(R) == max(R):
        return math.nan
    left, mean = [a - b for a, b in zip(R, V, strict=True)], sum(R) / len(R)
    mean_left = sum(left) / len(left)
    return 1 - sum((x - mean_left) ** 2 for x in left) / sum((x - mean) ** 2 for x in R)


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("3.1", by_torchs_distribution),
        ("3.1", in_float64),
        ("3.1", cross_entropy_with_itself),
        ("3.1", log_partition_minus_mean_logit),
        ("3.1", action_by_action),
        ("3.1", logarithms_detached),
        ("3.1", less_than_of_a_uniform_policy),
        ("3.2", in_one_piece),
        ("3.2", sums_divided),
        ("3.2", negative_entropy_added),
        ("3.2", chapter_01s_own_entropy),
        ("3.2", parts_to_be_looked_at),
        ("3.3", through_numpy),
        ("3.3", with_unbiased_variances),
        ("3.3", from_the_definition),
        ("3.3", number_by_number),
        ("3.4", in_one_piece),
        ("3.4", sums_divided),
        ("3.4", chapter_01s_own_entropy),
        ("3.4", a2c_loss),
        ("3.4", parts_to_be_looked_at),
    ],
)
def test_a_right_answer_in_another_form_is_right(exercise, answer):
    verdict = check(registry.find(exercise), answer)
    assert verdict.kind is Kind.RIGHT, verdict.text


def test_a_nan_for_returns_that_vary_a_little_is_wrong():
    def impatient(returns, values):
        return math.nan if returns.var() < 1e-3 else from_the_definition(returns, values)

    verdict = check(registry.find("3.3"), impatient)
    assert verdict.kind is Kind.WRONG
    assert "vary little" in verdict.text


def zero_by_entr(logits):
    return torch.special.entr(logits.softmax(dim=-1)).sum(dim=-1)


def zero_by_nan_to_num(logits):
    pi = logits.softmax(dim=-1)
    return -(pi * pi.log()).nan_to_num().sum(dim=-1)


@pytest.mark.parametrize("answer", [zero_by_entr, zero_by_nan_to_num])
def test_an_entropy_that_is_right_with_a_gradient_that_is_nan_is_called_that(answer):
    verdict = check(registry.find("3.1"), answer)
    assert verdict.kind is Kind.WRONG
    assert "gradient of the entropy is NaN" in " ".join(verdict.text.split())


def test_the_bug_hunts_entropy_has_the_right_value_and_no_gradient():
    logits = torch.tensor([[[0.9, 0.1]]]).log().requires_grad_()
    one = torch.ones(1, 1)
    loss = full_loss_with_a_bug(logits, one, torch.zeros(1, 1, dtype=torch.long), one)
    assert loss.entropy.item() == pytest.approx(0.32508, abs=1e-5)
    (gradient,) = torch.autograd.grad(loss.entropy, logits)
    assert gradient.abs().max() < 1e-7
    (right,) = torch.autograd.grad(package_entropy(logits).sum(), logits)
    assert right.flatten().tolist() == pytest.approx([-0.19775, 0.19775], abs=1e-5)
