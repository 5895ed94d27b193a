import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import NormalizeObservation
from numpy.random import SeedSequence
from scripted import Counting
from torch import nn

from a3c_lib.evaluation import Agent, Evaluation, evaluate
from a3c_lib.networks import ActorCritic
from a3c_lib.reinforce import TabularPolicy
from a3c_lib.rollout import env_seeds


class Ones:
    def logits(self, observations):
        return torch.ones(len(observations), 2)


class ShortOrLong(Counting):
    """Half of the episodes last 1 step, half 60: whichever end first are short ones."""

    def reset(self, *, seed=None, options=None):
        result = super().reset(seed=seed)
        self.length = 60 if self.np_random.random() < 0.5 else 1
        return result


def test_returns_are_undiscounted_and_of_whole_episodes():
    result = evaluate(Ones(), lambda: Counting(length=4), episodes=7, num_envs=3)
    assert result.returns.tolist() == [10] * 7
    assert result.lengths.tolist() == [4] * 7


def test_long_episodes_count_as_often_as_they_come():
    result = evaluate(Ones(), ShortOrLong, episodes=400, num_envs=20)
    assert np.mean(result.lengths == 60) == pytest.approx(0.5, abs=0.1)  # 4 standard errors


def test_the_interval_is_the_means():
    result = Evaluation(np.array([1.0, 2.0, 3.0, 6.0]), np.ones(4, dtype=np.int64), "greedy")
    margin = 1.96 * (14 / 3) ** 0.5 / 2  # variance 14/3, four episodes
    assert result.mean == 3
    assert (result.low, result.high) == pytest.approx((3 - margin, 3 + margin))
    assert str(result) == "3.00 ± 2.12 (4 episodes, greedy actions)"


def test_sampled_and_greedy_are_not_the_same_thing():
    policy = TabularPolicy(4, 2)
    with torch.no_grad():
        policy.table[:, 1] = 0.1  # right is a little likelier
    id = "a3c_lib/Corridor-v0"
    assert evaluate(policy, id, 20, actions="greedy").lengths.tolist() == [3] * 20
    assert evaluate(policy, id, 20, actions="sampled").lengths.mean() > 5


def test_the_same_seed_gives_the_same_evaluation_and_touches_nothing():
    before = torch.get_rng_state()
    one, two, other = (
        evaluate(TabularPolicy(4, 2), "a3c_lib/Corridor-v0", 10, seed=s).lengths.tolist()
        for s in (1, 1, 2)
    )
    assert one == two != other
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"episodes": 1}, "at least 2, for an interval; got 1"),
        ({"episodes": 4.5}, "episodes is a whole number; got 4.5"),
        ({"actions": "best"}, "'sampled' or 'greedy'; got 'best'"),
        ({"num_envs": 0}, "at least 1; got 0"),
        ({"max_steps": 0}, "max_steps is at least 1; got 0"),
        ({"seed": -1}, "got -1"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        evaluate(Ones(), Counting, **arguments)


# ---- in which mode ----


class Dropping(nn.Module):
    """Drops what it sees half the time, if it is in training mode; one layer of it stays so."""

    def __init__(self):
        super().__init__()
        self.dropout, self.frozen = nn.Dropout(0.5), nn.BatchNorm1d(1).eval()
        self.modes = set()

    def logits(self, observations):
        self.modes.add((self.training, self.dropout.training, self.frozen.training))
        return self.dropout(observations.new_ones(len(observations), 2))


def test_a_model_is_in_evaluation_mode_and_then_as_before():
    model = Dropping()
    evaluate(model, Counting, episodes=2)
    assert model.modes == {(False, False, False)}
    assert (model.training, model.dropout.training, model.frozen.training) == (True, True, False)


def test_also_after_an_error_and_where_it_was_in_no_training():
    model = Dropping()
    with pytest.raises(OSError, match="no such world"):
        evaluate(model, raising, episodes=2)
    assert model.training
    evaluate(model.eval(), Counting, episodes=2)
    assert not model.training
    assert not model.dropout.training


def raising():
    raise OSError("no such world")


# ---- episodes without an end ----


class Endless(Counting):
    def __init__(self):
        super().__init__(length=-1)


def test_an_episode_without_an_end_is_cut_with_a_word():
    with pytest.warns(UserWarning, match="an episode was cut after 20 steps") as warned:
        result = evaluate(Ones(), Endless, episodes=4, num_envs=2, max_steps=20)
    assert len(warned) == 1
    assert result.lengths.tolist() == [20] * 4
    assert result.returns.tolist() == [20 * 21 / 2] * 4


def test_episodes_that_end_in_time_are_not_cut():
    assert evaluate(Ones(), Counting, episodes=4, max_steps=4).lengths.tolist() == [3] * 4


@pytest.mark.parametrize("ends", ["terminated", "truncated"])
def test_an_episode_whose_own_end_is_the_last_step_is_not_cut(ends):
    result = evaluate(Ones(), lambda: Counting(4, ends), episodes=4, max_steps=4)
    assert result.lengths.tolist() == [4] * 4


def test_a_vector_environment_that_does_not_end_is_an_error():
    envs = SyncVectorEnv([Counting, Endless])
    with pytest.raises(RuntimeError, match="goes on after 50 steps: give these environments a tim"):
        evaluate(Ones(), envs, episodes=4, max_steps=50)
    assert envs.closed


def test_a_world_of_gymnasiums_without_a_time_limit():
    """CliffWalking: whoever does not find the goal walks for ever."""
    with pytest.warns(UserWarning, match="an episode was cut after 100 steps"):
        result = evaluate(TabularPolicy(48, 4), "CliffWalking-v1", 3, seed=1, max_steps=100)
    assert result.lengths.tolist() == [100] * 3


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_a_vector_environment_is_played_in_and_closed(mode):
    envs = SyncVectorEnv([lambda: Counting(2), lambda: Counting(4)], autoreset_mode=mode)
    result = evaluate(Ones(), envs, episodes=5)
    assert result.lengths.tolist() == [2, 4, 2, 4, 2]
    assert result.returns.tolist() == [3, 10, 3, 10, 3]
    assert envs.closed


# ---- acting ----


def test_an_agent_acts_as_its_environment_counts():
    agent = Agent(Ones(), spaces.Discrete(2, start=5))
    assert agent.act(np.zeros(1, np.float32)) == 5
    assert type(agent.act([0.0])) is int


def test_an_agent_sees_what_the_environment_shows_and_samples_with_its_seed():
    class Seeing:
        def logits(self, observations):
            seen.append(observations)
            return torch.zeros(1, 2)

    seen = []
    actions = [
        [agent.act(np.uint8(7)) for _ in range(30)]
        for agent in (Agent(Seeing(), spaces.Discrete(2), "sampled", seed=s) for s in (1, 1, 2))
    ]
    assert actions[0] == actions[1] != actions[2]
    assert all(torch.equal(one, torch.tensor([7], dtype=torch.uint8)) for one in seen)


def test_an_agent_remembers_until_the_next_episode_begins():
    class Remembering:
        def initial_state(self, num_envs):
            return {"steps": torch.zeros(num_envs)}

        def logits(self, observations, state):
            row = torch.nn.functional.one_hot(state["steps"].long(), 5).float()
            return row, {"steps": state["steps"] + 1}

    agent = Agent(Remembering(), spaces.Discrete(5))
    assert [agent.act(0.0) for _ in range(3)] == [0, 1, 2]
    agent.begin()
    assert [agent.act(0.0) for _ in range(3)] == [0, 1, 2]


def test_an_agent_does_not_drop_out():
    model = Dropping()
    Agent(model, spaces.Discrete(2)).act(np.zeros(1))
    assert model.modes == {(False, False, False)}
    assert model.training


def test_an_agent_acts_as_evaluation_does():
    env = gym.make("a3c_lib/Catch-v0")
    model = ActorCritic.for_env(env, hidden=(8,), seed=3)
    agent = Agent(model, env.action_space)
    observation, _ = env.reset(seed=env_seeds(SeedSequence([4]).spawn(2)[0], 2)[0])
    actions, ended = [], False
    while not ended:
        actions.append(agent.act(observation))
        observation, reward, terminated, truncated, _ = env.step(actions[-1])
        ended = terminated or truncated
    env.close()
    result = evaluate(model, "a3c_lib/Catch-v0", 2, seed=4, actions="greedy")
    assert (result.lengths[0], result.returns[0]) == (len(actions), reward)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((spaces.Box(-1, 1, (2, 2)),), "actions are Discrete, or a Box .* one axis; got Box"),
        ((spaces.Discrete(2), "best"), "'sampled' or 'greedy'; got 'best'"),
    ],
)
def test_what_an_agent_cannot_do_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Agent(Ones(), *arguments)


# ---- environments that normalise ----


class Shifted(Counting):
    """Counts from 1000 on."""

    def _observation(self):
        return super()._observation() + 1000


def normalised():
    return NormalizeObservation(Shifted(9))


def test_environments_that_normalise_do_it_as_in_training():
    class Seeing(Ones):
        def logits(self, observations):
            seen.append(observations.flatten().tolist())
            return super().logits(observations)

    seen = []
    measured = {"of": "observations", "mean": np.array([990.0]), "var": np.array([4.0]), "count": 9}
    statistics = [[measured]]
    for make in normalised, SyncVectorEnv([normalised, normalised]):
        seen.clear()
        evaluate(Seeing(), make, episodes=2, num_envs=2, statistics=statistics)
        shown = np.arange(1000, 1009)
        assert seen[:9] == pytest.approx(np.stack([(shown - 990) / 2] * 2, 1))


def test_without_the_statistics_there_is_a_word():
    with pytest.warns(UserWarning, match=r"statistics=training.state_dict\(\)\[.statistics.\]"):
        evaluate(Ones(), normalised, episodes=2)
