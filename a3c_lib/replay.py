"""Chapter 09: a replay memory: the latest steps of N environments, to be learned from again.

Rollouts are added in the order in which they were played. What is drawn is a `Rollout` too, of
windows from anywhere: (n, B), n steps in a row of B beginnings. So whatever learns from rollouts
learns from it. Every observation is kept once, and of a stack of pictures every picture.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from a3c_lib.rollout import Rollout, check_shapes, seed_sequence
from a3c_lib.settings import Count, NotNegative, Positive, check_setting

COLUMNS = "actions", "rewards", "terminated", "truncated", "dummies"


class Drawn(NamedTuple):
    """What a replay memory hands out to be learned from."""

    rollout: Rollout  # (n, B): n steps from each of B beginnings on
    weights: Tensor  # (B,) how much each counts; 1 where all are as likely
    numbers: Tensor  # (B,) of the steps with which they begin, N · row + environment


class ReplayMemory:
    """The latest `capacity` steps of all environments together, each as likely to be drawn.

    `n_steps` is how many steps in a row are drawn. The newest of them that have not so many after
    them yet are not drawn from. Observations may be anything that a rollout has. `stack` is how
    many pictures are in one, the newest last, of which only the newest is kept; None looks whether
    what is added first are such stacks. Whatever it is, what comes out is what went in.

    Raises ValueError, when something is added, if the capacity is less than n_steps steps of each
    environment.

    >>> column = lambda *numbers: torch.tensor(numbers)[:, None]
    >>> no, end = column(False, False, False), column(False, True, False)
    >>> walk = Rollout.of(column(0, 1, 0), column(1, 1, 1), column(0.0, 1.0, 0.0),
    ...                   column(1, 2, 1), end, no)
    >>> memory = ReplayMemory(capacity=3)
    >>> memory.add(walk)
    >>> rollout, weights, numbers = memory.draw(3)
    >>> rollout.observations, rollout.next_observations
    (tensor([[0, 1, 0]]), tensor([[1, 2, 1]]))
    """

    def __init__(
        self,
        capacity: int,
        *,
        n_steps: int = 1,
        stack: int | None = None,
        seed: int | np.random.SeedSequence = 0,
    ) -> None:
        check_setting("capacity", capacity, Count)
        check_setting("n_steps", n_steps, Count)
        check_setting("stack", stack, Count | None)
        self.capacity, self.n_steps, self.stack = capacity, n_steps, stack
        self.random = np.random.default_rng(seed_sequence(seed))
        self.added = 0  # rows, of one step of each environment, since the beginning
        self.shown: Shown | None = None  # what each step was chosen on, and what came last
        self.columns: dict[str, Tensor] = {}  # all else of each step

    # What goes in

    def add(self, rollout: Rollout) -> None:
        """Remember a rollout, and forget what is older than `capacity` steps.

        Where it does not begin with what the last one ended with, that one is taken as `cut`.
        Raises ValueError if it is of other environments than those before.
        """
        if self.shown is None:
            self._begin(rollout)
        assert self.shown is not None
        self._check(rollout)
        if not self.shown.ends_with(rollout.seen[0]):
            self.cut()
            self.shown.append(rollout.seen[0])
        ends = iter(rollout.final)
        for t, ended in enumerate(rollout.ended):
            for name, column in self.columns.items():
                column[self._slot(self.added)] = getattr(rollout, name)[t]
            for env in ended.nonzero().flatten().tolist():
                self.shown.keep_end(self.added, env, next(ends))
            self.shown.append(rollout.seen[t + 1])
            self.added += 1

    def cut(self) -> None:
        """What is added next does not go on from here: each episode under way is truncated.

        The training may have been stopped, for example, and has begun new episodes.
        """
        row = self.added - 1
        last = None if self.shown is None else self.shown.take_back()
        if self.shown is None or last is None or row < 0:
            return
        slot = self._slot(row)
        goes_on = ~(self.columns["terminated"] | self.columns["truncated"])[slot]
        for env in goes_on.nonzero().flatten().tolist():
            self.shown.keep_end(row, env, last[env])
        self.columns["truncated"][slot] |= goes_on

    def _begin(self, rollout: Rollout) -> None:
        """Make room, now that it is known for what."""
        N = rollout.actions.shape[1]
        if self.capacity < self.n_steps * N:
            raise ValueError(
                f"capacity is at least n_steps · num_envs = {self.n_steps * N}; got {self.capacity}"
            )
        self.num_envs, self.rows = N, self.capacity // N
        stack = pictures_in_a_stack(rollout) if self.stack is None else self.stack
        # The oldest stack that is drawn is made of pictures before it; one row is under way.
        self.num_slots = self.rows + stack
        self.shown = Shown(rollout.seen[0].clone(), self.num_slots, stack)
        for name in COLUMNS:
            rows = getattr(rollout, name)
            self.columns[name] = rows.new_zeros(self.num_slots, *rows.shape[1:])
        self.shown.append(rollout.seen[0])

    def _check(self, rollout: Rollout) -> None:
        assert self.shown is not None
        for name, ours, theirs in (
            ("observations", self.shown.like, rollout.seen),
            *((name, column[0], getattr(rollout, name)) for name, column in self.columns.items()),
        ):
            if (ours.shape, ours.dtype) != (theirs.shape[1:], theirs.dtype):
                raise ValueError(
                    f"{name} in this memory are (T, {', '.join(map(str, ours.shape))}) of "
                    f"{ours.dtype}; got {tuple(theirs.shape)} of {theirs.dtype}"
                )

    def _slot(self, row: Any) -> Any:
        """Where a row stands: in a ring."""
        return row % self.num_slots

    # What comes out

    @property
    def beginnings(self) -> range:
        """The rows from which n_steps steps in a row can be drawn."""
        oldest = max(0, self.added - self.rows) if self.shown is not None else 0
        return range(oldest, max(oldest, self.added - self.n_steps + 1))

    def __len__(self) -> int:
        """How many steps can be drawn from: those of `beginnings` that are no dummies."""
        return self._real.size if self._has_dummies else len(self.beginnings) * self._width

    def draw(self, batch_size: int) -> Drawn:
        """Windows (n_steps, batch_size) of what is remembered, one from each of `batch_size` equal
        parts of it, in the order of time. Every step is as likely to be one's beginning.

        A batch as large as the memory is therefore all of it. Raises ValueError if it is empty.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is at least 1; got {batch_size}")
        size = len(self)
        if size == 0:
            raise ValueError("there is nothing in the memory yet that could be drawn")
        parts = np.arange(batch_size) + self.random.random(batch_size)
        which = np.minimum(parts * size / batch_size, size - 1).astype(np.int64)
        if self._has_dummies:
            which = self._real[which]
        numbers = torch.as_tensor(which + self.beginnings.start * self.num_envs)
        return Drawn(self.windows(numbers), torch.ones(batch_size), numbers)

    def windows(self, numbers: Tensor) -> Rollout:
        """n_steps steps in a row from each of these on.   (B) → (n_steps, B)"""
        assert self.shown is not None
        rows, envs = numbers // self.num_envs, numbers % self.num_envs
        steps = rows + torch.arange(self.n_steps + 1)[:, None]  # (n + 1, B)
        slots = self._slot(steps[:-1])
        parts = {name: column[slots, envs] for name, column in self.columns.items()}
        seen = self.shown.at(steps.flatten(), envs.repeat(len(steps))).unflatten(0, steps.shape)
        ended = (parts["terminated"] | parts["truncated"]).nonzero().tolist()
        final = [self.shown.end(int(steps[t, b]), int(envs[b])) for t, b in ended]
        shown = torch.stack(final) if final else seen[0, :0]
        return Rollout(seen=seen, final=shown, episodes=(), **parts)

    @property
    def _width(self) -> int:
        return 0 if self.shown is None else self.num_envs

    @property
    def _has_dummies(self) -> bool:
        return self.shown is not None and bool(self.columns["dummies"].any())

    @property
    def _real(self) -> Any:
        """The numbers, row after row, of beginnings that are no dummies."""
        slots = self._slot(np.arange(self.beginnings.start, self.beginnings.stop))
        return np.flatnonzero(~self.columns["dummies"].numpy()[slots])

    # What is kept of it

    @property
    def num_bytes(self) -> int:
        """What the memory takes, in bytes. Room for `capacity` steps is taken at once."""
        tensors = list(self.columns.values())
        return sum(t.nbytes for t in tensors) + (self.shown.num_bytes if self.shown else 0)

    def state_dict(self) -> dict[str, Any]:
        """All that is remembered, and the state of the random numbers: as large as what it holds.

        `load_state_dict` goes on from it, bit for bit.
        """
        state: dict[str, Any] = {
            "made": self._made,
            "random": self.random.bit_generator.state,
            "added": self.added,
            "columns": {},
            "shown": None,
        }
        if self.shown is not None:
            slots = self._slot(self._kept)
            state["columns"] = {name: column[slots] for name, column in self.columns.items()}
            state["shown"] = self.shown.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there. Raises ValueError if it is of a memory that was made otherwise, or has
        other stacks than this one is for."""
        made, shown = _by_todays_names(state["made"]), state["shown"]
        if made != self._made:
            raise ValueError(f"this memory has {self._made}; the state is of {made}")
        if shown is not None and self.stack not in (None, shown["stack"]):
            raise ValueError(
                f"stack is {self.stack} in this memory, and {shown['stack']} in the state"
            )
        self.random.bit_generator.state = state["random"]
        self.added, self.shown, self.columns = state["added"], None, {}
        if shown is None:
            return
        self.shown = Shown.of_state(shown)
        self.num_envs, self.num_slots = len(self.shown.like), self.shown.num_slots
        self.rows = self.capacity // self.num_envs
        for name, rows in state["columns"].items():
            column = rows.new_zeros(self.num_slots, *rows.shape[1:])
            column[self._slot(self._kept)] = rows
            self.columns[name] = column

    @property
    def _made(self) -> dict[str, Any]:
        return {"capacity": self.capacity, "n_steps": self.n_steps}

    @property
    def _kept(self) -> Tensor:
        return torch.arange(max(0, self.added - self.num_slots), self.added)


def _by_todays_names(made: Mapping[str, Any]) -> dict[str, Any]:
    """How a memory was made. (Before, the exponent had a name that it has nowhere else.)"""
    return {"priority_exponent" if name == "exponent" else name: its for name, its in made.items()}


class PrioritizedReplayMemory(ReplayMemory):
    """The same, but steps of which more can be learned are drawn more often.

        p_i = |δ_i| + least_priority        P(i) = p_i^ω / Σ_k p_k^ω        [Schaul et al. 2016]

    ω, `priority_exponent`, is α there, a name that RMSProp has here: 0 draws all steps alike. What
    is new has the largest priority of all that is remembered, so that it is looked at soon; after
    that `learned` says how wrong the network was about it.

    >>> column = lambda *numbers: torch.tensor(numbers)[:, None]
    >>> no = column(False, False)
    >>> walk = Rollout.of(column(0, 1), column(1, 1), column(0.0, 1.0), column(1, 2), no, no)
    >>> memory = PrioritizedReplayMemory(capacity=2, priority_exponent=1.0)
    >>> memory.add(walk)
    >>> memory.learned(torch.tensor([0, 1]), errors=torch.tensor([-3.0, 1.0]))
    >>> memory.probabilities(torch.tensor([0, 1]))
    tensor([0.7500, 0.2500], dtype=torch.float64)
    """

    def __init__(
        self,
        capacity: int,
        *,
        n_steps: int = 1,
        stack: int | None = None,
        seed: int | np.random.SeedSequence = 0,
        priority_exponent: float = 0.6,
        least_priority: float = 1e-6,
    ) -> None:
        super().__init__(capacity, n_steps=n_steps, stack=stack, seed=seed)
        check_setting("priority_exponent", priority_exponent, NotNegative)
        check_setting("least_priority", least_priority, Positive)
        self.priority_exponent, self.least_priority = priority_exponent, least_priority
        self.tree: SumTree | None = None  # p^ω of each step that can be drawn; 0 of others

    def add(self, rollout: Rollout) -> None:
        """Remember a rollout, with the largest priority that there is; see `ReplayMemory.add`."""
        before = self.beginnings
        super().add(rollout)
        if self.tree is None:
            self.tree = SumTree(self.num_slots * self.num_envs)
        now = self.beginnings
        self._prioritise(range(before.start, min(before.stop, now.start)), 0.0)
        new = range(max(before.stop, now.start), now.stop)
        self._prioritise(new, self.tree.largest or 1.0)

    def _prioritise(self, rows: range, leaf: float) -> None:
        assert self.tree is not None
        slots = self._slot(np.arange(rows.start, rows.stop))
        leaves = np.where(self.columns["dummies"].numpy()[slots], 0.0, leaf)
        places = slots[:, None] * self.num_envs + np.arange(self.num_envs)
        self.tree.update(places.flatten(), leaves.flatten())

    def draw(self, batch_size: int, importance_exponent: float = 1.0) -> Drawn:
        """Windows (n_steps, batch_size), one from each of `batch_size` parts of what is remembered
        that are as likely, in the order of time. See `importance_weights`. Raises ValueError if it
        is empty."""
        if batch_size < 1:
            raise ValueError(f"batch_size is at least 1; got {batch_size}")
        if self.tree is None or self.tree.total == 0:
            raise ValueError("there is nothing in the memory yet that could be drawn")
        parts = np.arange(batch_size) + self.random.random(batch_size)
        places = torch.as_tensor(self.tree.find(parts * (self.tree.total / batch_size)))
        slots, envs = places // self.num_envs, places % self.num_envs
        newest = self.added - 1
        rows = newest - (newest - slots) % self.num_slots  # the latest row in each of these slots
        numbers, _ = (rows * self.num_envs + envs).sort()
        weights = importance_weights(self.probabilities(numbers), importance_exponent)
        return Drawn(self.windows(numbers), weights, numbers)

    def probabilities(self, numbers: Tensor) -> Tensor:
        """P(i) of steps that are remembered.   (B) → (B)"""
        assert self.tree is not None
        return torch.as_tensor(self.tree[self._places(numbers)] / self.tree.total)

    def learned(self, numbers: Tensor, errors: Tensor) -> None:
        """What was learned of steps that were drawn: δ = R − Q(o, a), without weights.   (B), (B)

        Steps that have been forgotten meanwhile are left out.
        """
        check_shapes(numbers=numbers, errors=errors)
        rows = self.beginnings
        known = (numbers >= rows.start * self.num_envs) & (numbers < rows.stop * self.num_envs)
        priorities = errors.detach().cpu().double().abs()[known] + self.least_priority
        assert self.tree is not None
        places = self._places(numbers[known])
        self.tree.update(places, (priorities**self.priority_exponent).numpy())

    def _places(self, numbers: Tensor) -> Any:
        """Where steps stand in the tree."""
        rows, envs = numbers // self.num_envs, numbers % self.num_envs
        return (self._slot(rows) * self.num_envs + envs).numpy()

    @property
    def num_bytes(self) -> int:
        """What the memory takes, in bytes. Room for `capacity` steps is taken at once."""
        return super().num_bytes + (0 if self.tree is None else int(self.tree.sums.nbytes))

    def state_dict(self) -> dict[str, Any]:
        """As `ReplayMemory` has it, and the priorities."""
        state = super().state_dict()
        leaves = None if self.tree is None else self.tree[self._kept_places]
        return {**state, "leaves": leaves}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there. Raises ValueError if it is of a memory that was made otherwise."""
        super().load_state_dict(state)
        self.tree = None
        if state["leaves"] is not None:
            self.tree = SumTree(self.num_slots * self.num_envs)
            self.tree.update(self._kept_places, state["leaves"])

    @property
    def _kept_places(self) -> Any:
        rows = self._kept[:, None] * self.num_envs + torch.arange(self.num_envs)
        return self._places(rows.flatten())

    @property
    def _made(self) -> dict[str, Any]:
        return {
            **super()._made,
            "priority_exponent": self.priority_exponent,
            "least_priority": self.least_priority,
        }


def importance_weights(probabilities: Tensor, importance_exponent: float) -> Tensor:
    """w_i = (M · P(i))^−κ / max_k (M · P(k))^−κ = (min_k P(k) / P(i))^κ.   (B) → (B)

    Of M steps, one that is drawn more often than once in M times counts as much less; M itself is
    the same for all, and falls out. κ, `importance_exponent`, is β in the paper, a name that the
    entropy bonus has here. With 0 all weights are 1; with 1 the weighted mean is, but for a factor,
    that of steps drawn alike.                                              [Schaul et al. 2016]

    >>> importance_weights(torch.tensor([0.5, 0.125]), importance_exponent=1.0)
    tensor([0.2500, 1.0000])
    """
    return ((probabilities.min() / probabilities) ** importance_exponent).float()


class SumTree:
    """Numbers, each at least 0, whose sum is known at once, and where a part of it is reached.

    Each node is the sum of the two below it. sums[1] is the root, 2i and 2i + 1 are below i, and
    the numbers are the leaves: a power of two of them, so that their order is that of the tree.
    In float64, and a sum is always computed from the two below it: it does not drift.

    >>> tree = SumTree(3)
    >>> tree.update(np.array([0, 1, 2]), np.array([5.0, 0.0, 2.0]))
    >>> tree.total, tree.find(np.array([0.0, 4.9, 5.0, 6.9]))
    (7.0, array([0, 0, 2, 2]))
    """

    def __init__(self, size: int) -> None:
        check_setting("size", size, Count)
        self.num_leaves = 1 << (size - 1).bit_length()
        self.depth = self.num_leaves.bit_length() - 1
        self.sums = np.zeros(2 * self.num_leaves)

    def __getitem__(self, places: Any) -> Any:
        """The numbers at some places."""
        return self.sums[self.num_leaves + places]

    @property
    def total(self) -> float:
        """The sum of all."""
        return float(self.sums[1])

    @property
    def largest(self) -> float:
        """The largest of all."""
        return float(self.sums[self.num_leaves :].max())

    def update(self, places: Any, numbers: Any) -> None:
        """Write numbers at places. Of a place that is there twice, the last one stays.

        Raises ValueError, with nothing written, if one of them is negative, or not finite.
        """
        if not ((numbers >= 0) & (numbers < np.inf)).all():
            raise ValueError(f"a sum tree has numbers that are at least 0; got {numbers}")
        nodes = self.num_leaves + places
        self.sums[nodes] = numbers
        for _ in range(self.depth):
            nodes = nodes // 2
            self.sums[nodes] = self.sums[2 * nodes] + self.sums[2 * nodes + 1]

    def find(self, points: Any) -> Any:
        """The place where the sum of all numbers up to it first exceeds a point in [0, total).

        It is never one where the number is 0, also if a point has been rounded up to the total.
        """
        nodes, rest = np.ones(len(points), dtype=np.int64), np.array(points)
        for _ in range(self.depth):
            left, right = self.sums[2 * nodes], self.sums[2 * nodes + 1]
            goes_left = (rest < left) | (right == 0)
            rest = np.where(goes_left, rest, rest - left)
            nodes = 2 * nodes + ~goes_left
        return nodes - self.num_leaves


def pictures_in_a_stack(rollout: Rollout) -> int:
    """How many pictures each observation of a rollout is a stack of; 1 if they are no stacks.

    They are if they are bytes (n, H, W), and each has all but its newest from the one before.
    """
    seen = rollout.seen
    if seen.dtype != torch.uint8 or seen.dim() != 5:  # (T + 1, N, n, H, W)
        return 1
    moved = (seen[1:, :, :-1] == seen[:-1, :, 1:]).flatten(2).all(dim=-1)
    goes_on = ~rollout.ended & ~rollout.dummies
    return seen.shape[2] if goes_on.any() and moved[goes_on].all() else 1


class Shown:
    """What N environments showed, row after row, the latest `num_slots` rows: each picture once.

    Of an observation that is a stack of n pictures, n − 1 stand in the rows before, unless an
    episode began meanwhile. So a row has its newest picture, and how many rows before it it goes on
    from, up to n − 1. Where it goes on from none, its older pictures are kept beside it. What is
    shown at an episode's end is kept beside its last row. With stack=1 an observation is its own
    newest picture.
    """

    def __init__(self, like: Tensor, num_slots: int, stack: int) -> None:
        self.like, self.num_slots, self.stack = like, num_slots, stack  # like (N, *O)
        self.shape = like.shape[1:]
        if stack > 1 and self.shape[:1] != (stack,):
            raise ValueError(
                f"observations are stacks of {stack} pictures, ({stack}, …); "
                f"got {tuple(self.shape)}"
            )
        self.picture = self.shape if stack == 1 else self.shape[1:]
        N = len(like)
        # Not filled: what is not written to takes no memory yet.
        self.newest = like.new_empty(num_slots, N, *self.picture)
        self.goes_on = torch.zeros(num_slots, N, dtype=torch.int16)
        self.older: dict[int, dict[int, Tensor]] = {}  # row → environment → (n − 1, …)
        self.ends: dict[int, dict[int, Tensor]] = {}  # row → environment → (1, …) or (n, …)
        self.added = 0  # rows since the beginning
        self.latest: Tensor | None = None  # (N, n, …), the row with which the next one is compared

    def ends_with(self, observation: Tensor) -> bool:
        """Whether this, (N, *O), was shown last."""
        return self.latest is not None and torch.equal(self._pictures(observation), self.latest)

    def append(self, observation: Tensor) -> None:
        """The next row, (N, *O)."""
        pictures = self._pictures(observation).clone()
        row, slot, before = self.added, self.added % self.num_slots, self.added - 1
        self.older.pop(row - self.num_slots, None)
        self.ends.pop(row - self.num_slots, None)
        goes_on = self._shifted(pictures)
        run = (self.goes_on[before % self.num_slots] + 1).clamp(max=self.stack - 1)
        self.goes_on[slot] = run * goes_on
        self.newest[slot] = pictures[:, -1]
        for env in (~goes_on).nonzero().flatten().tolist():
            self.older.setdefault(row, {})[env] = pictures[env, :-1].clone()
        self.latest = pictures
        self.added += 1

    def _pictures(self, observation: Tensor) -> Tensor:
        return observation.reshape(-1, self.stack, *self.picture)

    def _shifted(self, pictures: Tensor) -> Tensor:
        """Which stacks have all but the newest picture from the row before.   → (N,)"""
        if self.stack == 1 or self.latest is None:
            return torch.full((len(pictures),), self.stack == 1)
        return (pictures[:, :-1] == self.latest[:, 1:]).flatten(1).all(dim=1)

    def take_back(self) -> Tensor | None:
        """Forget the latest row; the next one goes on from none.   → that row (N, *O), or None if
        it was taken back before"""
        if self.latest is None:
            return None
        last, self.latest = self.latest.reshape(self.like.shape), None
        self.added -= 1
        self.older.pop(self.added, None)
        return last

    def at(self, rows: Tensor, envs: Tensor) -> Tensor:
        """What was shown in these rows.   (B), (B) → (B, *O), a copy"""
        window = torch.arange(1 - self.stack, 1)
        slots = (rows[:, None] + window) % self.num_slots  # (B, n)
        N = self.newest.shape[1]
        which = (slots * N + envs[:, None]).flatten()
        pictures: Tensor = self.newest.flatten(0, 1).index_select(0, which)
        pictures = pictures.unflatten(0, (len(rows), self.stack))
        run = self.goes_on[rows % self.num_slots, envs]
        for i in (run < self.stack - 1).nonzero().flatten().tolist():
            k = int(run[i])
            older = self.older[int(rows[i]) - k][int(envs[i])]
            pictures[i, : self.stack - 1 - k] = older[k:]
        return pictures.reshape(-1, *self.shape)

    def keep_end(self, row: int, env: int, observation: Tensor) -> None:
        """What an environment showed after a row, in which its episode ended."""
        (pictures,) = self._pictures(observation)
        (before,) = self._pictures(self._one(row, env))
        shifted = torch.equal(pictures[:-1], before[1:])
        self.ends.setdefault(row, {})[env] = (pictures[-1:] if shifted else pictures).clone()

    def end(self, row: int, env: int) -> Tensor:
        """What an environment showed after a row, in which its episode ended.   → (*O)"""
        pictures = self.ends[row][env]
        if len(pictures) < self.stack:
            (before,) = self._pictures(self._one(row, env))
            pictures = torch.cat([before[1:], pictures])
        return pictures.reshape(self.shape)

    def _one(self, row: int, env: int) -> Tensor:
        return self.at(torch.tensor([row]), torch.tensor([env]))

    @property
    def num_bytes(self) -> int:
        """What all of it takes."""
        beside = (tensor for _, _, tensor in (*_listed(self.older), *_listed(self.ends)))
        return sum(tensor.nbytes for tensor in (self.newest, self.goes_on, *beside))

    @property
    def _kept(self) -> Tensor:
        return torch.arange(max(0, self.added - self.num_slots), self.added) % self.num_slots

    def state_dict(self) -> dict[str, Any]:
        """What is kept, and nothing of the room that is still free."""
        return {
            "like": self.like,
            "num_slots": self.num_slots,
            "stack": self.stack,
            "added": self.added,
            "latest": None if self.latest is None else self.latest.clone(),
            "newest": self.newest[self._kept],
            "goes_on": self.goes_on[self._kept],
            "older": [(row, env, tensor.clone()) for row, env, tensor in _listed(self.older)],
            "ends": [(row, env, tensor.clone()) for row, env, tensor in _listed(self.ends)],
        }

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "Shown":
        """What was kept so."""
        shown = cls(state["like"], state["num_slots"], state["stack"])
        shown.added, latest = state["added"], state["latest"]
        shown.latest = None if latest is None else latest.clone()
        shown.newest[shown._kept] = state["newest"]
        shown.goes_on[shown._kept] = state["goes_on"]
        for kept, name in (shown.older, "older"), (shown.ends, "ends"):
            for row, env, tensor in state[name]:
                kept.setdefault(row, {})[env] = tensor.clone()
        return shown


def _listed(kept: dict[int, dict[int, Tensor]]) -> Iterator[tuple[int, int, Tensor]]:
    for row, of_envs in kept.items():
        for env, tensor in of_envs.items():
            yield row, env, tensor
