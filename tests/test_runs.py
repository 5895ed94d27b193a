"""A run's folder: whatever happens, it can go on."""

import contextlib
import errno
import json
import math
import os
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from random import Random

import gymnasium as gym
import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from a3c_lib import ActorCritic, encoders, hogwild, reinforce
from a3c_lib.app import checkpoints
from a3c_lib.app.checkpoints import CheckpointError
from a3c_lib.app.plan import (
    ALGORITHMS,
    ActorCriticConfig,
    Network,
    Plan,
    RunError,
)
from a3c_lib.app.runs import Run, record
from a3c_lib.encoders import pixel_statistics

ROOT = Path(__file__).resolve().parent.parent
SMALL = Network(hidden=(8,))


def plan(algorithm="a2c", env="a3c_lib/TMaze-v0", network=SMALL, **options):
    options = {"total_steps": 200, **options}
    if algorithm != "reinforce":
        options = {"t_max": 5, **options}
    if issubclass(ALGORITHMS[algorithm].config, hogwild.Config):
        options = {"schedule": "round-robin", **options}
    if algorithm == "dqn":
        options = {"warm_up": 20, **options}
    return Plan(algorithm, env, ALGORITHMS[algorithm].config(**options), network)


def train(planned, folder, stop=10**9, every=0.0):
    """Begin a run, or go on with it, and leave it after some updates."""
    if folder.exists():
        run = Run.open(folder)
        state = run.load()["training"]
    else:
        run, state = None, None
    with planned.train(planned.make_model(), state) as training:
        run = run or Run.create(folder, planned, training.state_dict())
        updates = record(run, training, training, every=every)
        for count, _ in enumerate(updates, start=1):
            if count == stop:
                break
        updates.close()
    return run


def table(run):
    """metrics.csv without what a clock says."""
    lines = (run.folder / "metrics.csv").read_text().splitlines()
    assert lines[0].endswith(",seconds,steps_per_second")
    return [line.rsplit(",", 2)[0] for line in lines]


def weights(run):
    return run.load()["training"]["model"]


def same(ours, theirs):
    return ours.keys() == theirs.keys() and all(map(torch.equal, ours.values(), theirs.values()))


# ---- what is in the folder ----


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name != "parallel-a2c"])
def test_a_run_that_stops_again_and_again_is_the_uninterrupted_one(tmp_path, algorithm):
    """Files and all: weights bit for bit, and every row."""
    recurrent = algorithm not in ("reinforce", "dqn")
    network = Network(hidden=(8,), recurrent=recurrent, cells=4)
    planned = plan(algorithm, network=network, **{"num_envs": 2} if algorithm == "a2c" else {})
    whole = train(planned, tmp_path / "whole")
    for times in range(1, 5):
        parts = train(planned, tmp_path / "parts", stop=3, every=60)
        assert parts.load()["training"]["updates"] == 3 * times
    parts = train(planned, tmp_path / "parts")
    assert same(weights(parts), weights(whole))
    assert table(parts) == table(whole)
    assert len(parts.metrics()) == parts.load()["training"]["updates"]


def test_a_run_says_what_it_is(tmp_path):
    planned = plan("actor-critic", targets="one-step", seed=3, entropy_weight=0.0)
    train(planned, tmp_path / "run", stop=2)
    run = Run.open(tmp_path / "run")
    assert run.plan == planned
    assert isinstance(run.plan.config, ActorCriticConfig)
    assert run.about["versions"]["torch"]
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "checkpoint.pt",
        "metrics.csv",
        "run.json",
    ]


def test_a_folder_may_be_a_text(tmp_path):
    planned = plan()
    with planned.train(planned.make_model()) as training:
        made = Run.create(str(tmp_path / "run"), planned, training.state_dict())
    assert Run.open(str(tmp_path / "run")).folder == made.folder == tmp_path / "run"


def test_a_network_of_a_script_is_handed_over(tmp_path):
    planned = plan(network=Network(own_network="of this test"))
    env = gym.make(planned.env)
    with planned.train(ActorCritic.for_env(env, hidden=(5,), seed=1)) as training:
        run = Run.create(tmp_path / "run", planned, training.state_dict())
        list(record(run, training, training))
    run = Run.open(tmp_path / "run")
    again = ActorCritic.for_env(env, hidden=(5,), seed=2)
    assert run.model(again) is again
    assert same(again.state_dict(), training.model.state_dict())
    with pytest.raises(RunError, match="'of this test' is no module:function"):
        run.model()
    with pytest.raises(CheckpointError, match="is of another network"):
        run.model(ActorCritic.for_env(env, hidden=(6,)))
    assert run.metrics()[-1].steps == 200


def test_the_first_checkpoint_is_there_before_training_begins(tmp_path):
    planned = plan()
    with planned.train(planned.make_model()) as training:
        run = Run.create(tmp_path / "run", planned, training.state_dict())
        assert run.load()["training"]["steps"] == 0
    run = train(planned, tmp_path / "run")
    assert same(weights(run), weights(train(planned, tmp_path / "other")))


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    run = train(plan(), tmp_path / "run", stop=2)
    state, before = run.load()["training"], run.checkpoint.read_bytes()
    with pytest.raises(RunError, match="run exists already; resume it, with a3c-lib resume"):
        Run.create(run.folder, plan(), state)
    assert run.checkpoint.read_bytes() == before
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="empty exists already; give another folder"):
        Run.create(tmp_path / "empty", plan(), state)
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_run_that_cannot_be_made_leaves_nothing(tmp_path):
    with pytest.raises(TypeError, match="is a object"):
        Run.create(tmp_path / "run", plan(), {"steps": object()})
    assert list(tmp_path.iterdir()) == []


def test_rows_later_than_the_checkpoint_and_half_rows_come_again(tmp_path):
    planned = plan()
    run = train(planned, tmp_path / "run", stop=5)
    metrics = run.folder / "metrics.csv"
    rows = metrics.read_text()
    last = rows.splitlines()[-1]
    metrics.write_text(rows + last.replace("200,", "201,", 1) + "\n" + last[:20])
    assert table(train(planned, tmp_path / "run")) == table(train(planned, tmp_path / "whole"))


def test_a_checkpoint_comes_every_so_many_seconds(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(Run, "save", lambda self, state, seconds: saved.append(state["updates"]))
    monkeypatch.setattr(Run, "load", lambda self: {"seconds": 0.0})
    clock = iter(range(10**6))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    planned = plan("actor-critic", total_steps=100)
    with planned.train(planned.make_model()) as training:
        list(record(Run(tmp_path, planned, {}), training, training, every=6.0))
    assert saved == [6, 12, 18, 20]  # the clock ticks once an update; and one at the end


class Ahead:
    """A training whose workers are three updates ahead of what is read."""

    total_steps, restored, pids = 100, False, {}

    def __init__(self):
        self.model, self.steps, self.made = torch.nn.Linear(1, 1), 0, 30

    def __iter__(self):
        return self

    def __next__(self):
        if self.steps >= self.made:
            raise StopIteration
        self.steps += 10
        self.made = min(self.total_steps, self.made + 10) if self.made else self.made
        return reinforce.Update(self.steps, self.steps // 10, (), 0.5, 1.0)

    def finish(self):
        rest, self.made = range(self.steps + 10, self.made + 1, 10), 0
        self.steps = rest[-1] if rest else self.steps
        return [reinforce.Update(steps, steps // 10, (), 0.5, 1.0) for steps in rest]

    def state_dict(self):
        steps = max(self.made, self.steps)
        return {"model": self.model.state_dict(), "steps": steps, "updates": steps // 10}


def test_rows_and_checkpoint_agree_where_workers_are_ahead(tmp_path, monkeypatch):
    run, training = train(plan(), tmp_path / "run", stop=1), Ahead()
    (run.folder / "metrics.csv").unlink()
    monkeypatch.setattr(reinforce.Update, "episode_return", 0.0)
    saved, save = [], Run.save

    def noted(self, state, seconds):
        saved.append((state["steps"], run.metrics()[-1].steps))
        save(self, state, seconds)

    monkeypatch.setattr(Run, "save", noted)
    updates = record(run, training, training, every=0)
    for update in updates:
        if update.steps == 70:
            break
    updates.close()
    assert saved[0] == (40, 40)  # asked for after the first update, written with its last row
    assert all(rows >= steps for steps, rows in saved)
    assert saved[-1] == (100, 100)
    assert run.load()["training"]["steps"] == run.metrics()[-1].steps == training.steps == 100


def test_a_checkpoint_does_not_wait_for_rows_that_never_come(tmp_path, monkeypatch):
    run, training, clock = train(plan(), tmp_path / "run", stop=1), Ahead(), count(0, 6)
    (run.folder / "metrics.csv").unlink()
    monkeypatch.setattr(reinforce.Update, "episode_return", 0.0)
    saved = []
    monkeypatch.setattr(Run, "save", lambda self, state, seconds: saved.append(state["steps"]))
    monkeypatch.setattr(training, "state_dict", lambda: {"steps": 1000})
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with contextlib.closing(record(run, training, training, every=0)) as updates:
        next(updates)
        assert saved == []
        next(updates)
        assert saved == [1000]


def test_after_an_error_the_last_checkpoint_stays(tmp_path):
    planned = plan()
    run = train(planned, tmp_path / "run", stop=2)
    before = run.checkpoint.read_bytes()

    def failing(training):
        yield next(training)
        raise FloatingPointError("the loss is nan")

    with planned.train(planned.make_model(), run.load()["training"]) as training:
        updates = record(run, training, failing(training), every=60)
        with pytest.raises(FloatingPointError):
            list(updates)
    assert run.checkpoint.read_bytes() == before


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name != "parallel-a2c"])
def test_a_state_that_is_not_finite_never_takes_a_good_ones_place(tmp_path, algorithm):
    """Steps so long that the weights overflow; what was saved before that stays, and goes on."""
    # torch's Adam divides by 0.1 at first, and refuses what is no float32.
    planned = plan(algorithm, learning_rate=3e37 if algorithm == "actor-critic" else 3e38)
    with planned.train(planned.make_model()) as training:
        run = Run.create(tmp_path / "run", planned, training.state_dict())
        with pytest.raises((FloatingPointError, RuntimeError)):  # it may be found while it acts
            list(record(run, training, training, every=0))
    assert all(weight.isfinite().all() for weight in weights(run).values())
    assert isinstance(run.model(), torch.nn.Module)
    with planned.train(planned.make_model(), run.load()["training"]):
        pass


@pytest.mark.parametrize("place", ["model", "optimizer"])
def test_a_checkpoint_that_is_not_finite_is_one_clear_line(tmp_path, place):
    run = train(plan(), tmp_path / "run", stop=2)
    content = run.load()
    if place == "model":
        next(iter(content["training"]["model"].values()))[0] = torch.nan
        damage = r"model\.torso\.\d\.weight"
    else:
        content["training"]["optimizer"]["g"][0][0] = torch.inf
        damage = r"optimizer\.g\.0"
    with pytest.raises(FloatingPointError, match=f"after 80 steps {damage} is not finite"):
        run.save(content["training"], 1.0)
    assert run.load()["training"]["steps"] == 80
    checkpoints.save(run.checkpoint, content)  # what an older version left
    with pytest.raises(CheckpointError, match=f"of a run that diverged: {damage} is not finite"):
        run.model()


def test_what_an_environment_normalises_with_is_looked_at_too(tmp_path):
    run = train(plan(), tmp_path / "run", stop=2)
    state = dict(run.load()["training"])
    state["statistics"] = (({"of": "observations", "mean": np.array([1.0, np.nan])},),)
    with pytest.raises(FloatingPointError, match=r"statistics\.0\.0\.mean is not finite"):
        run.save(state, 1.0)


def test_weights_of_workers_in_turn_count_too_and_what_they_saw_does_not(tmp_path):
    run = train(plan("a3c", shared_statistics=False), tmp_path / "run", stop=2)
    state = run.load()["training"]
    worker = state["workers"][1]
    worker["world"] = torch.tensor([torch.inf])
    run.save(state, 1.0)
    worker["optimizer"]["g"][0][0] = torch.nan
    with pytest.raises(FloatingPointError, match=r"workers\.1\.optimizer\.g\.0 is not finite"):
        run.save(state, 1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seconds": "soon"}, "holds no number of seconds"),
        ({"seconds": float("nan")}, "holds no number of seconds"),
        ({"plan": {}}, "is no checkpoint of a run: 'network'"),
        ({"training": {"steps": True}}, "holds no number of steps"),
        ({"training": {"steps": 3, "updates": "many"}}, "holds no number of updates"),
        ({"training": {"steps": 3, "workers": 3}}, "is no checkpoint of a run: "),
    ],
    ids=str,
)
def test_a_checkpoint_that_somebody_made_is_one_clear_line(tmp_path, changes, message):
    run = train(plan(), tmp_path / "run", stop=2)
    checkpoints.save(run.checkpoint, {**run.load(), **changes})
    with pytest.raises(CheckpointError, match=message):
        run.load()


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    run = train(plan(), tmp_path / "run", stop=1)
    with (
        run.locked(),
        pytest.raises(RunError, match="run is being trained by another process"),
        run.locked(),
    ):
        pass
    with run.locked():
        pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_trained_in_and_it_is_told(tmp_path, monkeypatch, number):
    def without_locks(*_):
        raise OSError(number, os.strerror(number))

    run = train(plan(), tmp_path / "run", stop=1)
    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", without_locks)
        with run.locked() as guarded:
            assert not guarded
    with run.locked() as guarded:
        assert guarded


def test_tensorboard_gets_the_same_numbers(tmp_path):
    planned = plan()
    run = train(planned, tmp_path / "run", stop=2)
    with planned.train(planned.make_model(), run.load()["training"]) as training:
        list(record(run, training, training, tensorboard=True))
    board = EventAccumulator(str(run.folder / "tensorboard"))
    board.Reload()
    entropies = [(event.step, event.value) for event in board.Scalars("entropy")]
    rows = run.metrics()[2:]
    assert [step for step, _ in entropies] == [row.steps for row in rows]
    assert [value for _, value in entropies] == pytest.approx([row.entropy for row in rows])
    assert "steps" not in board.Tags()["scalars"]


# ---- what is refused ----


def changed(run, **values):
    path = run.folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return Run.open(run.folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"env": "a3c_lib/Catch-v0"}, "is of another env, a3c_lib/TMaze-v0"),
        ({"network": {**plan().as_json()["network"], "hidden": [9]}}, "is of another network"),
        (
            {"algorithm": "a3c", "config": plan("a3c").as_json()["config"]},
            "is of another algorithm, a2c; the run has a3c",
        ),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(tmp_path, values, message):
    run = changed(train(plan(), tmp_path / "run", stop=2), **values)
    before = run.checkpoint.read_bytes()
    with pytest.raises(CheckpointError, match=message):
        run.load()
    assert run.checkpoint.read_bytes() == before


def test_a_state_that_does_not_fit_is_refused(tmp_path):
    run = train(plan(), tmp_path / "run", stop=2)
    state = dict(run.load()["training"])
    with pytest.raises(RunError, match="cannot go on from its checkpoint: RMSProp has the stat"):
        run.plan.train(run.plan.make_model(), {**state, "optimizer": {"m": []}})
    larger = plan(network=Network(hidden=(9,)))
    with pytest.raises(RunError, match=r"cannot go on from its checkpoint: .* size mismatch"):
        larger.train(larger.make_model(), state)
    del state["generator"]
    with pytest.raises(RunError, match=r"lacks .'generator'"):
        run.plan.train(run.plan.make_model(), state)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"algorithm": "dqn"}', "[" * 10**5, "\ud800"],
    ids=lambda content: repr(content[:9]),
)
def test_a_file_that_describes_no_run_is_refused(tmp_path, content):
    (tmp_path / "run.json").write_text(content, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(RunError, match=r"run\.json is damaged, or not a run's"):
        Run.open(tmp_path)
    with pytest.raises(RunError, match="other is no run"):
        Run.open(tmp_path / "other")


@pytest.mark.parametrize(
    ("part", "name", "value", "message"),
    [
        ("config", "total_steps", 1.5, "total_steps is a whole number; got 1.5"),
        ("config", "total_steps", True, "total_steps is a whole number; got True"),
        ("config", "total_steps", math.inf, "total_steps is a whole number; got inf"),
        ("config", "t_max", 2.5, "t_max is a whole number"),
        ("config", "t_max", "5", "t_max is a whole number"),
        ("config", "learning_rate", math.nan, "learning_rate is positive; got nan"),
        ("config", "learning_rate", 10**400, "learning_rate is finite; got 1000"),
        ("config", "anneal", "no", "anneal is True or False; got 'no'"),
        ("config", "device", 5, "device is a text; got 5"),
        ("config", "device", None, "device is a text; got None"),
        ("config", "device", "tpu", "device is such as 'cpu' or 'cuda'; got 'tpu'"),
        ("network", "cells", 2.5, "cells is a whole number"),
        ("network", "hidden", [2.5], "hidden is whole numbers or None; got"),
        ("network", "hidden", 3, "hidden is whole numbers or None; got 3"),
        ("network", "encoder", [], "encoder is 'paper' or 'small'; got"),
    ],
    ids=lambda given: str(given)[:20],
)
def test_a_number_of_a_wrong_kind_is_named(tmp_path, part, name, value, message):
    about = plan().as_json()
    about[part][name] = value
    (tmp_path / "run.json").write_text(json.dumps(about))
    with pytest.raises(RunError, match=rf"run\.json is damaged, or not a run's: {message}"):
        Run.open(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [{"config": {}}, {"config": []}, {"env": 5}, {"screen": []}, {"network": None}],
    ids=str,
)
def test_a_description_that_lacks_something_is_refused(tmp_path, changes):
    (tmp_path / "run.json").write_text(json.dumps({**plan().as_json(), **changes}))
    with pytest.raises(RunError, match=r"run\.json is damaged, or not a run's: "):
        Run.open(tmp_path)


@pytest.mark.parametrize("name", ["run.json", "metrics.csv", "checkpoint.pt"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_said_and_not_waited_for(tmp_path, name, kind):
    run = train(plan(), tmp_path / "run", stop=1)
    path = run.folder / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises((RunError, CheckpointError), match=rf"{name}.* is no file"):
        (Run.open(run.folder).metrics if name == "metrics.csv" else Run.open(run.folder).model)()


def test_a_run_of_a_device_that_is_not_here_goes_on_without_it(tmp_path):
    run = train(plan(), tmp_path / "run", stop=2)
    config = run.plan.as_json()["config"]
    assert changed(run, config={**config, "device": "cuda:99"}).plan == run.plan
    with pytest.raises(RunError, match=r"damaged, or not a run's: gamma is at most 1; got 2"):
        changed(run, config={**config, "device": "cuda:99", "gamma": 2})


def test_an_unknown_checkpoint_is_no_runs(tmp_path):
    run = train(plan(), tmp_path / "run", stop=2)
    checkpoints.save(run.checkpoint, {"weights": torch.zeros(2)})
    with pytest.raises(CheckpointError, match="is no checkpoint of a run"):
        run.model()


# ---- Atari games ----


@pytest.mark.parametrize("algorithm", ["a2c", "a3c", "parallel-a2c"])
def test_a_run_with_one_look_goes_on_and_is_read(tmp_path, algorithm):
    network = Network(hidden=(8,), one_look=True, bfloat16=True)
    # Long enough that workers, which may be 16 updates ahead of what is read, are not done by then.
    options = {"num_envs": 2, "t_max": 5, "total_steps": 500}
    planned = plan(algorithm, "atari:pong", network, **options)
    run = train(planned, tmp_path / "pong", stop=2)
    steps = run.metrics()[-1].steps
    run = train(planned, tmp_path / "pong")
    assert run.metrics()[-1].steps >= 500 > steps
    assert same(run.model().state_dict(), weights(run))


def test_a_run_with_normalised_pixels_knows_its_statistics(tmp_path, monkeypatch):
    measured = []

    def in_less_time(game):
        measured.append(pixel_statistics(game, steps=50, num_envs=2))
        return measured[-1]

    monkeypatch.setattr(encoders, "pixel_statistics", in_less_time)
    network = Network(hidden=(8,), normalise_pixels=True)
    options = {"num_envs": 2, "t_max": 5, "total_steps": 20}
    run = train(plan("a2c", "atari:pong", network, **options), tmp_path / "pong")
    encoder = run.model().torso[0]
    (statistics,) = measured  # once, to train: the checkpoint has it
    assert torch.equal(encoder.mean, statistics.mean)
    assert encoder.deviation.item() == pytest.approx(statistics.deviation)


# ---- killed ----

# Imports once; then every line it reads, arguments of the command, is run in a process of its own,
# which kills itself: at a call of the function with that name, or at any call or return.
FORKING = """
import json, os, signal, sys
from a3c_lib.figures import progress
from a3c_lib.app.cli import main, parsed

for arguments in ["train", "a2c", "ENV"], ["train", "a3c", "ENV"], ["resume", "RUN"]:
    parsed(arguments)  # once for all: the options' help comes out of the sources

calls = 0

def kill_at(last, name):
    def profile(frame, event, _):
        global calls
        if event == "call" and frame.f_code.co_qualname == name or name is None:
            calls += 1
            if calls == last:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(profile)

for line in sys.stdin:
    arguments, last, name = json.loads(line)
    pid = os.fork()
    if pid == 0:
        out = os.dup(1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        kill_at(last, name)
        code = main(arguments)
        sys.setprofile(None)
        os.write(out, b"%d " % calls)
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(code, flush=True)
"""


class Processes:
    """Runs commands, each in a process."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", FORKING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def __call__(self, *arguments):
        """Run a command to its end.   → how many calls and returns there were"""
        calls, code = self._run(arguments, -1, None).split()
        assert code == "0"
        return int(calls)

    def killed(self, *arguments, at, of=None):
        """Run a command that is killed at one of them, if it comes so far.   → whether it did."""
        return self._run(arguments, at, of).split()[-1] == str(-signal.SIGKILL)

    def _run(self, *command):
        print(json.dumps(command), file=self.process.stdin, flush=True)
        return self.process.stdout.readline()


def unfinished(folder):
    """Whether there is something to resume. Reads the checkpoint, if there is a run."""
    if not folder.exists():
        return True
    run = Run.open(folder)
    assert all(weight.isfinite().all() for weight in weights(run).values())
    return run.load()["training"]["steps"] < run.plan.config.total_steps


@pytest.fixture(scope="module")
def command():
    with Processes() as processes:
        yield processes


def begin_or_resume(folder, planned):
    if folder.exists():
        return ["resume", str(folder), "--checkpoint-every=0"]
    options = [f"--{name.replace('_', '-')}={value}" for name, value in changed_options(planned)]
    begin = ["train", planned.algorithm, planned.env, "--run", str(folder), "--hidden", "8"]
    return [*begin, *options, "--checkpoint-every=0"]


def changed_options(planned):
    given, default = planned.config, type(planned.config)()
    return [(name, value) for name, value in vars(given).items() if value != getattr(default, name)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks processes, to be quick")
@pytest.mark.parametrize("algorithm", ["a2c", "a3c"])
def test_a_run_that_is_killed_is_the_uninterrupted_one(tmp_path, command, algorithm):
    """SIGKILL at twenty random moments: whichever, the run goes on bit for bit, rows and all."""
    random = Random(algorithm)
    planned = plan(algorithm, total_steps=72, t_max=4, num_envs=3)
    calls = command(*begin_or_resume(tmp_path / "whole", planned))
    whole = Run.open(tmp_path / "whole")
    kills, folders = 0, map(tmp_path.joinpath, map(str, count()))
    while kills < 20:
        folder = next(folders)
        for share in 0.9, 0.5:  # early ones too: of a run that goes on there is less left
            if unfinished(folder):
                at = random.randrange(int(calls * share))
                kills += command.killed(*begin_or_resume(folder, planned), at=at)
        if unfinished(folder):
            command(*begin_or_resume(folder, planned))
        assert same(weights(Run.open(folder)), weights(whole))
        assert table(Run.open(folder)) == table(whole)
        assert Run.open(folder).load()["training"]["updates"] == len(table(whole)) - 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks processes, to be quick")
def test_a_run_of_processes_that_is_killed_can_be_resumed(tmp_path, command):
    folder, planned = tmp_path / "run", plan("a3c", schedule="processes", total_steps=600)
    steps = [0]
    for row in 7, 3:
        assert command.killed(*begin_or_resume(folder, planned), at=row, of="Metrics.add")
        steps.append(Run.open(folder).load()["training"]["steps"])
    command(*begin_or_resume(folder, planned))
    run = Run.open(folder)
    steps.append(run.load()["training"]["steps"])
    # A kill may come before the rows of what the workers have made, and with them a checkpoint.
    assert steps == sorted(steps)
    assert steps[-1] >= 600
    assert all(weight.isfinite().all() for weight in weights(run).values())
    counted = [row.steps for row in run.metrics()]
    assert counted == sorted(set(counted))
    assert counted[-1] == steps[-1]
