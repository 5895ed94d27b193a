"""Right answers to chapter 01's exercises, written in other ways."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, nll_loss, one_hot

from a3c_lib.actor_critic import Loss
from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.checking import check


def targets_with_where(rewards, next_values, terminated, truncated, gamma):
    return torch.where(terminated, rewards, rewards + gamma * next_values)


def targets_in_a_loop(rewards, next_values, terminated, truncated, gamma):
    targets = rewards.clone()
    for t in range(len(rewards)):
        for n in range(rewards.shape[1]):
            if not terminated[t, n]:
                targets[t, n] += gamma * next_values[t, n]
    return targets


def targets_in_float64(rewards, next_values, terminated, truncated, gamma):
    return rewards.double() + gamma * (1 - terminated.double()) * next_values.double()


def targets_with_the_values_masked_first(rewards, next_values, terminated, truncated, gamma):
    return torch.add(rewards, next_values.masked_fill(terminated, 0.0), alpha=gamma)


class SelectsTheLastAxis(nn.Module):
    def __init__(self, torso: nn.Module, width: int, num_actions: int) -> None:
        super().__init__()
        self.eyes = torso
        self.value = nn.Linear(width, 1)
        self.policy = nn.Linear(width, num_actions)
        nn.init.normal_(self.policy.weight, std=0.001)
        nn.init.zeros_(self.policy.bias)

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        return self.logits(observations), self.values(observations)

    def logits(self, observations: Tensor) -> Tensor:
        return self.policy(self.eyes(observations))

    def values(self, observations: Tensor) -> Tensor:
        return self.value(self.eyes(observations))[..., 0]


class FlattensFirst(SelectsTheLastAxis):
    def values(self, observations: Tensor) -> Tensor:
        features = self.eyes(observations)
        rows = features.reshape(-1, features.shape[-1])
        return self.value(rows).reshape(features.shape[:-1])


class NamedOutputs(SelectsTheLastAxis):
    """All at once, and the two methods ask forward."""

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        features = self.eyes(observations)
        return self.policy(features), self.value(features).sum(dim=-1)

    def logits(self, observations: Tensor) -> Tensor:
        logits, _ = self.forward(observations)
        return logits

    def values(self, observations: Tensor) -> Tensor:
        _, values = self.forward(observations)
        return values


def loss_by_hand(logits, values, actions, returns, value_weight=0.5):
    R = returns.detach()
    log_pi = logits.log_softmax(dim=-1)
    taken = (log_pi * one_hot(actions, logits.shape[-1])).sum(dim=-1)
    policy = ((values.detach() - R) * taken).mean()
    value = ((values - R) ** 2).mean()
    entropy = -(log_pi.exp() * log_pi).sum(dim=-1).mean()
    return Loss(policy + value_weight * value, policy, value, entropy)


def loss_from_torch(logits, values, actions, returns, value_weight=0.5):
    with torch.no_grad():
        advantages = returns - values
        targets = returns.clone()
    log_pi = torch.log_softmax(logits, dim=-1)
    taken = -nll_loss(log_pi.flatten(0, 1), actions.flatten(), reduction="none")
    policy = -(taken * advantages.flatten()).mean()
    value = mse_loss(values, targets)
    entropy = torch.distributions.Categorical(logits=logits).entropy().mean()
    return Loss(total=policy + value * value_weight, policy=policy, value=value, entropy=entropy)


def loss_from_cross_entropy(logits, values, actions, returns, value_weight=0.5):
    surprise = cross_entropy(logits.flatten(0, 1), actions.flatten(), reduction="none")
    error = returns.detach() - values
    policy = (error.detach().flatten() * surprise).mean()
    pi = torch.distributions.Categorical(probs=logits.softmax(dim=-1))
    value = error.pow(2).mean()
    return Loss(policy + value_weight * value, policy, value, pi.entropy().mean())


def loss_in_float64(logits, values, actions, returns, value_weight=0.5):
    return loss_by_hand(logits.double(), values.double(), actions, returns.double(), value_weight)


def after_only_where_needed(model, rollout, values):
    after = torch.cat([values[1:], values[:1]]).detach()
    needed = rollout.terminated | rollout.truncated
    needed[-1] = True
    after[needed] = model.values(rollout.next_observations[needed]).detach()
    return after


def after_row_by_row(model, rollout, values):
    return torch.stack([model.values(o).detach() for o in rollout.next_observations])


def after_without_what_is_never_looked_at(model, rollout, values):
    with torch.no_grad():
        return model.values(rollout.next_observations) * ~rollout.terminated


@pytest.mark.parametrize(
    ("exercise_id", "answer"),
    [
        ("1.1", targets_with_where),
        ("1.1", targets_in_a_loop),
        ("1.1", targets_in_float64),
        ("1.1", targets_with_the_values_masked_first),
        ("1.2", SelectsTheLastAxis),
        ("1.2", FlattensFirst),
        ("1.2", NamedOutputs),
        ("1.3", loss_by_hand),
        ("1.3", loss_from_torch),
        ("1.3", loss_from_cross_entropy),
        ("1.3", loss_in_float64),
        ("1.4", after_only_where_needed),
        ("1.4", after_row_by_row),
        ("1.4", after_without_what_is_never_looked_at),
    ],
)
def test_a_right_answer_in_another_form_is_right(exercise_id: str, answer: Any) -> None:
    verdict = check(registry.find(exercise_id), answer)
    assert verdict.right, verdict.text


def test_the_loss_on_paper_has_the_gradients_that_the_chapter_prints() -> None:
    reference = registry.find("1.3").reference
    logits = torch.tensor([[[0.7, 0.3]]]).log().requires_grad_()
    V = torch.tensor([[2.0]], requires_grad=True)
    R = torch.tensor([[3.7]], requires_grad=True)
    loss = reference(logits, V, torch.tensor([[1]]), R)
    for_logits, for_V, for_R = torch.autograd.grad(loss.total, [logits, V, R], allow_unused=True)
    torch.testing.assert_close(for_logits, torch.tensor([[[1.19, -1.19]]]))
    torch.testing.assert_close(for_V, torch.tensor([[-1.7]]))
    assert for_R is None


def test_a_network_without_its_own_names_is_still_checked_for_a_small_policy_head() -> None:
    class LoudPolicy(SelectsTheLastAxis):
        def __init__(self, torso: nn.Module, width: int, num_actions: int) -> None:
            super().__init__(torso, width, num_actions)
            nn.init.normal_(self.policy.weight, std=1.0)

    verdict = check(registry.find("1.2"), LoudPolicy)
    assert not verdict.right
    assert "opinion" in verdict.text


def test_a_network_of_other_layers_is_told_the_shapes_of_the_right_ones() -> None:
    class ValueFromLogits(SelectsTheLastAxis):
        def __init__(self, torso: nn.Module, width: int, num_actions: int) -> None:
            super().__init__(torso, width, num_actions)
            self.value = nn.Linear(num_actions, 1)

        def values(self, observations: Tensor) -> Tensor:
            return self.value(self.logits(observations))[..., 0]

    verdict = check(registry.find("1.2"), ValueFromLogits)
    assert not verdict.right
    assert "the shapes of its parameters" in " ".join(verdict.text.split())
    assert "(1,), (1, 3)" in verdict.text
    assert "(1,), (1, 4)" in verdict.text


def test_a_value_head_that_is_not_squeezed_is_named() -> None:
    class NotSqueezed(SelectsTheLastAxis):
        def values(self, observations: Tensor) -> Tensor:
            return self.value(self.eyes(observations))

    verdict = check(registry.find("1.2"), NotSqueezed)
    assert not verdict.right
    assert "one axis too many" in " ".join(verdict.text.split())
