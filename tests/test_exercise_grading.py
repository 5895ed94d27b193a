"""Notebooks as learners hand them in, run in a kernel and graded."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from small_exercises import ALL

from a3c_lib.exercises.__main__ import main
from a3c_lib.exercises.engine import grading, registry

BEGINNING = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import small_exercises, torch
from a3c_lib.exercises import assert_solved, exercise, progress, whose
from a3c_lib.exercises.engine import registry
del registry.MODULES[9]
small = registry.added(*small_exercises.ALL)
small.__enter__()
"""

RIGHT_RETURNS = """
@exercise("9.1")
def returns(rewards, gamma):
    if len(rewards) == 1:
        return rewards.clone()
    rest = returns(rewards[1:], gamma)
    return torch.cat([rewards[:1] + gamma * rest[:1], rest])
"""

RIGHT_LOSS = """
@exercise("9.2")
def loss(prediction, target):
    return ((prediction - target.detach()) ** 2).mean()
"""


@pytest.fixture(autouse=True)
def small_exercises_are_there(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delitem(registry.MODULES, 9)  # the chapter of the small ones, here
    with registry.added(*ALL):
        yield


def notebook(path: Path, *cells: str) -> Path:
    cells_ = [new_code_cell(source.strip()) for source in (BEGINNING, *cells)]
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Homework"), *cells_]), path)
    return path


def graded(path: Path, **options: Any) -> dict[str, tuple[str, str]]:
    """By exercise: the verdict and its message, without line breaks."""
    results = grading.grade(path, **options)["exercises"]
    return {
        exercise_id: (result["verdict"], " ".join(result["message"].split()))
        for exercise_id, result in results.items()
    }


def test_a_notebook_half_done_is_graded_to_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = notebook(
        tmp_path / "a copy of mine (2).ipynb",
        '@exercise("9.1")\ndef returns(rewards, gamma):\n    ...',
        RIGHT_RETURNS,
        "undefined + 1",
        """
# @exercise("9.7") is only mentioned here
@exercise(exercise_id="9.2")
def loss(prediction, target):
    error = prediction - target
    return error.nothing()
""",
        'print("✓ 9.3 factorial: right. Checked on 2 cases.")',
        '@exercise("9.3")\ndef factorial(n:\n    return 1',
        '@exercise("9.4")\nclass Average:\n    """The average."""\n    def add(self, x): ...\n',
    )
    assert main(["grade", str(path)]) == 1
    printed = capsys.readouterr()
    assert printed.err == ""
    report = json.loads(printed.out)
    assert (report["file"], report["solved"], report["total"]) == (str(path), 1, 4)
    results = report["exercises"]
    assert {each: result["verdict"] for each, result in results.items()} == {
        "9.1": "right",
        "9.2": "raised",
        "9.3": "not checked",
        "9.4": "not attempted",
    }
    message = results["9.2"]["message"]
    assert "it raised AttributeError" in message
    assert "line 5, in loss: return error.nothing()" in " ".join(message.split())
    assert "ipykernel" not in message
    assert "its cell raised SyntaxError" in results["9.3"]["message"]


@pytest.mark.parametrize(
    ("source", "mentioned"),
    [
        ('@exercise("9.1")', ["9.1"]),
        ("@exercise(exercise_id='9.1')", ["9.1"]),
        ('f = book.exercise(\n    run_mine=True, exercise_id = "9.1"\n)(f)', ["9.1"]),
        ('hint("9.2"); exercise("9.1", run_mine=True)(f)', ["9.1"]),
        ('%time exercise("9.1")(it\'s)', ["9.1"]),
        ("@exercise('9.1')\ndef f(:\n    ...", ["9.1"]),
        ("'as in @exercise(\"9.7\")'", []),
        ('"as in \\" @exercise(\'9.7\')"', []),
        ('"""As in\n@exercise("9.7")\n"""\n@exercise("9.1")', ["9.1"]),
        ("'''As in\n@exercise('9.7')\n'''", []),
        ('text = "#"; exercise("9.1")(f)  # not exercise("9.7")', ["9.1"]),
        ('my_exercise("9.7")', []),
    ],
)
def test_an_exercise_counts_where_code_checks_it(source: str, mentioned: list[str]) -> None:
    assert grading.mentions(source) == mentioned


def test_what_is_right_in_a_kernel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = notebook(
        tmp_path / "solved.ipynb",
        "scale = 1",
        RIGHT_RETURNS.replace("rest = returns", "rest = scale * returns"),
        'assert whose(returns) == "your code"\nassert_solved("9.1")',
        RIGHT_LOSS,
        """
@exercise("9.3")
def factorial(n: int) -> int:
    \"\"\"n · (n − 1) · … · 1\"\"\"
    # adds where it should multiply
    return 1 if n == 0 else n + factorial(n - 1)
""",
        'assert factorial(4) == 24 and whose(factorial) == "the reference"',
        """
@exercise("9.3")
def factorial(n: int) -> int:
    return 1 if n == 0 else n * factorial(n - 1)
""",
        """
@exercise("9.4")
class Average:
    def __init__(self):
        self.numbers = []
    def add(self, number):
        self.numbers.append(number)
    def value(self):
        return sum(self.numbers) / len(self.numbers)
""",
        "open('ran.txt', 'w').write('to its end')",
    )
    assert main(["grade", str(path)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["solved"] == report["total"] == 4
    assert (tmp_path / "ran.txt").read_text() == "to its end"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["ran.txt", "solved.ipynb"]


def test_an_endless_loop_and_a_dead_kernel_do_not_stop_the_grading(tmp_path: Path) -> None:
    path = notebook(
        tmp_path / "endless.ipynb",
        """
import signal

@exercise("9.1")
def returns(rewards, gamma):
    signal.raise_signal(signal.SIGINT)  # the learner's, or the grader's when time is up
    while True:
        pass
""",
        RIGHT_LOSS,
        "import os; os._exit(1)",
        '@exercise("9.3")\ndef factorial(n):\n    return 1',
    )
    results = graded(path)
    assert results["9.1"] == ("not checked", "its cell ran out of time and was interrupted")
    assert results["9.2"][0] == "right"
    assert results["9.3"] == ("not checked", "the kernel died")
    assert results["9.4"] == ("not checked", "the notebook has no cell for it")


def without_checking(path: Path, *cells: str) -> Path:
    """A notebook that begins quickly: it mentions an exercise, and imports nothing."""
    cells_ = [new_code_cell(source) for source in ("False and exercise('9.1')", *cells)]
    nbformat.write(new_notebook(cells=cells_), path)
    return path


SWALLOWS = """
import time
while True:
    try: time.sleep(1000)
    except: pass
"""
IGNORES = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
while True: pass
"""


@pytest.mark.parametrize("stuck", [SWALLOWS, IGNORES], ids=["except", "ignored"])
def test_a_cell_that_cannot_be_interrupted_is_killed(
    stuck: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grading, "PATIENCE", 0.2)
    path = without_checking(tmp_path / "stuck.ipynb", stuck, "open('later', 'w').close()")
    results = graded(path, timeout=2)
    assert results["9.1"] == (
        "not checked",
        "a cell ran for more than 2 s and could not be interrupted",
    )
    assert not (tmp_path / "later").exists()


LEAVES_A_CHILD = """
import os, subprocess, sys
command = [sys.executable, "-c", "import time; time.sleep(1000)"]
child = subprocess.Popen(command, start_new_session=True)  # out of the kernel's reach
with open("child", "w") as file:
    print(child.pid, file=file)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for a process in /proc")
@pytest.mark.parametrize("end", ["", "os._exit(1)"], ids=["in order", "dies"])
def test_no_process_of_the_notebook_outlives_the_grading(end: str, tmp_path: Path) -> None:
    graded(without_checking(tmp_path / "parent.ipynb", LEAVES_A_CHILD + end))
    assert not alive(int((tmp_path / "child").read_text()))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_what_a_notebooks_processes_print_is_not_in_the_report(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = without_checking(
        tmp_path / "loud.ipynb", "import os; os.system('echo shout; echo shout >&2')"
    )
    assert main(["grade", str(path)]) == 1
    printed = capfd.readouterr()
    assert json.loads(printed.out)["solved"] == 0
    assert "shout" not in printed.out + printed.err


LINE = json.dumps({"id": "9.1", "verdict": "right", "message": "✓"}).encode() + b"\n"


def test_the_last_verdict_counts_and_a_line_that_breaks_off_does_not(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    assert grading.collected(path) == {}
    path.write_bytes(LINE.replace(b"right", b"wrong") + LINE + LINE.replace(b"9.1", b"9.2")[:-9])
    assert grading.collected(path) == {"9.1": {"verdict": "right", "message": "✓"}}


@pytest.mark.parametrize(
    "content",
    [
        b"garbage\n",
        b"\xff\n",
        b"[]\n",
        b"{}\n",
        b"\n",
        b"[" * 10**5 + b"\n",
        LINE.replace(b'"right"', b"[]"),
        "folder",
        "pipe",
        "device",
    ],
    ids=lambda content: str(content[:9]),
)
def test_verdicts_that_the_notebook_spoilt_are_not_graded(
    content: bytes | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def spoil(notebook: Any, path: Path, timeout: float, scratch: Path) -> str:
        verdicts = scratch / "verdicts.jsonl"
        match content:
            case "folder":
                verdicts.mkdir()
            case "pipe":
                os.mkfifo(verdicts)
            case "device":
                verdicts.symlink_to("/dev/zero")
            case bytes():
                verdicts.write_bytes(LINE + content)
        return ""

    monkeypatch.setattr(grading, "run", spoil)
    assert main(["grade", str(notebook(tmp_path / "part.ipynb", RIGHT_LOSS))]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("the notebook ")
    assert printed.err.count("\n") == 1


def test_the_exit_code_of_what_was_not_graded_is_never_that_of_not_solved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = notebook(tmp_path / "part.ipynb", RIGHT_LOSS)
    for error, code in (RuntimeError("no such\nthing"), 2), (KeyboardInterrupt(), 130):

        def failing(*_: Any, error: BaseException = error) -> str:
            raise error

        monkeypatch.setattr(grading, "run", failing)
        assert main(["grade", str(path)]) == code
    said = capsys.readouterr().err
    assert said == f"{path} could not be graded: RuntimeError: no such thing\n"


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "inf", "soon"])
def test_a_timeout_that_is_none_is_refused(timeout: str, capsys: Any) -> None:
    with pytest.raises(SystemExit) as end:
        main(["grade", "n.ipynb", "--timeout", timeout])
    assert end.value.code == 2
    assert "argument --timeout: " in capsys.readouterr().err


def test_what_a_terminal_cannot_show_is_shown_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(grading, "run", lambda *_: "a lone \ud800")
    path = notebook(tmp_path / "part.ipynb", '@exercise("9.2")\ndef loss(): ...')
    assert main(["grade", str(path)]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["exercises"]["9.2"]["message"] == "a lone \ud800"


def test_help_says_that_the_notebook_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["grade", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "Grading runs the notebook, with all your rights" in said
    assert "can fake it" in said


def test_all_exercises_of_its_chapters_are_graded_or_those_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grading, "run", lambda *_: "")
    path = notebook(tmp_path / "part.ipynb", RIGHT_LOSS)
    assert list(graded(path)) == ["9.1", "9.2", "9.3", "9.4"]
    assert list(graded(path, only=["9.4", "9.2", "9.4"])) == ["9.4", "9.2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "is not a notebook"),
        ("<<<<<<< HEAD", "is not a notebook"),
        ('{"cells": 3}', "is not a notebook"),
        ("[]", "is not a notebook"),
        (json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), "no exer"),
    ],
)
def test_a_file_that_cannot_be_graded_gives_one_line_and_2(
    content: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "homework.ipynb"
    if content is not None:
        path.write_text(content)
    assert main(["grade", str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert printed.err.count("\n") == 1


def test_an_exercise_that_does_not_exist_cannot_be_graded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = notebook(tmp_path / "part.ipynb", RIGHT_LOSS)
    assert main(["grade", str(path), "--only", "9.7"]) == 2
    assert "there is no exercise '9.7'; there are " in capsys.readouterr().err


def test_a_missing_nbclient_is_named_with_its_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nbclient", None)
    assert main(["grade", str(notebook(tmp_path / "part.ipynb", RIGHT_LOSS))]) == 2
    error = capsys.readouterr().err
    assert "grading needs nbclient" in error
    assert "pip install 'a3c_lib[book]'" in error
    assert error.count("\n") == 1
