"""Processes: what is reported, what goes wrong, and that nothing is left behind."""

import atexit
import contextlib
import gc
import math
import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import gymnasium as gym
import pytest
import torch
from scripted import Counting, Paying

from a3c_lib import a3c, losses, parallel_a2c, workers
from a3c_lib.networks import ActorCritic
from a3c_lib.workers import UNREAD, Team, WorkerError

SOON = 5  # seconds


def config(**options):
    return a3c.Config(**{"total_steps": 400, "t_max": 5, "num_workers": 2, **options})


def network(env="CartPole-v1", **options):
    made = gym.make(env) if isinstance(env, str) else env()
    return ActorCritic.for_env(made, hidden=(8,), seed=0, **options)


def endless(**options):
    return config(total_steps=10**9, **options)


def alive(pid):
    """Whether a process runs. One that has ended but was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def assert_soon(condition):
    """`condition` becomes true within the time that the book promises."""
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, "not within 5 seconds"
        time.sleep(0.01)


def assert_all_end(pids):
    """They end soon. Those that do not are killed, so that a test that fails leaves none."""
    assert pids
    try:
        assert_soon(lambda: not any(map(alive, pids)))
    finally:
        for pid in filter(alive, pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def assert_finite(model):
    assert all(parameter.isfinite().all() for parameter in model.parameters())


# ---- the algorithm in processes ----


def test_processes_learn_and_count_every_step():
    model = network()
    before = [parameter.clone() for parameter in model.parameters()]
    with a3c.train(model, "CartPole-v1", config()) as training:
        pids = list(training.pids.values())
        history = list(training)
    assert [update.steps for update in history] == [5 * k for k in range(1, len(history) + 1)]
    # When the budget is used up, the other worker's rollout is finished.
    assert 400 <= history[-1].steps <= 405
    assert training.steps == history[-1].steps
    assert training.updates == len(history)
    assert {update.worker for update in history} == {0, 1}
    assert not any(map(torch.equal, before, model.parameters()))
    assert_all_end(pids)


def test_one_process_is_the_same_worker_that_runs_in_turn():
    models = []
    for schedule in "processes", "round-robin":
        models.append(network())
        with a3c.train(
            models[-1], "CartPole-v1", config(num_workers=1, schedule=schedule)
        ) as training:
            list(training)
    assert all(map(torch.equal, models[0].parameters(), models[1].parameters()))


@pytest.mark.parametrize("options", [{"lock": True}, {"shared_statistics": False}, {"num_envs": 3}])
def test_variants_work_in_processes_too(options):
    model = network()
    with a3c.train(model, "CartPole-v1", config(**options)) as training:
        assert list(training)[-1].steps >= 400
    assert_finite(model)


def test_more_workers_than_cores_and_a_budget_smaller_than_a_rollout():
    many = (os.cpu_count() or 1) + 2
    with a3c.train(
        network(), "CartPole-v1", config(num_workers=many, total_steps=3, t_max=20)
    ) as training:
        history = list(training)
    assert history[0].steps == 3
    assert history[-1].steps <= 3 * many


def test_statistics_are_shared_among_processes():
    with a3c.train(network(), "CartPole-v1", config()) as training:
        list(training)
    assert all(g.any() for g in training.shared.optimizer.statistics["g"])
    with a3c.train(network(), "CartPole-v1", config(shared_statistics=False)) as training:
        list(training)
    assert not any(g.any() for g in training.shared.optimizer.statistics["g"])


def test_messages_come_in_order_and_none_is_missing():
    def count(link, shared):
        for k in range(5 * UNREAD + 3):
            link.send(k)

    messages = list(Team(count, None, 2))
    for rank in 0, 1:
        assert [k for sender, k in messages if sender == rank] == list(range(5 * UNREAD + 3))


def test_what_a_worker_says_as_it_ends_is_read(monkeypatch):
    def say(link, shared):
        link.send("last")

    mail = workers._Member.mail

    def too_early(member):
        """All comes, and the worker ends, right after it was looked."""
        monkeypatch.setattr(workers._Member, "mail", mail)
        member.process.join()
        return iter(())

    monkeypatch.setattr(workers._Member, "mail", too_early)
    assert list(Team(say, None, 1)) == [(0, "last")]


class Parcel(NamedTuple):
    """Of the test alone: as a class of a notebook's, no other process can import it."""

    numbers: torch.Tensor
    label: str


Parcel.__module__ = "__main__"


def test_shared_tensors_stay_shared_and_what_is_defined_by_the_caller_comes_along():
    shared = torch.zeros(2).share_memory_()
    enclosed, private = torch.zeros(2).share_memory_(), torch.zeros(2)
    rows = torch.zeros(2, 3).share_memory_()

    def add(link, parcel):
        for tensor in parcel.numbers, enclosed, private, rows[:, 1]:
            tensor[link.rank] += 1
        assert private.tolist() == [float(link.rank == k) for k in range(2)]
        link.send((parcel.label, type(parcel).__name__))

    assert list(map(tuple, Team(add, Parcel(shared, "a"), 2))).count((0, ("a", "Parcel"))) == 1
    assert shared.tolist() == enclosed.tolist() == [1, 1]
    assert private.tolist() == [0, 0]
    assert rows.tolist() == [[0, 1, 0], [0, 1, 0]]


def test_held_but_unread_the_workers_wait():
    with a3c.train(network(), "CartPole-v1", endless()) as training:
        next(training)

        def standing():
            before = int(training.shared.updates.sum())
            time.sleep(0.2)
            return before == int(training.shared.updates.sum())

        assert_soon(standing)
        # Each is in the update after the last that may stay unread, or waits to report it.
        assert int(training.shared.updates.max()) <= UNREAD + 2
        list(islice(training, 100))  # and on it goes
        assert int(training.shared.updates.sum()) > 100


def test_what_the_caller_defines_comes_along():
    class Local(Counting):
        pass

    class Net(ActorCritic):
        pass

    def loss(logits, values, actions, returns):
        return losses.a2c_loss(logits, values, actions, returns, entropy_weight=0.0)

    model = Net.for_env(Local(), hidden=(4,))
    with a3c.train(model, lambda: Local(3), config(), loss=loss) as training:
        assert list(training)[-1].episodes is not None


# ---- failures ----


class Failing(Counting):
    def __init__(self, at):
        super().__init__(length=10**9)
        self.at = at

    def step(self, action):
        if self.t == self.at:
            raise ZeroDivisionError("the world has an end")
        return super().step(action)


def test_an_exception_in_a_workers_environment_reaches_the_parent(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model = network(Counting)
    with a3c.train(model, lambda: Failing(7), endless()) as training:
        pids = list(training.pids.values())
        with pytest.raises(WorkerError, match=r"worker [01] failed") as caught:
            list(training)
    assert "in step" in str(caught.value)
    assert "ZeroDivisionError: the world has an end" in str(caught.value)
    assert_all_end(pids)
    assert list(training) == []
    assert not list(tmp_path.iterdir())


def test_an_exception_in_a_workers_network_reaches_the_parent():
    class Broken(ActorCritic):
        def values(self, observations):
            raise RuntimeError("no value")

    model = Broken.for_env(Counting(), hidden=(4,))
    with (
        a3c.train(model, Counting, endless()) as training,
        pytest.raises(WorkerError, match=r"(?s)worker [01] failed.*RuntimeError: no value"),
    ):
        list(training)


@pytest.mark.parametrize("reward", [math.nan, math.inf])
def test_what_is_not_finite_is_never_applied(reward):
    model = network(Counting)
    before = [parameter.clone() for parameter in model.parameters()]
    with a3c.train(model, lambda: Paying(reward), endless()) as training:
        pids = list(training.pids.values())
        with pytest.raises(FloatingPointError, match=r"worker [01], after 0 steps: the loss is"):
            list(training)
    assert_all_end(pids)
    assert all(map(torch.equal, before, model.parameters()))


def test_what_cannot_be_copied_to_a_worker_is_refused():
    lock = __import__("threading").Lock()
    with pytest.raises(TypeError, match=r"copied into another process.*lock"):
        a3c.train(network(), lambda: lock and Counting(), endless())


@pytest.mark.parametrize("moment", ["at once", "after some updates"])
def test_a_killed_worker_is_noticed_and_named(moment):
    model = network()
    with a3c.train(model, "CartPole-v1", endless()) as training:
        pids = dict(training.pids)
        if moment == "after some updates":
            list(islice(training, 20))
        os.kill(pids[1], signal.SIGKILL)
        began = time.monotonic()
        with pytest.raises(WorkerError, match=r"worker 1 was killed by SIGKILL"):
            list(training)
        assert moment == "at once" or time.monotonic() - began < SOON
    assert_all_end(pids.values())
    assert_finite(model)


def test_a_killed_worker_is_replaced_and_the_budget_kept():
    model = network()
    with a3c.train(model, "CartPole-v1", config(total_steps=5000, max_restarts=2)) as training:
        first = dict(training.pids)
        updates = list(islice(training, 10))
        os.kill(first[0], signal.SIGKILL)
        updates += training
    assert training.steps >= 5000
    # Those that were counted, but not reported, by the worker that was killed.
    assert len(updates) >= training.updates - UNREAD
    assert_all_end(first.values())
    assert_finite(model)


def test_restarts_are_counted():
    with a3c.train(network(), "CartPole-v1", endless(max_restarts=1)) as training:
        next(training)
        os.kill(training.pids[0], signal.SIGKILL)
        list(islice(training, 3 * UNREAD))
        os.kill(training.pids[1], signal.SIGKILL)
        with pytest.raises(WorkerError, match="worker 1 was killed by SIGKILL"):
            list(training)


def test_a_worker_that_ends_by_itself_is_named():
    def leave(link, shared):
        if link.rank == 1:
            os._exit(3)

    with pytest.raises(WorkerError, match=r"worker 1 ended by itself \(exit code 3\)"):
        list(Team(leave, None, 2))


class Ending(Counting):
    """Does something when it is closed."""

    def __init__(self, how, folder):
        super().__init__()
        self.how, self.folder = how, folder

    def close(self):
        if multiprocessing.parent_process() is None:
            return
        (self.folder / str(os.getpid())).touch()
        if self.how == "raises":
            raise ZeroDivisionError("it will not close")
        if self.how == "is killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "hangs":
            time.sleep(60)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("raises", "(?s)after its last message, worker 0 failed.*it will not close"),
        ("is killed", "after its last message, worker 0 was killed by SIGKILL"),
        ("hangs", "after its last message, worker 0 was killed by SIGKILL"),
    ],
)
def test_what_goes_wrong_after_the_budget_is_a_warning(how, said, tmp_path, monkeypatch):
    for patience in "CLOSING", "PATIENCE":
        monkeypatch.setattr(workers, patience, 0.2)
    options = config(num_workers=1, total_steps=20)
    training = a3c.train(network(Counting), lambda: Ending(how, tmp_path), options)
    pids = list(training.pids.values())
    with training, pytest.warns(RuntimeWarning, match=said):
        assert [update.steps for update in training] == [5, 10, 15, 20]
    assert [int(path.name) for path in tmp_path.iterdir()] == pids


def test_who_fails_when_others_have_spent_the_budget_fails_no_run(tmp_path):
    class Late(Counting):
        def step(self, action):
            wait_until((tmp_path / "spent").exists)
            raise ZeroDivisionError("too late to matter")

    class Spending(Counting):
        def close(self):
            if multiprocessing.parent_process() is not None:
                (tmp_path / "spent").touch()

    def make():
        if multiprocessing.parent_process() is None:
            return Counting()
        with contextlib.suppress(FileExistsError):
            (tmp_path / "first").mkdir()
            return Spending()
        return Late()

    training = a3c.train(network(Counting), make, config(total_steps=20))
    with training, pytest.warns(RuntimeWarning, match=r"(?s)the budget is spent.*too late to"):
        assert list(training)[-1].steps == 20


# ---- endings ----


class Simulator(Counting):
    """Hangs in its second step, as a slow simulator does, and says so and when it is closed."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def note(self, what):
        if multiprocessing.parent_process() is not None:
            (self.folder / f"{what}-{os.getpid()}").touch()

    def step(self, action):
        if self.t == 1:
            self.note("hangs")
            time.sleep(600)
        return super().step(action)

    def close(self):
        self.note("closed")


def noted(folder, what):
    return {int(path.name.split("-")[1]) for path in folder.glob(f"{what}-*")}


def wait_until(condition):
    """For what takes as long as a busy machine takes."""
    while not condition():
        time.sleep(0.01)


@pytest.mark.parametrize("how", ["close", "finish"])
def test_a_worker_that_is_ended_in_a_step_closes_its_environments(how, tmp_path):
    with a3c.train(network(Counting), lambda: Simulator(tmp_path), endless()) as training:
        pids = set(training.pids.values())
        wait_until(lambda: noted(tmp_path, "hangs") == pids)
        if how == "finish":
            assert training.finish() == []
    assert noted(tmp_path, "closed") == pids
    assert training.steps == training.updates == 0
    assert not any(map(alive, pids))


def test_who_has_begun_is_interrupted_first_and_killed_if_that_does_not_help(monkeypatch):
    done = []
    process = SimpleNamespace(
        kill=lambda: done.append("killed"), terminate=lambda: done.append("interrupted")
    )
    for patience in "GRACE", "PATIENCE":
        monkeypatch.setattr(workers, patience, 0.0)
    importing = workers._Member(process, None, None)
    importing.press(told_to_end=False)
    assert done == []
    importing.press(told_to_end=True)
    assert done == ["killed"]
    begun = workers._Member(process, None, None)
    begun.told.add("began")
    begun.press(told_to_end=True)
    assert done == ["killed"]  # it has time yet
    begun.ask_to_end()
    for quiet in False, False, True:  # others may have something to say
        begun.press(told_to_end=True, quiet=quiet)
    assert done == ["killed", "interrupted", "killed"]


class Slow(Counting):
    """Takes its time to close."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def close(self):
        if multiprocessing.parent_process() is not None:
            time.sleep(1)
            (self.folder / f"closed-{os.getpid()}").touch()


@pytest.mark.parametrize("how", ["close", "finish"])
def test_a_worker_that_closes_its_environments_is_left_alone(how, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "GRACE", 0.0)
    monkeypatch.setattr(workers, "PATIENCE", 60.0)
    with a3c.train(network(Counting), lambda: Slow(tmp_path), endless()) as training:
        pids = set(training.pids.values())
        next(training)
        if how == "finish":
            training.finish()
    assert noted(tmp_path, "closed") == pids


def test_what_was_made_and_not_read_is_handed_out_at_the_end():
    with a3c.train(network(), "CartPole-v1", endless()) as training:
        pids = list(training.pids.values())
        seen = list(islice(training, 3))
        assert len(training.pids) == 2
        left = training.finish()
        assert [update.updates for update in seen + left] == list(range(1, len(seen + left) + 1))
        assert (training.steps, training.updates) == (left[-1].steps, left[-1].updates)
        state = training.state_dict()
        assert (state["steps"], state["updates"]) == (training.steps, training.updates)
        assert not any(map(alive, pids))
        assert training.finish() == list(training) == []


def test_a_worker_ends_without_taking_python_apart(tmp_path):
    """What was registered is called, and what was printed comes out."""

    def leave_things(link, folder):
        class Slow:
            def __del__(self):
                (folder / "taken apart").touch()

        sys.modules["kept"] = Slow()
        atexit.register((folder / "registered").touch)

    list(Team(leave_things, tmp_path, 1))
    assert [path.name for path in tmp_path.iterdir()] == ["registered"]


@pytest.mark.parametrize("told", [False, True])
def test_a_request_to_end_is_for_the_parent(told, tmp_path):
    """A worker that was not told to end goes on. Once it is told, it finishes what is whole."""

    def work(link, folder):
        try:
            with link.whole():
                (folder / "at work").touch()
                while not (link.interrupted if told else (folder / "go on").exists()):
                    time.sleep(0.01)
                link.send("whole")
            time.sleep(600 if told else 0)
            link.send("finished")
        finally:
            (folder / "closed").touch()

    team = Team(work, tmp_path, 1)
    (pid,) = team.pids.values()
    wait_until((tmp_path / "at work").exists)
    for number in signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGTERM:
        os.kill(pid, number)
    if told:
        team.stop()
        assert list(team) == [(0, "whole")]
    else:
        (tmp_path / "go on").touch()
        assert list(team) == [(0, "whole"), (0, "finished")]
    assert (tmp_path / "closed").exists()
    assert not alive(pid)


# ---- endings of scripts ----


def start_and_forget(how):
    """End a training in some way.   → its processes"""
    training = a3c.train(network(), "CartPole-v1", endless())
    pids = list(training.pids.values())
    next(training)
    if how == "close":
        training.close()
        training.close()
    elif how == "with":
        with training:
            pass
    elif how == "with and exception":
        with contextlib.suppress(KeyError), training:
            raise KeyError
    elif how == "break":
        for _ in training:
            break
    return pids  # and the training is forgotten


@pytest.mark.parametrize("how", ["close", "with", "with and exception", "break"])
def test_however_a_training_ends_no_process_is_left(how):
    pids = start_and_forget(how)
    gc.collect()
    assert_all_end(pids)


def test_the_model_keeps_what_it_learned_in_memory_of_its_own():
    model = network()
    before = [parameter.clone() for parameter in model.parameters()]
    with a3c.train(model, "CartPole-v1", endless()) as training:
        assert all(parameter.is_shared() for parameter in model.parameters())
        list(islice(training, 20))
    assert not any(parameter.is_shared() for parameter in model.parameters())
    assert not any(map(torch.equal, before, model.parameters()))
    assert_finite(model)


def script(tmp_path, text):
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(text))
    return subprocess.Popen(
        [sys.executable, path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )


TRAINING = """
    import gymnasium as gym
    from a3c_lib import ActorCritic, a3c

    class Mine(gym.Wrapper):
        pass

    def make():
        return Mine(gym.make("CartPole-v1"))

    def main():
        model = ActorCritic.for_env(make())
        config = a3c.Config(total_steps={steps}, num_workers=2)
        {with_}a3c.train(model, make, config){as_}
            print(*training.pids.values(), flush=True)
            for update in training:
                {body}
        print("end")

    if __name__ == "__main__":
        main()
    """


def training_script(tmp_path, steps=10**9, body="pass"):
    return script(
        tmp_path, TRAINING.format(steps=steps, body=body, with_="with ", as_=" as training:")
    )


def first_line(process):
    return [int(pid) for pid in process.stdout.readline().split()]


def said_at_last(process, pids):
    """What a script printed, and its errors, once it has ended, and soon after it its workers. They
    hold its pipes too: to read to the end first would be to wait for them."""
    process.wait()
    assert_all_end(pids)
    return process.communicate()


def test_a_script_trains(tmp_path):
    process = training_script(tmp_path, steps=500)
    out, err = process.communicate()
    assert out.endswith("end\n"), err
    assert err == ""


def test_ctrl_c_in_a_terminal_ends_a_script_and_its_workers(tmp_path):
    process = training_script(tmp_path)
    pids = first_line(process)
    for pid in [process.pid, *pids]:  # a terminal interrupts all of them
        os.kill(pid, signal.SIGINT)
    _, err = said_at_last(process, pids)
    assert process.returncode != 0
    assert err.count("KeyboardInterrupt") == 1, err


def test_no_worker_outlives_a_killed_parent(tmp_path):
    process = training_script(tmp_path)
    pids = first_line(process)
    process.kill()
    said_at_last(process, pids)


IMPORTING = """
    import os, sys, time
    from pathlib import Path

    if __name__ == "__mp_main__":  # a worker, which imports this
        Path(f"importing-{os.getpid()}").touch()
        time.sleep(600)

    from a3c_lib.workers import Team

    def work(link, shared):
        pass

    if __name__ == "__main__":
        team = Team(work, None, 2)
        print(*team.pids.values(), flush=True)
        list(team)
    """


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells")
def test_no_worker_outlives_its_parent_while_it_imports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    process = script(tmp_path, IMPORTING)
    pids = first_line(process)
    wait_until(lambda: noted(tmp_path, "importing") == set(pids))
    process.kill()
    said_at_last(process, pids)


def test_a_killed_parents_workers_close_their_environments(tmp_path):
    process = script(
        tmp_path,
        f"""
        import sys
        from pathlib import Path

        sys.path[:0] = {[str(Path(__file__).parent)]}
        from test_workers import Counting, Simulator, a3c, endless, network

        if __name__ == "__main__":
            folder = Path({str(tmp_path)!r})
            with a3c.train(network(Counting), lambda: Simulator(folder), endless()) as training:
                print(*training.pids.values(), flush=True)
                next(training)
        """,
    )
    pids = first_line(process)
    wait_until(lambda: noted(tmp_path, "hangs") == set(pids))
    process.kill()
    said_at_last(process, pids)
    assert noted(tmp_path, "closed") == set(pids)


def test_nothing_has_a_name_that_could_stay(tmp_path):
    """What a whole group of processes maps of /dev/shm is gone from there while they run."""
    named = set()
    with a3c.train(network(), "CartPole-v1", endless(lock=True)) as training:
        list(islice(training, 3))
        for pid in training.pids.values():
            named |= in_shared_memory(pid)
    with parallel_a2c.train(
        network(), "CartPole-v1", parallel_a2c.Config(num_envs=2, num_workers=2)
    ) as training:
        list(islice(training, 3))
        for pid in training.pids.values():
            named |= in_shared_memory(pid)
    assert named
    assert not [name for name in named if not name.endswith(" (deleted)")]


def in_shared_memory(pid):
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {line[line.index("/dev/shm/") :] for line in lines if "/dev/shm/" in line}


def test_a_script_that_just_ends_leaves_no_worker(tmp_path):
    process = training_script(tmp_path, body="raise SystemExit(4)")
    said_at_last(process, first_line(process))
    assert process.returncode == 4


def test_a_training_that_is_never_closed_ends_with_its_script(tmp_path):
    process = script(
        tmp_path,
        """
        from a3c_lib import ActorCritic, a3c
        import gymnasium as gym

        if __name__ == "__main__":
            model = ActorCritic.for_env(gym.make("CartPole-v1"))
            training = a3c.train(model, "CartPole-v1", a3c.Config(total_steps=10**9))
            print(*training.pids.values(), flush=True)
            next(training)
        """,
    )
    _, err = said_at_last(process, first_line(process))
    assert process.returncode == 0, err
    assert err == ""


def test_a_script_without_a_guard_is_told_what_to_do(tmp_path):
    process = script(
        tmp_path,
        """
        from a3c_lib import ActorCritic, a3c
        import gymnasium as gym

        model = ActorCritic.for_env(gym.make("CartPole-v1"))
        with a3c.train(model, "CartPole-v1", a3c.Config(total_steps=1000)) as training:
            list(training)
        """,
    )
    _, err = process.communicate()
    assert process.returncode != 0
    last = err[err.rindex("Traceback") :]
    assert "could not begin" in last
    assert 'if __name__ == "__main__":' in last


def test_a_script_that_is_no_file_is_told_what_to_do():
    process = subprocess.run(
        [sys.executable, "-"],
        input="from a3c_lib.workers import Team\nif __name__ == '__main__': Team(print, None, 1)",
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        check=False,
    )
    assert process.returncode == 1
    last = process.stderr.splitlines()[-1]
    assert last.startswith("RuntimeError: each worker imports your script anew, and there is no")
    assert last.endswith("save it as a file")


def test_a_worker_that_starts_workers_is_refused_in_a_line():
    def start(link, shared):
        Team(print, None, 1)

    with pytest.raises(WorkerError, match=r"a worker may not start workers of its own\n$"):
        list(Team(start, None, 1))


def test_a_module_that_starts_workers_when_it_is_imported_is_told_so(tmp_path):
    """Its workers import it, and would start workers, which import it."""
    (tmp_path / "careless.py").write_text(
        textwrap.dedent(
            """
            from a3c_lib import ActorCritic, a3c
            import gymnasium as gym

            class Net(ActorCritic):
                pass

            model = Net.for_env(gym.make("CartPole-v1"))
            with a3c.train(model, "CartPole-v1", a3c.Config(total_steps=1000)) as training:
                list(training)
            """
        )
    )
    process = script(tmp_path, "if __name__ == '__main__': import careless")
    _, err = process.communicate()
    assert process.returncode != 0
    assert "a worker may not start workers of its own" in err


def test_nothing_is_left_in_shared_memory():
    pids = {os.getpid()}
    for _ in range(3):
        with a3c.train(network(), "CartPole-v1", config(total_steps=20)) as training:
            pids |= set(training.pids.values())
            list(training)
    left = [path.name for path in Path("/dev/shm").iterdir()]
    assert not [name for name in left for pid in pids if name.startswith(f"torch_{pid}_")]


def page_faults(link, shared):
    """Of a worker that makes large tensors, the second time."""
    import resource

    counts = []
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(5):
            torch.ones(12_000_000)  # more than glibc ever keeps by itself
        counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    link.send((counts[1], resource.getpagesize()))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's memory")
def test_workers_keep_the_memory_that_they_free():
    ((_, (count, page)),) = Team(page_faults, None, 1)
    assert count < 5 * 12_000_000 * 4 / page / 10


def test_a_team_has_workers_and_may_be_tired():
    with pytest.raises(ValueError, match="num_workers is at least 1; got 0"):
        Team(print, None, 0)
    with pytest.raises(ValueError, match="max_restarts is at least 0; got -1"):
        Team(print, None, 1, max_restarts=-1)
