"""Worlds put back where they stood, and runs that go on as if they had never stopped."""

import dataclasses
import inspect
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import (
    FlattenObservation,
    NormalizeObservation,
    NormalizeReward,
    RecordEpisodeStatistics,
    TimeLimit,
    TransformObservation,
    vector,
)
from scripted import Counting

from a3c_lib import a2c, a3c, actor_critic, reinforce
from a3c_lib.app import checkpoints
from a3c_lib.making import make_env
from a3c_lib.networks import ActorCritic
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.restoring import (
    restore,
    set_statistics,
    statistics_of,
    with_statistics,
    world_state,
)
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
    catch, corridor, longer = (
        make_envs(env) for env in ("a3c_lib/Catch-v0", "a3c_lib/Corridor-v0", WORLDS[0])
    )
    begun = {envs: start(envs, seed=0) for envs in (catch, corridor, longer)}
    longer.envs[0].unwrapped._state = 7
    with pytest.raises(ValueError, match="states are 0 … 3; got 7"):
        restore(corridor, world_state(longer, begun[longer]), begun[corridor])
    assert restore(make_envs(WORLDS[1], 2), world_state(catch, begun[catch]), begun[catch]) is None


def test_nothing_changes_in_worlds_of_another_kind():
    corridor, catch, trap = (
        make_envs(f"a3c_lib/{name}-v0", 2) for name in ("Corridor", "Catch", "Trap")
    )
    state = world_state(corridor, start(corridor, seed=0))
    for other in catch, trap:  # a trap could make sense of a corridor's
        begun = start(other, seed=1)
        before = world_state(other, begun)
        assert restore(other, state, begun) is None
        assert repr(world_state(other, begun)) == repr(before)


def test_a_state_of_version_01_says_no_kinds():
    envs = make_envs("a3c_lib/Corridor-v0")
    begun = start(envs, seed=0)
    state = world_state(envs, begun)
    del state["kinds"]
    assert restore(envs, state, begun) is not None


class Remembers(NormalizeObservation):
    """Keeps something else than what it derives from."""

    kept = 0

    def state_dict(self):
        return {"kept": self.kept}

    def load_state_dict(self, state):
        self.kept = state["kept"]


def test_a_wrapper_that_derives_from_one_of_gymnasiums_keeps_what_it_says():
    envs = make_envs(lambda: Remembers(Remembering()))
    begun = start(envs, seed=0)
    envs.envs[0].env.kept = 7
    state = world_state(envs, begun)
    envs.envs[0].env.kept = 0
    restore(envs, state, begun)
    assert envs.envs[0].env.kept == 7


@pytest.mark.parametrize(
    ("world", "wrong", "said"),
    [
        ("a3c_lib/Catch-v0", {"paddle": 99}, "the paddle is in 0 … 4; got 99"),
        ("a3c_lib/TMaze-v0", {"way": 2}, r"way is 0 \(up\) or 1 \(down\); got 2"),
    ],
)
def test_a_place_that_is_not_there_is_refused(world, wrong, said):
    env = gym.make(world)
    env.reset(seed=0)
    state = env.unwrapped.state_dict()
    with pytest.raises(ValueError, match=said):
        env.unwrapped.load_state_dict(state | wrong)
    assert env.unwrapped.state_dict() == state


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


SHARED, OWN = RUNS["a3c"][1], RUNS["a3c, own statistics"][1]


def begun(env, config, updates=3):
    """The state of workers in turn after some updates."""
    with a3c.train(network(env), env, config) as training:
        list(islice(training, updates))
        return training.state_dict()


def test_workers_that_shared_an_optimizer_go_on_with_one_each():
    env = WORLDS[1]
    state = begun(env, SHARED)
    config = dataclasses.replace(SHARED, shared_statistics=False)
    with a3c.train(network(env), env, config, resume=state) as training:
        assert training.restored
        for worker in training._schedule.workers:
            theirs = worker.optimizer.statistics["g"]
            assert all(map(torch.equal, theirs, state["optimizer"]["g"]))
        assert list(training)


def test_workers_with_one_each_go_on_in_other_environments():
    """Which cannot be put back: new episodes begin, with weights and dice of before."""
    env = WORLDS[1]
    state = begun(env, OWN)
    config = dataclasses.replace(OWN, num_envs=2)
    with a3c.train(network(env), env, config, resume=state) as training:
        assert not training.restored
        assert list(training)


def test_the_optimizer_of_a_worker_of_before_is_found():
    """It stood where what wrappers have measured stands now."""
    env, whole, resumed = WORLDS[1], network(WORLDS[1]), network(WORLDS[1])
    with a3c.train(whole, env, OWN) as training:
        list(training)
    state = begun(env, OWN)
    for worker in state["workers"]:
        worker["statistics"] = worker.pop("optimizer")
    with a3c.train(resumed, env, OWN, resume=state) as training:
        assert training.restored
        list(training)
    assert all(map(torch.equal, resumed.parameters(), whole.parameters()))
    again = dataclasses.replace(OWN, num_envs=2)
    with a3c.train(network(env), env, again, resume=state) as training:
        assert list(training)


@pytest.mark.filterwarnings("ignore:each worker normalises")
def test_a_worker_keeps_what_its_optimizer_and_what_its_wrappers_remember():
    state = begun(restorable, OWN)
    for worker in state["workers"]:
        kinds = [one["of"] for same in worker["statistics"] for one in same]
        assert kinds == ["rewards", "observations"]
        assert any(g.any() for g in worker["optimizer"]["g"])


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


# ---- statistics of wrappers that normalise ----


def shifted():
    return TransformObservation(
        gym.make("CartPole-v1"), lambda seen: seen + 500, gym.make("CartPole-v1").observation_space
    )


def normalised():
    return NormalizeReward(NormalizeObservation(shifted()))


def restorable():
    return NormalizeReward(NormalizeObservation(FlattenObservation(gym.make(WORLDS[1]))))


VECTOR = {
    "single": lambda n: make_envs(normalised, n),
    "of all": lambda n: vector.NormalizeReward(
        vector.NormalizeObservation(
            SyncVectorEnv([shifted] * n, autoreset_mode=AutoresetMode.NEXT_STEP)
        )
    ),
}


@pytest.mark.parametrize("kind", VECTOR)
def test_statistics_are_those_of_the_wrappers_outermost_first(kind):
    envs = VECTOR[kind](2)
    start(envs, 0)
    for _ in range(5):
        envs.step(np.array([0, 1]))
    rewards, observations = statistics_of(envs)
    layers = (
        [[envs], [envs.env]] if kind == "of all" else zip(*map(two_layers, envs.envs), strict=True)
    )
    for same, ours in zip(layers, (rewards, observations), strict=True):
        for wrapper, one in zip(same, ours, strict=True):
            measured = wrapper.return_rms if ours is rewards else wrapper.obs_rms
            assert np.array_equal(one["mean"], measured.mean)
            assert np.array_equal(one["var"], measured.var)
            assert one["count"] == measured.count
    assert observations[0]["mean"].mean() == pytest.approx(500, abs=1)
    assert {one["of"] for one in rewards} == {"rewards"}


def two_layers(env):
    return env.env, env.env.env


def test_where_nothing_normalises_there_are_none():
    assert statistics_of(make_envs("CartPole-v1", 2)) == ()
    assert statistics_of(gym.make_vec("CartPole-v1", 2)) == ()
    assert with_statistics("CartPole-v1", ()) == "CartPole-v1"


@pytest.mark.parametrize("kind", VECTOR)
@pytest.mark.parametrize("other", VECTOR)
def test_they_are_handed_on_each_to_its_own_or_all_together(kind, other):
    """Together they are those of all that was seen."""
    envs, three = VECTOR[kind](2), VECTOR[other](3)
    start(envs, 0)
    for _ in range(5):
        envs.step(np.array([0, 1]))
    statistics = statistics_of(envs)
    set_statistics(three, statistics)
    for theirs, ours in zip(statistics, statistics_of(three), strict=True):
        assert len({(one["mean"].tobytes(), one["var"].tobytes()) for one in ours}) == 1
        count = sum(one["count"] for one in theirs)
        mean = sum(one["count"] * one["mean"] for one in theirs) / count
        around = [one["var"] + (one["mean"] - mean) ** 2 for one in theirs]
        var = sum(one["count"] * each for one, each in zip(theirs, around, strict=True)) / count
        assert ours[0]["count"] == pytest.approx(count)
        assert ours[0]["mean"] == pytest.approx(mean, rel=1e-5)
        assert ours[0]["var"] == pytest.approx(var, rel=1e-4)
    if kind == other:
        again = VECTOR[kind](2)
        set_statistics(again, statistics)
        assert repr(statistics_of(again)) == repr(statistics)


def test_they_go_on_unless_they_are_frozen():
    envs = make_envs(normalised)
    start(envs, 0)
    statistics = statistics_of(envs)
    for frozen in False, True:
        other = make_envs(normalised)
        set_statistics(other, statistics, frozen=frozen)
        start(other, 1)
        other.step(np.array([0]))
        assert (repr(statistics_of(other)) == repr(statistics)) == frozen


def test_those_of_other_wrappers_are_refused():
    envs = make_envs(normalised)
    start(envs, 0)
    statistics = statistics_of(envs)
    for make in "CartPole-v1", lambda: NormalizeObservation(shifted()):
        with pytest.raises(ValueError, match=r"statistics of \['rewards', 'observations'\]; the"):
            set_statistics(make_envs(make), statistics)


def test_an_environment_may_be_made_with_them():
    envs = make_envs(normalised)
    start(envs, 0)
    make = with_statistics(normalised, statistics_of(envs))
    env = make_env(make)
    env.reset(seed=3)
    assert repr(statistics_of(env)) == repr(statistics_of(envs))
    with pytest.raises(TypeError, match="render_mode"):
        inspect.signature(make).bind(render_mode="rgb_array")
    world = NormalizeObservation(gym.make("CartPole-v1"))
    statistics = statistics_of(world)
    env = with_statistics(world.spec, statistics)(render_mode="rgb_array")
    assert env.render_mode == "rgb_array"


TRAINED = {name: run for name, run in RUNS.items() if name in ("a2c", "actor-critic")}


@pytest.mark.parametrize("run", TRAINED)
def test_a_run_with_statistics_goes_on_bit_for_bit(run):
    algorithm, config = TRAINED[run]
    whole, resumed = network(restorable), network(restorable)
    with algorithm.train(whole, restorable, config) as training:
        history = list(training)
        final = training.state_dict()["statistics"]
    with algorithm.train(resumed, restorable, config) as training:
        begun = list(islice(training, 3))
        state = saved(training.state_dict())
    with algorithm.train(resumed, restorable, config, resume=state) as training:
        assert training.restored
        assert repr(begun + list(training)) == repr(history)
        assert repr(training.state_dict()["statistics"]) == repr(final)
    assert all(map(torch.equal, resumed.parameters(), whole.parameters()))


def saved(state):
    """As a checkpoint keeps it."""
    with TemporaryDirectory() as folder:
        checkpoints.save(Path(folder) / "state", state)
        return checkpoints.load(Path(folder) / "state")


@pytest.mark.parametrize("num_envs", [2, 3])
def test_where_new_episodes_begin_their_first_observation_is_normalised_too(num_envs):
    config = a2c.Config(total_steps=400, num_envs=2, t_max=5)
    with a2c.train(network(normalised), normalised, config) as training:
        list(islice(training, 10))
        state = saved(training.state_dict())
    again = dataclasses.replace(config, num_envs=num_envs)
    with a2c.train(network(normalised), normalised, again, resume=state) as training:
        assert not training.restored
        counts = [one["count"] for one in training.state_dict()["statistics"][1]]
        assert min(counts) > 50  # not from nothing
        # Of statistics from nothing, the first observation is its own mean: 0.
        assert training.player.position.observation.abs().max() > 0.01


@pytest.mark.parametrize("schedule", ["round-robin"])
def test_workers_say_that_their_statistics_are_their_own(schedule):
    config = a3c.Config(total_steps=20, t_max=5, schedule=schedule)
    with pytest.warns(UserWarning, match="each worker normalises with statistics of its own"):
        training = a3c.train(network(normalised), normalised, config)
    with training:
        assert list(training)
