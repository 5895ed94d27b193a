"""What is trained, and how: a plan is made, written down and read again; an algorithm is one entry."""

import json
import subprocess
import sys
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import gymnasium as gym
import pytest
import torch
from torch import nn

from a3c_lib import ActorCritic, a2c, a3c, q_learning, training
from a3c_lib.actor_critic import one_step_targets
from a3c_lib.app import checkpoints
from a3c_lib.app.cli import parsed
from a3c_lib.app.plan import (
    ALGORITHMS,
    RENAMED,
    ActorCriticConfig,
    Algorithm,
    Network,
    Plan,
    RunError,
    Screen,
    find_env,
)
from a3c_lib.app.runs import Run
from a3c_lib.dqn import DuelingQNetwork
from a3c_lib.encoders import PaperEncoder, SmallEncoder, paper_network
from a3c_lib.normalising import Normalised
from a3c_lib.q_learning import NStepQ, OneStepQ, Sarsa
from a3c_lib.q_networks import QNetwork, RecurrentQNetwork
from a3c_lib.worlds.atari import Game

SMALL = Network(hidden=(8,))


def plan(algorithm="a2c", env="a3c_lib/TMaze-v0", network=SMALL, **options):
    return Plan(algorithm, env, ALGORITHMS[algorithm].config(**options), network)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_plan_is_read_as_it_was_written(algorithm):
    planned = plan(algorithm, seed=3, gamma=0.5, network=Network(hidden=(8, 4), cells=3))
    assert Plan.from_json(json.loads(json.dumps(planned.as_json()))) == planned


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name != "parallel-a2c"])
def test_the_trainer_is_the_algorithms_own(algorithm):
    planned = plan(algorithm, total_steps=30)
    with planned.train(planned.make_model()) as training:
        assert isinstance(next(training).steps, int)
        assert training.config is planned.config


TOY = """
import sys
from a3c_lib import training
from a3c_lib.app.plan import ALGORITHMS, Algorithm

class Toy(training.Training):
    def __init__(self, model, config, steps):
        self.model, self.total_steps, self.steps, self.updates = model, config.total_steps, steps, 0
    def __next__(self):
        raise StopIteration
    def stop(self):
        pass
    def close(self):
        pass
    def state_dict(self):
        return {"model": self.model.state_dict(), "steps": 7}

def train(model, make_env, config, *, resume=None):
    print("toy trains", make_env.id, config.gamma)
    return Toy(model, config, 7)

ALGORITHMS["toy"] = Algorithm("A toy (no chapter).", training.Config, train, targets=None)
from a3c_lib.app.cli import main
assert main(["train", "toy", "a3c_lib/Corridor-v0", "--gamma", "0.25", "--run", "played"]) == 0
assert main(["evaluate", "played", "--episodes", "2"]) == 0
main(["train", "--help"])
"""


OWN_ALGORITHM = """
from a3c_lib import a2c
from a3c_lib.app.plan import Algorithm

MINE = Algorithm("A2C under another name.", a2c.Config, a2c.train)
"""


def test_an_algorithm_of_ones_own_has_a_plan(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_algorithm.py").write_text(OWN_ALGORITHM)
    planned = plan()._replace(algorithm="own_algorithm:MINE")
    assert Plan.from_json(json.loads(json.dumps(planned.as_json()))) == planned
    with planned.train(planned.make_model()) as training:
        assert next(training).steps == 160
    for name, message in (
        ("ppo", "algorithm is one of a3c, a2c, .*; got 'ppo'"),
        ("own_algorithm:OTHER", "there is no OTHER in own_algorithm"),
        ("own_algorithm:a2c", "is a module, and no Algorithm"),
    ):
        with pytest.raises(RunError, match=message):
            planned._replace(algorithm=name).make_model()
    sys.modules.pop("own_algorithm")


def test_an_algorithm_is_one_entry(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", TOY], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert "toy trains a3c_lib/Corridor-v0 0.25" in run.stdout
    assert "played, toy after 7 steps of a3c_lib/Corridor-v0" in run.stdout
    assert "A toy (no chapter)." in run.stdout


@pytest.mark.parametrize("algorithm", ["q", "sarsa", "n-step-q", "dqn"])
def test_what_learns_action_values_has_a_network_of_them(algorithm):
    """With memory or without, of pictures too; what belongs to a policy is refused."""
    for network, kind in (SMALL, QNetwork), (Network(recurrent=True), RecurrentQNetwork):
        if algorithm == "dqn" and network.recurrent:
            with pytest.raises(RunError, match="dqn learns from the middle of episodes; recurrent"):
                plan(algorithm, network=network).make_model()
        else:
            assert type(plan(algorithm, network=network).make_model()) is kind
    model = plan(algorithm, "atari:pong", Network()).make_model()
    assert isinstance(model.torso[0], PaperEncoder)
    assert model.head.out_features == 6
    for option in "one_look", "orthogonal_init":
        network = Network(**{option: True})
        with pytest.raises(RunError, match=f"{algorithm} has no policy of its own; {option} is"):
            plan(algorithm, "atari:pong", network).make_model()


@pytest.mark.parametrize(
    ("algorithm", "method"), [("q", OneStepQ), ("sarsa", Sarsa), ("n-step-q", NStepQ)]
)
def test_the_method_is_the_algorithms_own(algorithm, method):
    planned = plan(algorithm, "atari:pong", schedule="round-robin", total_steps=10)
    with planned.train(planned.make_model()) as training:
        next(training)
        its = training._schedule.workers[0].method
    assert type(its) is method
    seven, no = torch.full((2, 1), 7.0), torch.zeros(2, 1, dtype=torch.bool)
    paid = its.targets(seven, torch.zeros(2, 1), no, no, 0.5)  # clipped
    assert paid.flatten().tolist() == ([1.5, 1.0] if method is NStepQ else [1.0, 1.0])


@pytest.mark.parametrize("env", ["a3c_lib/TMaze-v0", "atari:pong"])
def test_of_dqns_switches_one_is_the_networks(env):
    """Two streams, with or without; it is written down, and read, as the others are."""
    for options in {}, {"dueling": True, "n_steps": 3, "double": True, "prioritized": True}:
        planned = plan("dqn", env, total_steps=12, warm_up=4, batch_size=4, **options)
        model = planned.make_model()
        assert type(model) is (DuelingQNetwork if options else QNetwork)
        with planned.train(model) as training:
            assert list(training)[-1].batches == 3
            assert training.memory.n_steps == (3 if options else 1)
        assert Plan.from_json(json.loads(json.dumps(planned.as_json()))) == planned


def test_of_a_games_pictures_dqn_remembers_each_once_and_learns_from_clipped_rewards():
    planned = plan("dqn", "atari:pong", total_steps=4, warm_up=0, capacity=50)
    with planned.train(planned.make_model()) as training:
        next(training)
        memory, targets = training.memory, training.targets
    assert memory.shown.newest.shape == (54, 1, 84, 84)
    seven, no = torch.full((2, 1), 7.0), torch.zeros(2, 1, dtype=torch.bool)
    assert targets(seven, torch.zeros(2, 1), no, no, 0.5).flatten().tolist() == [1.5, 1.0]


# ---- names of version 0.1 ----


def in_old_names(about):
    """What version 0.1 wrote of a plan."""
    about = json.loads(json.dumps(about))
    for part, names in RENAMED.items():
        for old, new in names.items():
            if new in about[part]:
                about[part][old] = about[part].pop(new)
    return about


def test_a_plan_in_old_names_is_read():
    network = Network(normalise_pixels=True, orthogonal_init=True)
    planned = plan("a3c", "atari:pong", network, rmsprop_epsilon=0.1)
    old = in_old_names(planned.as_json())
    assert old["config"]["epsilon"] == 0.1
    assert old["network"]["eyes"] == "paper"
    assert old["network"]["standardised"] is old["network"]["orthogonal"] is True
    assert Plan.from_json(old) == planned


def test_a_checkpoint_in_old_names_is_taken(tmp_path):
    planned = plan()
    state = {"plan": in_old_names(planned.as_json()), "training": {"steps": 3}, "seconds": 1.0}
    assert planned.checked(state, tmp_path) is state


# ---- environments and values ----


def test_an_environment_of_a_module_is_found(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "somebodys.py").write_text(
        "import gymnasium\ngymnasium.register('somebodys/Corridor-v3', 'a3c_lib.worlds.envs:Corridor')\n"
    )
    with pytest.raises(RunError, match=r"is unknown: .* as module:Id"):
        find_env("somebodys/Corridor-v3")
    assert find_env("somebodys:somebodys/Corridor-v3").id == "somebodys/Corridor-v3"
    with pytest.raises(RunError, match="No module named 'nobodys'"):
        find_env("nobodys:Corridor-v3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1/0", r"ZeroDivisionError: division by zero \(broken\.py, line 1, in <module>\)"),
        ("raise RuntimeError", r"cannot be imported: RuntimeError \(broken"),
        ("def (:", r"cannot be imported: invalid syntax \(broken\.py, line 1\)"),
        ("[][1]", "cannot be imported: IndexError: list index out of range"),
        ("raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
        ("import nobodys", "'broken:X-v0': No module named 'nobodys'"),
        ("import gymnasium; gymnasium.spec('X')", "'broken:X-v0': broken cannot be imported: "),
    ],
)
def test_whatever_a_module_raises_as_it_is_imported_is_a_line(tmp_path, monkeypatch, text, message):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(RunError, match=message):
        find_env("broken:X-v0")


@pytest.mark.parametrize("name", [":CartPole-v1", ".x:CartPole-v1", "../../etc:passwd", "a b:X-v0"])
def test_what_is_no_module_is_not_imported(name):
    with pytest.raises(RunError, match="before the colon stands a module; got"):
        find_env(name)


@pytest.mark.parametrize(
    "env", ["ALE/SpaceInvaders-v5", "a3c_lib.worlds.envs:ALE/SpaceInvaders-v5"]
)
def test_an_atari_id_leads_to_the_name_that_games_have_here(env, monkeypatch):
    monkeypatch.delitem(gym.registry, "ALE/SpaceInvaders-v5", raising=False)
    with pytest.raises(RunError, match="; Atari games are asked for as atari:space_invaders"):
        find_env(env)


def test_an_id_without_its_version_is_completed():
    with pytest.raises(RunError, match=r"env with id: CartPole; did you mean CartPole-v1\?"):
        find_env("CartPole")
    with pytest.raises(RunError, match=r"did you mean .*:a3c_lib/TMaze-v0\?"):
        find_env("a3c_lib.worlds.envs:a3c_lib/TMaze")


@pytest.mark.parametrize("config", [a3c.Config, a2c.Config, ActorCriticConfig])
def test_bad_values_are_named(config):
    with pytest.raises(ValueError, match="seed is at least 0; got -1"):
        config(seed=-1)
    for bad in {"hidden": (8, 0)}, {"cells": 0}, {"network_seed": -2}:
        with pytest.raises(ValueError, match=f"{next(iter(bad))} .* at least"):
            Network(**bad)
    with pytest.raises(ValueError, match="targets is 'n-step' or 'one-step'; got 'two-step'"):
        ActorCriticConfig(targets="two-step")
    with pytest.raises(ValueError, match="entropy_weight is at least 0; got -1"):
        ActorCriticConfig(entropy_weight=-1)


# ---- networks of one's own ----

OWN = """
import torch
from a3c_lib import ActorCritic

def wide(env, seed):
    return ActorCritic.for_env(env, hidden=(33,), seed=seed)

class Makers:
    thin = staticmethod(lambda env, seed: ActorCritic.for_env(env, hidden=(3,), seed=seed))

def none(env, seed):
    return 3

def broken(env, seed):
    return ActorCritic.for_env(env, hiden=(33,), seed=seed)

def frozen(env, seed):
    model = ActorCritic.for_env(env, hidden=(8,), seed=seed)
    model.torso.requires_grad_(False)
    return model
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of somebody's own, with makers of networks."""
    (tmp_path / "own_nets.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda name: plan(seed=7, network=Network(own_network=f"own_nets:{name}"))
    sys.modules.pop("own_nets", None)


def test_a_network_of_ones_own_is_made_and_written_down(own):
    planned = own("wide")
    model, same = (
        planned.make_model(),
        ActorCritic.for_env(gym.make(planned.env), hidden=(33,), seed=7),
    )
    assert all(map(torch.equal, model.parameters(), same.parameters()))
    assert Plan.from_json(json.loads(json.dumps(planned.as_json()))) == planned
    assert own("Makers.thin").make_model().policy_head.in_features == 3
    other = planned._replace(network=Network(own_network="own_nets:wide", network_seed=1))
    assert not torch.equal(other.make_model().policy_head.weight, model.policy_head.weight)
    assert "own_network" not in plan().as_json()["network"]  # what older versions wrote


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "network 'own_nets:nothing': there is no nothing in own_nets"),
        ("none", "makes a torch.nn.Module; got int"),
        ("broken", r"cannot be made: TypeError: .*'hiden'.* \(own_nets\.py, line 15, in broken\)"),
    ],
)
def test_a_network_of_ones_own_that_cannot_be_made_is_a_line(own, name, message):
    with pytest.raises(RunError, match=message):
        own(name).make_model()


@pytest.mark.parametrize("algorithm", ["a2c", "a3c", "actor-critic", "reinforce"])
def test_a_network_of_ones_own_may_have_a_frozen_layer(own, algorithm):
    config = replace(ALGORITHMS[algorithm].default, total_steps=40)
    if algorithm == "a3c":
        config = replace(config, schedule="round-robin")
    planned = own("frozen")._replace(algorithm=algorithm, config=config)
    model, first = planned.make_model(), planned.make_model()
    with planned.train(model) as training:
        assert list(training)
    assert all(map(torch.equal, model.torso.parameters(), first.torso.parameters()))
    assert not torch.equal(model.policy_head.weight, first.policy_head.weight)


# ---- λ, and actions that are a Box ----


@pytest.mark.parametrize("algorithm", ["a2c", "a3c", "parallel-a2c", "actor-critic"])
def test_every_actor_critic_learns_from_lambda_returns(algorithm):
    no, r, v = torch.zeros(2, 1, dtype=torch.bool), torch.ones(2, 1), torch.ones(2, 1)
    half, one = (
        plan(algorithm, lambda_=lambda_)._targets()["targets"](r, v, no, no, 1.0)
        for lambda_ in (0.5, 1.0)
    )
    assert (half.squeeze().tolist(), one.squeeze().tolist()) == ([2.5, 2.0], [3.0, 2.0])
    planned = plan(algorithm, lambda_=0.5)
    assert Plan.from_json(json.loads(json.dumps(planned.as_json()))) == planned


def test_a_run_of_before_lambda_has_n_step_returns():
    old = plan().as_json()
    del old["config"]["lambda_"]
    assert Plan.from_json(old) == plan()


def test_one_step_targets_are_the_same_whatever_lambda_is():
    for lambda_ in 0.5, 1.0:
        planned = plan("actor-critic", targets="one-step", lambda_=lambda_)
        assert planned._targets() == {"targets": one_step_targets}


def test_a_policy_over_a_box_is_as_the_plan_says():
    for recurrent in False, True:
        network = Network(variance="state-independent", squashed=True, recurrent=recurrent)
        planned = plan(env="Pendulum-v1")._replace(network=network)
        assert Plan.from_json(json.loads(json.dumps(planned.as_json()))) == planned
        head = planned.make_model().policy_head
        assert head.squashed
        assert head.log_deviation.shape == (1,)
    plain = plan(env="Pendulum-v1")
    assert plain.make_model().policy_head.log_deviation is None
    assert not {"variance", "squashed"} & plain.as_json()["network"].keys()  # as before them
    with pytest.raises(RunError, match=r"squashed: for actions that are a Box; got Discrete\(2\)"):
        plan(env="CartPole-v1")._replace(network=Network(squashed=True)).make_model()
    with pytest.raises(RunError, match=r"Q\(o, a\) is of actions that are Discrete"):
        plan("n-step-q", "Pendulum-v1")._replace(network=Network(squashed=True)).make_model()


@pytest.mark.parametrize("algorithm", ["a2c", "reinforce", "n-step-q"])
def test_what_a_network_sees_is_normalised_as_the_plan_says(algorithm):
    planned = plan(algorithm, env="CartPole-v1", network=Network(normalise_observations=True))
    assert isinstance(planned.make_model().torso[0], Normalised)
    assert Plan.from_json(json.loads(json.dumps(planned.as_json()))) == planned
    assert "normalise_observations" not in plan().as_json()["network"]
    for env in "a3c_lib/Corridor-v0", "atari:pong":
        with pytest.raises(RunError, match=r"normalised observations .* are not supported"):
            planned._replace(env=env).make_model()


@pytest.mark.parametrize("algorithm", ["a3c", "a2c", "parallel-a2c", "actor-critic"])
def test_rewards_are_normalised_as_the_plan_says(algorithm):
    network = Network(hidden=(8,), normalise_rewards=True)
    planned = plan(algorithm, env="Pendulum-v1", network=network, total_steps=80)
    assert Plan.from_json(json.loads(json.dumps(planned.as_json()))) == planned
    assert "normalise_rewards" not in plan().as_json()["network"]
    with planned.train(model := planned.make_model()) as training:
        updates = list(training)
    assert model.reward_statistics.count >= updates[-1].steps / 2
    assert model.reward_statistics.variance > 1  # a step there pays −16 to 0


@pytest.mark.parametrize(
    ("algorithm", "share"), [("a3c", 1), ("q", 1 / 2), ("sarsa", 1 / 2), ("n-step-q", 1 / 2)]
)
def test_workers_of_a3c_measure_together_what_they_see(algorithm, share):
    """Of two others each goes on from what it measured itself."""
    network = Network(hidden=(8,), normalise_observations=True)
    options = {"total_steps": 400, "t_max": 5, "schedule": "round-robin"}
    planned = plan(algorithm, env="CartPole-v1", network=network, **options)
    with planned.train(model := planned.make_model()) as training:
        list(training)
    assert model.torso[0].count == share * 400


@pytest.mark.parametrize("algorithm", ["reinforce", "q", "sarsa", "n-step-q", "dqn"])
def test_where_rewards_are_not_normalised_it_is_said(algorithm):
    planned = plan(algorithm, env="CartPole-v1", network=Network(normalise_rewards=True))
    said = f"{algorithm} learns from rewards as they are; .* a3c, a2c, parallel-a2c, actor-critic"
    with pytest.raises(RunError, match=said):
        planned.make_model()


def test_rewards_of_a_game_are_normalised_if_they_are_not_clipped():
    network = Network(hidden=(8,), normalise_rewards=True)
    planned = plan(env="atari:pong", network=network)
    for clip in None, True:
        with pytest.raises(RunError, match="clipped, unless clip_rewards is False; normalise_re"):
            planned._replace(screen=Screen(clip_rewards=clip)).make_model()
    model = planned._replace(screen=Screen(clip_rewards=False)).make_model()
    assert model.reward_statistics.count == 0


def test_a_network_of_ones_own_may_learn_from_normalised_rewards():
    network = Network(own_network="test_plan:own_network", normalise_rewards=True)
    assert plan(network=network).make_model().reward_statistics.count == 0


def own_network(env, seed):
    return Network(hidden=(8,)).make(env, seed)


def test_options_of_the_packages_networks_do_not_go_with_one_of_ones_own():
    with pytest.raises(ValueError, match="cells is for the package's networks, not for own_net"):
        Network(own_network="mine:make", cells=3)
    with pytest.raises(RunError, match=r"'make' is no module:function, .*\.model\(network\)"):
        plan(network=Network(own_network="make")).make_model()


def test_a_network_that_no_memory_holds_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr("a3c_lib.app.plan.memory", lambda: 2**30)
    small = plan(network=Network(hidden=(1000, 1000)))  # 4 MB
    assert isinstance(small.make_model(), nn.Module)
    large = plan(network=Network(hidden=(20_000, 20_000)))  # 1.6 GB
    with pytest.raises(RunError, match=r"\(20000, 20000\) does not fit .* memory, 1 GiB"):
        large.make_model()


# ---- Atari games ----


def test_a_game_is_shown_to_the_papers_network():
    model = plan(env="atari:pong", network=Network(), seed=3).make_model()
    expected = paper_network(Game("pong"), seed=3).state_dict()
    assert all(map(torch.equal, model.state_dict().values(), expected.values()))
    small = plan(env="atari:pong", network=Network(encoder="small"))._replace(
        screen=Screen(size=42)
    )
    assert isinstance(small.make_model().torso[0], SmallEncoder)
    screen = Screen(size=42, sticky=0.25, life_ends=True, clip_rewards=False)
    shown = small._replace(screen=screen)
    assert shown.world() == Game("pong", size=42, sticky=0.25, life_ends=True)
    assert Plan.from_json(json.loads(json.dumps(shown.as_json()))) == shown


@pytest.mark.parametrize(("clip", "paid"), [(None, 1.0), (True, 1.0), (False, 7.0)])
def test_what_a_game_pays_is_clipped_where_it_is_learned_from(clip, paid):
    planned = plan(env="atari:breakout")._replace(screen=Screen(clip_rewards=clip))
    targets = planned._targets()["targets"]
    seven, no = torch.full((1, 1), 7.0), torch.zeros(1, 1, dtype=torch.bool)
    assert targets(seven, torch.zeros(1, 1), no, no, 0.9).item() == paid


def test_what_is_no_game_is_named(monkeypatch):
    with pytest.raises(RunError, match="'atari:pongo': a game of ale-py's, such as 'pong'"):
        plan(env="atari:pongo").make_model()
    with pytest.raises(ValueError, match=r"sticky is below 1 or None; got 1\.0"):
        Screen(sticky=1.0)
    with pytest.raises(RunError, match=r"stack, sticky: for an Atari game.*got 'CartPole-v1'"):
        plan(env="CartPole-v1")._replace(screen=Screen(stack=2, sticky=0.0)).make_model()
    with pytest.raises(RunError, match="reinforce looks twice"):
        plan("reinforce", network=Network(one_look=True)).make_model()
    for option in "life_ends", "clip_rewards":
        with pytest.raises(RunError, match=f"whole games and their score; {option} is for"):
            plan("reinforce", "atari:pong")._replace(screen=Screen(**{option: True})).make_model()
    with pytest.raises(RunError, match=r"at least 20 × 20; got \(16, 16\)"):
        plan(env="atari:pong")._replace(screen=Screen(size=16)).make_model()
    with pytest.raises(ValueError, match="bfloat16 goes with one_look"):
        Network(bfloat16=True)
    with pytest.raises(ValueError, match="one_look goes with the encoder 'paper'; got 'small'"):
        Network(one_look=True, encoder="small")
    with pytest.raises(RunError, match=r"one_look is for an Atari game.*got 'CartPole-v1'"):
        plan(env="CartPole-v1", network=Network(one_look=True)).make_model()
    with pytest.raises(
        ValueError, match="normalise_pixels goes with the encoder 'paper'; got 'small'"
    ):
        Network(normalise_pixels=True, encoder="small")
    with pytest.raises(ValueError, match="encoder is 'paper' or 'small'; got 'large'"):
        Network(encoder="large")
    monkeypatch.setitem(sys.modules, "a3c_lib.worlds.atari", None)
    with pytest.raises(RunError, match="pip install ale-py"):
        plan(env="atari:pong").make_model()


def test_a_network_that_is_to_be_loaded_measures_nothing(monkeypatch):
    monkeypatch.setattr("a3c_lib.encoders.pixel_statistics", None)
    planned = plan(env="atari:pong", network=Network(hidden=(8,), normalise_pixels=True))
    assert isinstance(planned.make_model(to_be_loaded=True), nn.Module)


# ---- what the command line begins with ----


def test_the_command_line_begins_with_settings_of_its_own():
    for name, algorithm in ALGORITHMS.items():
        assert type(algorithm.default) is algorithm.config, name
        assert vars(algorithm.default) == {**vars(algorithm.config()), **algorithm.defaults}
    assert a2c.Config().optimizer == "rmsprop"  # Python's stays the paper's
    assert ALGORITHMS["a2c"].default.optimizer == "adam"
    assert {its.default.total_steps for its in ALGORITHMS.values()} == {100_000}


def test_where_observations_are_state_numbers_the_command_begins_with_a_table():
    for name, algorithm in ALGORITHMS.items():
        begin = parsed(["train", name, "FrozenLake-v1", "--seed", "3"]).begin
        chosen = {**algorithm.defaults, **algorithm.table_defaults, "seed": 3}
        assert (begin.env, begin.network) == ("FrozenLake-v1", Network(hidden=())), name
        assert vars(begin.config) == {**vars(algorithm.config()), **chosen}, name
        assert algorithm.table_defaults.keys() <= vars(begin.config).keys(), name
        assert isinstance(begin.plan.make_model(), nn.Module), name


def test_what_is_asked_for_is_kept_beside_the_settings_of_a_table():
    words = [
        "--learning-rate",
        "0.5",
        "--t-max",
        "3",
        "--run",
        "here",
        "--lambda",
        "0.7",
        "--network-seed",
        "4",
    ]
    begin = parsed(["train", "a2c", "FrozenLake-v1", *words]).begin
    of_a_table = ALGORITHMS["a2c"].default_of_a_table
    asked_for = {"learning_rate": 0.5, "t_max": 3, "lambda_": 0.7}
    assert begin.config == replace(of_a_table, **asked_for)
    assert (begin.run, begin.network) == (Path("here"), Network(hidden=(), network_seed=4))


def test_who_asks_for_the_usual_layers_gets_the_usual_settings():
    for name, algorithm in ALGORITHMS.items():
        begin = parsed(["train", name, "FrozenLake-v1", "--hidden", "None"]).begin
        table = algorithm.targets is None  # whose usual network has no layers
        its = algorithm.default_of_a_table if table else algorithm.default
        assert (begin.network.hidden, begin.config) == (None, its), name


@dataclass(frozen=True, kw_only=True)
class Clipping(a2c.Config):
    epsilon: float = 0.2


@dataclass(frozen=True, kw_only=True)
class Exploring(training.Config):
    epsilon: float = 0.2


@pytest.mark.parametrize("kind", [Clipping, Exploring])
def test_an_algorithm_of_ones_own_may_have_an_option_that_was_renamed_here(kind, monkeypatch):
    own = SimpleNamespace(OWN=Algorithm("Mine.", kind, a2c.train))
    monkeypatch.setitem(sys.modules, "mine_as_well", own)
    planned = Plan("mine_as_well:OWN", "CartPole-v1", kind(epsilon=0.5), SMALL)
    assert Plan.from_json(planned.as_json()) == planned


def test_an_id_of_another_package_is_hinted_at_with_the_package():
    with pytest.raises(RunError, match=r"did you mean a3c_lib\.worlds\.envs:a3c_lib/Catch-v0\?"):
        find_env("a3c_lib.worlds.envs:a3c_lib/Catch")


def test_a_run_without_a_screen_is_read_and_so_is_its_checkpoint(tmp_path):
    planned = plan("a2c", total_steps=40)
    with planned.train(planned.make_model()) as its:
        run = Run.create(tmp_path / "run", planned, its.state_dict())
    path = run.folder / "run.json"
    about = json.loads(path.read_text())
    del about["screen"]
    path.write_text(json.dumps(about))
    state = run.load()
    del state["plan"]["screen"]
    checkpoints.save(run.checkpoint, state)
    assert Run.open(run.folder).load()["training"]["steps"] == 0


@pytest.mark.parametrize(
    "words",
    [
        "CartPole-v1",
        "FrozenLake-v1 --hidden 8",
        "FrozenLake-v1 --recurrent",
        "FrozenLake-v1 --own-network tests.test_plan:plan",
        "FrozenLake-v1 --size 42",  # refused, in its own words, when it is trained
        "Blackjack-v1",  # numbers, and not one
        "No-v1",
        "no_such_module:No-v1",
        "a_broken_world:Fails-v0",
        "atari:pong",
    ],
)
def test_elsewhere_the_command_begins_with_the_settings_of_a_network(words, tmp_path, monkeypatch):
    """Also where there is no world: what is wrong is said when it is to be trained in."""
    (tmp_path / "a_broken_world.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    begin = parsed(["train", "a2c", *words.split()]).begin
    assert begin.config == ALGORITHMS["a2c"].default
    assert begin.network.hidden == ((8,) if "--hidden" in words else None)


def test_value_based_methods_begin_with_one_set_of_settings_and_one_last_epsilon():
    by_workers = (its for its in ALGORITHMS.values() if issubclass(its.config, q_learning.Config))
    q, *others = (its.default for its in by_workers)
    assert len(others) == 2
    assert all(vars(other) == vars(q) for other in others)
    last = [q.epsilon(rank, steps=100_000) for rank in range(8)]
    assert last == pytest.approx([0.05] * 8)


def test_reinforce_climbs_with_adam_if_it_is_asked_for(tmp_path):
    planned = plan("reinforce", optimizer="adam", learning_rate=0.01, total_steps=30)
    with planned.train(planned.make_model()) as training:
        before = [theta.clone() for theta in training.model.parameters()]
        next(training)
        moved = [abs(b - a).max() for a, b in zip(before, training.model.parameters(), strict=True)]
        assert max(moved).item() == pytest.approx(0.01, rel=1e-3)  # Adam's first step
        state = training.state_dict()
    (group,) = state["optimizer"]["param_groups"]
    assert group["betas"] == (0.9, 0.9999)  # what is rewarded once in 70 episodes is remembered
    with planned.train(planned.make_model(), state) as training:
        assert training.updates == 1


def test_reinforce_anneals_if_it_is_asked_for_and_goes_on_where_it_was():
    """In pieces the same as in one, bit for bit: the rate is one of steps, and not of updates."""
    asked = {"optimizer": "adam", "learning_rate": 0.01, "total_steps": 60}
    planned = plan("reinforce", **asked, anneal=True)
    before, rates = 0, []
    with planned.train(whole := planned.make_model()) as training:
        for update in training:
            (group,) = training.optimizer.state_dict()["param_groups"]
            rates.append((group["lr"], 0.01 * (1 - before / 60)))
            before = update.steps
    assert rates[0] == (0.01, 0.01)
    assert all(rate == pytest.approx(due) for rate, due in rates)
    assert rates[-1][0] < 0.005
    state = None
    for stop in 3, 10**9:
        with planned.train(model := planned.make_model(), state) as training:
            for update in training:
                if update.updates == stop:
                    break
            state = training.state_dict()
    assert all(map(torch.equal, whole.parameters(), model.parameters()))
    constant = plan("reinforce", **asked)
    with constant.train(constant.make_model()) as training:
        list(training)
        (group,) = training.optimizer.state_dict()["param_groups"]
    assert group["lr"] == 0.01


REINFORCED = {"learning_rate": 0.1, "gamma": 0.5, "total_steps": 60}
BASELINE_AND_BONUS = {"entropy_weight": 0.3, "baseline_rate": 0.25}


def test_reinforce_climbs_what_is_above_the_baseline_and_the_entropy():
    """θ ← θ + η ∇ Σ_t [(G_t − b) log π(a_t | s_t) + β H(π(· | s_t))], and then b ← b + ρ (G_0 − b)."""
    planned = plan("reinforce", "a3c_lib/Corridor-v0", **REINFORCED, **BASELINE_AND_BONUS)
    model, baseline = planned.make_model(), 0.0
    with planned.train(model) as training:
        training.baseline = baseline = 2.0  # as if earlier episodes had been paid
        play, episodes = training.player.play_episode, []
        training.player.play_episode = lambda policy: episodes.append(play(policy)) or episodes[-1]
        for _ in range(3):
            before = deepcopy(model)
            next(training)
            rollout = episodes[-1]
            rewards = rollout.rewards[:, 0].tolist()
            pi = before.logits(rollout.observations[:, 0]).softmax(dim=-1)
            objective = torch.zeros(())
            for t, action in enumerate(rollout.actions[:, 0]):
                G = sum(0.5**k * reward for k, reward in enumerate(rewards[t:]))
                entropy = -(pi[t] * pi[t].log()).sum()
                objective = objective + (G - baseline) * pi[t, action].log() + 0.3 * entropy
            objective.backward()
            for theta, after in zip(before.parameters(), model.parameters(), strict=True):
                step = torch.zeros_like(theta) if theta.grad is None else 0.1 * theta.grad
                assert torch.allclose(after, theta + step, atol=1e-5)
            G = sum(0.5**k * reward for k, reward in enumerate(rewards))
            baseline += 0.25 * (G - baseline)
            assert training.baseline == pytest.approx(baseline)


@pytest.mark.parametrize("algorithm", ["a2c", "a3c", "reinforce"])
def test_what_is_learned_in_one_state_of_a_table_is_done_in_no_other(algorithm):
    model = plan(algorithm, "FrozenLake-v1", Network(hidden=())).make_model()
    states = torch.arange(16)
    logits, values = model(states)
    (logits[3, 1] + values[5]).backward()
    torch.optim.SGD(model.parameters(), lr=1.0).step()
    after_logits, after_values = model(states)
    assert (after_logits != logits).nonzero().tolist() == [[3, 1]]
    assert (after_values != values).nonzero().tolist() == [[5]]
    no_table = plan(algorithm, "CartPole-v1", Network(hidden=())).make_model()
    assert no_table.policy_head.bias is not None


def test_reinforce_goes_on_with_the_baseline_it_had():
    planned = plan("reinforce", "a3c_lib/Corridor-v0", **REINFORCED, **BASELINE_AND_BONUS)
    with planned.train(whole := planned.make_model()) as training:
        list(training)
        baseline = training.baseline
    assert baseline > 0
    with planned.train(planned.make_model()) as training:
        next(training)
        state = training.state_dict()
    with planned.train(model := planned.make_model(), state) as training:
        list(training)
        assert training.baseline == baseline
    assert all(map(torch.equal, whole.parameters(), model.parameters()))
    del state["baseline"]  # as older checkpoints
    with planned.train(planned.make_model(), state) as training:
        assert training.baseline == 0


def test_dqn_begins_with_the_settings_of_its_record():
    record = Path(__file__).parent.parent / "claims/records/dqn_cartpole.json"
    recorded = json.loads(record.read_text())["config"]["all"]
    recorded |= {"n_steps": 5, "double": False}
    begins = asdict(parsed(["train", "dqn", "CartPole-v1"]).begin.config)
    assert {**begins, **recorded}.items() >= begins.items()
    assert len(begins.keys() - recorded.keys()) <= 2  # seed and device
