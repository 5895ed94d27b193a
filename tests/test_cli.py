"""The command line. Most tests call main; what is about processes runs one."""

import dataclasses
import importlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from PIL import Image

import a3c_lib.__main__
import a3c_lib.app
from a3c_lib import a2c
from a3c_lib.app import cli, runs
from a3c_lib.app.cli import main
from a3c_lib.app.metrics import Table
from a3c_lib.app.plan import ALGORITHMS, Network, Screen
from a3c_lib.app.runs import Run
from a3c_lib.figures.plots import SIGNALS
from a3c_lib.rollout import seed_sequence

ROOT = Path(__file__).resolve().parent.parent
MAZE = "a3c_lib/TMaze-v0"
PATHS = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
SMALL = ["--hidden", "8", "--total-steps", "400", "--t-max", "5"]
LONG = ["--hidden", "8", "--total-steps", "1000000000"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    assert main(["train", "a2c", MAZE, "--run", "run", *SMALL]) == 0
    capsys.readouterr()
    return Path("run")


def files(folder="."):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))


def complaint(capsys):
    """The one line on stderr."""
    error = capsys.readouterr().err
    assert error.startswith("a3c-lib: ")
    assert error.endswith("\n")
    assert error.count("\n") == 1, error
    return error[9:-1]


# ---- train ----


@pytest.mark.parametrize(
    "options",
    [
        ["a3c", "--schedule", "round-robin", "--num-workers", "3"],
        ["a2c", "--num-envs", "2", "--recurrent", "--cells", "4"],
        ["actor-critic", "--targets", "one-step", "--entropy-weight", "0"],
        ["reinforce", "--learning-rate", "0.01"],
        ["q", "--final-epsilons", "0.2", "--epsilon-chances", "1", "--schedule", "round-robin"],
        ["sarsa", "--schedule", "round-robin", "--recurrent", "--cells", "4"],
        ["n-step-q", "--num-envs", "2", "--num-workers", "1"],
        ["dqn", "--warm-up", "50", "--n-steps", "3", "--double", "--dueling", "--prioritized"],
    ],
    ids=lambda options: options[0],
)
def test_every_algorithm_trains_and_is_evaluated(options, capsys):
    # REINFORCE has no t_max: its last episode, of seven steps, is finished.
    small, steps = (SMALL[:4], 406) if options[0] == "reinforce" else (SMALL, 400)
    assert main(["train", *options, MAZE, *small, "--seed", "3"]) == 0
    folder = f"runs/a3c_lib_TMaze-v0-{options[0]}-3"
    said = capsys.readouterr()
    assert f"the run is in {folder}" in said.out
    assert f"Done: {steps} steps. To see what it learned: a3c-lib evaluate {folder}" in said.out
    assert said.err == ""
    assert Run.open(Path(folder)).load()["training"]["steps"] == steps
    assert main(["evaluate", folder, "--episodes", "4"]) == 0
    assert "4 episodes, sampled actions" in capsys.readouterr().out


def test_a_game_is_trained_evaluated_and_filmed(capsys):
    options = ["--size", "42", "--sticky", "0.25", "--max-frames", "200"]
    network = ["--encoder", "small", "--hidden", "8"]
    budget = ["--total-steps", "40", "--t-max", "5", "--num-envs", "2"]
    assert main(["train", "parallel-a2c", "atari:pong", *budget, *options, *network]) == 0
    folder = "runs/atari_pong-parallel-a2c-0"
    plan = Run.open(Path(folder)).plan
    assert plan.screen == Screen(size=42, sticky=0.25, max_frames=200)
    assert plan.network == Network(hidden=(8,), encoder="small")
    for actions in "sampled", "greedy":
        played = ["--episodes", "2", "--actions", actions]
        film = ["--film", f"{actions}.gif", "--film-steps", "3"]
        assert main(["evaluate", folder, *played, *film]) == 0
        with Image.open(f"{actions}.gif") as pictures:
            assert pictures.size > (160, 210)
    assert main(["train", "a2c", MAZE, "--stack", "2", "--run", "none"]) == 2
    assert "stack: for an Atari game, such as atari:pong" in capsys.readouterr().err
    assert not Path("none").exists()


def test_options_reach_the_config_and_the_network(run):
    options = ["--no-anneal", "--gamma", "0.5", "--network-seed", "7"]
    assert main(["train", "a2c", MAZE, *SMALL, "--run", "deep/er", *options, "--seed", "2"]) == 0
    plan = Run.open(Path("deep/er")).plan
    chosen = {"total_steps": 400, "t_max": 5, "anneal": False, "gamma": 0.5, "seed": 2}
    assert plan.config == dataclasses.replace(ALGORITHMS["a2c"].default, **chosen)
    assert plan.network == Network(hidden=(8,), network_seed=7)
    assert Run.open(run).plan.config.anneal


def test_the_command_trains_as_the_library_does(run):
    plan = Run.open(run).plan
    model = plan.make_model()
    with a2c.train(model, MAZE, plan.config) as training:
        list(training)
    assert all(map(torch.equal, model.parameters(), Run.open(run).model().parameters()))


def test_progress_has_speed_and_time_left(monkeypatch, capsys):
    monkeypatch.delenv("A3C_LIB_PROGRESS", raising=False)
    assert main(["train", "a2c", MAZE, *SMALL]) == 0
    assert re.search(r"400 of 400 \|#+\| .*steps/s, .* gone, .* left", capsys.readouterr().out)


@pytest.mark.parametrize(
    "command", [*(["train", name] for name in ALGORITHMS), ["resume"], ["plot"]]
)
def test_help_says_of_every_option_what_it_is(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")  # one column
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    helps = {}
    for option in re.split(r" (?=--[a-z])(?!--no-)", said)[1:]:
        name, help_and_more = option.split(maxsplit=1)
        helps[name.strip(",")] = help_and_more.split(" (default: ")[0]
    if command[0] == "train":
        asked = ALGORITHMS[command[1]].config, Network, Screen
        fields = [name for kind in asked for name in kind.__dataclass_fields__]
        # Of lambda_, a word that Python has for itself, `--lambda` is taken too.
        assert {f"--{re.sub('_(?!$)', '-', name)}" for name in fields} < set(helps)
    for name in helps.keys() - {"--help"}:
        words = re.sub(r"--no-\S+|[A-Z|]{3,}|\{.*?\}", "", helps[name]).split()
        assert len(words) >= 3, name


def test_help_names_the_algorithms_that_learn_without_memory(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit):
        main(["train", "a2c", "--help"])
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    without = [
        name
        for name, its in ALGORITHMS.items()
        if its.targets is None or its.networks(its.default)[1] is None
    ]
    assert f"{' and '.join(without)} cannot have one" in said


def test_the_subcommands_have_help(capsys):
    for command in [], ["train"], ["evaluate"], ["check"]:
        with pytest.raises(SystemExit) as end:
            main([*command, "--help"])
        assert end.value.code == 0
        assert "usage: a3c-lib" in capsys.readouterr().out


def test_the_version_is_said(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"a3c_lib {a3c_lib.__version__}\n"


# ---- resume ----


def test_a_finished_run_gets_a_larger_budget(run, capsys):
    assert main(["resume", "run"]) == 2
    assert complaint(capsys).startswith("run has taken 400 steps, and its budget is 400;")
    assert main(["resume", "run", "--total-steps", "640"]) == 0
    said = capsys.readouterr().out
    assert "run goes on after 400 steps, exactly where it stopped" in said
    assert "Done: 640 steps" in said
    assert Run.open(run).plan.config.total_steps == 640
    assert [row.steps for row in Run.open(run).metrics()][-1] == 640


def test_where_new_episodes_begin_it_is_said(capsys):
    assert main(["train", "a2c", "CartPole-v1", *SMALL, "--num-envs", "8", "--run", "cart"]) == 0
    assert main(["resume", "cart", "--total-steps", "500"]) == 0
    # 400, and one more for each episode that ended in a step that only resets
    said = r"cart goes on after 4\d\d steps, with new episodes: its environment cannot be put back"
    assert re.search(said, capsys.readouterr().out)


def test_where_the_replay_memory_was_left_out_it_is_said(capsys):
    options = ["--warm-up", "50", "--memory-in-state", "0", "--run", "forgetful"]
    assert main(["train", "dqn", MAZE, *SMALL, *options]) == 0
    assert main(["resume", "forgetful", "--total-steps", "440"]) == 0
    assert "after 400 steps, with an empty replay memory: it was larger" in capsys.readouterr().out


def test_other_versions_are_mentioned(run, capsys):
    about = json.loads((run / "run.json").read_text())
    about["versions"]["torch"] = "1.0"
    (run / "run.json").write_text(json.dumps(about))
    assert main(["resume", "run", "--total-steps", "500"]) == 0
    assert "the last digits may differ" in capsys.readouterr().out


def test_a_damaged_checkpoint_stays_what_it_is(run, capsys):
    checkpoint = run / "checkpoint.pt"
    broken = checkpoint.read_bytes()[:1000]
    checkpoint.write_bytes(broken)
    for command in "resume", "evaluate":
        assert main([command, "run"]) == 2
        assert "checkpoint.pt is damaged" in complaint(capsys)
    assert checkpoint.read_bytes() == broken


@pytest.mark.parametrize(
    ("env", "network", "what"),
    [
        ("a3c_lib/Catch-v0", "8", "is of another env, a3c_lib/Catch-v0; the run has " + MAZE),
        (MAZE, "9", "is of another network, {'hidden': [9]"),
    ],
)
def test_anothers_checkpoint_is_refused_and_nothing_is_written(run, env, network, what, capsys):
    options = ["--total-steps", "10", "--hidden", network, "--run", "other"]
    assert main(["train", "a2c", env, *options]) == 0
    shutil.copy("other/checkpoint.pt", run / "checkpoint.pt")
    before = {name: (run / name).read_bytes() for name in files(run)}
    capsys.readouterr()
    for command in ["resume", "run", "--total-steps", "600"], ["evaluate", "run"]:
        assert main(command) == 2
        assert f"checkpoint.pt {what}" in complaint(capsys)
    assert {name: (run / name).read_bytes() for name in files(run)} == before


# ---- what is refused ----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["a2c", "Nowhere-v1"], "environment 'Nowhere-v1' is unknown: Environment `Nowhere`"),
        (["a2c", "nobodys:Nowhere-v1"], "environment 'nobodys:Nowhere-v1': No module named"),
        (
            ["a2c", "Blackjack-v1"],
            "observations Tuple(Discrete(32), Discrete(11), Discrete(2)) are",
        ),
        (["q", "Pendulum-v1"], "actions Box(-2.0, 2.0, (1,), float32) are not supported: Q(o, a)"),
        (["a2c", "CartPole-v1", "--squashed"], "squashed: for actions that are a Box; got Disc"),
        (["a3c", MAZE, "--lambda", "1.5"], "lambda_ is at most 1; got 1.5"),
        (["a2c", MAZE, "--gamma", "1.5"], "gamma is at most 1; got 1.5"),
        (["a3c", MAZE, "--num-workers", "0"], "num_workers is at least 1; got 0"),
        (["a3c", MAZE, "--schedule", "threads"], "invalid choice 'threads'"),
        (["a3c", MAZE, "--seed", "-1"], "seed is at least 0; got -1"),
        (["a2c", MAZE, "--hidden", "0"], "hidden is whole numbers, each at least 1"),
        (["a2c", MAZE, "--device", "nowhere"], "device 'nowhere' cannot be used here"),
        (["a2c", MAZE, "--checkpoint-every", "-1"], "checkpoint_every is at least 0; got -1"),
        (
            ["a2c", MAZE, "--gama", "0.5"],
            "Unrecognized options: --gama, 0.5; perhaps you meant --gamma",
        ),
        (
            ["a2c", MAZE, "--lock"],
            "Unrecognized or misplaced options: --lock (applied to a3c-lib train a2c); perhaps you "
            "meant --lock in a3c-lib train a3c",
        ),
        (["a2c", MAZE, "--t-max", "many"], "--t-max: invalid literal for int() with base 10: "),
        (["a2c"], "Missing from a3c-lib train a2c: ENV"),
        (["a2c", MAZE, "--learning-rate", "inf"], "learning_rate is finite; got inf"),
        (["a2c", MAZE, "--value-weight", "1e400"], "value_weight is finite; got inf"),
        (["a2c", MAZE, "--num-envs", "1000000000"], "num_envs is at most 1000000; got 1000000000"),
        (["a3c", MAZE, "--num-workers", "1000000"], "num_workers is at most 1000; got 1000000"),
        (
            ["a2c", MAZE, "--seed", str(2**64)],
            "seed is at most 9223372036854775807; got 18446744073709551616",
        ),
        (
            ["a2c", MAZE, "--network-seed", str(2**64)],
            "network_seed is at most 9223372036854775807",
        ),
        (
            ["a2c", MAZE, "--hidden", "10000000000000"],
            "hidden is whole numbers, each at most 2147483647 or None; got (10000000000000,)",
        ),
        (["a2c", MAZE, "--hidden", "1000000", "1000000"], "(1000000, 1000000) does not fit into"),
        (
            ["a2c", MAZE, "--hidden", "9" * 30],
            "hidden is whole numbers, each at most 2147483647 or None; got (9999",
        ),
        (
            ["a2c", MAZE, "--recurrent", "--cells", "1000000000000"],
            "cells is at most 2147483647; got 1000000000000",
        ),
        (["a2c", MAZE, "--device", "meta"], "device 'meta' cannot be used here"),
        (["a2c", "atari:pong", "--size", "1000000"], "size is at most 1000 or None; got 1000000"),
        (["a2c", MAZE, "--encoder", "small"], "encoder is for an Atari game, such as atari:pong"),
        (["a2c", ":CartPole-v1"], "environment ':CartPole-v1': before the colon stands a module"),
        (["a2c", MAZE, "--run", "x" * 300], "File name too long"),
        (["reinforce", MAZE, "--recurrent"], "reinforce has no memory; recurrent is for the other"),
        (["dqn", MAZE, "--recurrent"], "dqn learns from the middle of episodes; recurrent is for"),
        (
            ["ppo", MAZE],
            "algorithm is one of a3c, a2c, parallel-a2c, actor-critic, reinforce, q, sarsa, n-step-q, "
            "dqn; got 'ppo'",
        ),
        ([], "which algorithm? There are a3c, a2c, parallel-a2c, actor-critic, reinforce"),
    ],
    ids=lambda given: " ".join(given)[:40] if isinstance(given, list) else "",
)
def test_bad_options_get_one_line_and_leave_nothing(options, message, capsys):
    assert main(["train", *options]) == 2
    assert message in complaint(capsys)
    assert files() == []


def test_an_existing_folder_is_left_alone(run, capsys):
    before = (run / "checkpoint.pt").read_bytes()
    assert main(["train", "a2c", MAZE, "--run", "run"]) == 2
    assert "run exists already; resume it, with a3c-lib resume run" in complaint(capsys)
    assert (run / "checkpoint.pt").read_bytes() == before
    Path("other").mkdir()
    assert main(["train", "a2c", MAZE, "--run", "other"]) == 2
    assert complaint(capsys) == "other exists already; give another folder with --run"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["resume", "nothing"], "nothing is no run: there is no nothing/run.json"),
        (["resume", "run", "--total-steps", "0"], "total_steps is at least 1; got 0"),
        (["evaluate", "nothing"], "nothing is no run"),
        (["evaluate", "run", "--episodes", "1"], "episodes is at least 2; got 1"),
        (["evaluate", "run", "--film", "a.avi"], "film is a .png, .gif or .mp4; got a.avi"),
        (["evaluate", "run", "--film", "no/a.gif"], "there is no folder no"),
        (["plot"], "runs: name one folder at least"),
        (["plot", "run", "nothing"], "nothing is no run"),
        (["plot", "run", "run", "--signal", "x"], "signal is one of steps, updates, "),
        (["plot", "run", "--out", "a.doc"], "doc"),
        (["plot", "run", "--out", "a"], "out is a picture, .png, .svg or .pdf; got 'a'"),
        (["plot", "run", "--out", ""], "out is a picture"),
        (["plot", "run", "--signal", "nope"], "signal is one of steps, updates, "),
        (["plot", "run", "--signal", "__class__"], "signal is one of steps, updates, "),
        (["plot", "run", "--window", "inf"], "window is finite or None; got inf"),
        (["evaluate", "run", "--fps", "inf"], "fps is at most 1000; got inf"),
        (["evaluate", "run", "--fps", "1e-9"], "fps is at least 0.01; got 1e-09"),
        (
            ["evaluate", "run", "--seed", str(2**64)],
            "seed is at most 9223372036854775807; got 18446744073709551616",
        ),
        (["evaluate", "run", "--num-envs", "0"], "num_envs is at least 1; got 0"),
        (["fly"], "command is one of train, resume, evaluate, plot, check; got 'fly'"),
        ([], "which command? There are train, resume, evaluate, plot, check"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
@pytest.mark.usefixtures("run")
def test_other_bad_commands_too(command, message, capsys):
    before = files()
    assert main(command) == 2
    assert message in complaint(capsys)
    assert files() == before


def test_a_simulator_of_which_only_one_can_run_is_evaluated(run, monkeypatch):
    asked = []
    made = cli.evaluate
    monkeypatch.setattr(
        cli, "evaluate", lambda *given, **named: (asked.append(given[5]), made(*given, **named))[1]
    )
    assert main(["evaluate", str(run), "--episodes", "3", "--num-envs", "1"]) == 0
    assert main(["evaluate", str(run), "--episodes", "3"]) == 0
    assert asked == [1, 10]


NORMAL = """
import gymnasium
from gymnasium.wrappers import NormalizeObservation

def normal(**options):
    return NormalizeObservation(gymnasium.make("CartPole-v1", **options))

gymnasium.register("Normal/CartPole-v0", normal)
"""


def test_what_an_environment_normalises_with_goes_with_the_run(tmp_path, monkeypatch, capsys):
    (tmp_path / "normal.py").write_text(NORMAL)
    monkeypatch.syspath_prepend(tmp_path)
    given, evaluated = [], cli.evaluate
    monkeypatch.setattr(
        cli, "evaluate", lambda *a, **b: (given.append(b["statistics"]), evaluated(*a, **b))[1]
    )
    small = [*SMALL, "--num-envs", "2", "--run", "a"]
    assert main(["train", "a2c", "normal:Normal/CartPole-v0", *small]) == 0
    before = Run.open("a").load()["training"]["statistics"]
    assert main(["evaluate", "a", "--episodes", "2", "--film", "a.png", "--film-steps", "3"]) == 0
    assert [each["count"] for each in given[0][0]] == [each["count"] for each in before[0]]
    assert main(["resume", "a", "--total-steps", "800"]) == 0
    after = Run.open("a").load()["training"]["statistics"]
    assert after[0][0]["count"] > before[0][0]["count"] + 150  # it goes on, and does not begin anew
    assert capsys.readouterr().err == ""
    del sys.modules["normal"], gym.registry["Normal/CartPole-v0"]


def test_a_warning_is_a_line(monkeypatch, capsys):
    def warning(_):
        warnings.warn("an episode is cut\nafter 9 steps", stacklevel=1)
        return 0

    monkeypatch.setattr(cli, "_run", warning)
    with warnings.catch_warnings(action="always"):
        assert main(["evaluate"]) == 0
    assert complaint(capsys) == "an episode is cut after 9 steps"


def test_too_little_shared_memory_is_a_line_with_the_remedy(monkeypatch, capsys):
    said = "unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)"

    def too_little(*_):
        raise RuntimeError(said)

    monkeypatch.setattr(torch.nn.Module, "share_memory", too_little)
    assert main(["train", "a3c", MAZE, *SMALL, "--run", "a"]) == 2
    line = complaint(capsys)
    assert line.startswith("there is too little shared memory for processes (/dev/shm); give")
    assert "--shm-size" in line
    assert line.endswith(f"({said})")
    assert files() == []
    assert main(["train", "a3c", MAZE, "--schedule", "round-robin", *SMALL, "--run", "a"]) == 0
    about = json.loads(Path("a/run.json").read_text())
    about["config"]["schedule"] = "processes"
    Path("a/run.json").write_text(json.dumps(about))
    capsys.readouterr()
    assert main(["resume", "a", "--total-steps", "800"]) == 2
    assert complaint(capsys) == line


def test_a_file_system_without_locks_is_warned_of(monkeypatch, capsys):
    def without_locks(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", without_locks)
    assert main(["train", "a2c", MAZE, "--run", "a", *SMALL]) == 0
    assert complaint(capsys).startswith("the file system of a knows no locks: see to it that")
    assert main(["resume", "a", "--total-steps", "500"]) == 0
    assert complaint(capsys).startswith("the file system of a knows no locks: see to it that")


def test_tensorboard_that_is_not_installed_is_said_first(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert main(["train", "a2c", MAZE, "--tensorboard"]) == 2
    assert "pip install tensorboard" in complaint(capsys)
    assert files() == []


def test_without_tyro_the_remedy_is_named(monkeypatch, capsys):
    from a3c_lib.__main__ import main as command

    monkeypatch.delitem(sys.modules, "a3c_lib.app.cli")
    monkeypatch.delattr(a3c_lib.app, "cli")
    monkeypatch.setitem(sys.modules, "tyro", None)
    monkeypatch.setattr(sys, "path", [*sys.path])  # it gets one entry more
    assert command() == 2
    assert complaint(capsys) == 'the command line needs tyro: pip install "a3c_lib[cli]"'


# ---- evaluate, plot, check ----


def test_an_evaluation_has_an_interval(run, capsys):
    commands = [["--actions", "greedy"], ["--actions", "greedy"], ["--seed", "1"]]
    said = []
    for options in commands:
        assert main(["evaluate", str(run), "--episodes", "20", *options]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    number = r"-?\d+\.\d\d"
    assert re.search(
        rf"mean return {number} ± {number} \(20 episodes, greedy actions\); "
        rf"95 % interval {number} to {number}",
        said[0],
    )
    assert "20 episodes, sampled actions" in said[2]


@pytest.mark.parametrize("kind", ["png", "gif"])
def test_an_agent_is_filmed(run, kind):
    film = f"film.{kind}"
    assert main(["evaluate", str(run), "--episodes", "2", "--film", film, "--fps", "10"]) == 0
    with Image.open(film) as image:
        assert image.format.lower() == kind
        assert image.n_frames > 1
        assert image.info["duration"] >= 100  # ms; of equal pictures one is kept, for longer


def test_a_video_goes_through_ffmpeg(run, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["evaluate", str(run), "--episodes", "2", "--film", "a.mp4"]) == 2
    assert "a video needs ffmpeg" in complaint(capsys)
    ffmpeg = tmp_path / "ffmpeg"
    ffmpeg.write_text('#!/bin/sh\necho "$@" > options\nexec /bin/cat > bytes\n')
    ffmpeg.chmod(0o755)
    assert main(["evaluate", str(run), "--episodes", "2", "--film", "a.mp4", "--fps", "5"]) == 0
    options = Path("options").read_text()
    width, height = map(int, re.search(r"-video_size (\d+)x(\d+) -framerate 5.0", options).groups())
    assert options.endswith("a.mp4\n")
    assert Path("bytes").stat().st_size % (3 * width * height) == 0
    ffmpeg.write_text("#!/bin/sh\necho no such codec >&2\nexit 1\n")
    assert main(["evaluate", str(run), "--episodes", "2", "--film", "a.mp4"]) == 2
    assert complaint(capsys) == "ffmpeg failed: no such codec"


def test_one_signal_of_a_run_is_drawn_alone(run, monkeypatch):
    from a3c_lib.figures import plots

    drawn = []
    draw = plots.signals
    monkeypatch.setattr(
        plots, "signals", lambda runs, **how: (drawn.append(how["names"]), draw(runs, **how))[1]
    )
    assert main(["plot", str(run), "--signal", "entropy"]) == 0
    assert main(["plot", str(run)]) == 0
    assert drawn == [["entropy"], None]


def test_of_a_long_run_the_columns_are_read_that_are_drawn(run, monkeypatch):
    """No row becomes an object, but for the first, which is asked what it has, and the last."""
    rows, columns = [], []
    row, read = Table.__getitem__, Table.read
    monkeypatch.setattr(Table, "__getitem__", lambda its, i: (rows.append(i), row(its, i))[1])
    monkeypatch.setattr(
        Table, "read", lambda path, wanted: (columns.append(set(wanted)), read(path, wanted))[1]
    )
    assert main(["plot", str(run)]) == 0
    shutil.copytree(run, "copy")
    assert main(["plot", str(run), "copy", "--signal", "entropy"]) == 0
    assert set(rows) <= {0, -1}
    assert columns == [set(SIGNALS), {"entropy"}, {"entropy"}]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_one_run_is_plotted(run, kind, capsys):
    assert main(["plot", str(run), "--out", f"one.{kind}"]) == 0
    assert capsys.readouterr().out == f"one.{kind}\n"
    assert Path(f"one.{kind}").stat().st_size > 1000


def test_several_runs_are_compared_and_seeds_share_a_curve(run, monkeypatch):
    from a3c_lib.figures import plots

    drawn = []
    draw = plots.learning_curves
    monkeypatch.setattr(
        plots,
        "learning_curves",
        lambda curves, **how: (drawn.append(curves), draw(curves, **how))[1],
    )
    names = [str(run)]
    for seed in "1", "2":
        names.append(f"runs/a3c_lib_TMaze-v0-a2c-{seed}")
        assert main(["train", "a2c", MAZE, *SMALL, "--seed", seed, "--gamma", "0.9"]) == 0
    assert main(["plot", *names, "--out", "all.png"]) == 0
    assert {label: len(seeds) for label, seeds in drawn[0].items()} == {
        "run": 1,
        "a3c_lib_TMaze-v0-a2c": 2,
    }
    assert main(["plot", *names, "--signal", "entropy", "--out", "all.png"]) == 0
    assert drawn[1]["run"][0][1].tolist() == [row.entropy for row in Run.open(run).metrics()]
    assert main(["train", "a2c", MAZE, *SMALL, "--gamma", "0.5", "--run", "deeper/run"]) == 0
    assert main(["plot", str(run), "deeper/run", "--out", "all.png"]) == 0
    assert list(drawn[2]) == ["run", "deeper/run"]  # not one curve of two seeds
    for folder, gamma in ("r-1", "0.9"), ("r-2", "0.9"), ("r", "0.5"):
        seed = folder[2:] or "1"
        options = ["--gamma", gamma, "--seed", seed, "--run", folder]
        assert main(["train", "a2c", MAZE, *SMALL, *options]) == 0
    assert main(["plot", "r-1", "r-2", "r", "--out", "all.png"]) == 0
    assert {label: len(seeds) for label, seeds in drawn[3].items()} == {
        "r": 2,
        str(Path("r").resolve()): 1,  # "r" is the name of the other two
    }
    assert main(["plot", "r-1", "r-2", "./r-1", "--out", "all.png"]) == 0
    assert {label: len(seeds) for label, seeds in drawn[4].items()} == {"r": 2}


def test_a_column_that_a_run_lacks_is_said_with_the_run(run, capsys):
    assert main(["train", "reinforce", MAZE, "--total-steps", "40", "--run", "other"]) == 0
    capsys.readouterr()
    assert main(["plot", str(run), "other", "--signal", "policy_loss"]) == 2
    said = complaint(capsys)
    assert said.startswith("other: signal is one of steps, ")
    assert said.endswith("; got 'policy_loss'")


def test_of_one_update_there_is_no_curve(run, capsys):
    assert main(["train", "a2c", MAZE, *SMALL[:2], "--total-steps", "5", "--run", "one"]) == 0
    capsys.readouterr()
    assert main(["plot", str(run), "one", "--signal", "entropy"]) == 2
    assert complaint(capsys) == "curves['one']: of one update there is no curve"


def test_a_budget_that_is_taken_already_is_refused(run, capsys):
    taken = "run has taken 400 steps"
    assert main(["resume", "run"]) == 2
    assert (
        complaint(capsys)
        == f"{taken}, and its budget is 400; --total-steps is to be more than that"
    )
    assert main(["resume", "run", "--total-steps", "10"]) == 2
    assert complaint(capsys) == f"{taken}; --total-steps is to be more than that"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("a2c --epsilon 0.1", "--epsilon is called --rmsprop-epsilon now"),
        ("actor-critic --epsilon 0.1", "Unrecognized options: --epsilon, 0.1"),
        (
            "q --epsilon=0.1",
            "--epsilon is called --rmsprop-epsilon now; how often actions are random is "
            "--first-epsilon and --final-epsilons",
        ),
        (
            "dqn --epsilon 0.1",
            "--epsilon is called --rmsprop-epsilon now; how often actions are random is "
            "--first-epsilon and --final-epsilon",
        ),
        ("a2c --no-standardised", "--no-standardised is called --no-normalise-pixels now"),
        ("a2c --cells 8", "--cells goes with --recurrent; got --cells 8 alone"),
        ("dqn --cells 8", "--cells goes with --recurrent; got --cells 8 alone"),
        ("mine:PPO", "got 'mine:PPO'; one of your own is trained from Python"),
    ],
)
def test_options_that_an_algorithm_has_not_are_refused_with_those_that_it_has(words, said, capsys):
    algorithm, *options = words.split()
    assert main(["train", algorithm, MAZE, *options]) == 2
    assert said in complaint(capsys)
    assert files() == []


def test_what_goes_wrong_while_an_agent_is_filmed_is_no_fault_of_the_options(
    run, monkeypatch, capsys
):
    from a3c_lib.figures import watching

    def fails(*_, **__):
        raise RuntimeError("no display")

    monkeypatch.setattr(watching, "play", fails)
    assert main(["evaluate", str(run), "--episodes", "2", "--film", "a.png"]) == 1
    assert "no display" in complaint(capsys)


def test_an_agent_is_evaluated_in_other_episodes_than_it_began_to_learn_from():
    begin = cli.parsed(["train", "a2c", MAZE]).begin
    its = seed_sequence(begin.config.seed, 0).spawn(2)
    of_evaluation = seed_sequence(cli.parsed(["evaluate", "run"]).seed).spawn(2)
    for ours, theirs in zip(of_evaluation, its, strict=True):
        assert not np.array_equal(ours.generate_state(4), theirs.generate_state(4))


def test_an_agent_is_evaluated_from_one_reading_of_its_checkpoint(run, monkeypatch):
    """A run that trains meanwhile may have put another one there in between."""
    readings, load = [], Run.load
    monkeypatch.setattr(Run, "load", lambda its: (readings.append(its), load(its))[1])
    assert main(["evaluate", str(run), "--episodes", "2"]) == 0
    assert len(readings) == 1


def test_a_disk_that_cannot_be_written_is_said(run, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Run, "describe", full)
    assert main(["resume", "run", "--total-steps", "600"]) == 1
    assert complaint(capsys) == "[Errno 28] No space left on device"
    assert main(["train", "a2c", MAZE, "--run", "other"]) == 2
    assert complaint(capsys) == "other cannot be made: [Errno 28] No space left on device"
    assert not Path("other").exists()


def test_the_installation_is_checked(monkeypatch):
    from a3c_lib.app import check

    for good in True, False:
        monkeypatch.setattr(check, "installation", lambda good=good: good)
        assert main(["check"]) == int(not good)


# ---- interrupts and failures ----


class Interrupting:
    """Sends a signal to this process at a certain update."""

    def __init__(self, *when):
        self.when = dict(when)

    def __call__(self, run, training, updates, **options):
        for count, update in enumerate(runs.record(run, training, updates, **options), start=1):
            if count in self.when:
                os.kill(os.getpid(), self.when[count])
            yield update


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("algorithm", ["a2c", "a3c"])
def test_an_interrupt_keeps_what_was_learned(algorithm, number, code, monkeypatch, capsys):
    train = ["train", algorithm, MAZE, *SMALL, "--num-envs", "2"]
    train += ["--schedule", "round-robin"] if algorithm == "a3c" else []
    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(cli, "record", Interrupting((7, number)))
        assert main([*train, "--run", "a"]) == code
    said = capsys.readouterr()
    assert "Stopped after 70 steps, and kept. To go on: a3c-lib resume a\n" in said.out
    assert said.err == ""
    assert signal.getsignal(number) is before
    assert main(["resume", "a"]) == 0
    assert main([*train, "--run", "b"]) == 0
    ours, theirs = (Run.open(Path(name)).model().parameters() for name in "ab")
    assert all(map(torch.equal, ours, theirs))


def test_a_second_interrupt_does_not_wait(monkeypatch, capsys):
    class Slow(Interrupting):
        def __call__(self, run, training, updates, **options):
            for update in runs.record(run, training, updates, **options):
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)
                yield update

    monkeypatch.setattr(cli, "record", Slow())
    assert main(["train", "a2c", MAZE, *SMALL, "--run", "a"]) == 130
    said = capsys.readouterr().err
    assert said.strip() == ("Stopped at once. To go on from the last checkpoint: a3c-lib resume a")
    assert Run.open(Path("a")).load()["training"]["steps"] in (0, 80)


def test_a_run_that_diverged_says_which_checkpoint_is_good(run, capsys):
    """Its weights overflow in the first step; what was there before stays, and it is said."""
    options = ["--learning-rate", "3e38", "--optimizer", "rmsprop", "--num-envs", "8"]
    options += ["--run", "a", "--checkpoint-every", "0"]
    assert main(["train", "a2c", MAZE, *SMALL, *options]) == 1
    assert "not finite: policy_head.weight" in capsys.readouterr().err
    good = "Its training diverged after 0 steps (update 1, after 0 steps: after a step with "
    for command in ["evaluate", "a", "--episodes", "4"], ["resume", "a"]:
        main(command)
        said = capsys.readouterr().out
        assert good in said
        assert "the checkpoint, of 0 steps, is the last good one." in said
    assert main(["evaluate", str(run), "--episodes", "4"]) == 0
    assert "diverged" not in capsys.readouterr().out


def test_a_training_that_fails_says_so_and_keeps_its_checkpoint(monkeypatch, capsys):
    def failing(run, training, updates, **options):
        raise FloatingPointError("worker 1, after 20 steps: the loss is nan")

    monkeypatch.setattr(cli, "record", lambda *a, **b: (failing(*a, **b) for _ in [0]))
    assert main(["train", "a2c", MAZE, *SMALL, "--run", "a"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "a3c-lib: worker 1, after 20 steps: the loss is nan",
        "The last checkpoint is as it was. To go on: a3c-lib resume a",
    ]
    assert Run.open(Path("a")).load()["training"]["steps"] == 0


FAILING = """
import gymnasium
from a3c_lib.worlds.envs import TMaze

class Failing(TMaze):
    def __init__(self, when):
        super().__init__()
        self.when, self.steps_taken = when, 0
        self.fail("init")

    def fail(self, name):
        if self.when == name:
            raise RuntimeError(f"broken\\nin {name}")

    def reset(self, *, seed=None, options=None):
        self.fail("reset")
        return super().reset(seed=seed, options=options)

    def step(self, action):
        self.steps_taken += 1
        if self.steps_taken > 20:
            self.fail("step")
        return super().step(action)

    def close(self):
        self.fail("close")
        if self.steps_taken:
            self.fail("close later")

for when in "init", "reset", "step", "close", "close later":
    name = when.replace(" ", "-")
    gymnasium.register(f"Failing/{name}-v0", Failing, kwargs={"when": when})
"""


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """The name of a module with environments that fail."""
    (tmp_path / "failing.py").write_text(FAILING)
    monkeypatch.syspath_prepend(tmp_path)
    yield "failing"
    sys.modules.pop("failing", None)
    for name in [name for name in gym.registry if name.startswith("Failing/")]:
        del gym.registry[name]


@pytest.mark.parametrize("algorithm", ["a2c", "actor-critic", "reinforce"])
def test_an_environment_that_fails_in_this_process_is_a_line_and_where_to_go_on(
    failing, algorithm, capsys
):
    small = SMALL[:4] if algorithm == "reinforce" else SMALL
    train = ["train", algorithm, f"{failing}:Failing/step-v0", *small, "--run", "a"]
    assert main([*train, "--checkpoint-every", "0"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"a3c-lib: failed after \d+ steps: RuntimeError: broken in step "
        r"\(failing\.py, line 13, in fail\); the whole traceback is in a/traceback\.txt",
        first,
    )
    assert second == "The last checkpoint is as it was. To go on: a3c-lib resume a"
    assert "in update" in Path("a/traceback.txt").read_text()
    assert isinstance(Run.open(Path("a")).model(), torch.nn.Module)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # closed again
@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("init", "environment 'failing:Failing/init-v0' cannot be made: RuntimeError: broken in"),
        ("reset", "RuntimeError: broken in reset (failing.py, line 13, in fail)"),
        ("close", "environment 'failing:Failing/close-v0' cannot be closed: RuntimeError: broken"),
    ],
)
def test_an_environment_that_fails_at_once_is_a_line_and_leaves_nothing(
    failing, when, message, capsys
):
    before = files()
    assert main(["train", "a2c", f"{failing}:Failing/{when}-v0", *SMALL, "--run", "a"]) == 2
    assert message in complaint(capsys)
    assert [name for name in files() if "__pycache__" not in name] == before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # closed again
def test_an_environment_that_fails_as_it_is_closed_is_a_line_and_the_run_is_kept(failing, capsys):
    train = ["train", "a2c", f"{failing}:Failing/close-later-v0", *SMALL, "--run", "a"]
    assert main(train) == 1
    assert complaint(capsys).startswith("the environment cannot be closed: RuntimeError: broken in")
    assert Run.open(Path("a")).load()["training"]["steps"] == 400


def test_an_environment_that_fails_while_it_is_evaluated_is_named(failing, capsys):
    train = ["train", "a2c", f"{failing}:Failing/step-v0", "--run", "a", "--hidden", "8"]
    assert main([*train, "--total-steps", "10", "--num-envs", "1"]) == 0
    assert main(["evaluate", "a", "--episodes", "9"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "a", "--episodes", "90"]) == 1
    assert complaint(capsys) == (
        "environment 'failing:Failing/step-v0' failed: RuntimeError: broken in step "
        "(failing.py, line 13, in fail)"
    )


def test_help_is_shown_where_there_are_no_greek_letters(monkeypatch):
    said = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(said, encoding="ascii"))
    monkeypatch.setattr(sys, "argv", ["a3c-lib", "train", "a3c", "--help"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit):
        a3c_lib.__main__.main()
    sys.stdout.flush()
    assert b"let one worker at a time read or change ?" in said.getvalue()


def test_what_is_wrong_is_found_in_a_box_without_lines():
    box = " Unrecognized options \n ------ \n  Unrecognized options: --x\n  ------\n  More"
    assert cli.in_one_line(box) == "Unrecognized options: --x"


MINE = """
import gymnasium
from a3c_lib.worlds.envs import TMaze

class Mine(TMaze):
    pass

gymnasium.register("somebodys/Mine-v0", Mine)
"""


def test_workers_find_an_environment_of_a_module_in_this_folder(here):
    (here / "mine.py").write_text(MINE)
    program = "import sys, a3c_lib.__main__ as command; sys.exit(command.main())"
    options = ["--num-workers", "1", "--total-steps", "50", "--hidden", "8"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, "train", "a3c", "mine:somebodys/Mine-v0", *options],
        capture_output=True,
        text=True,
        env=PATHS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "the run is in runs/mine_somebodys_Mine-v0-a3c-0\n" in done.stdout


def test_it_is_a_module_and_a_script():
    done = subprocess.run(
        [sys.executable, "-m", "a3c_lib", "train", "a2c", "Nowhere-v1"],
        capture_output=True,
        text=True,
        env=PATHS,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("a3c-lib: environment 'Nowhere-v1' is unknown: ")
    assert files() == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, function = project["scripts"]["a3c-lib"].split(":")
    assert getattr(importlib.import_module(module), function) is a3c_lib.__main__.main
