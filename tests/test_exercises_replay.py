"""Right answers to chapter 09's exercises in other forms, and what its cases tell apart."""

import numpy as np
import pytest
import torch
from torch import nn

from a3c_lib.exercises import replay as exercises
from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.checking import Kind, check
from a3c_lib.exercises.q_learning import n_step_q_returns, q_targets
from a3c_lib.exercises.replay import Memory, SumTree, Window, td_errors
from a3c_lib.playing import Player
from a3c_lib.replay import ReplayMemory
from a3c_lib.rollout import make_envs
from a3c_lib.training import seeds

# 9.1


class WithLists(Memory):
    """All of it at once, by numbers of places."""

    def write(self, rollout):
        T = len(rollout.actions)
        places = (self.added + torch.arange(T + 1)) % self.size
        for name in ("actions", "rewards", "terminated"):
            for place, row in zip(places[:-1], getattr(rollout, name), strict=True):
                getattr(self, name)[place] = row
        for place, row in zip(places[1:], rollout.seen[1:], strict=True):
            self.seen[place] = row
        self.added = self.added + T

    def beginnings(self, n_steps):
        kept = min(self.added, self.rows)
        first = self.added - kept
        return range(first, first + max(0, kept - n_steps + 1))

    def windows(self, steps, envs, n_steps):
        rows = [(steps + k) % self.size for k in range(n_steps + 1)]
        rewards = torch.stack([self.rewards[row, envs] for row in rows[:-1]])
        ended = torch.stack([self.terminated[row, envs] for row in rows[:-1]])
        seen = self.seen
        return Window(
            seen[rows[0], envs], self.actions[rows[0], envs], rewards, ended, seen[rows[-1], envs]
        )


# 9.2 and 9.3


def with_chapter_08s_returns(model, target, window, gamma):
    with torch.no_grad():
        after = target(window.after).expand(len(window.rewards), -1, -1)
    no = torch.zeros_like(window.terminated)
    R = n_step_q_returns(window.rewards, after, window.terminated, no, gamma)[0]
    taken = torch.arange(len(R)), window.actions
    return R - model(window.observations)[taken]


def as_a_sum(model, target, window, gamma):
    n = len(window.rewards)
    goes_on = (~window.terminated).float().cumprod(dim=0)  # (n, B)
    counts = torch.cat([torch.ones_like(goes_on[:1]), goes_on[:-1]])
    powers = gamma ** torch.arange(float(n))
    paid = (powers[:, None] * counts * window.rewards).sum(dim=0)
    best = target(window.after).detach().max(dim=1).values
    q = model(window.observations)
    values = torch.take_along_dim(q, window.actions[:, None], dim=1)[:, 0]
    return paid + gamma**n * goes_on[-1] * best - values


def double_with_one_hot(model, target, window, gamma):
    with torch.no_grad():
        best = model(window.after).argmax(-1)
        chosen = nn.functional.one_hot(best, 3)
        R = (target(window.after) * chosen).sum(-1)
    for k in range(len(window.rewards) - 1, -1, -1):
        R = torch.where(window.terminated[k], window.rewards[k], window.rewards[k] + gamma * R)
    return R - model(window.observations)[torch.arange(len(R)), window.actions]


# 9.4


def centred_first(value, advantages):
    A = advantages.shape[-1]
    return value.expand_as(advantages) + (advantages - advantages.sum(-1, keepdim=True) / A)


# 9.5


def as_the_formula_says(deltas, drawn, priority_exponent, importance_exponent, least_priority):
    p = torch.pow(torch.abs(deltas) + least_priority, priority_exponent)
    P = p / p.sum()
    weights = (len(P) * P).pow(-importance_exponent)
    return P, weights[drawn] / weights.max()


# 9.6


class Recursive(SumTree):
    def set(self, leaf, priority):
        node = self.capacity + leaf
        change = priority - self.sums[node]
        while node >= 1:
            self.sums[node] += change
            node >>= 1

    def find(self, mass, node=1):
        if node >= self.capacity:
            return node - self.capacity
        left = self.sums[2 * node]
        return self.find(mass, 2 * node) if mass < left else self.find(mass - left, 2 * node + 1)


# 9.7


def with_a_loop(errors, priorities, drawn, priority_exponent, importance_exponent, least_priority):
    smallest = priorities.min().item()
    weights = torch.stack([(priorities[k] / smallest) ** -importance_exponent for k in drawn])
    deltas = errors(drawn)
    for k, delta in zip(drawn.tolist(), deltas.tolist(), strict=True):
        priorities[k] = (abs(delta) + least_priority) ** priority_exponent
    return (weights * deltas**2).sum() / len(drawn)


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("9.1", WithLists),
        ("9.2", with_chapter_08s_returns),
        ("9.2", as_a_sum),
        ("9.3", double_with_one_hot),
        ("9.4", centred_first),
        ("9.5", as_the_formula_says),
        ("9.6", Recursive),
        ("9.7", with_a_loop),
    ],
)
def test_a_right_answer_in_another_form_is_right(exercise, answer):
    verdict = check(registry.find(exercise), answer)
    assert verdict.kind is Kind.RIGHT, verdict.text


def test_a_mistake_without_a_name_is_still_wrong():
    class FindsTheNext(SumTree):
        def find(self, mass):
            return min(super().find(mass) + (mass > 3), self.capacity - 1)

    def weights_of_all(deltas, drawn, priority_exponent, importance_exponent, least_priority):
        P, weights = exercises.priorities_and_weights(
            deltas, drawn, priority_exponent, importance_exponent, least_priority
        )
        return P, weights.square()

    assert check(registry.find("9.6"), FindsTheNext).kind is Kind.WRONG
    assert check(registry.find("9.5"), weights_of_all).kind is Kind.WRONG


# What the references are


def lived(T=60, N=3):
    player = Player(make_envs("a3c_lib/Corridor-v0", N), seeds(0, 0), None)
    dice = torch.Generator().manual_seed(0)

    def policy(observation, state):
        return torch.randint(2, (len(observation),), generator=dice), state

    first = player.position.observation
    return first, [player.play(policy, 10).rollout for _ in range(T // 10)]


@pytest.mark.parametrize("n_steps", [1, 3])
def test_what_the_memory_hands_out_is_what_the_packages_does(n_steps):
    first, rollouts = lived()
    assert torch.cat([each.terminated for each in rollouts]).any()
    ours, theirs = Memory(90, first), ReplayMemory(90, n_steps=n_steps)
    for rollout in rollouts:
        ours.write(rollout)
        theirs.add(rollout)
    assert len(ours.beginnings(n_steps)) == len(theirs) // 3 == 30 - n_steps + 1
    drawn = theirs.draw(40)
    steps, envs = drawn.numbers // 3, drawn.numbers % 3
    window = ours.windows(steps, envs, n_steps)
    assert torch.equal(window.observations, drawn.rollout.observations[0])
    assert torch.equal(window.actions, drawn.rollout.actions[0])
    assert torch.equal(window.rewards, drawn.rollout.rewards)
    assert torch.equal(window.terminated, drawn.rollout.terminated)
    goes_on = ~drawn.rollout.terminated[-1]
    after = drawn.rollout.next_observations[-1]
    assert torch.equal(window.after[goes_on], after[goes_on])


def test_of_one_step_the_errors_are_those_of_one_step_q():
    model, target = nn.Linear(2, 3), nn.Linear(2, 3)
    ended = torch.tensor([[False, True, False, False]])
    window = Window(
        torch.randn(4, 2), torch.tensor([0, 2, 1, 1]), torch.randn(1, 4), ended, torch.randn(4, 2)
    )
    with torch.no_grad():
        R = q_targets(window.rewards, target(window.after)[None], ended, 0.9)[0]
        values = model(window.observations)[torch.arange(4), window.actions]
        torch.testing.assert_close(td_errors(model, target, window, 0.9), R - values)


def test_a_sum_tree_is_a_cumulative_sum():
    dice = np.random.default_rng(0)
    for capacity in 1, 2, 4, 32:
        tree, priorities = SumTree(capacity), np.zeros(capacity)
        for _ in range(3 * capacity):
            leaf, priority = int(dice.integers(capacity)), float(dice.integers(5))
            tree.set(leaf, priority)
            priorities[leaf] = priority
            assert tree.sums[1] == priorities.sum()
        for mass in np.arange(0, priorities.sum(), 0.5):
            assert tree.find(mass) == np.searchsorted(priorities.cumsum(), mass, side="right")


def test_the_weights_make_the_drawn_mean_that_of_all():
    """With κ = 1 and without the division: Σ P_i (M P_i)^(−1) x_i = mean x."""
    deltas, x = torch.randn(20), torch.randn(20)
    P, weights = exercises.priorities_and_weights(deltas, torch.arange(20), 0.7, 1.0, 0.01)
    unscaled = weights / (weights * P).sum()
    torch.testing.assert_close((P * unscaled * x).sum(), x.mean())
