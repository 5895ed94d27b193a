"""Worlds put back where they stood, and runs that go on as if they had never stopped."""

from itertools import islice

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.wrappers import RecordEpisodeStatistics, TimeLimit
from scripted import Counting

from a3c_lib import a2c, a3c, actor_critic, reinforce
from a3c_lib.networks import ActorCritic
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.restoring import restore, world_state
from a3c_lib.rollout import make_envs, start

WORLDS = ["a3c_lib/NoisyCorridor-v0", "a3c_lib/Catch-v0", "a3c_lib/TMaze-v0"]


def network(env, kind=ActorCritic, seed=0):
    return kind.for_env(gym.make(env) if isinstance(env, str) else env(), seed=seed, hidden=(8,))


# ---- one world ----


def play(envs, actions):
    seen = []
    for action in actions:
        observation, reward, terminated, truncated, _ = envs.step(np.array([action]))
        seen.append((observation.tolist(), reward.tolist(), terminated.all(), truncated.all()))
    return seen


@pytest.mark.parametrize("env", [*WORLDS, "a3c_lib/Trap-v0"])
def test_a_world_goes_on_with_the_same_dice(env):
    actions = np.random.default_rng(0).integers(2, size=60).tolist()
    envs, other = make_envs(env), make_envs(env)
    begun = start(envs, seed=1)
    play(envs, actions[:7])
    world = world_state(envs, begun)
    later = play(envs, actions[7:])
    position = restore(other, world, start(other, seed=2))
    assert position is not None
    assert play(other, actions[7:]) == later


def test_the_steps_of_a_time_limit_are_restored():
    def make():
        return TimeLimit(gym.make("a3c_lib/Corridor-v0").unwrapped, max_episode_steps=5)

    envs, other = make_envs(make), make_envs(make)
    begun = start(envs, seed=0)
    play(envs, [0, 0, 0])
    assert restore(other, world_state(envs, begun), start(other, seed=0)) is not None
    assert [truncated for *_, truncated in play(other, [0, 0])] == [False, True]


class Remembering(gym.Env):
    """Pays how often each action was taken; keeps that in an array."""

    observation_space = gym.spaces.Box(0, np.inf, (2,))
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.counts = np.zeros(2, np.float32)
        return self.counts.copy(), {}

    def step(self, action):
        self.counts[action] += 1
        return self.counts.copy(), float(self.counts[action]), self.counts.sum() == 9, False, {}

    def state_dict(self):
        return {"counts": self.counts}

    def load_state_dict(self, state):
        self.counts = np.array(state["counts"])


def test_an_environment_of_ones_own_needs_two_methods():
    envs, other = make_envs(Remembering), make_envs(Remembering)
    begun = start(envs, seed=0)
    play(envs, [0, 1, 1])
    assert restore(other, world_state(envs, begun), start(other, seed=0)) is not None
    assert play(other, [1])[0][:2] == ([[1, 3]], [3])


@pytest.mark.parametrize(
    "make",
    [
        "CartPole-v1",
        Counting,
        lambda: RecordEpisodeStatistics(gym.make("a3c_lib/Corridor-v0")),
    ],
    ids=["another's environment", "without a state", "a wrapper that remembers"],
)
def test_what_cannot_be_restored_is_not(make):
    envs = make_envs(make)
    assert world_state(envs, start(envs, seed=0)) is None


def test_a_state_of_another_world_is_refused():
    catch, maze, corridor, longer = (
        make_envs(env)
        for env in ("a3c_lib/Catch-v0", "a3c_lib/TMaze-v0", "a3c_lib/Corridor-v0", WORLDS[0])
    )
    begun = {envs: start(envs, seed=0) for envs in (catch, maze, corridor, longer)}
    with pytest.raises(ValueError, match="this is no state of <Catch"):
        restore(catch, world_state(maze, begun[maze]), begun[catch])
    with pytest.raises(ValueError, match="this is no state of <TMaze"):
        restore(maze, world_state(corridor, begun[corridor]), begun[maze])
    longer.envs[0].unwrapped._state = 7
    with pytest.raises(ValueError, match="states are 0 … 3; got 7"):
        restore(corridor, world_state(longer, begun[longer]), begun[corridor])
    assert restore(make_envs(WORLDS[1], 2), world_state(catch, begun[catch]), begun[catch]) is None


# ---- a run ----

RUNS = {
    "a2c": (a2c, a2c.Config(total_steps=300, num_envs=3, t_max=7)),
    "actor-critic": (actor_critic, actor_critic.Config(total_steps=140, t_max=7)),
    "a3c": (a3c, a3c.Config(total_steps=140, num_workers=3, t_max=7, schedule="round-robin")),
    "a3c, own statistics": (
        a3c,
        a3c.Config(
            total_steps=140, num_workers=2, t_max=7, schedule="round-robin", shared_statistics=False
        ),
    ),
}


@pytest.mark.parametrize("kind", [ActorCritic, RecurrentActorCritic])
@pytest.mark.parametrize("env", WORLDS)
@pytest.mark.parametrize("run", RUNS)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(run, env, kind):
    """Wherever it was cut, whoever's turn it was; training goes on meanwhile."""
    algorithm, config = RUNS[run]
    uninterrupted = network(env, kind)
    with algorithm.train(uninterrupted, env, config) as training:
        history = list(training)
    for cut in 0, 1, 3, 11:
        with algorithm.train(network(env, kind), env, config) as training:
            begun = list(islice(training, cut))
            state = training.state_dict()
            list(islice(training, 2))  # the state does not change with it
        model = network(env, kind, seed=9)
        with algorithm.train(model, env, config, resume=state) as training:
            assert training.restored
            assert repr(begun + list(training)) == repr(history)  # NaN is not NaN
        assert all(map(torch.equal, model.parameters(), uninterrupted.parameters()))


def test_reinforce_goes_on_as_well():
    def model():
        return reinforce.TabularPolicy(9, 2)

    config = reinforce.Config(total_steps=1000)
    whole = model()
    with reinforce.train(whole, WORLDS[0], config) as training:
        list(training)
    with reinforce.train(model(), WORLDS[0], config) as training:
        list(islice(training, 5))
        state = training.state_dict()
    resumed = model()
    with reinforce.train(resumed, WORLDS[0], config, resume=state) as training:
        list(training)
    assert torch.equal(resumed.table, whole.table)


@pytest.mark.parametrize("algorithm", [a2c, a3c])
def test_elsewhere_new_episodes_begin(algorithm):
    options = {"schedule": "round-robin"} if algorithm is a3c else {"num_envs": 2}
    config = algorithm.Config(total_steps=60, t_max=5, **options)
    with algorithm.train(network(Counting), Counting, config) as training:
        list(islice(training, 2))
        state = training.state_dict()
    with algorithm.train(network(Counting), Counting, config, resume=state) as training:
        assert not training.restored
        assert training.steps == state["steps"]
        assert list(training)[-1].steps == 60


@pytest.mark.parametrize("changed", [{"num_workers": 3}, {"num_envs": 2}])
def test_another_number_of_worlds_begins_new_episodes(changed):
    env, config = WORLDS[1], {"total_steps": 200, "t_max": 5, "schedule": "round-robin"}
    with a3c.train(network(env), env, a3c.Config(**config)) as training:
        list(islice(training, 3))
        state = training.state_dict()
    config = a3c.Config(**config, **changed)
    with a3c.train(network(env), env, config, resume=state) as training:
        assert not training.restored
        assert next(training).worker == 0


@pytest.mark.parametrize("run", RUNS)
def test_a_run_may_go_on_from_the_same_state_twice(run):
    algorithm, config = RUNS[run]
    with algorithm.train(network(WORLDS[1]), WORLDS[1], config) as training:
        list(islice(training, 3))
        state = training.state_dict()
    models = network(WORLDS[1]), network(WORLDS[1])
    for model in models:
        with algorithm.train(model, WORLDS[1], config, resume=state) as training:
            list(training)
    assert all(map(torch.equal, *(model.parameters() for model in models)))
