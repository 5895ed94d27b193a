"""Environments of anybody: by which names they are made, which are refused, how they are closed."""

import sys
import types

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import NormalizeObservation
from scripted import Counting

from a3c_lib import a2c, a3c, actor_critic, parallel_a2c, reinforce
from a3c_lib.making import (
    check_distinct,
    close_all,
    closed_on_error,
    executed,
    find_spec,
    for_workers,
    make_env,
    make_envs,
)
from a3c_lib.networks import ActorCritic
from a3c_lib.rollout import start

THEIRS = "their_worlds:theirs/Counting-v3"


@pytest.fixture
def their_worlds(monkeypatch):
    """A module that registers environments as it is imported."""
    finder = types.SimpleNamespace(find_spec=lambda name, *_: None)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, finder])
    module = types.ModuleType("their_worlds")

    def imported(name, path=None, target=None):
        if name != "their_worlds":
            return None
        from importlib.machinery import ModuleSpec

        loader = types.SimpleNamespace(create_module=lambda spec: module, exec_module=registered)
        return ModuleSpec(name, loader)

    def registered(_):
        for version in 2, 3:
            gym.register(f"theirs/Counting-v{version}", entry_point=Counting)

    finder.find_spec = imported
    yield
    for version in 2, 3:
        gym.registry.pop(f"theirs/Counting-v{version}", None)
    sys.modules.pop("their_worlds", None)


def network(make_env):
    return ActorCritic.for_env(make_env(), hidden=(4,), seed=0)


TRAINERS = {
    "actor_critic": lambda m, e: actor_critic.train(m, e, actor_critic.Config(total_steps=9)),
    "reinforce": lambda m, e: reinforce.train(m, e, reinforce.Config(total_steps=9)),
    "a2c": lambda m, e: a2c.train(m, e, a2c.Config(total_steps=9, num_envs=1)),
    "a3c": lambda m, e: a3c.train(m, e, a3c.Config(total_steps=9, schedule="round-robin")),
}


# ---- names ----


@pytest.mark.parametrize("trainer", TRAINERS)
def test_an_id_may_name_a_module_that_is_imported_first(their_worlds, trainer):
    with TRAINERS[trainer](network(Counting), THEIRS) as training:
        assert next(training).steps > 0


@pytest.mark.parametrize("trainer", TRAINERS)
@pytest.mark.filterwarnings("ignore:.*Using the latest versioned environment")
def test_an_id_without_a_version_is_the_latest(trainer):
    model = network(lambda: gym.make("CartPole-v1"))
    with TRAINERS[trainer](model, "CartPole") as training:
        assert next(training).steps > 0


@pytest.mark.filterwarnings("ignore:.*Using the latest versioned environment")
@pytest.mark.filterwarnings("ignore:.*is out of date")
@pytest.mark.parametrize("env_id", ["CartPole", "CartPole-v0", "CartPole-v1", "a3c_lib/Catch-v0"])
def test_ids_stand_for_what_gymnasium_makes_of_them(env_id):
    env = gym.make(env_id)
    assert find_spec(env_id).id == env.spec.id
    env.close()


def test_what_workers_get_is_known_in_every_process(their_worlds):
    """In a process of its own a worker knows no registrations: it gets what they stand for."""
    assert for_workers(THEIRS).entry_point is Counting
    assert for_workers("CartPole").id == "CartPole-v1"
    assert for_workers(Counting) is Counting


@pytest.mark.parametrize("name", ["NoSuch-v0", "no_such_module_of_theirs:X-v0", "a b"])
def test_what_is_not_known_is_said(name):
    with pytest.raises((gym.error.Error, ImportError)):
        find_spec(name)


# ---- what is made ----


def vector_of(num_envs, mode=AutoresetMode.NEXT_STEP):
    return SyncVectorEnv([Counting] * num_envs, autoreset_mode=mode)


@pytest.mark.parametrize("trainer", ["actor_critic", "a2c"])
def test_a_vector_environment_may_be_handed_over_and_is_closed_with_the_training(trainer):
    envs = vector_of(1)
    with TRAINERS[trainer](network(Counting), envs) as training:
        assert len(list(training)) > 0
    assert envs.closed


def test_a_whole_episode_needs_a_vector_environment_that_resets_at_once():
    with TRAINERS["reinforce"](network(Counting), vector_of(1, MODE)) as training:
        assert next(training).steps == 3
    with (
        TRAINERS["reinforce"](network(Counting), vector_of(1)) as training,
        pytest.raises(ValueError, match="one episode needs"),
    ):
        next(training)


MODE = AutoresetMode.SAME_STEP


@pytest.mark.parametrize("train", [a3c.train, parallel_a2c.train])
def test_workers_cannot_share_a_vector_environment(train):
    config = sys.modules[train.__module__].Config(num_envs=2)
    with pytest.raises(TypeError, match=r"workers make their environments themselves.*got the vec"):
        train(network(Counting), vector_of(2), config)


def test_a_vector_environment_has_its_own_number():
    with pytest.raises(ValueError, match="num_envs is that of the vector environment, 3; got 2"):
        make_envs(vector_of(3), 2)


@pytest.mark.parametrize("made", [None, 7, vector_of(1)])
def test_a_function_returns_an_environment(made):
    with pytest.raises(TypeError, match="the function returns one of gymnasium's Env; got"):
        make_env(lambda: made)


class Closing(Counting):
    """Notes that it is closed."""

    def __init__(self, log):
        super().__init__()
        self.log = log
        log.append("made")

    def close(self):
        self.log.append("closed")


def test_where_one_cannot_be_made_the_others_are_not_left_open():
    log = []

    def third_fails():
        if log.count("made") == 2:
            raise OSError("the port is taken")
        return Closing(log)

    with pytest.raises(OSError, match="the port is taken"):
        make_envs(third_fails, 3)
    assert log == ["made", "made", "closed", "closed"]


# ---- what is refused ----


def test_one_object_cannot_be_two_environments():
    env = Counting()
    for make in (
        lambda: start(make_envs(lambda: env, 2), 0),
        lambda: start(SyncVectorEnv([lambda: env, Counting, lambda: env], autoreset_mode=MODE), 0),
        lambda: TRAINERS["a3c"](network(Counting), lambda: env),
    ):
        with pytest.raises(ValueError, match=r"an object of its own; got <Counting.* twice"):
            make()
    check_distinct(make_envs(Counting, 3), make_envs(Counting, 2), make_envs("CartPole-v1", 2))


def with_spaces(observations, actions=None):
    class World(Counting):
        def __init__(self):
            super().__init__()
            self.observation_space = observations
            self.action_space = actions or self.action_space

        def _observation(self):
            return self.observation_space.sample()

    return World


@pytest.mark.parametrize(
    "space",
    [
        spaces.Dict({"a": spaces.Discrete(2)}),
        spaces.Tuple([spaces.Discrete(2)]),
        spaces.Text(3),
        spaces.Sequence(spaces.Discrete(2)),
    ],
    ids=lambda space: type(space).__name__,
)
def test_observations_that_are_no_single_array_are_named_with_the_way_out(space):
    with pytest.raises(
        ValueError, match=rf"FlattenObservation can make; got {type(space).__name__}"
    ):
        start(make_envs(with_spaces(space)), 0)


@pytest.mark.parametrize(
    "space",
    [spaces.Discrete(3, start=-2), spaces.MultiBinary(3), spaces.MultiDiscrete([2, 3])],
    ids=lambda space: type(space).__name__,
)
def test_single_arrays_of_all_kinds_are_seen(space):
    assert start(make_envs(with_spaces(space), 2), 0).observation.shape == (2, *space.shape)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-1, 1, (2, 2)),
        spaces.Box(-1, 1, ()),
        spaces.Box(0, 9, (2,), np.int64),
        spaces.MultiDiscrete([2, 3]),
        spaces.MultiBinary(2),
    ],
    ids=str,
)
def test_actions_of_other_kinds_are_named(space):
    kinds = "Discrete, or a Box of real numbers with one axis"
    with pytest.raises(ValueError, match=rf"actions are {kinds}; got {type(space).__name__}"):
        start(make_envs(with_spaces(spaces.Discrete(2), space)), 0)


@pytest.mark.parametrize("space", [spaces.Box(-1, 1, (2,)), spaces.Discrete(3, start=-1)], ids=str)
def test_actions_of_these_kinds_are_taken(space):
    assert start(make_envs(with_spaces(spaces.Discrete(2), space), 2), 0).observation.shape == (2,)


def test_actions_are_handed_over_as_an_environment_takes_them():
    assert executed(np.array([0, 2]), spaces.Discrete(3, start=5)).tolist() == [5, 7]
    low, high = np.array([-1, -np.inf], np.float32), np.array([0.1, 3.0], np.float32)
    box = spaces.Box(low, high)
    drawn = np.array([[-2.0, -50.0], [0.5, 50.0], [0.05, 2.0]])
    taken = executed(drawn, box)
    assert taken.dtype == np.float32
    assert all(box.contains(each) for each in taken)  # 0.1 has no exact float, and rounds upwards
    assert taken.tolist() == drawn.astype(np.float32).clip(low, high).tolist()
    assert drawn.tolist() == [[-2.0, -50.0], [0.5, 50.0], [0.05, 2.0]]  # what is learned from


# ---- fast vector environments ----


class OtherPictures(gym.vector.VectorEnv):
    """Shows another thing than its single environment, and takes other seeds."""

    def __init__(self, num_envs, **_):
        self.num_envs, self.closed_times = num_envs, 0
        self.single_observation_space = spaces.Box(0, 255, (4, 8, 8), np.uint8)
        self.single_action_space = spaces.Discrete(2)
        self.metadata = {"autoreset_mode": MODE}
        made.append(self)

    def close_extras(self):
        self.closed_times += 1


made: list[OtherPictures] = []


@pytest.fixture
def two_kinds():
    gym.register("tests/TwoKinds-v0", Counting, vector_entry_point=OtherPictures)
    made.clear()
    yield "tests/TwoKinds-v0"
    gym.registry.pop("tests/TwoKinds-v0")


def test_a_vector_environment_that_shows_something_else_is_not_taken(two_kinds):
    envs = a2c.make_vector_env(two_kinds, 2)
    assert envs.single_observation_space.shape == (1,)
    assert [other.closed_times for other in made] == [1]


def test_one_that_has_no_single_environment_is_taken():
    gym.register("tests/OnlyTogether-v0", vector_entry_point=OtherPictures)
    envs = a2c.make_vector_env("tests/OnlyTogether-v0", 2)
    gym.registry.pop("tests/OnlyTogether-v0")
    assert isinstance(envs, OtherPictures)


def test_it_is_not_left_open_where_the_single_one_cannot_be_made(two_kinds):
    gym.registry[two_kinds].entry_point = lambda: raising()
    with pytest.raises(OSError, match="no such level"):
        a2c.make_vector_env(two_kinds, 2)
    assert [other.closed_times for other in made] == [1]


def raising():
    raise OSError("no such level")


def test_the_wrappers_of_a_spec_are_kept():
    wrapped = NormalizeObservation(gym.make("CartPole-v1"))
    envs = a2c.make_vector_env(wrapped.spec, 2)
    assert all(isinstance(env.env, NormalizeObservation) for env in envs.envs)
    assert "CartPoleVectorEnv" in str(a2c.make_vector_env(gym.spec("CartPole-v1"), 2))


# ---- closing ----


class Unclosable(Closing):
    def close(self):
        super().close()
        raise OSError("the simulator does not answer")


@pytest.mark.parametrize("trainer", TRAINERS)
def test_an_error_of_close_does_not_hide_the_loops(trainer):
    log = []
    training = TRAINERS[trainer](network(Counting), lambda: Unclosable(log))
    with pytest.raises(KeyError, match="a bug") as caught, training:
        raise KeyError("a bug")
    assert "the simulator does not answer" in caught.value.__notes__[0]
    assert log.count("closed") == log.count("made")


@pytest.mark.parametrize("trainer", TRAINERS)
def test_but_without_another_it_is_raised(trainer):
    training = TRAINERS[trainer](network(Counting), lambda: Unclosable([]))
    with pytest.raises(OSError, match="does not answer"), training:
        next(training)


@pytest.mark.parametrize("trainer", TRAINERS)
def test_environments_are_closed_where_a_run_cannot_go_on(trainer):
    log, model = [], network(Counting)
    with TRAINERS[trainer](model, Counting) as training:
        state = training.state_dict()
    refused = {**state, "generator": torch_state(), "recent": {}, "workers": [{}, {}], "turn": 0}
    module = sys.modules[f"a3c_lib.{trainer}"]
    with pytest.raises(Exception):  # noqa: B017, PT011 — whatever does not fit
        module.train(model, lambda: Closing(log), module.Config(**OPTIONS[trainer]), resume=refused)
    assert log.count("closed") >= log.count("made")


def torch_state():
    return np.zeros(3)


OPTIONS = {
    "actor_critic": {},
    "reinforce": {},
    "a2c": {"num_envs": 1},
    "a3c": {"schedule": "round-robin"},
}


def test_all_are_closed_and_the_first_error_is_raised_with_the_others_noted():
    log = []

    def fails(name):
        log.append(name)
        raise OSError(name)

    with pytest.raises(OSError, match="one") as caught:
        close_all([lambda: fails("one"), lambda: log.append("two"), lambda: fails("three")])
    assert log == ["one", "two", "three"]
    assert caught.value.__notes__ == ["while closing: OSError('three')"]


def test_a_block_that_ends_well_closes_nothing():
    log = []
    with closed_on_error(lambda: log.append("closed")):
        pass
    assert not log
    with pytest.raises(KeyboardInterrupt), closed_on_error(lambda: log.append("closed")):
        raise KeyboardInterrupt
    assert log == ["closed"]


# ---- numbers that are none ----


class NotANumber(Counting):
    """Shows NaN from its third episode on."""

    def _observation(self):
        return super()._observation() * (np.nan if self.episode == 2 else 1)


@pytest.mark.parametrize("trainer", ["actor_critic", "reinforce", "a2c"])
def test_an_observation_that_is_not_a_number_ends_a_training_with_its_place(trainer):
    """And with the model as the last good update left it."""
    module = sys.modules[f"a3c_lib.{trainer}"]
    options = {} if trainer == "reinforce" else {"t_max": 2}
    if trainer != "reinforce":
        options["num_envs"] = 1
    model = network(Counting)
    before: list[np.ndarray] = []
    training = module.train(model, NotANumber, module.Config(total_steps=99, **options))
    with training, pytest.raises(FloatingPointError) as caught:
        learn_all(training, model, before)
    assert "what environment 0 shows" in str(caught.value)
    assert f"update {training.updates + 1}, after {training.steps} steps" in str(caught.value)
    assert "the parameters are as the last good step left them" in str(caught.value)
    assert all(map(np.array_equal, weights(model), before))


def learn_all(training, model, before):
    for _ in training:
        before[:] = weights(model)


def weights(model):
    return [theta.detach().numpy().copy() for theta in model.parameters()]
