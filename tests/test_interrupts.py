"""Ctrl-C, requests to end and terminals that are closed: how one is answered, and what it does to a
whole group of processes."""

import contextlib
import csv
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_cli import LONG, MAZE, PATHS, SMALL
from test_workers import alive, noted, wait_until

from a3c_lib.app import cli, interrupts
from a3c_lib.app.cli import main
from a3c_lib.app.interrupts import Interrupts, end_in_silence, exit_code, interrupt_again
from a3c_lib.app.runs import Run


def test_ctrl_c_is_heard_also_where_a_shell_runs_the_tests_in_the_background():
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def not_ignored():
    """No signal, though the tests may run in the background or under nohup."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in interrupts.ENDING}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


# ---- what is answered, in this process ----


def interrupted_by(number):
    """The KeyboardInterrupt that a signal raises; None if it raises none. (One that nobody catches
    would end all tests, and fail none.)"""
    try:
        signal.raise_signal(number)
    except KeyboardInterrupt as error:
        return error
    return None


@pytest.fixture
def clock(monkeypatch):
    """What it says, which a test sets."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(interrupts, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.mark.parametrize("number", interrupts.ENDING)
def test_the_first_signal_stops_and_the_second_interrupts(number, clock, capfd):
    before, stopped = signal.getsignal(number), []
    with Interrupts() as answers:
        answers.stop(lambda: stopped.append(answers.signal))
        assert not interrupted_by(number)
        assert stopped == [number]
        clock.now += 1
        assert exit_code(interrupted_by(number)) == 128 + number
        assert stopped == [number]
    assert signal.getsignal(number) is before
    assert capfd.readouterr().err.endswith("stopping after this update; again to stop now\n")


def test_a_request_that_comes_twice_at_once_is_one_but_ctrl_c_is_two(clock):
    with Interrupts() as answers:
        answers.stop(lambda: None)
        assert not interrupted_by(signal.SIGTERM)
        clock.now += 0.9
        assert not interrupted_by(signal.SIGTERM)
        assert interrupted_by(signal.SIGINT)
    with Interrupts() as answers:
        answers.stop(lambda: None)
        assert not interrupted_by(signal.SIGINT)
        assert interrupted_by(signal.SIGINT)


@pytest.mark.parametrize("number", interrupts.ENDING)
def test_where_there_is_nothing_to_stop_the_first_interrupts(number):
    with Interrupts():
        assert exit_code(interrupted_by(number)) == 128 + number
    assert exit_code(KeyboardInterrupt()) == 130


@pytest.mark.parametrize("number", interrupts.ENDING)
def test_a_signal_that_was_ignored_stays_ignored(number):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with Interrupts() as answers:
            assert not interrupted_by(number)
            assert not answers.signal
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_an_interrupt_before_there_is_a_run_leaves_none(monkeypatch, capsys, here):
    def interrupted(*_):
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(cli.Plan, "make_model", interrupted)
    assert main(["train", "a2c", MAZE, *SMALL, "--run", "run"]) == 143
    assert capsys.readouterr().err == "a3c-lib: interrupted\n"
    assert list(here.iterdir()) == []


def test_afterwards_an_interrupt_is_an_exception_again():
    before = signal.getsignal(signal.SIGINT)
    try:
        for handler in signal.SIG_IGN, len, signal.default_int_handler:
            signal.signal(signal.SIGINT, handler)
            end_in_silence()
            silent = handler is signal.default_int_handler
            assert signal.getsignal(signal.SIGINT) is (signal.SIG_DFL if silent else handler)
            interrupt_again()
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_program_that_imports_the_package_is_not_the_command():
    assert not interrupts.is_the_command()


# ---- whole groups of processes ----

# The command line, which says when it begins to learn and when twenty updates are read. A worker
# may be slow to import it, and its environment to answer.
COMMAND = """
import ctypes, fcntl, multiprocessing, os, signal, sys, termios, time
from pathlib import Path

def note(what):
    Path(f"{what}-{os.getpid()}").touch()

if __name__ == "__mp_main__" and "SLOW" in os.environ:
    note("importing")
    time.sleep(600)

import gymnasium
from a3c_lib.app import cli
from a3c_lib.worlds.envs import TMaze

class Hanging(TMaze):
    def __init__(self, how):
        super().__init__()
        self.how = how

    def step(self, action):
        if multiprocessing.parent_process() is not None:
            note("hangs")
            time.sleep(600) if self.how == "asleep" else ctypes.PyDLL(None).sleep(600)
        return super().step(action)

for how in "asleep", "in C":
    gymnasium.register(f"Hanging/{how.replace(' ', '-')}-v0", Hanging, kwargs={"how": how})

if "TALKS" in os.environ:  # with every update, as otherwise after half a minute
    from a3c_lib.figures import progress
    progress.EVERY = 0

record = cli.record

def recorded(run, training, updates, **options):
    print("begins", *training.pids.values(), flush=True)
    for count, update in enumerate(record(run, training, updates, **options), start=1):
        if count == 20:
            print("twenty", flush=True)
        yield update

if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # where the tests run under nohup
    if sys.stdin.isatty():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # this is its terminal
    cli.record = recorded
    sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture
def python():
    """Starts Python in a group of processes of its own. What a test that failed has left of the
    group is killed: some trainings would not end by themselves."""
    if not hasattr(os, "killpg"):
        pytest.skip("on Windows processes have no groups")
    groups = []

    def start(*words, **options):
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = subprocess.Popen(
            [sys.executable, *words], start_new_session=True, text=True, **{**streams, **options}
        )
        groups.append(command.pid)
        return command

    yield start
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


@pytest.fixture
def begun(python):
    """Starts the command, as it begins to learn."""
    Path("command.py").write_text(COMMAND)

    def start(*arguments, env=(), **streams):
        words = "command.py", "train", *arguments, "--run", "run"
        return python(*words, env={**PATHS, **dict(env)}, **streams)

    return start


def line_with(word, stream):
    return next(line for line in stream if word in line).split()


def steps_of(run):
    """Of the rows of metrics.csv, and of the checkpoint."""
    rows = list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))
    return [int(row["steps"]) for row in rows], Run.open(run).load()["training"]["steps"]


PARALLEL = "parallel-a2c", MAZE, "--num-envs", "2"


@pytest.mark.parametrize(
    ("arguments", "signals", "name"),
    [
        (("a3c", MAZE), [signal.SIGINT], "Ctrl-C"),
        (("a3c", MAZE), [signal.SIGHUP], "SIGHUP"),
        (("a3c", MAZE), [signal.SIGTERM, signal.SIGTERM], "SIGTERM"),  # as `timeout` does
        (PARALLEL, [signal.SIGTERM, signal.SIGTERM], "SIGTERM"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_signal_to_the_whole_group_keeps_the_run_to_its_last_step(
    arguments, signals, name, begun, here
):
    command = begun(*arguments, *LONG)
    workers = line_with("begins", command.stdout)[1:]
    line_with("twenty", command.stdout)
    for number in signals:
        os.killpg(command.pid, number)
    out, err = command.communicate()
    assert command.returncode == 128 + signals[0], err
    assert err == f"\na3c-lib: {name}: stopping after this update; again to stop now\n"
    said = re.search(r"Stopped after ([\d,]+) steps, and kept. To go on: a3c-lib resume run\n", out)
    rows, kept = steps_of(here / "run")
    assert rows[-1] == kept == int(said[1].replace(",", ""))
    assert len(rows) >= 20
    assert len(workers) == 2
    assert not any(map(alive, workers))


@pytest.mark.parametrize("arguments", [("a2c", MAZE), ("a3c", MAZE)], ids=lambda value: value[0])
def test_where_nobody_reads_any_more_the_run_ends_and_is_kept_to_its_last_step(
    arguments, begun, here
):
    command = begun(*arguments, *LONG, env={"TALKS": "1", "A3C_LIB_PROGRESS": "on"})
    line_with("twenty", command.stdout)
    command.stdout.close()  # as `head` does when it has its lines
    with command.stderr as err:
        assert err.read() == ""
    assert command.wait() == 128 + interrupts.SIGPIPE
    rows, kept = steps_of(here / "run")
    assert rows[-1] == kept
    assert len(rows) >= 20


BUFFERED = {name: value for name, value in PATHS.items() if name != "PYTHONUNBUFFERED"}


@pytest.mark.parametrize("words", ["evaluate run", "--version", "train --help"])
def test_a_command_that_nobody_reads_ends_without_a_word(words, python, here):
    assert main(["train", "a2c", MAZE, *SMALL, "--run", "run"]) == 0
    unread, out = os.pipe()
    os.close(unread)
    command = python("-m", "a3c_lib", *words.split(), stdout=out, env=BUFFERED)
    os.close(out)
    with command.stderr as err:
        assert err.read() == ""
    assert command.wait() == 128 + interrupts.SIGPIPE


@pytest.mark.skipif(os.name != "posix", reason="a shell of Windows cannot close a stream")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize("algorithm", ["a2c", "a3c"])
def test_a_run_whose_streams_were_closed_before_it_began_runs_to_its_end(algorithm, closed, here):
    words = ["-m", "a3c_lib", "train", algorithm, MAZE, *SMALL, "--run", "run"]
    shell = "sh", "-c", f'exec "$0" "$@" {closed}', sys.executable, *words
    assert subprocess.run(shell, env=PATHS, capture_output=True, check=False).returncode == 0
    rows, kept = steps_of(here / "run")
    assert rows[-1] == kept >= 400


@pytest.mark.parametrize("read", [True, False])
def test_what_goes_wrong_is_told_also_where_nobody_reads_how_it_goes(read, python, here):
    """Also a pipe that breaks elsewhere: one of the environment's. The checkpoint stays as it was."""
    Path("broken.py").write_text(BROKEN)
    words = "broken.py", "train", "a2c", "Broken-v0", *LONG, "--num-envs", "1", "--run", "run"
    command = python(*words, env={**PATHS, "A3C_LIB_PROGRESS": "on"})
    line_with("0 of", command.stdout)
    if not read:
        command.stdout.close()
    with command.stderr as stderr:
        err = stderr.read()
    if read:
        command.stdout.close()
    assert command.wait() == cli.FAILED
    assert "BrokenPipeError: the simulator has gone" in err
    assert steps_of(here / "run") == ([5 * n for n in range(1, 11)], 0)


BROKEN = """
import sys
import gymnasium
from a3c_lib.app import cli
from a3c_lib.worlds.envs import TMaze

class Broken(TMaze):
    steps = 0

    def step(self, action):
        self.steps += 1
        if self.steps > 52:
            raise BrokenPipeError("the simulator has gone")
        return super().step(action)

gymnasium.register("Broken-v0", Broken)
sys.exit(cli.main(sys.argv[1:]))
"""


def test_an_interrupt_has_effect_while_workers_import(begun, here):
    command = begun("a3c", MAZE, *LONG, env={"SLOW": "1"}.items())
    workers = {int(pid) for pid in line_with("begins", command.stdout)[1:]}
    wait_until(lambda: noted(here, "importing") == workers)
    os.killpg(command.pid, signal.SIGINT)
    out, err = command.communicate()
    assert command.returncode == 130, err
    assert "Stopped after 0 steps, and kept." in out
    assert "stopping after this update" in err
    assert not any(map(alive, workers))


@pytest.mark.parametrize("algorithm", ["a3c", "parallel-a2c"])
@pytest.mark.parametrize("how", ["asleep", "in-C"])
def test_an_interrupt_has_effect_while_environments_hang(algorithm, how, begun, here):
    options = ["--num-envs", "2"] if algorithm == "parallel-a2c" else []
    command = begun(algorithm, f"Hanging/{how}-v0", *options, *LONG)
    workers = {int(pid) for pid in line_with("begins", command.stdout)[1:]}
    wait_until(lambda: noted(here, "hangs") == workers)
    os.killpg(command.pid, signal.SIGTERM)
    out, err = command.communicate()
    assert command.returncode == 143, err
    assert "Stopped after 0 steps, and kept." in out
    assert "stopping after this update" in err
    assert not any(map(alive, workers))


@pytest.mark.skipif(sys.platform != "linux", reason="as Linux closes a terminal")
def test_a_terminal_that_is_closed_keeps_the_run(begun, here):
    ours, theirs = os.openpty()
    command = begun("a3c", MAZE, *LONG, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    with os.fdopen(ours) as terminal:
        workers = line_with("begins", terminal)[1:]
        line_with("twenty", terminal)
    assert command.wait() == 129
    rows, kept = steps_of(here / "run")
    assert rows[-1] == kept
    assert len(rows) >= 20
    assert not any(map(alive, workers))


@pytest.mark.parametrize("begins", [["-m", "a3c_lib"], ["a3c-lib"]], ids=lambda words: words[-1])
def test_an_interrupt_while_the_command_is_imported_is_not_answered_by_a_traceback(
    begins, python, here
):
    (here / "torch.py").write_text("import time\nprint('imports', flush=True)\ntime.sleep(600)\n")
    (here / "a3c-lib").write_text("import sys\nfrom a3c_lib.__main__ import main\nsys.exit(main())")
    paths = os.pathsep.join([str(here), PATHS["PYTHONPATH"]])
    command = python(*begins, "--version", env={**PATHS, "PYTHONPATH": paths})
    line_with("imports", command.stdout)
    command.send_signal(signal.SIGINT)
    assert command.communicate() == ("", "")
    assert command.returncode == -signal.SIGINT  # of which a shell makes 130
