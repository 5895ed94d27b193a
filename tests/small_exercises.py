"""Exercises small enough to see through, with which the engine is tested."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from a3c_lib.exercises.engine.cases import Answer, Case, Exercise, Wrong


def leaf(*numbers: float) -> Tensor:
    return torch.tensor(numbers, requires_grad=True)


def exercise_of(reference: Answer, *cases: Case, **fields: Any) -> Exercise:
    """An exercise from nothing but a reference and cases."""
    fields = {"id": "9.9", "title": "anything"} | fields
    return Exercise(reference=reference, cases=lambda: cases, **fields)


# 9.1 Values


def returns(rewards: Tensor, gamma: float) -> Tensor:
    """Add up what is still to come."""
    result = rewards.clone()
    for t in reversed(range(len(rewards) - 1)):
        result[t] += gamma * result[t + 1]
    return result


def undiscounted(rewards: Tensor, gamma: float) -> Tensor:
    return rewards.flip(0).cumsum(0).flip(0)


def rewards_alone(rewards: Tensor, gamma: float) -> Tensor:
    return rewards.clone()


def forward_in_time(rewards: Tensor, gamma: float) -> Tensor:
    result = rewards.clone()
    for t in range(1, len(rewards)):
        result[t] += gamma * result[t - 1]
    return result


RETURNS = Exercise(
    id="9.1",
    title="returns",
    reference=returns,
    cases=lambda: [
        Case("12 random numbers", torch.randn(12), gamma=0.9),
        Case("on paper", torch.tensor([1.0, 2.0, 3.0]), gamma=0.5),
        Case("two steps", torch.tensor([0.0, 4.0]), gamma=0.5),
    ],
    wrong=(
        Wrong(undiscounted, "This adds up without discount: a reward far away counts in full."),
        Wrong(rewards_alone, "These are the rewards themselves."),
        Wrong(forward_in_time, "This looks back. A return looks ahead."),
    ),
    hints=("Which return is known first?", "The last one. Go backwards."),
)

# 9.2 Gradients


def loss(prediction: Tensor, target: Tensor) -> Tensor:
    return (prediction - target.detach()).square().mean()


def target_not_detached(prediction: Tensor, target: Tensor) -> Tensor:
    return (prediction - target).square().mean()


LOSS = Exercise(
    id="9.2",
    title="a loss",
    reference=loss,
    cases=lambda: [
        Case("on paper", leaf(1.0, 2.0), leaf(3.0, 5.0)),
        Case("three numbers", leaf(0.5, -1.0, 2.0), leaf(1.0, 1.0, 1.0)),
    ],
    wrong=(Wrong(target_not_detached, "The target moves: detach it."),),
    hints=("What is learned?",),
)

# 9.3 A bug hunt


def factorial(n: int) -> int:
    """n · (n − 1) · … · 1"""
    return 1 if n == 0 else n * factorial(n - 1)


def factorial_with_a_bug(n: int) -> int:
    """n · (n − 1) · … · 1"""
    # adds where it should multiply
    return 1 if n == 0 else n + factorial_with_a_bug(n - 1)


BUG_HUNT = Exercise(
    id="9.3",
    title="bug hunt",
    reference=factorial,
    cases=lambda: [Case("of 0", 0), Case("of 4", 4)],
    wrong=(Wrong(factorial_with_a_bug, "This adds. Which sign multiplies?"),),
    hints=("Try 2.", "Try 3."),
    start=factorial_with_a_bug,
)

# 9.4 A class


class Average:
    """The average of all numbers so far."""

    def __init__(self) -> None:
        self.total, self.count = 0.0, 0

    def add(self, number: float) -> None:
        self.total += number
        self.count += 1

    def value(self) -> float:
        return self.total / self.count


class CountsFromOne(Average):
    def __init__(self) -> None:
        super().__init__()
        self.count = 1


def averages(made: type[Average], *numbers: float) -> list[float]:
    average = made()
    result = []
    for number in numbers:
        average.add(number)
        result.append(average.value())
    return result


AVERAGE = Exercise(
    id="9.4",
    title="a class",
    reference=Average,
    cases=lambda: [
        Case("one number", 3.0, probe=averages),
        Case("three numbers", 1.0, 2.0, 6.0, probe=averages),
    ],
    wrong=(Wrong(CountsFromOne, "You begin to count at 1."),),
    hints=("What has to be remembered?",),
)

# Results of several parts, and arguments that hold more


class Parts(NamedTuple):
    total: Tensor
    entropy: Tensor


class Batch(NamedTuple):
    logits: Tensor
    returns: Tensor


class Doubling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([2.0, 3.0]))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


ALL = RETURNS, LOSS, BUG_HUNT, AVERAGE
