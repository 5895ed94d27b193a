"""Progress is one line of text or one figure, and the run that is watched does not notice."""

import io
import math
import subprocess
import sys
from itertools import islice
from types import SimpleNamespace

import nbformat
import pytest
from nbclient import NotebookClient

from a3c_lib.figures import progress
from a3c_lib.figures.progress import live_plot, track
from a3c_lib.reinforce import Config, TabularPolicy, train

WRAPPERS = pytest.mark.parametrize("wrapper", [track, live_plot])


@pytest.fixture
def shown(monkeypatch):
    monkeypatch.delenv("A3C_LIB_PROGRESS", raising=False)


def updates(*steps, **signals):
    signals = {"episode_return": 1.0, "entropy": 0.5, **signals}
    return [SimpleNamespace(steps=s, **signals) for s in steps]


def training(total_steps=30):
    return train(TabularPolicy(4, 2), "a3c_lib/Corridor-v0", Config(total_steps=total_steps))


def last_state(text):
    """What a terminal shows in the end: a carriage return overwrites the line."""
    return [line.rpartition("\r")[2].rstrip() for line in text.removesuffix("\n").split("\n")]


@WRAPPERS
def test_updates_pass_through_unchanged(wrapper):
    given = updates(1, 2, 3)
    assert list(wrapper(given, 3)) == given


@WRAPPERS
def test_a_trainer_says_itself_how_many_steps_it_takes(wrapper):
    with training() as ours, training() as plain:
        assert list(wrapper(ours)) == list(plain)


@WRAPPERS
def test_updates_come_when_they_are_asked_for(wrapper):
    taken = []

    def generated():
        for update in updates(1, 2, 3):
            taken.append(update.steps)
            yield update

    assert len(list(islice(wrapper(generated(), 3), 2))) == 2
    assert taken == [1, 2]


def interrupted(*given):
    yield from given
    raise KeyboardInterrupt


@WRAPPERS
def test_in_a_notebook_an_interrupt_ends_the_updates_and_keeps_them(wrapper, monkeypatch, capsys):
    monkeypatch.setenv("A3C_LIB_PROGRESS", "off")
    monkeypatch.setattr(progress, "_in_notebook", lambda: True)
    monkeypatch.setattr(progress._Place, "show", lambda *_: None)
    given = updates(1, 2)
    assert list(wrapper(interrupted(*given), 3)) == given
    assert capsys.readouterr().out.startswith("Stopped here. What was learned until now is kept")


@WRAPPERS
def test_elsewhere_an_interrupt_passes_through(wrapper):
    with pytest.raises(KeyboardInterrupt):
        list(wrapper(interrupted(*updates(1, 2)), 3))


@WRAPPERS
def test_the_trainer_is_left_open(wrapper):
    with training() as ours:
        for _ in wrapper(ours):
            break
        assert not ours.player.closed
        assert next(ours).updates == 2


@WRAPPERS
@pytest.mark.parametrize("error", [KeyboardInterrupt, FloatingPointError])
def test_an_exception_passes_through(wrapper, error, shown, capsys):
    def failing():
        yield from updates(1)
        raise error("here")

    with pytest.raises(error, match="here"):
        list(wrapper(failing(), 2))
    assert capsys.readouterr().err == ""


@WRAPPERS
@pytest.mark.parametrize(
    ("total_steps", "message"),
    [(None, "total_steps is needed: the list does not say"), (0, "at least 1; got 0")],
)
def test_a_total_that_is_missing_or_none_is_named_at_once(wrapper, total_steps, message):
    with pytest.raises(ValueError, match=message):
        wrapper(updates(1), total_steps)


def test_a_live_plot_is_drawn_at_intervals_above_zero():
    with pytest.raises(ValueError, match="above 0; got 0"):
        live_plot(updates(1), 1, every=0)


# One line of text


def test_one_line_of_plain_text_is_left_on_stdout(shown, capsys):
    list(track(updates(*range(100, 1100, 100), episode_return=7.5), 1000))
    out, err = capsys.readouterr()
    first, line = last_state(out)
    assert first.startswith("0 of 1,000 |          | ")
    assert line.startswith("1,000 of 1,000 |##########| ")
    assert line.endswith("gone, 00:00 left, return 7.5")
    assert out.isascii()
    assert err == ""


@pytest.mark.parametrize("ending", ["break", "exception"])
def test_one_line_is_left_when_the_loop_is_left(ending, shown, capsys):
    try:
        for update in track(updates(100, 200, 300), 1000):
            if update.steps == 200:
                if ending == "break":
                    break
                raise RuntimeError
    except RuntimeError:
        pass
    print("after")
    _, line, after = last_state(capsys.readouterr().out)
    assert line.startswith("200 of 1,000 |##--------| ".replace("-", " "))
    assert after == "after"


def test_the_return_is_the_mean_of_the_latest_twenty_that_were_reported(shown, capsys):
    given = updates(1, episode_return=1000.0)
    given += [u for k in range(20) for u in updates(2 + k, episode_return=float(k))]
    given += updates(30, episode_return=math.nan)
    list(track(given, 30))
    assert last_state(capsys.readouterr().out)[-1].endswith("return 9.5")


def test_nothing_is_said_of_returns_before_an_episode_has_ended(shown, capsys):
    list(track(updates(1, 2, episode_return=math.nan), 2))
    assert last_state(capsys.readouterr().out)[-1].endswith("left")


def test_the_last_episode_may_go_beyond_the_total(shown, capsys):
    list(track(updates(600, 1200), 1000))
    assert last_state(capsys.readouterr().out)[-1].startswith("1,200 of 1,000 |##########| ")


def test_a_resumed_run_is_as_fast_as_its_own_steps(shown, monkeypatch):
    bars = []
    monkeypatch.setattr(progress, "tqdm", lambda **options: bars.append(options) or Silent())

    class Resumed:
        steps, total_steps = 900, 1000

        def __iter__(self):
            return iter(updates(950, 1000))

    list(track(Resumed()))
    assert bars[0]["initial"] == 900
    assert bars[0]["desc"] == "900 of 1,000"


class Silent:
    n = 900
    postfix = ""

    def set_description_str(self, *_, **__):
        pass

    update = close = set_description_str


@pytest.fixture
def clock(monkeypatch):
    """The bar's time, which goes on only as far as a test says."""
    seconds = [0.0]
    monkeypatch.setattr("tqdm.std.time", lambda: seconds[0])
    return seconds


def test_a_terminal_is_written_to_while_the_run_goes_on(shown, monkeypatch, clock):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    list(track(slowly(updates(1, 2, 3), clock, 0.6), 3))
    states = sys.stdout.getvalue().split("\r")
    assert any("1 of 3" in state for state in states)
    assert any("2 of 3" in state for state in states)


def slowly(given, clock, seconds):
    for update in given:
        clock[0] += seconds
        yield update


def test_a_file_gets_a_line_every_half_minute_and_at_the_end(shown, capsys, clock):
    list(track(slowly(updates(*range(1, 11), episode_return=7.0), clock, 10.0), 10))
    out = capsys.readouterr().out
    assert "\r" not in out
    lines = out.splitlines()
    assert [line[: line.index(" |")] for line in lines] == [
        "0 of 10",
        "3 of 10",
        "6 of 10",
        "9 of 10",
        "10 of 10",
    ]
    assert lines[1].endswith("00:30 gone, 01:10 left, return 7")


def test_it_can_be_turned_off(monkeypatch, capsys):
    monkeypatch.setenv("A3C_LIB_PROGRESS", "off")
    assert len(list(track(updates(1, 2), 2))) == 2
    assert capsys.readouterr() == ("", "")


# One figure


def test_outside_a_notebook_nothing_is_drawn(shown, capsys):
    assert len(list(live_plot(updates(1, 2), 2))) == 2
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def pictures(shown, monkeypatch):
    """What a notebook would be shown, as the names that are drawn."""
    pictures = []
    monkeypatch.setattr(progress, "_in_notebook", lambda: True)
    monkeypatch.setattr(progress._Place, "show", lambda self, data: None)
    monkeypatch.setattr(
        progress, "signals", lambda history, *, names, **rest: pictures.append(list(names))
    )
    return pictures


def test_drawn_is_what_a_trainer_reports(pictures):
    with_entropy = updates(1, 2)
    of_values = [SimpleNamespace(steps=s, episode_return=1.0, q=2.0) for s in (1, 2)]
    for run, names in (
        (with_entropy, ["episode_return", "entropy"]),
        (of_values, ["episode_return", "q"]),
    ):
        assert list(live_plot(run, 2)) == run
        assert pictures.pop() == names
    list(live_plot(of_values, 2, names=["q"]))
    assert pictures == [["q"]]


def test_a_signal_that_no_update_has_is_refused_at_the_first(pictures):
    run = iter(updates(1, 2))
    with pytest.raises(ValueError, match=r"these have none of \['loss'\]"):
        list(live_plot(run, 2, names=["entropy", "loss"]))
    assert len(list(run)) == 1
    assert pictures == []


def test_a_plain_script_does_not_even_import_ipython():
    program = """
import sys
from types import SimpleNamespace
from a3c_lib.figures.progress import live_plot
updates = [SimpleNamespace(steps=1, episode_return=1.0, entropy=0.5)]
print(len(list(live_plot(updates, 1))), "IPython" in sys.modules)
"""
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("1 False\n", "")


CELLS = {
    "a line": """
with training() as running:
    for update in track(running):
        if update.steps > 100:
            print("in between")
            break
""",
    "a figure": """
with training() as running:
    for update in live_plot(running, every=1e-9, title="It learns"):
        if update.updates == 4:
            break
""",
    "both": """
with training() as running:
    for update in live_plot(track(running), 150, every=0.05):
        pass
print("after", plt.get_fignums())
""",
    "an error": """
try:
    with training() as running:
        for update in live_plot(running):
            raise RuntimeError
except RuntimeError:
    print("after")
""",
    "nothing": """
assert list(live_plot([], 1)) == []
""",
    "off": """
os.environ["A3C_LIB_PROGRESS"] = "off"
progress._Place.show, show = lambda self, data: shows.append(data) or show(self, data), progress._Place.show
shows = []
with training() as running:
    for update in live_plot(track(running), 150, every=1e-9):
        pass
print(len(shows))
""",
}
PREPARED = """
import os
import matplotlib.pyplot as plt
from a3c_lib.figures import progress
from a3c_lib.figures.progress import live_plot, track
from a3c_lib.reinforce import Config, TabularPolicy, train

def training():
    return train(TabularPolicy(4, 2), "a3c_lib/Corridor-v0", Config(total_steps=150))
"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """Outputs of CELLS, run one after the other in one kernel."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("A3C_LIB_PROGRESS", raising=False)
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        cells = [nbformat.v4.new_code_cell(source) for source in (PREPARED, *CELLS.values())]
        book = nbformat.v4.new_notebook(cells=cells)
        NotebookClient(
            book, kernel_name="python3", timeout=120, extra_arguments=["--log-level=ERROR"]
        ).execute()
    return {name: joined(cell.outputs) for name, cell in zip(CELLS, book.cells[1:], strict=True)}


def joined(outputs):
    """The outputs, what was printed in a row as one: on a busy machine a line comes in pieces."""
    whole = []
    for output in outputs:
        if "text" in output and whole and whole[-1].get("name") == output.name:
            whole[-1].text += output.text
        else:
            whole.append(output)
    return whole


def kinds(outputs):
    return [set(output.get("data", {"stdout": 0})) for output in outputs]


def test_a_notebook_stores_nothing_on_stderr(notebook):
    streams = [o.name for outputs in notebook.values() for o in outputs if "name" in o]
    assert set(streams) == {"stdout"}


def test_a_notebook_stores_one_line(notebook):
    line, print_in_the_loop = notebook["a line"]
    text = line.data["text/plain"]
    assert set(line.data) == {"text/plain"}
    assert " of 150 |####" in text
    assert not set(text) & set("\r\n")
    assert print_in_the_loop.text == "in between\n"


def test_a_notebook_stores_one_static_figure_after_a_break_too(notebook):
    (figure,) = notebook["a figure"]
    assert set(figure.data) == {"text/html", "text/plain"}
    said = figure.data["text/plain"]
    assert said.startswith("It learns: episode_return, entropy after ")
    assert said.endswith(" of 150 steps")
    assert f'<img alt="{said}"' in figure.data["text/html"]


def test_a_line_and_a_figure_go_together_and_no_figure_stays_open(notebook):
    assert kinds(notebook["both"]) == [{"text/plain"}, {"text/html", "text/plain"}, {"stdout"}]
    assert notebook["both"][2].text == "after []\n"


def test_the_figure_stays_when_the_loop_fails(notebook):
    assert kinds(notebook["an error"]) == [{"text/html", "text/plain"}, {"stdout"}]


def test_a_run_without_updates_leaves_nothing(notebook):
    assert notebook["nothing"] == []


def test_turned_off_there_is_no_line_and_the_figure_is_drawn_once(notebook):
    assert kinds(notebook["off"]) == [{"text/html", "text/plain"}, {"stdout"}]
    assert notebook["off"][1].text == "1\n"
