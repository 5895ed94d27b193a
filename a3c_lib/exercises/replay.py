"""Chapter 09: the exercises of "Replay"."""

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from a3c_lib.exercises.engine.cases import (
    Case,
    Exercise,
    Wrong,
    heeds,
    ignores,
    scales,
)
from a3c_lib.rollout import Rollout

# 9.1 A replay memory


class Window(NamedTuple):
    """n steps in a row from each of B beginnings on, as a memory hands them out."""

    observations: Tensor  # (B, *O)  on what the first action was chosen
    actions: Tensor  # (B,)     the first action
    rewards: Tensor  # (n, B)   of all n steps
    terminated: Tensor  # (n, B)   where the world ended
    after: Tensor  # (B, *O)  what was seen after the last of the n steps


class Memory:
    """The latest `capacity` steps of N environments together; every observation is held once."""

    def __init__(self, capacity: int, observation: Tensor) -> None:
        """`observation` (N, *O) is what the first actions are chosen on."""
        N = len(observation)
        self.rows = capacity // N  # steps of each environment
        self.size = self.rows + 1  # places in the ring: what was seen last needs one, too
        self.added = 0  # steps of each environment so far
        self.seen = observation.new_zeros(self.size, *observation.shape)
        self.actions = torch.zeros(self.size, N, dtype=torch.int64)
        self.rewards = torch.zeros(self.size, N)
        self.terminated = torch.zeros(self.size, N, dtype=torch.bool)
        self.seen[0] = observation

    def write(self, rollout: Rollout) -> None:
        """Remember the steps of a rollout, which goes on where the last one stopped."""
        for t in range(len(rollout.actions)):
            place = self.added % self.size
            following = (self.added + 1) % self.size
            self.actions[place] = rollout.actions[t]
            self.rewards[place] = rollout.rewards[t]
            self.terminated[place] = rollout.terminated[t]
            self.seen[following] = rollout.seen[t + 1]
            self.added += 1

    def beginnings(self, n_steps: int) -> range:
        """The steps, counted from 0, from which on n steps in a row are remembered."""
        oldest = max(0, self.added - self.rows)
        behind = self.added - n_steps + 1
        return range(oldest, max(oldest, behind))

    def windows(self, steps: Tensor, envs: Tensor, n_steps: int) -> Window:
        """n steps from each of these on, of these environments.   (B,), (B,) → Window"""
        first = steps % self.size
        places = (steps + torch.arange(n_steps)[:, None]) % self.size
        last = (steps + n_steps) % self.size
        return Window(
            self.seen[first, envs],
            self.actions[first, envs],
            self.rewards[places, envs],
            self.terminated[places, envs],
            self.seen[last, envs],
        )


def _numbered(T: int, N: int, ends: Sequence[tuple[int, int]], begin: int) -> Rollout:
    """A rollout in which every observation and every reward is another number."""
    steps = torch.arange(begin, begin + T + 1)[:, None] * 10 + torch.arange(N)
    seen = torch.stack([steps, steps + 0.5], dim=-1).float()
    terminated = _no(T, N)
    for t, n in ends:
        terminated[t, n] = True
    rewards, final = -seen[:-1, :, 0], seen[1:][terminated] + 0.25
    actions = steps[:-1] % 7
    return Rollout(seen, actions, rewards, terminated, _no(T, N), final, _no(T, N), ())


def _remembered(
    answer: Callable[..., Any],
    lengths: Sequence[int],
    N: int,
    capacity: int,
    n_steps: int,
    ends: Sequence[tuple[int, int]] = (),
) -> dict[str, Any]:
    """What can be drawn after some rollouts have been written."""
    begin, memory = 0, None
    sizes: list[int] = []
    for T in lengths:
        mine = [(t - begin, n) for t, n in ends if begin <= t < begin + T]
        rollout = _numbered(T, N, mine, begin)
        if memory is None:
            memory = answer(capacity, rollout.seen[0].clone())
        memory.write(rollout)
        begin, sizes = begin + T, [*sizes, len(memory.beginnings(n_steps))]
        for tensor in rollout[:-1]:
            tensor.zero_()  # the memory has numbers of its own
    assert memory is not None
    found = memory.beginnings(n_steps)
    steps = torch.tensor(list(found), dtype=torch.int64).repeat_interleave(N)
    envs = torch.arange(N).repeat(len(found))
    window = memory.windows(steps, envs, n_steps)
    return {
        "does `beginnings` give a range?": isinstance(found, range),
        "does `windows` give a Window?": all(hasattr(window, name) for name in Window._fields),
        "the steps that can be drawn from, after the last rollout": list(found),
        "how many of them there are, after each rollout": sizes,
        "the observations": window[0],
        "the actions": window[1],
        "the rewards (n, B)": window[2],
        "terminated (n, B)": window[3],
        "what came after": window[4],
        "is every observation held once?": _held(vars(memory)) <= (capacity // N + 2) * N * 5,
    }


def _held(what: Any) -> int:
    """How many numbers there are in the tensors and arrays of a collection."""
    if isinstance(what, Tensor | np.ndarray):
        return math.prod(what.shape)
    if isinstance(what, Mapping):
        return sum(map(_held, what.values()))
    return sum(map(_held, what)) if isinstance(what, list | tuple | deque) else 0


def _memory_cases() -> list[Case]:
    cases: dict[str, tuple[Any, ...]] = {
        "one environment, room to spare": ([3], 1, 10, 1),
        "one environment, the ring is full": ([3, 4], 1, 5, 1),
        "two steps in a row": ([3, 4], 1, 5, 2),
        "three environments, an end": ([2, 2], 3, 12, 2, [(1, 0), (2, 2)]),
        "the ring has gone round several times": ([5, 5, 4], 2, 8, 3, [(10, 1), (12, 0)]),
        "fewer steps than are to be in a row": ([2], 2, 8, 3),
        "a rollout longer than the ring": ([9], 1, 4, 1, [(7, 0)]),
        "a larger ring has gone round": ([6, 7], 1, 9, 1),
    }
    return [Case(label, *args, probe=_remembered) for label, args in cases.items()]


# 9.2 What DQN learns from


def td_errors(model: nn.Module, target: nn.Module, window: Window, gamma: float) -> Tensor:
    """R − Q(o, a), where R looks n steps ahead, and then asks θ⁻ for the largest.   → (B,)"""
    values = model(window.observations).gather(-1, window.actions[:, None]).squeeze(-1)
    with torch.no_grad():
        R = target(window.after).amax(dim=-1)
    for r, ended in zip(window.rewards.flip(0), window.terminated.flip(0), strict=True):
        R = r + gamma * R * ~ended
    return R - values  # type: ignore[no-any-return]


def td_errors_in_steps(model: nn.Module, target: nn.Module, window: Window, gamma: float) -> Tensor:
    q = model(window.observations)
    values = q.gather(-1, window.actions[:, None]).squeeze(-1)
    with torch.no_grad():
        R = target(window.after).amax(dim=-1)
    for k in reversed(range(len(window.rewards))):
        goes_on = ~window.terminated[k]
        after = gamma * R * goes_on
        R = window.rewards[k] + after
    return R - values  # type: ignore[no-any-return]


def _networks() -> tuple[nn.Linear, nn.Linear]:
    """θ and θ⁻, of observations (·, 2), with three actions; they disagree about the best one."""
    model, target = (nn.Linear(2, 3, bias=False) for _ in range(2))
    with torch.no_grad():
        model.weight[:] = torch.tensor([[1.0, 0.0], [0.0, 3.0], [2.0, 1.0]])
        target.weight[:] = torch.tensor([[4.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    return model, target


def _window(n: int, B: int, ends: Sequence[tuple[int, int]] = (), size: float = 1.0) -> Window:
    terminated = _no(n, B)
    for k, b in ends:
        terminated[k, b] = True
    seen, after = torch.randn(B, 2), torch.randn(B, 2)
    return Window(seen, torch.randint(3, (B,)), size * torch.randn(n, B), terminated, after)


def _on_paper(ends: Sequence[tuple[int, int]] = ()) -> Window:
    """Two steps in a row that paid 1 and 3, from one beginning."""
    window = _window(2, 1, ends)
    return window._replace(
        observations=torch.tensor([[1.0, 0.0]]),
        actions=torch.tensor([2]),
        rewards=torch.tensor([[1.0], [3.0]]),
        after=torch.tensor([[1.0, 1.0]]),
    )


def _error_cases() -> list[Case]:
    huge = _window(2, 2, [(0, 0), (1, 1)])
    huge = huge._replace(after=1e6 * huge.after)
    cases = {
        "on paper": (_on_paper(), 0.5),
        "on paper, the second step is terminal": (_on_paper([(1, 0)]), 0.5),
        "on paper, the first step is terminal": (_on_paper([(0, 0)]), 0.5),
        "one step from one beginning": (_window(1, 1), 0.9),
        "one step from 4 beginnings, an end": (_window(1, 4, [(0, 2)]), 0.9),
        "3 steps from 3 beginnings": (_window(3, 3), 0.7),
        "3 steps from 5 beginnings, with ends": (_window(3, 5, [(0, 1), (1, 3), (2, 4)]), 0.9),
        "huge values after the end": (huge, 0.5),
        "nothing but the first reward: γ = 0": (_window(2, 3, [(1, 0)]), 0.0),
        "rewards in the hundreds": (_window(3, 2, [(1, 1)], size=300.0), 0.99),
    }
    return [Case(label, *_networks(), *args) for label, args in cases.items()]


# 9.3 Double


def double_errors(model: nn.Module, target: nn.Module, window: Window, gamma: float) -> Tensor:
    """R − Q(o, a), where θ chooses the last action, and θ⁻ says what it is worth.   → (B,)"""
    values = model(window.observations).gather(-1, window.actions[:, None]).squeeze(-1)
    with torch.no_grad():
        best = model(window.after).argmax(dim=-1, keepdim=True)
        R = target(window.after).gather(-1, best).squeeze(-1)
    for r, ended in zip(window.rewards.flip(0), window.terminated.flip(0), strict=True):
        R = r + gamma * R * ~ended
    return R - values  # type: ignore[no-any-return]


def double_errors_in_steps(
    model: nn.Module, target: nn.Module, window: Window, gamma: float
) -> Tensor:
    q = model(window.observations)
    values = q.gather(-1, window.actions[:, None]).squeeze(-1)
    with torch.no_grad():
        best = model(window.after).argmax(dim=-1)
        R = target(window.after).gather(-1, best[:, None]).squeeze(-1)
    for k in reversed(range(len(window.rewards))):
        goes_on = ~window.terminated[k]
        after = gamma * R * goes_on
        R = window.rewards[k] + after
    return R - values  # type: ignore[no-any-return]


# 9.4 The dueling head


def dueling(value: Tensor, advantages: Tensor) -> Tensor:
    """Q(o, a) = V(o) + A(o, a) − mean over the actions of A(o, ·).   (*B, 1), (*B, A) → (*B, A)"""
    return value + advantages - advantages.mean(dim=-1, keepdim=True)


def dueling_in_steps(value: Tensor, advantages: Tensor) -> Tensor:
    mean = advantages.mean(dim=-1, keepdim=True)
    centred = advantages - mean
    return value + centred


def _heads(*batch: int, A: int) -> tuple[Tensor, Tensor]:
    return torch.randn(*batch, 1, requires_grad=True), torch.randn(*batch, A, requires_grad=True)


def _dueling_cases() -> list[Case]:
    paper = torch.tensor([[5.0]], requires_grad=True), torch.tensor([[1.0, 3.0, -1.0]])
    large = torch.tensor([[1e4], [-3.0]]), torch.tensor([[2e3, 4e3], [7.0, 7.0]])
    return [
        Case("on paper", *paper),
        Case("one observation, 4 actions", *_heads(1, A=4)),
        Case("5 observations, 3 actions", *_heads(5, A=3)),
        Case("as many observations as actions", *_heads(3, A=3)),
        Case("4 steps of 2 environments, 2 actions", *_heads(4, 2, A=2)),
        Case("one observation without a batch axis", *_heads(A=3)),
        Case("one action", *_heads(3, A=1)),
        Case("large numbers, and equal advantages", *large),
    ]


# 9.5 Priorities, and what makes up for them


def priorities_and_weights(
    deltas: Tensor,
    drawn: Tensor,
    priority_exponent: float,
    importance_exponent: float,
    least_priority: float,
) -> tuple[Tensor, Tensor]:
    """P(i) = p_i^ω / Σ p^ω with p_i = |δ_i| + least; of those drawn w_i = (min P / P(i))^κ.

    (M,), (B,) → (M,), (B,)
    """
    powers = (deltas.abs() + least_priority) ** priority_exponent
    P = powers / powers.sum()
    return P, (P.min() / P[drawn]) ** importance_exponent


def priorities_and_weights_in_steps(
    deltas: Tensor,
    drawn: Tensor,
    priority_exponent: float,
    importance_exponent: float,
    least_priority: float,
) -> tuple[Tensor, Tensor]:
    sizes = deltas.abs()
    priorities = sizes + least_priority
    powers = priorities**priority_exponent
    P = powers / powers.sum()
    rarity = P.min() / P[drawn]
    weights = rarity**importance_exponent
    return P, weights


def _priority_cases() -> list[Case]:
    paper = torch.tensor([3.0, -1.0, 0.0]), torch.tensor([0, 2])
    some = torch.randn(12), torch.randint(12, (5,))
    settings: dict[str, Any] = {
        "priority_exponent": 0.6,
        "importance_exponent": 0.4,
        "least_priority": 0.01,
    }
    return [
        Case(
            "on paper", *paper, priority_exponent=1.0, importance_exponent=1.0, least_priority=1.0
        ),
        Case(
            "the square root of the errors",
            *paper,
            priority_exponent=0.5,
            importance_exponent=1.0,
            least_priority=0.25,
        ),
        Case("12 steps, of which 5 are drawn", *some, **settings),
        Case(
            "ω = 0: every step is as likely",
            *some,
            priority_exponent=0.0,
            importance_exponent=0.5,
            least_priority=0.01,
        ),
        Case(
            "κ = 0: every weight is 1",
            *some,
            priority_exponent=0.7,
            importance_exponent=0.0,
            least_priority=0.01,
        ),
        Case("one step alone", torch.tensor([-2.0]), torch.tensor([0]), **settings),
        Case("one and the same drawn twice", *paper[:1], torch.tensor([1, 1]), **settings),
        Case(
            "errors in the hundreds",
            300 * some[0],
            *some[1:],
            **{**settings, "importance_exponent": 1.0},
        ),
    ]


# 9.6 The sum tree


class SumTree:
    """Priorities as the leaves of a tree, in which each node is the sum of the two below it.

    `capacity` is a power of two. Node 1 is the root, nodes 2k and 2k + 1 are below node k, and leaf
    i is node capacity + i.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.levels = capacity.bit_length() - 1  # below the root
        self.sums = [0.0] * (2 * capacity)

    def set(self, leaf: int, priority: float) -> None:
        """Give a leaf another priority, and all nodes above it their new sums."""
        node = self.capacity + leaf
        self.sums[node] = priority
        for _ in range(self.levels):
            node = node // 2
            self.sums[node] = self.sums[2 * node] + self.sums[2 * node + 1]

    def find(self, mass: float) -> int:
        """The leaf in whose part of [0, total) `mass` lies, the leaves side by side in order."""
        node = 1
        for _ in range(self.levels):
            node = 2 * node
            if mass >= self.sums[node]:
                mass = mass - self.sums[node]
                node = node + 1
        return node - self.capacity


def _found(
    answer: Callable[..., Any],
    capacity: int,
    writes: Sequence[tuple[int, float]],
    masses: Sequence[float],
) -> dict[str, Any]:
    """The tree's total after each write, and the leaves that are found in the end."""
    tree, totals = answer(capacity), []
    for leaf, priority in writes:
        tree.set(leaf, priority)
        totals.append(float(tree.sums[1]))
    return {
        "the total after each `set`": torch.tensor(totals),
        "all sums": torch.tensor([float(each) for each in tree.sums[1:]]),
        "the leaves found": [int(tree.find(mass)) for mass in masses],
        "all sums, after the search": torch.tensor([float(each) for each in tree.sums[1:]]),
    }


def _tree_cases() -> list[Case]:
    four = [(0, 3.0), (1, 1.0), (2, 0.0), (3, 4.0)]
    edges = [0.0, 2.5, 3.0, 3.5, 4.0, 7.75]
    # Eighths add up exactly, so that the edges between two leaves are where they should be.
    eight = [(leaf, int(torch.randint(1, 40, ())) / 8) for leaf in range(8)]
    total = sum(priority for _, priority in eight)
    many = [total * k / 64 for k in range(64)]
    again = [*eight, (5, 0.0), (0, 2.5), (5, 0.125), (7, 0.0), (3, 30.0)]
    sixteen = [(leaf, float(leaf % 3)) for leaf in range(16)]
    return [
        Case("on paper", 4, four, edges, probe=_found),
        Case("two leaves", 2, [(0, 1.0), (1, 2.0)], [0.0, 0.5, 1.0, 2.5], probe=_found),
        Case("one leaf alone", 1, [(0, 2.0), (0, 5.0)], [0.0, 4.5], probe=_found),
        Case("8 leaves", 8, eight, many, probe=_found),
        Case("8 leaves, some of them set again", 8, again, [0.0, 2.5, 3, 30, 35], probe=_found),
        Case("16 leaves, a third of which is 0", 16, sixteen, [*range(15)], probe=_found),
        Case("only the last leaf is not 0", 8, [(7, 3.0)], [0.0, 1.5, 2.75], probe=_found),
    ]


# 9.7 A bug hunt: what is written back

Errors = Callable[[Tensor], Tensor]


def learn_from_drawn(
    errors: Errors,
    priorities: Tensor,
    drawn: Tensor,
    priority_exponent: float,
    importance_exponent: float,
    least_priority: float,
) -> Tensor:
    """The loss of the drawn steps (B,), and in `priorities` (M,) their new ones.   → ()"""
    weights = (priorities.min() / priorities[drawn]) ** importance_exponent
    deltas = errors(drawn)
    losses = weights * deltas.square()
    priorities[drawn] = (deltas.detach().abs() + least_priority) ** priority_exponent
    return losses.mean()


def learn_from_drawn_with_a_bug(
    errors: Errors,
    priorities: Tensor,
    drawn: Tensor,
    priority_exponent: float,
    importance_exponent: float,
    least_priority: float,
) -> Tensor:
    """The loss of the drawn steps (B,), and in `priorities` (M,) their new ones.   → ()"""
    weights = (priorities.min() / priorities[drawn]) ** importance_exponent
    deltas = errors(drawn)
    losses = weights * deltas.square()
    priorities[drawn] = (losses.detach().sqrt() + least_priority) ** priority_exponent
    return losses.mean()


def written_before_the_weights(
    errors: Errors,
    priorities: Tensor,
    drawn: Tensor,
    priority_exponent: float,
    importance_exponent: float,
    least_priority: float,
) -> Tensor:
    deltas = errors(drawn)
    priorities[drawn] = (deltas.detach().abs() + least_priority) ** priority_exponent
    weights = (priorities.min() / priorities[drawn]) ** importance_exponent
    return (weights * deltas.square()).mean()


def _written_back(
    answer: Callable[..., Tensor],
    deltas: Tensor,
    priorities: Tensor,
    drawn: Tensor,
    priority_exponent: float,
    importance_exponent: float,
    least_priority: float = 0.01,
) -> dict[str, Any]:
    """The loss and its gradient, and the priorities afterwards."""
    theta, p = deltas.clone().requires_grad_(), priorities.clone()
    loss = answer(
        lambda steps: theta[steps], p, drawn, priority_exponent, importance_exponent, least_priority
    )
    gradient = torch.zeros_like(theta)
    if loss.requires_grad:
        (gradient,) = torch.autograd.grad(loss, [theta], allow_unused=True, materialize_grads=True)
    return {
        "the loss": loss.detach(),
        "the loss's gradient, by each step's δ": gradient,
        "are the priorities numbers without a gradient?": not p.requires_grad,
        "the priorities afterwards": p.detach(),
    }


def _hunt_cases() -> list[Case]:
    deltas, priorities = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([3.0, 1.0, 1.0])
    some, p = torch.randn(8), torch.rand(8) + 0.1
    three, all_of_them = torch.tensor([5, 0, 3]), torch.arange(8)
    cases: dict[str, tuple[Any, ...]] = {
        "κ = 0: every weight is 1": (deltas, priorities, torch.tensor([0, 1]), 1.0, 0.0),
        "two of three steps": (deltas, priorities, torch.tensor([0, 1]), 1.0, 1.0),
        "three of eight steps": (some, p, three, 0.6, 0.4),
        "all of eight steps": (some, p, all_of_them, 0.5, 1.0),
        "one step alone": (some, p, torch.tensor([2]), 0.6, 0.5),
        "errors in the hundreds": (300 * some, p, three, 1.0, 0.7, 0.5),
    }
    return [Case(label, *args, probe=_written_back) for label, args in cases.items()]


def _no(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.bool)


# What is changed to see how an answer responds


def _after_ends(given: Any) -> dict[str, Any]:
    """Other numbers where nobody should look: behind the first end of each window."""
    window = given.window
    ended = window.terminated.any(dim=0)
    behind = window.terminated.cumsum(dim=0).roll(1, dims=0)
    behind[0] = 0
    return {
        "window": window._replace(
            rewards=window.rewards + (behind > 0),
            after=window.after + ended[:, None],
        )
    }


def _three_times(model: nn.Linear) -> nn.Linear:
    """A network with three times as large values."""
    changed = nn.Linear(2, 3, bias=False)
    with torch.no_grad():
        changed.weight[:] = 3 * model.weight
    return changed


ERROR_MISTAKES = (
    Wrong(
        {"goes_on = ~window.terminated[k]": "goes_on = 1"},
        "The mask is missing: where the world ended, nothing comes after, neither rewards nor a "
        "value. Those that stand behind an end in a window belong to the next episode.",
    ),
    Wrong(
        {"~window.terminated[k]": "window.terminated[k]"},
        "The mask is the wrong way round: ~terminated is 1 where the episode goes on.",
    ),
    Wrong(
        {"~window.terminated[k]": "~window.terminated[-1]"},
        "Only an end in the last of the n steps is heeded. An episode may end in any of them.",
    ),
    Wrong(
        {"gamma * R": "R"},
        "Nothing is discounted: each step back costs a factor γ.",
    ),
    Wrong(
        {"reversed(range(len(window.rewards)))": "range(len(window.rewards))"},
        "The rewards are added from the first to the last, so that the first is discounted most. "
        "Begin with what comes after the window, and work backwards.",
    ),
    Wrong(
        {"window.rewards[k] + after": "(window.rewards[k] + after) * goes_on"},
        "The reward of the step that ended the episode is lost. It was paid before the end; what "
        "comes after it counts 0.",
    ),
    Wrong(
        {"gamma * R": "(gamma if k + 1 < len(window.rewards) else 1.0) * R"},
        "What θ⁻ says is discounted once too little. It stands n steps behind the beginning, and "
        "has the factor γⁿ.",
    ),
    Wrong(
        {"return R - values": "return values - R"},
        "The sign is the other one: an error says how much larger the return is than Q, R − Q.",
    ),
    Wrong(
        {"q.gather(-1, window.actions[:, None]).squeeze(-1)": "q.amax(dim=-1)"},
        "You compare the return with the Q of the best action. It says what the action that was "
        "taken is worth: look it up in window.actions.",
    ),
    Wrong(
        {"q = model(window.observations)": "q = target(window.observations)"},
        "Q(o, a) is asked of θ⁻, which stands still: nothing would ever learn. Ask `model`.",
    ),
)

EXERCISES = (
    Exercise(
        id="9.1",
        title="a replay memory",
        minutes=25,
        difficulty=3,
        reference=Memory,
        cases=_memory_cases,
        wrong=(
            Wrong(
                {
                    "(self.added + 1) % self.size": "self.added % self.size",
                    "rollout.seen[t + 1]": "rollout.seen[t]",
                },
                "What was seen last is not in the memory, so that the newest step has nothing "
                "after it. Write rollout.seen[t + 1] where the next step begins.",
            ),
            Wrong(
                {"following = (self.added + 1) % self.size": "following = place"},
                "What comes after a step is written where the step itself was seen, over it. It "
                "belongs to the next place.",
            ),
            Wrong(
                {"self.seen[following] = rollout.seen[t + 1]": "pass"},
                "The observations are not written.",
            ),
            Wrong(
                {"rollout.seen[t + 1]": "rollout.seen[t]"},
                "What you write into the next place is what was seen before the step, not after "
                "it: rollout.seen has one row more than there are steps.",
            ),
            Wrong(
                {"            self.added += 1\n": ""},
                "The count does not move, so that every step is written over the one before.",
            ),
            Wrong(
                {"oldest = max(0, self.added - self.rows)": "oldest = 0"},
                "Steps are drawn that have been written over. Of each environment only the latest "
                "self.rows steps are there.",
                also=({"range(oldest, max(oldest, behind))": "range(behind)"},),
            ),
            Wrong(
                {"oldest = max(0, self.added - self.rows)": "oldest = self.added - self.rows"},
                "While the memory is not full yet, the count begins below 0. The oldest step there "
                "is has the number 0.",
            ),
            Wrong(
                {"behind = self.added - n_steps + 1": "behind = self.added"},
                "A window that begins at the newest steps would go on past what is known, and into "
                "the oldest steps of the ring. n steps have to follow a beginning.",
            ),
            Wrong(
                {"behind = self.added - n_steps + 1": "behind = self.added - n_steps"},
                "The newest beginning is missing. It has n steps, and what was seen after the last "
                "of them stands in the ring, too.",
            ),
            Wrong(
                {
                    "place = self.added % self.size": "place = self.added % self.rows",
                    "(self.added + 1) % self.size": "(self.added + 1) % self.rows",
                    "first = steps % self.size": "first = steps % self.rows",
                    "[:, None]) % self.size": "[:, None]) % self.rows",
                    "(steps + n_steps) % self.size": "(steps + n_steps) % self.rows",
                },
                "The ring goes round after self.rows places. It has one place more, self.size: "
                "what was seen last needs one, too.",
            ),
            Wrong(
                {"first = steps % self.size": "first = (steps + 1) % self.size"},
                "The observations are those after the first step, not those on which it was "
                "chosen.",
            ),
            Wrong(
                {"(steps + n_steps) % self.size": "(steps + 1) % self.size"},
                "What comes after is taken one step on. It is what was seen n steps on.",
            ),
            Wrong(
                {"(steps + n_steps) % self.size": "(steps + n_steps - 1) % self.size"},
                "What you hand out as `after` is what the last action was chosen on. One step more "
                "and it is what that action led to.",
            ),
            Wrong(
                {"self.rewards[places, envs]": "self.rewards[places, envs].sum(dim=0)"},
                "You add up the rewards. The window has them one by one, (n, B): an end among them "
                "says which of them count.",
            ),
            Wrong(
                {"self.terminated[places, envs]": "self.terminated[first, envs]"},
                "Only whether the first step ended is handed out. An end may come in any of the n "
                "steps: (n, B).",
            ),
            Wrong(
                {"self.actions[first, envs]": "self.actions[places, envs]"},
                "You hand out the actions of all n steps. What is learned is the value of the "
                "first one alone, (B,).",
            ),
        ),
        hints=(
            "Step number k of an environment stands in place k % size of the ring, and what was "
            "seen after it in place (k + 1) % size. Which numbers are still there?",
            "In `write`, for every t: the action, the reward and the end into place added % size, "
            "and rollout.seen[t + 1] into the next one. The beginnings run from "
            "max(0, added - rows) to added - n_steps.",
            "places = (steps + torch.arange(n_steps)[:, None]) % self.size is (n, B), and "
            "self.rewards[places, envs] too. What comes after is self.seen[(steps + n_steps) % "
            "self.size, envs].",
        ),
        praise="Every step can be looked at again, and no observation is held twice.",
    ),
    Exercise(
        id="9.2",
        title="DQN's errors",
        minutes=15,
        difficulty=2,
        reference=td_errors,
        form=td_errors_in_steps,
        cases=_error_cases,
        wrong=(
            *ERROR_MISTAKES,
            Wrong(
                {"R = target(window.after)": "R = model(window.after)"},
                "What comes after is asked of `model`. Ask the target network, which stands still.",
            ),
            Wrong(
                {"with torch.no_grad():": "with torch.enable_grad():"},
                "A gradient flows into the return. It is what Q is to become, a number like any "
                "other: torch.no_grad().",
            ),
            Wrong(
                {"R = target(window.after).amax(": "R = target(window.after).mean("},
                "You take the mean over the actions. What comes after is worth what its best "
                "action is worth.",
            ),
            Wrong(
                {"target(window.after).amax(": "target(window.observations).amax("},
                "θ⁻ is asked about the observations on which the actions were chosen. What is "
                "wanted is the value of window.after.",
            ),
            Wrong(
                {"R = target(window.after).amax(dim=-1)": "R = target(window.after).max()"},
                "You take the largest Q of all beginnings together. Each has its own row, and its "
                "own maximum: along the last axis.",
            ),
        ),
        properties=(
            ignores(
                "`gamma` has no effect. Each step costs a factor γ.",
                lambda given: {"gamma": 0.7 * given.gamma},
            ),
            heeds(
                "What stands behind an end changes your errors. It belongs to the next episode.",
                _after_ends,
            ),
            ignores(
                "The target network has no effect.",
                lambda given: {"target": _three_times(given.target)},
            ),
        ),
        hints=(
            "Two parts: Q(o, a) of the action that was taken, with a gradient, and the return, "
            "without one. Chapter 08's exercise 8.6 had both.",
            "The return is computed backwards: begin with R = target(window.after).amax(dim=-1), "
            "and for each of the n steps, from the last to the first, R = r + γ R, or r alone "
            "where it ended.",
            "for r, ended in zip(window.rewards.flip(0), window.terminated.flip(0)): "
            "R = r + gamma * R * ~ended",
        ),
        praise="Square it, take the mean, and that is DQN's loss.",
    ),
    Exercise(
        id="9.3",
        title="Double",
        minutes=8,
        difficulty=1,
        reference=double_errors,
        form=double_errors_in_steps,
        cases=_error_cases,
        wrong=(
            *ERROR_MISTAKES,
            Wrong(
                {
                    "best = model(window.after)": "best = target(window.after)",
                },
                "θ⁻ chooses, and θ⁻ says what its choice is worth: that is DQN's maximum, as "
                "before. Let `model` choose.",
            ),
            Wrong(
                {"R = target(window.after).gather(": "R = model(window.after).gather("},
                "θ chooses, and θ says what its choice is worth. So the same estimates are asked "
                "twice. θ chooses, and θ⁻ values.",
            ),
            Wrong(
                {
                    "best = model(window.after)": "best = target(window.after)",
                    "R = target(window.after).gather(": "R = model(window.after).gather(",
                },
                "The two are exchanged: here θ⁻ chooses, and θ values. In Double DQN θ chooses, "
                "and θ⁻ says what that is worth.",
            ),
            Wrong(
                {"best = model(window.after)": "best = model(window.observations)"},
                "The best action is looked for in the first observation. It is to be the best one "
                "in window.after.",
            ),
            Wrong(
                {"with torch.no_grad():": "with torch.enable_grad():"},
                "A gradient is kept of the return. It is what Q is to become, a number like any "
                "other: torch.no_grad().",
            ),
        ),
        properties=(
            ignores(
                "`gamma` has no effect. Each step costs a factor γ.",
                lambda given: {"gamma": 0.7 * given.gamma},
            ),
            heeds(
                "What stands behind an end changes your errors. It belongs to the next episode.",
                _after_ends,
            ),
        ),
        hints=(
            "Of exercise 9.2 only what comes after the window changes.",
            "best = model(window.after).argmax(dim=-1, keepdim=True) is the number of an action. "
            "What is it worth to the target network?",
            "R = target(window.after).gather(-1, best).squeeze(-1), under torch.no_grad()",
        ),
        praise="One network chooses and the other one values, so an error has to be made twice.",
    ),
    Exercise(
        id="9.4",
        title="the dueling head",
        minutes=6,
        difficulty=1,
        reference=dueling,
        form=dueling_in_steps,
        cases=_dueling_cases,
        wrong=(
            Wrong(
                {"advantages.mean(dim=-1, keepdim=True)": "advantages.mean(dim=0, keepdim=True)"},
                "The mean goes over the first axis, the observations. So what an action is worth "
                "here depends on what else is in the batch. The mean is over the actions, the last "
                "axis, of each observation by itself.",
            ),
            Wrong(
                {"advantages.mean(dim=-1, keepdim=True)": "advantages.mean()"},
                "One mean is taken of everything. Each observation has its own, over its actions: "
                "dim=-1.",
            ),
            Wrong(
                {"advantages - mean": "advantages"},
                "Nothing is subtracted. Then V and the advantages can drift apart: what is added "
                "to the one can be taken from the others, and Q stays.",
            ),
            Wrong(
                {"advantages.mean(dim=-1, keepdim=True)": "advantages.amax(dim=-1, keepdim=True)"},
                "You subtract the largest advantage. The paper names that form first; ours, and "
                "that of nearly all programs, subtracts the mean.",
            ),
            Wrong(
                {"advantages.mean(dim=-1, keepdim=True)": "advantages.sum(dim=-1, keepdim=True)"},
                "You subtract the sum of the advantages, not their mean.",
            ),
            Wrong(
                {"advantages - mean": "advantages + mean"},
                "The mean is added. It is subtracted, so that the advantages are 0 on average.",
            ),
            Wrong(
                {"return value + centred": "return centred"},
                "V is missing: these are advantages, 0 on average, and no values.",
            ),
            Wrong(
                {
                    "mean = advantages.mean(dim=-1, keepdim=True)": "mean = advantages.detach()"
                    ".mean(dim=-1, keepdim=True)"
                },
                "No gradient flows through the mean. It is a part of Q like the rest.",
            ),
        ),
        properties=(
            heeds(
                "The same number added to all advantages of an observation changes your Q. The "
                "mean takes it out again.",
                lambda given: {"advantages": given.advantages.detach() + 1},
            ),
            ignores(
                "`value` has no effect.",
                lambda given: {"value": given.value.detach() + 1},
            ),
            scales(
                "Twice V and twice the advantages are not twice Q.",
                lambda given: {
                    "value": 2 * given.value.detach(),
                    "advantages": 2 * given.advantages.detach(),
                },
            ),
        ),
        hints=(
            "Over which axis is the mean of an observation's advantages? And how does it stay an "
            "axis that can be subtracted?",
            "value + advantages - advantages.mean(dim=-1, keepdim=True)",
        ),
        praise="V is learned from every action, and the advantages say only how they differ.",
    ),
    Exercise(
        id="9.5",
        title="priorities and weights",
        minutes=12,
        difficulty=2,
        reference=priorities_and_weights,
        form=priorities_and_weights_in_steps,
        cases=_priority_cases,
        parts=("P, of all steps", "the weights, of those drawn"),
        wrong=(
            Wrong(
                {"deltas.abs()": "deltas"},
                "The errors go in with their sign. A step whose return is far below Q is as "
                "surprising as one whose return is far above it: |δ|.",
            ),
            Wrong(
                {"deltas.abs()": "deltas.square()"},
                "You take the square of the error. Its size is meant, |δ|; ω says how much it "
                "counts.",
            ),
            Wrong(
                {"sizes + least_priority": "sizes"},
                "`least_priority` is missing: a step whose error is 0 would never be drawn again.",
            ),
            Wrong(
                {"priorities**priority_exponent": "sizes**priority_exponent + least_priority"},
                "`least_priority` is added after the power. It is added to the error: "
                "(|δ| + least)^ω.",
            ),
            Wrong(
                {"priorities**priority_exponent": "priorities"},
                "ω has no effect. With ω = 0 every step is as likely as every other one.",
            ),
            Wrong(
                {"powers / powers.sum()": "powers"},
                "These are powers of priorities, and no probabilities yet: they do not add up to "
                "1.",
            ),
            Wrong(
                {"powers / powers.sum()": "powers.softmax(dim=0)"},
                "You take a softmax. The probabilities are the powers of the priorities, divided "
                "by their sum.",
            ),
            Wrong(
                {"P.min() / P[drawn]": "P[drawn] / P.min()"},
                "The weights go the wrong way: what is drawn more often has to count less.",
            ),
            Wrong(
                {"rarity**importance_exponent": "rarity"},
                "κ has no effect. With κ = 0 every weight is 1.",
            ),
            Wrong(
                {"P.min() / P[drawn]": "1 / (len(P) * P[drawn])"},
                "The weights are not divided by the largest that there is. Then some are above 1, "
                "and steps become longer, not only shorter.",
            ),
            Wrong(
                {"return P, weights": "return P, weights / weights.sum()"},
                "You divide by the sum of the weights. Divide by the largest that a step of the "
                "memory has.",
            ),
            Wrong(
                {"return P, weights": "return P, weights / weights.mean()"},
                "You divide by the mean of the weights. Divide by the largest that a step of the "
                "memory has.",
            ),
            Wrong(
                {"return P, weights": "return P, weights / weights.max()"},
                "You divide by the largest weight of those that were drawn. So what a step counts "
                "depends on what else was drawn with it. Divide by the largest that any step of "
                "the memory has.",
            ),
        ),
        properties=(
            heeds(
                "The sign of an error changes the result. Only its size counts.",
                lambda given: {"deltas": -given.deltas},
            ),
            ignores(
                "`priority_exponent` has no effect on the probabilities, nor on the weights.",
                lambda given: {"priority_exponent": given.priority_exponent + 0.3},
            ),
            ignores(
                "`importance_exponent` has no effect on the weights.",
                lambda given: {"importance_exponent": given.importance_exponent + 0.4},
            ),
            ignores(
                "`least_priority` has no effect.",
                lambda given: {"least_priority": 3 * given.least_priority},
            ),
        ),
        hints=(
            "First the priorities of all steps, then their shares, then the weights of those that "
            "were drawn.",
            "P = powers / powers.sum(), with powers = (deltas.abs() + least_priority) "
            "** priority_exponent",
            "The weights of all steps are (len(P) * P) ** -importance_exponent. Divide by the "
            "largest, and hand out those of `drawn`; or, at once, (P.min() / P[drawn]) ** "
            "importance_exponent.",
        ),
        praise="What surprises is drawn more often, and counts less each time that it is.",
    ),
    Exercise(
        id="9.6",
        title="the sum tree",
        minutes=20,
        difficulty=3,
        reference=SumTree,
        cases=_tree_cases,
        wrong=(
            Wrong(
                {"if mass >= self.sums[node]:": "if mass > self.sums[node]:"},
                "On an edge the wrong leaf is found: leaf i has the part from the sum of those "
                "before it on, up to, and without, that sum with its own. A leaf whose priority "
                "is 0 has no part at all, and must never be found.",
            ),
            Wrong(
                {"                mass = mass - self.sums[node]\n": ""},
                "When you go right, what lies to the left has to be taken off `mass`.",
            ),
            Wrong(
                {
                    "                mass = mass - self.sums[node]\n                "
                    "node = node + 1": "                node = node + 1\n                "
                    "mass = mass - self.sums[node]"
                },
                "When you go right, you take off what lies on the right. It is the sum on the left "
                "that has been passed.",
            ),
            Wrong(
                {"return node - self.capacity": "return node"},
                "That is the number of a node. Leaf i is node capacity + i.",
            ),
            Wrong(
                {"return node - self.capacity": "return node - self.capacity + 1"},
                "The leaf after the one that is meant is found: leaves count from 0.",
            ),
            Wrong(
                {
                    "range(self.levels):\n            node = 2 * node": "range(self.levels - 1):"
                    "\n            node = 2 * node"
                },
                "The search stops a level too early. It ends where a node has nothing below it.",
            ),
            Wrong(
                {"node = self.capacity + leaf": "node = self.capacity + leaf - 1"},
                "The priority is written into the leaf before. Leaf i is node capacity + i.",
            ),
            Wrong(
                {
                    "range(self.levels):\n            node = node // 2": "range("
                    "min(1, self.levels)):\n            node = node // 2"
                },
                "Only the node right above the leaf has its new sum. All of them up to the root "
                "have to.",
            ),
            Wrong(
                {
                    "range(self.levels):\n            node = node // 2": "range(self.levels - 1):"
                    "\n            node = node // 2"
                },
                "The sums stop below the root. Node 1 is the root, and it holds the total.",
            ),
            Wrong(
                {"self.sums[node] = priority": "self.sums[node] += priority"},
                "A leaf that is set a second time holds both priorities. The new one takes the old "
                "one's place.",
            ),
            Wrong(
                {
                    "self.sums[node] = self.sums[2 * node] + self.sums[2 * node + 1]": "self.sums["
                    "node] += priority"
                },
                "The nodes above only grow: a leaf that is set a second time is counted with its "
                "old priority, too. Each is the sum of the two nodes below it.",
            ),
            Wrong(
                {
                    "self.sums[2 * node] + self.sums[2 * node + 1]": "max(self.sums[2 * node], "
                    "self.sums[2 * node + 1])"
                },
                "Each node holds the larger of the two below it. It is their sum.",
            ),
        ),
        hints=(
            "To set: write the leaf, then go up, node // 2 each time, and add up the two nodes "
            "below. To find: go down from the root, and choose a side each time.",
            "Below node k are 2k and 2k + 1. If `mass` is less than the sum on the left, the leaf "
            "is there. Else it is on the right, and the sum on the left is taken off.",
            "node = 2 * node; if mass >= self.sums[node]: mass -= self.sums[node]; node += 1",
        ),
        praise="Of a million steps one is found by 20 comparisons, and never one of priority 0.",
    ),
    Exercise(
        id="9.7",
        title="bug hunt: what is written back",
        minutes=12,
        difficulty=2,
        reference=learn_from_drawn,
        start=learn_from_drawn_with_a_bug,
        cases=_hunt_cases,
        wrong=(
            Wrong(
                learn_from_drawn_with_a_bug,
                "The weights are still in the priorities. A step that is drawn often has a small "
                "weight, so that it looks less surprising than it is. Its priority is made of its "
                "error alone.",
                also=(
                    {"deltas.detach().abs()": "(weights * deltas.detach().abs())"},
                    {"deltas.detach().abs()": "losses.detach()"},
                ),
            ),
            Wrong(
                {"losses = weights * deltas.square()": "losses = deltas.square()"},
                "Now the weights are in nothing any more. They belong into the loss: it was right "
                "as it was given.",
            ),
            Wrong(
                {"deltas = errors(drawn)": "deltas = weights * errors(drawn)"},
                "Now the error itself is weighted, and with it the priority; and in the loss the "
                "weight counts twice.",
            ),
            Wrong(
                {"deltas.detach().abs()": "deltas.detach()"},
                "The error is written back with its sign. Its size is meant: |δ|.",
            ),
            Wrong(
                {"deltas.detach().abs()": "deltas.detach().square()"},
                "The square of the error is written back. Its size is meant: |δ|.",
            ),
            Wrong(
                {"deltas.detach().abs() + least_priority": "deltas.detach().abs()"},
                "`least_priority` is gone: a step whose error is 0 would never be drawn again.",
            ),
            Wrong(
                {"+ least_priority) ** priority_exponent": "+ least_priority)"},
                "ω is gone from the priorities. It was right as it was given.",
            ),
            Wrong(
                {"priorities.min() / priorities[drawn]": "priorities[drawn] / priorities.min()"},
                "The weights go the wrong way now. They were right as they were given.",
            ),
            Wrong(
                {
                    "priorities.min() / priorities[drawn]": "priorities[drawn].min() "
                    "/ priorities[drawn]"
                },
                "The smallest priority is now that of the drawn steps. It is meant of all that "
                "there are: it was right as it was given.",
            ),
            Wrong(
                written_before_the_weights,
                "The priorities are written back before the weights are computed, so that the "
                "weights are made of the new ones. How likely a step was when it was drawn, the "
                "old ones say.",
            ),
            Wrong(
                {"deltas = errors(drawn)": "deltas = errors(drawn).detach().requires_grad_()"},
                "The errors are cut from the network now, so that nothing is learned from them. "
                "They are detached for the priorities alone.",
            ),
            Wrong(
                {"return losses.mean()": "return losses.sum() / weights.sum()"},
                "The losses are divided by the sum of the weights now. Their mean was right as it "
                "was given.",
            ),
        ),
        hints=(
            "With κ = 0 the function is right. So what is wrong has to do with the weights.",
            "Follow the weights: into what do they go? A priority says how surprising a step is, "
            "and a weight makes up for how often it is drawn.",
            "priorities[drawn] = (deltas.detach().abs() + least_priority) ** priority_exponent",
        ),
    ),
)
