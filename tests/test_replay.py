"""A replay memory: what comes out is what went in, and how likely it is."""

import itertools
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from scripted import Scripted
from torch import Tensor

from a3c_lib.app import checkpoints
from a3c_lib.replay import (
    PrioritizedReplayMemory,
    ReplayMemory,
    SumTree,
    importance_weights,
    pictures_in_a_stack,
)
from a3c_lib.rollout import Rollout, collect, make_envs, start

ENDINGS = [(3, "terminated"), (2, "truncated"), (4, "terminated truncated"), (1, "terminated")]


def at_random(generator, num_actions=2):
    def policy(observation, state):
        return torch.randint(num_actions, (len(observation),), generator=generator), state

    return policy


def played(envs, lengths, num_actions=2):
    """Rollouts of these lengths, one after another."""
    policy = at_random(torch.Generator().manual_seed(0), num_actions)
    position = start(envs, seed=0)
    for t_max in lengths:
        rollout, position = collect(envs, policy, position, t_max)
        yield rollout


def scripted(mode=AutoresetMode.SAME_STEP):
    make = [partial(Scripted, ENDINGS), partial(Scripted, ENDINGS[::-1], first=1000)]
    return SyncVectorEnv(make, autoreset_mode=mode)


class Stacked(gym.Env):
    """Shows the latest three of its pictures, no two alike; earlier ones are black. Its episodes
    are 1, 2, … 7 steps long, and again."""

    def __init__(self, first=0):
        self.observation_space = gym.spaces.Box(0, 255, (3, 2, 3), np.uint8)
        self.action_space = gym.spaces.Discrete(2)
        self.count, self.lengths = itertools.count(1 + first), itertools.cycle(range(1, 8))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.length, self.t = next(self.lengths), 0
        self.pictures = np.zeros(self.observation_space.shape, np.uint8)
        return self._next(), {}

    def step(self, action):
        self.t += 1
        ended, odd = self.t == self.length, self.length % 2 == 1
        return self._next(), 1.0, ended and not odd, ended and odd, {}

    def _next(self):
        dice = np.random.default_rng(next(self.count))
        newest = dice.integers(1, 256, (1, 2, 3), np.uint8)
        self.pictures = np.concatenate([self.pictures[1:], newest])
        return self.pictures


def stacked(num_envs=2, kind=Stacked, first=0):
    return SyncVectorEnv(
        [partial(kind, first + 10_000 * env) for env in range(num_envs)],
        autoreset_mode=AutoresetMode.SAME_STEP,
    )


# ---- the definition: lists of all that happened ----


class History:
    """Of each environment all its steps in a row: o, o′, a, r, terminated, truncated."""

    def __init__(self, num_envs=2):
        self.steps = [[] for _ in range(num_envs)]
        self.found = {}  # o and o′, of which no two steps have the same → environment, step

    def add(self, rollout):
        shown = rollout.next_observations
        for t, env in np.ndindex(*rollout.actions.shape):
            step = step_of(rollout, shown, t, env)
            if not rollout.dummies[t, env]:
                assert step[:2] not in self.found
                self.found[step[:2]] = env, len(self.steps[env])
            self.steps[env].append(step)

    def check(self, drawn, ages):
        """Each column is what one environment did in a row, step by step; `ages` says how old its
        beginning may be, in steps of that environment."""
        shown = drawn.next_observations
        for k, b in np.ndindex(*drawn.actions.shape):
            env, at = self.found[step_of(drawn, shown, 0, b)[:2]]
            assert len(self.steps[env]) - at in ages
            assert step_of(drawn, shown, k, b) == self.steps[env][at + k]


def step_of(rollout, shown, t, env):
    o, after = (part[t, env].numpy().tobytes() for part in (rollout.observations, shown))
    columns = rollout.actions, rollout.rewards, rollout.terminated, rollout.truncated
    return o, after, *(column[t, env].item() for column in columns)


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
@pytest.mark.parametrize("n_steps", [1, 3])
def test_what_is_drawn_is_what_was_played(n_steps, mode):
    """Through ends of each kind, and long after the first steps have been forgotten."""
    memory, history, dummies = ReplayMemory(34, n_steps=n_steps), History(), []
    for rollout in played(scripted(mode), [1, 4, 2, 7, 1, 1, 30, 3] * 4):
        memory.add(rollout)
        history.add(rollout)
        dummies.append(rollout.dummies)
        if len(memory):
            history.check(memory.draw(9).rollout, range(n_steps, 18))
    dummies = torch.cat(dummies)
    assert dummies.any() == (mode is AutoresetMode.NEXT_STEP)
    assert len(memory) == (17 - n_steps + 1) * 2 - dummies[-17 : len(dummies) - n_steps + 1].sum()


@pytest.mark.parametrize("n_steps", [1, 2])
def test_stacks_come_out_as_they_went_in_although_each_picture_is_kept_once(n_steps):
    """Episodes of 1 to 7 steps with stacks of three, and memories that wrap around."""
    for capacity in 6, 11, 40:
        memory, history = ReplayMemory(capacity, n_steps=n_steps), History()
        for rollout in played(stacked(), [3, 1, 2, 1, 5, 1, 1, 8] * 3):
            memory.add(rollout)
            history.add(rollout)
            if len(memory):
                history.check(memory.draw(7).rollout, range(n_steps, capacity // 2 + 1))
        assert memory.shown.newest.shape == (capacity // 2 + 3, 2, 2, 3)


def test_stacks_or_not_the_same_is_drawn():
    """Pictures one by one, and observations as they are, bit for bit."""
    one_by_one, whole = ReplayMemory(30, seed=5), ReplayMemory(30, stack=1, seed=5)
    for rollout in played(stacked(3), [4] * 30):
        one_by_one.add(rollout)
        whole.add(rollout)
        same(one_by_one.draw(6), whole.draw(6))
    assert one_by_one.shown.stack == 3
    assert one_by_one.shown.newest.nbytes < whole.shown.newest.nbytes / 2


def same(ours, theirs):
    for a, b in zip(ours.rollout[:-1], theirs.rollout[:-1], strict=True):
        assert torch.equal(a, b)
        assert a.dtype == b.dtype
    assert torch.equal(ours.weights, theirs.weights)
    assert torch.equal(ours.numbers, theirs.numbers)


def test_what_is_no_stack_is_kept_as_it_is():
    class Noise(Stacked):
        def _next(self):
            dice = np.random.default_rng(next(self.count))
            return dice.integers(0, 256, (3, 2, 3), np.uint8)

    # Taken for stacks, they take more room, and are the same.
    for stack in None, 3:
        memory, history = ReplayMemory(8, stack=stack), History(1)
        for rollout in played(stacked(1, Noise), [5] * 6):
            memory.add(rollout)
            history.add(rollout)
            history.check(memory.draw(5).rollout, range(1, 9))
        assert memory.shown.stack == (stack or 1)
        assert len(memory.shown.older) == (0 if stack is None else 8 + 3)


def test_stacks_are_told_from_other_pictures():
    (rollout,) = played(stacked(), [6])
    assert pictures_in_a_stack(rollout) == 3
    assert pictures_in_a_stack(rollout._replace(seen=rollout.seen.flip(0))) == 1
    assert pictures_in_a_stack(rollout._replace(seen=rollout.seen.float())) == 1
    (rollout,) = played(make_envs("a3c_lib/Catch-v0"), [6], num_actions=3)
    assert pictures_in_a_stack(rollout) == 1


# ---- how likely ----


def numbered(num_steps, first=0, num_envs=1):
    """A rollout that shows first, first + 1, …, in each environment 1000 more."""
    number = first + torch.arange(num_steps)[:, None] + 1000 * torch.arange(num_envs)
    no = torch.zeros_like(number, dtype=torch.bool)
    return Rollout.of(number, number, number.float(), number + 1, no, no.clone())


def first_of(drawn) -> list[int]:
    return drawn.rollout.observations[0].tolist()


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_a_batch_as_large_as_the_memory_is_all_of_it_in_order(mode):
    memory = ReplayMemory(20)
    for rollout in played(scripted(mode), [10] * 5):
        memory.add(rollout)
        drawn = memory.draw(len(memory)).rollout
        real = ~rollout.dummies
        assert len(memory) == real.sum()
        assert torch.equal(drawn.observations[0], rollout.observations[real])
        assert torch.equal(drawn.next_observations[0], rollout.next_observations[real])
        assert torch.equal(drawn.actions[0], rollout.actions[real])


def test_every_step_is_as_likely():
    """Also where a batch does not divide the memory, and where there is more to draw than there is."""
    memory = ReplayMemory(14)
    memory.add(numbered(11, num_envs=2))
    for batch in 3, 5, 33:
        drawn = [number for _ in range(1000) for number in first_of(memory.draw(batch))]
        counts = np.bincount(drawn, minlength=1011)
        remembered = [*range(4, 11), *range(1004, 1011)]
        assert counts.sum() == counts[remembered].sum()
        expected = 1000 * batch / 14
        assert np.abs(counts[remembered] - expected).max() < 5 * np.sqrt(expected)


def test_steps_without_enough_steps_after_them_are_not_drawn_from_yet():
    memory = ReplayMemory(10, n_steps=4)
    memory.add(numbered(3))
    assert len(memory) == 0
    with pytest.raises(ValueError, match="nothing in the memory yet"):
        memory.draw(1)
    memory.add(numbered(2, first=3))
    assert first_of(memory.draw(2)) == [0, 1]
    memory.add(numbered(9, first=5))
    assert first_of(memory.draw(7)) == [4, 5, 6, 7, 8, 9, 10]


def test_another_seed_draws_others_and_a_copy_draws_the_same():
    drawn = []
    for seed in 0, 0, 1:
        memory = ReplayMemory(50, seed=seed)
        memory.add(numbered(50))
        drawn.append([first_of(memory.draw(5)) for _ in range(3)])
    assert drawn[0] == drawn[1] != drawn[2]


# ---- a sum tree ----


def found_by_definition(numbers, points):
    """The first place up to which the sum of all numbers exceeds a point."""
    return np.searchsorted(np.cumsum(numbers), points, side="right")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 33, 1000])
def test_a_sum_tree_is_a_cumulative_sum(size):
    """Whole numbers, which are exact: many of them 0, and every point that lies on an edge."""
    dice, tree, numbers = np.random.default_rng(size), SumTree(size), np.zeros(size)
    for _ in range(50):
        places = dice.integers(size, size=dice.integers(1, 6))
        numbers[places] = written = dice.integers(0, 4, len(places)) * 2.0
        tree.update(places, written)
        assert tree.total == numbers.sum()
        assert tree.largest == numbers.max()
        assert tree[np.arange(size)].tolist() == numbers.tolist()
        if tree.total:
            points = np.arange(0, tree.total)
            assert tree.find(points).tolist() == found_by_definition(numbers, points).tolist()


def test_a_sum_tree_has_real_numbers_too():
    """What is found is where the cumulative sum is, but for rounding, and never a 0."""
    dice, tree = np.random.default_rng(0), SumTree(500)
    numbers = 10.0 ** dice.uniform(-9, 3, 500) * (dice.random(500) < 0.7)
    tree.update(np.arange(500), numbers)
    edges, points = np.cumsum(numbers), dice.random(20_000) * tree.total
    found = tree.find(points)
    assert tree.total == pytest.approx(edges[-1])
    assert (numbers[found] > 0).all()
    assert (points < edges[found] + 1e-9).all()
    assert (points >= edges[found] - numbers[found] - 1e-9).all()


def test_a_point_that_is_rounded_up_to_the_total_is_the_last_number_that_is_not_0():
    for numbers in ([0.1, 0.2, 0.0, 0.0, 0.0], [0.0, 0.3, 0.0], [1.0]):
        tree, last = SumTree(len(numbers)), np.flatnonzero(numbers)[-1]
        tree.update(np.arange(len(numbers)), np.array(numbers))
        points = np.array([tree.total, np.nextafter(tree.total, 0), 2 * tree.total])
        assert tree.find(points).tolist() == [last] * 3


def test_a_million_updates_do_not_make_a_sum_tree_drift():
    """Each node is the sum of the two below it, to the last bit, whatever stood there before."""
    dice, tree, size = np.random.default_rng(0), SumTree(300), 300
    numbers = np.zeros(size)
    for _ in range(1000):
        places = dice.integers(size, size=1000)
        written = 10.0 ** dice.uniform(-12, 12, 1000)
        tree.update(places, written)
        numbers[places] = written
    tree.update(np.arange(1, size), np.zeros(size - 1))
    assert tree.total == numbers[0]
    tree.update(np.array([0]), np.array([0.0]))
    assert not tree.sums.any()


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_what_is_no_priority_is_not_written(bad):
    tree = SumTree(3)
    tree.update(np.arange(3), np.ones(3))
    with pytest.raises(ValueError, match="at least 0; got"):
        tree.update(np.array([0, 1]), np.array([5.0, bad]))
    assert tree.total == 3


# ---- priorities ----

by_priority = partial(PrioritizedReplayMemory, priority_exponent=0.5, least_priority=0.25)


def test_steps_are_drawn_in_proportion_to_their_priorities():
    """p = |δ| + 0.25, and the root of it; the sign of δ is none of it."""
    memory = by_priority(12)
    memory.add(numbered(6, num_envs=2))
    errors = torch.tensor([0.0, -2.0, 3.75, 0.75, -8.75, 0.0])
    numbers = torch.tensor([0, 1, 4, 7, 10, 11])
    memory.learned(numbers, errors)
    p = np.ones(12)
    p[numbers] = np.sqrt(np.abs(errors.numpy()) + 0.25)
    expected = p / p.sum()
    np.testing.assert_allclose(memory.probabilities(torch.arange(12)), expected)
    for batch in 4, 40:
        times = 4000 // batch
        drawn = torch.cat([memory.draw(batch).numbers for _ in range(times)])
        counts = np.bincount(drawn, minlength=12)
        assert np.abs(counts - batch * times * expected).max() < 5 * np.sqrt(batch * times)


def test_a_batch_has_one_step_from_each_part_that_is_as_likely():
    memory = by_priority(8)
    memory.add(numbered(8))
    memory.learned(torch.tensor([2]), torch.tensor([7**2 - 0.25]))  # 7 of 14 are its own
    for _ in range(50):
        numbers = memory.draw(14).numbers.tolist()
        assert numbers == sorted(numbers)
        assert [numbers.count(number) for number in range(8)] == [1, 1, 7, 1, 1, 1, 1, 1]


def test_what_is_new_has_the_largest_priority_that_there_is():
    memory = by_priority(6, n_steps=2)
    memory.add(numbered(4))
    assert memory.tree[np.arange(4)].tolist() == [1, 1, 1, 0]  # the last has no step after it yet
    memory.learned(torch.tensor([0, 1, 2]), torch.tensor([8.75, 3.75, 0.0]))
    memory.add(numbered(1, first=4))
    assert memory.tree[np.arange(6)].tolist() == [3, 2, 0.5, 3, 0, 0]
    memory.add(numbered(2, first=5))  # 0 is forgotten, and its 3 is not: 3 has it too
    assert memory.tree[np.arange(7)].tolist() == [0, 2, 0.5, 3, 3, 3, 0]
    memory.learned(torch.tensor([3, 4, 5]), torch.tensor([0.0, 0.0, 0.0]))
    memory.add(numbered(1, first=7))
    assert memory.tree[np.arange(7)].tolist() == [0, 0, 0.5, 0.5, 0.5, 0.5, 0.5]


def test_what_was_forgotten_meanwhile_is_not_given_a_priority():
    memory = by_priority(4)
    memory.add(numbered(4))
    numbers = memory.draw(4).numbers
    memory.add(numbered(2, first=4))
    memory.learned(numbers, torch.tensor([99.0, 99.0, 0.0, 0.75]))
    assert memory.probabilities(torch.arange(2, 6)).tolist() == [1 / 7, 2 / 7, 2 / 7, 2 / 7]


def test_importance_weights_make_the_mean_that_of_steps_drawn_alike():
    """Σ P(i) w_i x_i is in proportion to Σ x_i, whatever x is; and the largest weight is 1."""
    P = torch.tensor([0.1, 0.4, 0.2, 0.3], dtype=torch.float64)
    for exponent in 0.0, 0.4, 1.0:
        weights = importance_weights(P, exponent)
        by_definition = (4 * P) ** -exponent
        torch.testing.assert_close(weights, (by_definition / by_definition.max()).float())
        assert weights.max() == 1
    torch.testing.assert_close(P * importance_weights(P, 1.0), torch.full((4,), 0.1).double())
    assert importance_weights(P, 0.0).tolist() == [1.0] * 4


def test_what_is_drawn_has_the_weights_of_its_probabilities():
    memory = by_priority(10)
    memory.add(numbered(10))
    memory.learned(torch.arange(10), torch.arange(10).float())
    drawn = memory.draw(6, importance_exponent=0.7)
    expected = importance_weights(memory.probabilities(drawn.numbers), 0.7)
    assert torch.equal(drawn.weights, expected)
    assert len(set(drawn.weights.tolist())) > 3


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
@pytest.mark.parametrize("n_steps", [1, 3])
def test_with_equal_priorities_the_same_is_drawn_as_without(n_steps, mode):
    """Both draw one step from each part, and neither draws dummies, or what is not ready."""
    memory, history = by_priority(34, n_steps=n_steps), History()
    plain = ReplayMemory(34, n_steps=n_steps)
    for rollout in played(scripted(mode), [1, 4, 2, 7, 30, 1, 45, 3] * 2):
        memory.add(rollout)
        plain.add(rollout)
        history.add(rollout)
        if len(memory):
            assert memory.tree.total == len(memory)
            drawn = memory.draw(len(memory))
            assert torch.equal(drawn.numbers, plain.draw(len(memory)).numbers)
            history.check(drawn.rollout, range(n_steps, 18))


# ---- where a rollout does not go on from the last one ----


@pytest.mark.parametrize("told", [False, True])
def test_what_does_not_go_on_is_cut_like_by_a_time_limit(told):
    """What was shown last is still what came after it, and nothing is drawn across the break."""
    memory = ReplayMemory(12, n_steps=3)
    memory.add(numbered(4))
    if told:
        memory.cut()
        memory.cut()
    memory.add(numbered(4, first=50))
    drawn = memory.draw(6).rollout
    assert drawn.observations[0].tolist() == [0, 1, 2, 3, 50, 51]
    assert drawn.next_observations[:, 3].tolist() == [4, 51, 52]
    assert drawn.truncated.int().argmax(dim=0).tolist() == [0, 2, 1, 0, 0, 0]
    assert drawn.truncated.any(dim=0).tolist() == [False, True, True, True, False, False]
    assert not drawn.terminated.any()


def test_a_break_of_stacks_keeps_every_picture():
    memory, shown, after = ReplayMemory(60), [], []
    for first in 0, 1000, 2000:
        for rollout in played(stacked(first=first), [4, 6]):
            memory.add(rollout)
            shown.append(rollout.observations.flatten(0, 1))
            after.append(rollout.next_observations.flatten(0, 1))
    drawn = memory.draw(60).rollout
    assert torch.equal(drawn.observations[0], torch.cat(shown))
    assert torch.equal(drawn.next_observations[0], torch.cat(after))


def test_an_episode_that_had_ended_is_not_cut_again():
    memory = ReplayMemory(8)
    rollout = numbered(4)
    rollout.terminated[-1] = True
    memory.add(rollout._replace(final=torch.tensor([4])))
    memory.add(numbered(4, first=20))
    drawn = memory.draw(8).rollout
    assert drawn.terminated[0].tolist() == [False] * 3 + [True] + [False] * 4
    assert not drawn.truncated.any()
    assert drawn.next_observations[0].tolist() == [1, 2, 3, 4, 21, 22, 23, 24]


# ---- bytes, states, refusals ----


def test_what_goes_in_may_be_written_over_afterwards():
    memory = ReplayMemory(8)
    rollout = numbered(4)
    memory.add(rollout)
    before = memory.draw(4)
    for part in rollout[:-1]:
        part.zero_()
    same(memory.draw(4), before)
    before.rollout.seen.zero_()
    assert first_of(memory.draw(4)) == [0, 1, 2, 3]


def test_100_000_steps_of_pictures_take_less_than_0_9_gb():
    """84 × 84 bytes each, 15 bytes of the step itself; the room is not taken before it is filled."""
    no = torch.zeros(1, 1, dtype=torch.bool)
    seen = torch.zeros(1, 1, 4, 84, 84, dtype=torch.uint8)
    memory = ReplayMemory(100_000, stack=4)
    memory.add(Rollout.of(seen, no.long(), no.float(), seen, no, no))
    beside = 3 * 84 * 84  # the first stack's older pictures
    assert memory.num_bytes == 100_004 * (84 * 84 + 2 + 8 + 4 + 3) + beside
    assert memory.num_bytes < 0.71e9


def restored(memory, tmp_path):
    """Another one with its state, by way of a checkpoint."""
    checkpoints.save(tmp_path / "memory.pt", memory.state_dict())
    other = type(memory)(memory.capacity, n_steps=memory.n_steps, seed=99)
    other.load_state_dict(checkpoints.load(tmp_path / "memory.pt"))
    return other


@pytest.mark.parametrize("make", [scripted, stacked])
@pytest.mark.parametrize("n_steps", [1, 3])
@pytest.mark.parametrize("kind", [ReplayMemory, PrioritizedReplayMemory])
def test_it_goes_on_bit_for_bit(make, n_steps, kind, tmp_path):
    memory, others = kind(30, n_steps=n_steps), []
    others.append(restored(memory, tmp_path))  # empty
    for k, rollout in enumerate(played(make(), [3] * 24)):
        for each in (memory, *others):
            each.add(rollout)
        if k % 5 == 1:
            others.append(restored(memory, tmp_path))
        drawn = memory.draw(5)
        for other in others:
            same(other.draw(5), drawn)
            assert len(other) == len(memory)
            assert other.num_bytes == memory.num_bytes
        if kind is PrioritizedReplayMemory:
            for each in (memory, *others):
                each.learned(drawn.numbers, drawn.rollout.seen[0].flatten(1).float().sum(dim=1))
    memory.cut()
    other = restored(memory, tmp_path)
    for each in memory, other:
        each.add(rollout)
    same(other.draw(9), memory.draw(9))


def test_a_state_is_as_large_as_what_the_memory_holds():
    memory = ReplayMemory(10_000, stack=1)
    memory.add(numbered(5))
    sizes = [t.numel() for t in tensors_in(memory.state_dict())]
    assert sum(sizes) < 60


def tensors_in(state):
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, dict):
        for value in state.values():
            yield from tensors_in(value)
    elif isinstance(state, list | tuple):
        for value in state:
            yield from tensors_in(value)


def test_a_state_of_another_memory_is_refused():
    with pytest.raises(ValueError, match=r"'capacity': 9.*the state is of .*'capacity': 8"):
        ReplayMemory(9).load_state_dict(ReplayMemory(8).state_dict())


def test_so_is_one_of_other_stacks():
    memory = ReplayMemory(30, stack=3)
    memory.add(next(played(stacked(), [4])))
    state, drawn = memory.state_dict(), memory.draw(4)
    with pytest.raises(ValueError, match="stack is 1 in this memory, and 3 in the state"):
        ReplayMemory(30, stack=1).load_state_dict(state)
    for stack in None, 3:
        other = ReplayMemory(30, stack=stack)
        other.load_state_dict(state)
        same(other.draw(4), drawn)


def test_a_state_in_which_the_exponent_had_another_name_is_read():
    memory, other = (PrioritizedReplayMemory(8, priority_exponent=0.5) for _ in range(2))
    memory.add(numbered(4))
    state = memory.state_dict()
    made = dict(state["made"])
    state["made"] = {"exponent": made.pop("priority_exponent"), **made}
    other.load_state_dict(state)
    same(other.draw(3), memory.draw(3))
    with pytest.raises(ValueError, match=r"'priority_exponent': 0.6.*'priority_exponent': 0.5"):
        PrioritizedReplayMemory(8).load_state_dict(state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"capacity": 0}, "capacity is at least 1; got 0"),
        ({"capacity": 10, "n_steps": 0}, "n_steps is at least 1; got 0"),
        ({"capacity": 10, "stack": 0}, "stack is at least 1 or None; got 0"),
        ({"capacity": 10, "seed": -1}, "a seed is an integer, at least 0; got -1"),
        ({"capacity": 10, "priority_exponent": -1.0}, "priority_exponent is at least 0; got -1.0"),
        ({"capacity": 10, "least_priority": 0.0}, "least_priority is positive; got 0.0"),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        PrioritizedReplayMemory(**options)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"n_steps · num_envs = 6; got 5"):
        ReplayMemory(5, n_steps=3).add(numbered(4, num_envs=2))
    with pytest.raises(ValueError, match=r"stacks of 2 pictures, \(2, …\); got \(3, 2, 3\)"):
        ReplayMemory(50, stack=2).add(next(played(stacked(), [3])))
    for memory in PrioritizedReplayMemory(9, n_steps=5), ReplayMemory(9):
        with pytest.raises(ValueError, match="nothing in the memory yet"):
            memory.draw(1)
        memory.add(numbered(4))
        with pytest.raises(ValueError, match="batch_size is at least 1; got 0"):
            memory.draw(0)
    with pytest.raises(ValueError, match=r"observations .* are \(T, 1\) of .*; got \(5, 2\)"):
        memory.add(numbered(4, num_envs=2))
    floats = numbered(4)
    with pytest.raises(ValueError, match=r"actions .* of torch.int64; got .* of torch.float32"):
        memory.add(floats._replace(actions=floats.actions.float()))
