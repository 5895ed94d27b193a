import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from hypothesis import given, settings, strategies as st
from scripted import Counting, Scripted
from torch import nn
from torch.utils._pytree import tree_leaves

from a3c_lib.making import KeepsWhatItShowed
from a3c_lib.rollout import (
    Episode,
    Rollout,
    collect,
    collect_episode,
    env_seeds,
    greedy,
    initial_state,
    make_env,
    make_envs,
    sampled,
    seeds_of_31_bits,
    start,
)


def first_action(observation, state):
    return torch.zeros(len(observation), dtype=torch.int64), state


class Fixed:
    """A model with the same logits everywhere."""

    def __init__(self, *logits):
        self.row = torch.tensor(logits)

    def logits(self, observations):
        return self.row.expand(len(observations), -1)


def play(make, t_max, num_envs=1, policy=first_action, seed=0):
    envs = make_envs(make, num_envs)
    rollout, _ = collect(envs, policy, start(envs, seed), t_max)
    envs.close()
    return rollout


def test_a_rollout_is_time_by_environments():
    rollout = play(Counting, t_max=4, num_envs=3)
    assert rollout.observations.shape == rollout.next_observations.shape == (4, 3, 1)
    for field in rollout.actions, rollout.rewards, rollout.terminated, rollout.truncated:
        assert field.shape == (4, 3)
    assert rollout.rewards.dtype == torch.float32
    assert rollout.terminated.dtype == rollout.truncated.dtype == torch.bool


def test_it_goes_on_through_an_end_and_keeps_the_true_last_observation():
    rollout = play(lambda: Counting(length=3), t_max=5)
    assert rollout.observations[:, 0, 0].tolist() == [0, 1, 2, 10, 11]
    assert rollout.next_observations[:, 0, 0].tolist() == [1, 2, 3, 11, 12]
    assert rollout.rewards[:, 0].tolist() == [1, 2, 3, 1, 2]
    assert rollout.terminated[:, 0].tolist() == [False, False, True, False, False]
    assert not rollout.truncated.any()


def test_a_time_limit_is_not_an_ending():
    rollout = play(lambda: Counting(length=3, ends="truncated"), t_max=4)
    assert rollout.truncated[:, 0].tolist() == [False, False, True, False]
    assert not rollout.terminated.any()
    assert rollout.next_observations[2, 0].item() == 3


def test_gymnasiums_own_time_limit_arrives_as_truncation():
    rollout = play(lambda: gym.wrappers.TimeLimit(Counting(length=9), 2), t_max=2)
    assert rollout.truncated[:, 0].tolist() == [False, True]
    assert not rollout.terminated.any()


def test_two_rollouts_in_a_row_are_one_long_one():
    envs = make_envs(lambda: Counting(length=4), 2)
    first, position = collect(envs, first_action, start(envs, 0), 3)
    second, _ = collect(envs, first_action, position, 3)
    whole = play(lambda: Counting(length=4), t_max=6, num_envs=2)
    assert torch.equal(first.seen[-1], second.seen[0])
    assert torch.equal(torch.cat([first.seen, second.seen[1:]]), whole.seen)
    for part_1, part_2, both in zip(first[1:-1], second[1:-1], whole[1:-1], strict=True):
        assert torch.equal(torch.cat([part_1, part_2]), both)
    assert first.episodes + second.episodes == whole.episodes


def test_an_episode_that_spans_rollouts_is_reported_once_with_its_whole_return():
    envs = make_envs(lambda: Counting(length=4))
    first, position = collect(envs, first_action, start(envs, 0), 3)
    second, position = collect(envs, first_action, position, 3)
    third, _ = collect(envs, first_action, position, 2)
    assert first.episodes == ()
    assert second.episodes == third.episodes == (Episode(1 + 2 + 3 + 4, length=4, env=0),)


# ---- each observation once, and read as pairs ----

ENDS = "terminated", "truncated", "terminated truncated"
WORLDS = st.lists(  # of each environment, its episodes' lengths and ends
    st.lists(st.tuples(st.integers(1, 4), st.sampled_from(ENDS)), min_size=1, max_size=3),
    min_size=1,
    max_size=4,
)
MODES = [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP]


def scripted(worlds, mode, t_max):
    """A rollout, and of each environment the log of its T steps: what was seen before and after a
    step, whether it terminated and truncated. In NEXT_STEP a reset is a step, too."""
    envs = SyncVectorEnv(
        [lambda n=n, its=its: Scripted(its, 1000 * n) for n, its in enumerate(worlds)],
        autoreset_mode=mode,
    )
    rollout, _ = collect(envs, first_action, start(envs, 0), t_max)
    kinds = ("step",) if mode is AutoresetMode.SAME_STEP else ("step", "reset")
    logs = [[row[1:] for row in env.log[1:] if row[0] in kinds] for env in envs.envs]
    return rollout, logs


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=60)
@given(worlds=WORLDS, t_max=st.integers(1, 9))
def test_the_pairs_of_a_rollout_are_what_was_seen_before_and_after_each_step(mode, worlds, t_max):
    rollout, logs = scripted(worlds, mode, t_max)
    for n, log in enumerate(logs):
        before, after, terminated, truncated = map(list, zip(*log, strict=True))
        assert rollout.observations[:, n, 0].tolist() == before
        assert rollout.next_observations[:, n, 0].tolist() == after
        assert rollout.terminated[:, n].tolist() == terminated
        assert rollout.truncated[:, n].tolist() == truncated
    assert torch.equal(rollout.ended, rollout.terminated | rollout.truncated)


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=60)
@given(worlds=WORLDS, t_max=st.integers(1, 9))
def test_every_observation_is_held_once(mode, worlds, t_max):
    rollout, logs = scripted(worlds, mode, t_max)
    ends = sum(terminated or truncated for log in logs for *_, terminated, truncated in log)
    assert rollout.seen.shape == (t_max + 1, len(worlds), 1)
    assert rollout.final.shape == (ends, 1)
    if mode is AutoresetMode.SAME_STEP:
        held = torch.cat([rollout.seen.flatten(), rollout.final.flatten()]).tolist()
        assert len(set(held)) == len(held)


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=60)
@given(worlds=WORLDS, t_max=st.integers(1, 9))
def test_what_no_row_shows_is_shown_unseen_in_the_order_of_its_mask(mode, worlds, t_max):
    rollout, _ = scripted(worlds, mode, t_max)
    expected = [[row == t_max - 1 or end for end in ends] for row, ends in enumerate(rollout.ended)]
    assert rollout.unseen.tolist() == expected
    kept = rollout.seen.clone()
    assert torch.equal(rollout.shown_unseen, rollout.next_observations[rollout.unseen])
    assert torch.equal(rollout.seen, kept)
    seen = rollout.next_observations[:-1] == rollout.observations[1:]
    assert seen[~rollout.unseen[:-1]].all()


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=60)
@given(worlds=WORLDS, t_max=st.integers(1, 9))
def test_a_rollout_of_pairs_has_these_pairs(mode, worlds, t_max):
    rollout, _ = scripted(worlds, mode, t_max)
    again = of_pairs(rollout, rollout.next_observations)
    assert torch.equal(again.observations, rollout.observations)
    assert torch.equal(again.next_observations, rollout.next_observations)
    assert all(map(torch.equal, again[1:-2], rollout[1:-2]))
    assert not again.dummies.any()
    assert again.episodes == rollout.episodes


def of_pairs(rollout, next_observations):
    ends = rollout.terminated, rollout.truncated
    steps = rollout.observations, rollout.actions, rollout.rewards
    return Rollout.of(*steps, next_observations, *ends, rollout.episodes)


def test_pairs_that_do_not_fit_are_refused():
    rollout, _ = scripted([[(9, "terminated")], [(2, "truncated")]], MODES[0], 4)
    for t, n, fits in (0, 0, False), (1, 1, True), (2, 1, False), (3, 0, True), (3, 1, True):
        others = rollout.next_observations
        others[t, n] = 7
        if fits:  # an end, or the last row: nothing follows that says otherwise
            assert of_pairs(rollout, others).next_observations[t, n] == 7
        else:
            with pytest.raises(
                ValueError, match=r"observations\[t \+ 1\] wherever no episode ended"
            ):
                of_pairs(rollout, others)


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=60)
@given(worlds=WORLDS, t_max=st.integers(1, 9))
def test_a_column_is_what_one_environment_did(mode, worlds, t_max):
    rollout, _ = scripted(worlds, mode, t_max)
    names = "actions", "rewards", "terminated", "truncated", "observations", "next_observations"
    for n in range(len(worlds)):
        column = rollout.column(n)
        for name in names:
            assert torch.equal(getattr(column, name), getattr(rollout, name)[:, n : n + 1])
        assert torch.equal(column.shown_unseen, column.next_observations[column.unseen])
        assert column.episodes == ()


def test_a_function_may_change_every_tensor_of_a_rollout():
    """torch's device "meta" holds no numbers, but it can be seen where a tensor is."""
    rollout = play(lambda: Counting(2), t_max=5, num_envs=2)
    elsewhere = rollout.map(lambda tensor: tensor.to("meta"))
    assert {tensor.device.type for tensor in elsewhere[:-1]} == {"meta"}
    for one, other in zip(elsewhere[:-1], rollout[:-1], strict=True):
        assert one.shape == other.shape
    assert elsewhere.episodes == rollout.episodes != ()


def test_what_is_written_into_the_next_observations_changes_no_rollout():
    rollout, _ = scripted([[(2, "terminated")]], MODES[0], 4)
    rollout.next_observations.zero_()
    assert rollout.next_observations.flatten().tolist() == [1, 2, 4, 5]
    assert rollout.seen.flatten().tolist() == [0, 1, 3, 4, 6]
    assert rollout.final.flatten().tolist() == [2, 5]


# ---- arrays that are written into again ----


class OneArray(VectorEnv):
    """Countings that end after `lengths` steps, terminated and truncated in turn; the arrays that it
    hands out are the same in every step."""

    def __init__(self, *lengths):
        self.num_envs, self.lengths = len(lengths), np.array(lengths)
        self.single_observation_space = spaces.Box(-np.inf, np.inf, (1,), np.float32)
        self.single_action_space = spaces.Discrete(2)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.t, self.episode = np.zeros((2, self.num_envs), dtype=np.int64)
        self.observation = np.zeros((self.num_envs, 1), dtype=np.float32)
        self.reward = np.zeros(self.num_envs, dtype=np.float32)
        self.terminated, self.truncated = np.zeros((2, self.num_envs), dtype=np.bool_)

    def reset(self, *, seed=None, options=None):
        return self.observation, {}

    def step(self, actions):
        self.t += 1
        self.reward[:] = self.t
        ended = self.t == self.lengths
        self.terminated[:] = ended & (self.episode % 2 == 0)
        self.truncated[:] = ended & (self.episode % 2 == 1)
        final = [*(10 * self.episode + self.t)[:, None]]
        self.episode += ended
        self.t[ended] = 0
        self.observation[:, 0] = 10 * self.episode + self.t
        info = {"final_obs": final} if ended.any() else {}
        return self.observation, self.reward, self.terminated, self.truncated, info


def test_a_vector_environment_may_write_into_the_same_arrays_again():
    envs = OneArray(3, 4)
    rollout, _ = collect(envs, first_action, start(envs, 0), 7)
    assert rollout.observations[:, :, 0].T.tolist() == [
        [0, 1, 2, 10, 11, 12, 20],
        [0, 1, 2, 3, 10, 11, 12],
    ]
    assert rollout.next_observations[:, :, 0].T.tolist() == [
        [1, 2, 3, 11, 12, 13, 21],
        [1, 2, 3, 4, 11, 12, 13],
    ]
    assert rollout.rewards.T.tolist() == [[1, 2, 3, 1, 2, 3, 1], [1, 2, 3, 4, 1, 2, 3]]
    assert rollout.terminated.nonzero().tolist() == [[2, 0], [3, 1]]
    assert rollout.truncated.nonzero().tolist() == [[5, 0]]


@pytest.mark.parametrize("mode", MODES)
def test_gymnasiums_may_hand_out_the_same_array_again(mode):
    def rolled(**options):
        makes = [lambda n=n: Counting(n) for n in (3, 5)]
        envs = SyncVectorEnv(makes, autoreset_mode=mode, **options)
        return collect(envs, first_action, start(envs, 0), 9)[0]

    rollout, expected = rolled(copy=False), rolled(copy=True)
    assert all(map(torch.equal, rollout[:-1], expected[:-1]))
    assert torch.equal(rollout.next_observations, expected.next_observations)


class InPlace(Counting):
    """Shows one array, into which it writes."""

    def __init__(self, length):
        super().__init__(length)
        self.state = np.zeros(1, dtype=np.float32)

    def _observation(self):
        self.state[0] = super()._observation()[0]
        return self.state


def test_what_was_seen_at_a_time_limit_is_not_the_next_episodes_first():
    rollout = play(lambda: gym.wrappers.TimeLimit(InPlace(9), 3), t_max=5)
    assert rollout.observations[:, 0, 0].tolist() == [0, 1, 2, 10, 11]
    assert rollout.next_observations[:, 0, 0].tolist() == [1, 2, 3, 11, 12]
    assert rollout.truncated[:, 0].tolist() == [False, False, True, False, False]


def test_each_environment_has_a_seed_of_its_own_and_the_same_ones_again():
    def seeds(seed):
        envs = make_envs(Counting, 4)
        start(envs, seed)
        return [env.unwrapped.seeds[0] for env in envs.envs]

    assert len(set(seeds(0))) == 4
    assert seeds(0) == seeds(0)
    assert not set(seeds(0)) & set(seeds(1))


class Signed(Counting):
    """A simulator whose seeds are signed numbers of 32 bits."""

    refusal = OverflowError

    def reset(self, *, seed=None, options=None):
        if seed is not None and not 0 <= seed < 2**31:
            raise self.refusal(f"Python integer {seed} out of bounds for int32")
        return super().reset(seed=seed)


class SignedElsewhere(Signed):
    """As ale-py says it."""

    refusal = TypeError


class CountingOn(VectorEnv):
    """Gives its environments the numbers from its own seed on."""

    def __init__(self, num_envs):
        self.num_envs, self.envs = num_envs, [Signed() for _ in range(num_envs)]
        self.single_observation_space = self.envs[0].observation_space
        self.single_action_space = self.envs[0].action_space
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def reset(self, *, seed=None, options=None):
        return np.stack([env.reset(seed=seed + i)[0] for i, env in enumerate(self.envs)]), {}


@pytest.mark.parametrize(
    "make",
    [lambda n: make_envs(Signed, n), lambda n: make_envs(SignedElsewhere, n), CountingOn],
)
def test_who_refuses_seeds_of_32_bits_gets_them_within_31(make):
    seen = []
    for seed in range(100):
        envs = make(5)
        start(envs, seed)
        seen += [env.unwrapped.seeds[-1] for env in envs.envs]
    assert 0 <= min(seen) < 2**27
    assert 2**31 - 2**27 < max(seen) < 2**31


def test_an_error_that_is_not_about_seeds_stays_what_it_is():
    class Broken(Counting):
        def reset(self, *, seed=None, options=None):
            raise TypeError("no level of that name")

    with pytest.raises(TypeError, match="no level of that name"):
        start(make_envs(Broken, 2), 0)


@given(seed=st.integers(0, 2**70), num_envs=st.integers(2, 300))
def test_no_seed_of_31_bits_is_too_large(seed, num_envs):
    seeds = seeds_of_31_bits([2**31 - 1, *env_seeds(seed, num_envs - 1)])
    assert len(seeds) == num_envs
    assert 0 <= min(seeds) <= max(seeds) + num_envs - 1 < 2**31


def test_the_same_seed_gives_the_same_rollout_and_another_seed_another():
    def actions(seed):
        policy = sampled(Fixed(0.0, 0.0), torch.Generator().manual_seed(seed))
        return play("a3c_lib/NoisyCorridor-v0", 50, num_envs=2, policy=policy, seed=seed)

    for one, two in zip(actions(3), actions(3), strict=True):
        assert one == two if isinstance(one, tuple) else torch.equal(one, two)
    assert not torch.equal(actions(3).rewards, actions(4).rewards)


def test_actions_that_do_not_start_at_zero_are_shifted_for_the_environment_only():
    class FromFive(Counting):
        def __init__(self):
            super().__init__()
            self.action_space = spaces.Discrete(2, start=5)

    envs = make_envs(FromFive)
    rollout, _ = collect(envs, first_action, start(envs, 0), 2)
    assert rollout.actions.tolist() == [[0], [0]]
    assert envs.envs[0].unwrapped.actions == [5, 5]


def test_a_policy_may_give_its_actions_as_an_array():
    envs = make_envs("a3c_lib/Corridor-v0", 2)

    def right(observation, state):
        return np.ones(len(observation), dtype=np.int64), state

    rollout, _ = collect(envs, right, start(envs, seed=0), t_max=3)
    assert rollout.actions.tolist() == [[1, 1]] * 3
    assert rollout.terminated[-1].all()


def test_the_policy_carries_its_state_along():
    def counting_policy(observation, state):
        return torch.zeros(len(observation), dtype=torch.int64), state + 1

    envs = make_envs(Counting)
    _, position = collect(envs, counting_policy, start(envs, 0, policy_state=7), 5)
    assert position.policy_state == 12


def test_a_models_memory_is_zero_where_an_episode_begins():
    def counting_policy(observation, state):
        seen.append(state[0][:, 0].tolist())
        return torch.zeros(len(observation), dtype=torch.int64), (state[0] + 1,)

    seen = []
    lengths = iter([2, 9, 3])
    envs = make_envs(lambda: Counting(next(lengths)), 3)
    memory = (torch.full((3, 2), 5.0),)  # not zero: carried along from an earlier rollout
    _, position = collect(envs, counting_policy, start(envs, 0, policy_state=memory), 4)
    # Environment 0 ends after steps 2 and 4, environment 2 after step 3, environment 1 not at all.
    assert seen == [[5, 5, 5], [6, 6, 6], [0, 7, 7], [1, 8, 0]]
    assert position.policy_state[0].tolist() == [[0, 0], [9, 9], [1, 1]]


def test_the_step_after_an_end_is_a_dummy_where_environments_reset_in_the_next_step():
    envs = SyncVectorEnv(
        [lambda: Counting(2), lambda: Counting(9)], autoreset_mode=AutoresetMode.NEXT_STEP
    )
    began = start(envs, 0)
    rollout, position = collect(envs, first_action, began, 5)
    assert rollout.observations[:, 0, 0].tolist() == [0, 1, 2, 10, 11]
    assert rollout.next_observations[:, 0, 0].tolist() == [1, 2, 10, 11, 12]
    assert rollout.terminated[:, 0].tolist() == [False, True, False, False, True]
    assert rollout.dummies.nonzero().tolist() == [[2, 0]]
    assert rollout.episodes == (Episode(3.0, 2, 0), Episode(3.0, 2, 0))
    assert position.resetting.tolist() == [True, False]
    rollout, _ = collect(envs, first_action, position, 1)
    assert rollout.dummies.tolist() == [[True, False]]


def test_memory_is_zero_after_the_dummy_too():
    def counting_policy(observation, state):
        seen.append(state[0].item())
        return torch.zeros(len(observation), dtype=torch.int64), (state[0] + 1,)

    seen = []
    envs = SyncVectorEnv([lambda: Counting(2)], autoreset_mode=AutoresetMode.NEXT_STEP)
    collect(envs, counting_policy, start(envs, 0, policy_state=(torch.zeros(1, 1),)), 5)
    assert seen == [0, 1, 0, 0, 1]


def test_no_step_is_a_dummy_where_environments_reset_in_the_same_step():
    envs = make_envs(lambda: Counting(2))
    began = start(envs, 0)
    rollout, _ = collect(envs, first_action, began, 5)
    assert not rollout.dummies.any()


def test_environments_that_compute_as_one_array_get_one_seed():
    def first(seed):
        envs = gym.make_vec("CartPole-v1", 3, vectorization_mode="vector_entry_point")
        return start(envs, seed).observation

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))


def test_environments_that_do_not_reset_themselves_are_refused():
    envs = SyncVectorEnv([Counting], autoreset_mode=AutoresetMode.DISABLED)
    with pytest.raises(ValueError, match=r"SAME_STEP.*DISABLED"):
        start(envs, 0)


def test_one_episode_ends_where_the_episode_ends():
    envs = make_envs(lambda: Counting(length=3))
    first, position = collect_episode(envs, first_action, start(envs, 0))
    second, _ = collect_episode(envs, first_action, position)
    assert first.observations[:, 0, 0].tolist() == [0, 1, 2]
    assert second.observations[:, 0, 0].tolist() == [10, 11, 12]
    assert second.episodes == (Episode(6.0, length=3, env=0),)


def test_sampled_actions_follow_the_softmax():
    model = Fixed(0.0, np.log(3.0))  # probabilities 1/4 and 3/4
    policy = sampled(model, torch.Generator().manual_seed(0))
    actions, _ = policy(torch.zeros(10_000), None)
    assert actions.shape == (10_000,)
    # Standard error .0043: five of them.
    assert actions.double().mean().item() == pytest.approx(0.75, abs=0.022)


def test_sampling_leaves_torchs_own_random_state_alone():
    before = torch.get_rng_state()
    sampled(Fixed(0.0, 0.0), torch.Generator().manual_seed(0))(torch.zeros(3), None)
    assert torch.equal(before, torch.get_rng_state())


def test_the_greedy_action_is_the_likeliest():
    actions, state = greedy(Fixed(0.0, 2.0, 1.0))(torch.zeros(4), "kept")
    assert actions.tolist() == [1, 1, 1, 1]
    assert state == "kept"


def test_an_environment_comes_from_an_id_a_spec_or_a_function():
    spec = gym.spec("CartPole-v1")
    assert make_env("CartPole-v1").spec.id == make_env(spec).spec.id == "CartPole-v1"
    assert isinstance(make_env(Counting), Counting)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_env(7), "an id, an EnvSpec or a function; got 7"),
        (lambda: make_envs(Counting, 0), "at least 1; got 0"),
        (lambda: start(make_envs(Counting), -1), "at least 0; got -1"),
        (lambda: play(Counting, t_max=0), "at least 1; got 0"),
        (lambda: play(Counting, t_max=2.5), "t_max is a whole number; got 2.5"),
        (lambda: collect_episode(make_envs(Counting, 2), first_action, None), "got 2"),
        (
            lambda: collect_episode(SyncVectorEnv([Counting]), first_action, None),
            "got 1 with AutoresetMode.NEXT_STEP",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


# ---- what environments of others do ----


class Saying(Counting):
    """Says something in `info`, at every reset and step."""

    def __init__(self, length, info):
        super().__init__(length)
        self.info = info

    def reset(self, **options):
        return super().reset(**options)[0], self.info(self)

    def step(self, action):
        *seen, _ = super().step(action)
        return *seen, self.info(self)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("said", [True, False, "no", None, np.zeros(1), {"r": 7.0}, {"a": {}}])
@pytest.mark.parametrize(
    "key", ["game_over", "episode", "final_obs", "final_info", "TimeLimit.truncated", "final"]
)
def test_what_an_environment_says_in_its_info_means_nothing(mode, key, said):
    def played(make):
        envs = SyncVectorEnv([make, make], autoreset_mode=mode)
        envs.envs = [KeepsWhatItShowed(env) for env in envs.envs]
        return collect(envs, first_action, start(envs, 0), 9)[0]

    saying = played(lambda: Saying(4, lambda env: {key: said}))
    silent = played(lambda: Counting(4))
    assert all(map(torch.equal, saying[:-1], silent[:-1]))
    assert saying.episodes == silent.episodes != ()


def test_the_info_of_every_step_is_kept_on_request():
    envs, infos = make_envs(lambda: Saying(3, lambda env: {"t": env.t}), 2), []
    _, position = collect(envs, first_action, start(envs, 0), 2, infos)
    collect(envs, first_action, position, 2, infos)
    assert [info["t"].tolist() for info in infos] == [[1, 1], [2, 2], [0, 0], [1, 1]]


class Bonus(gym.RewardWrapper):
    """Pays 100 more at every step."""

    def reward(self, reward):
        return reward + 100


@pytest.mark.parametrize("mode", MODES)
def test_the_score_is_what_gymnasium_recorded_beneath_a_bonus(mode):
    def make():
        return Bonus(gym.wrappers.RecordEpisodeStatistics(Counting(3)))

    envs = SyncVectorEnv([make, lambda: Bonus(Counting(2))], autoreset_mode=mode)
    rollout, _ = collect(envs, first_action, start(envs, 0), 4)
    assert rollout.rewards[0].tolist() == [101, 101]
    assert Episode(1.0 + 2 + 3, 3, env=0) in rollout.episodes
    assert Episode(203.0, 2, env=1) in rollout.episodes


@pytest.mark.parametrize("mode", MODES)
def test_it_may_be_recorded_around_a_vector_environment_too(mode):
    inner = SyncVectorEnv([lambda: Counting(3), lambda: Counting(2)], autoreset_mode=mode)
    recorded = gym.wrappers.vector.RecordEpisodeStatistics(inner)
    envs = gym.wrappers.vector.TransformReward(recorded, lambda reward: reward + 100)
    rollout, _ = collect(envs, first_action, start(envs, 0), 3)
    assert set(rollout.episodes) == {Episode(6.0, 3, env=0), Episode(3.0, 2, env=1)}


# ---- numbers that are none ----


class Spoilt(Counting):
    """Shows NaN from step `when` of an episode on."""

    def __init__(self, when, what=np.nan):
        super().__init__(length=9)
        self.when, self.what = when, what

    def _observation(self):
        shown = super()._observation()
        return shown * self.what if self.t >= self.when else shown


class Seeing:
    """Its logits are what it sees, twice."""

    def logits(self, observations):
        return observations.expand(-1, 2)


@pytest.mark.parametrize("choose", [greedy, lambda m: sampled(m, torch.Generator())])
@pytest.mark.parametrize("t_max", [3, 4, 9])
def test_an_observation_that_is_not_a_number_is_named(choose, t_max):
    """By step and environment: after the last step as well, when nothing acts on it any more."""
    makes = iter([Counting, lambda: Spoilt(3), Counting])
    envs = make_envs(lambda: next(makes)(), 3)
    with pytest.raises(FloatingPointError, match=r"step 3 of the rollout: what environment 1 sho"):
        collect(envs, choose(Seeing()), start(envs, 0), t_max)


def test_and_also_where_a_network_makes_something_of_it():
    envs = make_envs(lambda: Spoilt(3), 2)
    with pytest.raises(FloatingPointError, match=r"step 3 .* what environment 0 shows is not fin"):
        collect(envs, greedy(Fixed(0.0, 1.0)), start(envs, 0), 9)


def test_and_at_an_end():
    class AtTheEnd(Counting):
        def _observation(self):
            return super()._observation() * (np.nan if self.t == 3 else 1)

    makes = iter([lambda: Counting(2), AtTheEnd])
    envs = make_envs(lambda: next(makes)(), 2)
    with pytest.raises(
        FloatingPointError, match=r"step 2 .* what environment 1 shows is not finit"
    ):
        collect(envs, first_action, start(envs, 0), 9)


def test_and_at_a_beginning():
    class AtItsSecond(Counting):
        def _observation(self):
            return super()._observation() * (np.nan if self.episode == 1 else 1)

    envs = make_envs(AtItsSecond)
    with pytest.raises(
        FloatingPointError, match=r"step 3 .* what environment 0 shows is not finit"
    ):
        collect(envs, first_action, start(envs, 0), 3)


def test_infinity_may_be_shown_where_a_network_takes_it():
    rollout = play(lambda: Spoilt(1, np.inf), 3, policy=greedy(Fixed(0.0, 1.0)))
    assert rollout.next_observations.isinf().all()


@pytest.mark.parametrize("choose", [greedy, lambda m: sampled(m, torch.Generator())])
def test_logits_that_are_not_numbers_are_named(choose):
    class Diverged:
        def logits(self, observations):
            return torch.where(
                observations[:, :1] > 1, torch.nan, torch.zeros(len(observations), 2)
            )

    lengths = iter([2, 9])
    envs = make_envs(lambda: Counting(next(lengths)), 2)
    with pytest.raises(
        FloatingPointError,
        match=r"step 2 .*: what environment 0 shows has no policy: the logits are \[nan",
    ):
        collect(envs, choose(Diverged()), start(envs, 0), 9)


def test_logits_of_minus_infinity_are_actions_that_are_never_taken():
    policy = sampled(Fixed(-np.inf, 0.0), torch.Generator())
    assert play(Counting, 9, policy=policy).actions.sum() == 9


def test_another_error_of_sampling_is_torchs():
    class TooManyAxes:
        def logits(self, observations):
            return torch.zeros(1, 1, 1, 2)

    with pytest.raises(RuntimeError, match="prob_dist must be 1 or 2 dim"):
        play(Counting, 1, policy=sampled(TooManyAxes(), torch.Generator()))


# ---- memory of any form ----


class Remembers:
    """Counts the steps of an episode, in a memory of the form that `wrap` gives to tensors, from
    `first` on."""

    def __init__(self, wrap=lambda a, b: a, unwrap=lambda state: state, first=0.0):
        self.wrap, self.unwrap, self.first = wrap, unwrap, nn.Parameter(torch.tensor(first))
        self.seen = []

    def initial_state(self, num_envs):
        return self.wrap(self.first.expand(num_envs), self.first.expand(num_envs, 2, 3))

    def logits(self, observations, state):
        counted = self.unwrap(state)
        self.seen.append(counted.tolist())
        return torch.zeros(len(observations), 2), self.wrap(
            counted + 1, torch.zeros(len(observations), 2, 3)
        )


FORMS = {
    "a tensor": (lambda a, b: a, lambda state: state),
    "a tuple": (lambda a, b: (b, a), lambda state: state[1]),
    "a list": (lambda a, b: [a], lambda state: state[0]),
    "a dict": (lambda a, b: {"h": a, "c": b}, lambda state: state["h"]),
    "of all": (lambda a, b: {"x": [b, (a, b)]}, lambda state: state["x"][1][0]),
}


@pytest.mark.parametrize("first", [0.0, 7.0])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("form", FORMS)
def test_a_memory_of_any_form_begins_every_episode_as_the_model_says(form, mode, first):
    model = Remembers(*FORMS[form], first=first)
    envs = SyncVectorEnv([lambda: Counting(2), lambda: Counting(3)], autoreset_mode=mode)
    began = start(envs, 0, initial_state(model, 2))
    _, position = collect(envs, greedy(model), began, 3)
    collect(envs, greedy(model), position, 2)
    of = {
        AutoresetMode.SAME_STEP: [[0, 0], [1, 1], [0, 2], [1, 0], [0, 1]],
        AutoresetMode.NEXT_STEP: [[0, 0], [1, 1], [0, 2], [0, 0], [1, 0]],
    }
    assert model.seen == (torch.tensor(of[mode]) + first).tolist()
    assert not any(part.requires_grad for part in tree_leaves(position.policy_state))


def test_a_first_memory_that_is_learned_is_the_one_of_the_moment():
    model = Remembers(first=1.0)
    envs = make_envs(lambda: Counting(2))
    _, position = collect(envs, greedy(model), start(envs, 0, initial_state(model, 1)), 1)
    with torch.no_grad():
        model.first += 4
    collect(envs, greedy(model), position, 2)
    assert model.seen == [[1], [2], [5]]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (lambda n: (torch.zeros(2, n, 4),), r"with N = 3.*got \(2, 3, 4\) as state\[0\]"),
        (lambda n: {"h": torch.zeros(n), "c": torch.zeros(())}, r"got \(\) as state\['c'\]"),
        (lambda n: [torch.zeros(n), 7], r"got 7 as state\[1\]"),
        (lambda n: torch.zeros(1), r"got \(1,\) as state"),
    ],
)
def test_a_memory_that_cannot_begin_anew_for_one_environment_is_named(state, message):
    class Model:
        initial_state = staticmethod(state)

    with pytest.raises(ValueError, match=message):
        initial_state(Model(), 3)


def test_a_memory_that_changes_its_form_is_refused():
    model = Remembers(lambda a, b: (a,), lambda state: state[0])
    model.initial_state = lambda num_envs: [torch.zeros(num_envs)]
    envs = make_envs(lambda: Counting(2))
    with pytest.raises(ValueError, match="a memory keeps the form that it has where an episode be"):
        collect(envs, greedy(model), start(envs, 0, initial_state(model, 1)), 3)


def test_so_is_one_that_is_handed_to_start():
    with pytest.raises(ValueError, match=r"got \(2, 3, 4\) as state\[0\]"):
        start(make_envs(Counting, 3), 0, (torch.zeros(2, 3, 4),))


# ---- columns ----


def test_columns_are_counted_as_in_a_list():
    rollout, _ = scripted(
        [[(2, "terminated")], [(3, "truncated")], [(9, "truncated")]], MODES[1], 5
    )
    for n in range(3):
        one, other = rollout.column(n), rollout.column(n - 3)
        assert all(map(torch.equal, one[:-1], other[:-1]))
        assert torch.equal(one.dummies, rollout.dummies[:, n : n + 1])
    for n in 3, -4:
        with pytest.raises(IndexError):
            rollout.column(n)
