import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from scripted import Counting

from a3c_lib.rollout import (
    Episode,
    collect,
    collect_episode,
    dummy_steps,
    greedy,
    make_env,
    make_envs,
    sampled,
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


def test_each_environment_has_a_seed_of_its_own_and_the_same_ones_again():
    def seeds(seed):
        envs = make_envs(Counting, 4)
        start(envs, seed)
        return [env.unwrapped.seeds[0] for env in envs.envs]

    assert len(set(seeds(0))) == 4
    assert seeds(0) == seeds(0)
    assert not set(seeds(0)) & set(seeds(1))


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
    assert dummy_steps(envs, rollout, began).nonzero().tolist() == [[2, 0]]
    assert rollout.episodes == (Episode(3.0, 2, 0), Episode(3.0, 2, 0))
    assert position.resetting.tolist() == [True, False]
    rollout, _ = collect(envs, first_action, position, 1)
    assert dummy_steps(envs, rollout, position).tolist() == [[True, False]]


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
    assert not dummy_steps(envs, rollout, began).any()


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
