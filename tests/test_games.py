"""Long runs of games are recorded as they were played."""

import csv
import json
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from a3c_lib import a2c, parallel_a2c
from a3c_lib.app.cli import parsed
from a3c_lib.app.plan import Network, Plan, Screen
from a3c_lib.app.runs import Run
from a3c_lib.evaluation import evaluate
from claims.games import __main__ as command, playing, records
from claims.games.playing import play
from claims.games.series import SERIES, Series, with_seed
from claims.recording import commit


def test_a_curve_has_the_mean_of_the_latest_games(monkeypatch):
    monkeypatch.setattr(records, "EVERY", 10)
    monkeypatch.setattr(records, "LATEST", 3)
    scores = [[], [], [], [1.0], [], [2.0, 4.0], [], [6.0]]
    updates = [
        SimpleNamespace(
            steps=5 * (i + 1),
            seconds=60.0 * i,
            episodes=len(of_update),
            episode_return=sum(of_update) / len(of_update) if of_update else float("nan"),
            entropy=i,
            explained_variance=0.5,
            gradient_norm=1.0,
        )
        for i, of_update in enumerate(scores)
    ]
    rows = list(records.curve(updates))
    assert [row["steps"] for row in rows] == [20, 30, 40]  # no game had ended by 10
    assert [row["games"] for row in rows] == [1, 3, 4]
    assert [row["minutes"] for row in rows] == [3, 5, 7]
    assert [row["score"] for row in rows] == [1.0, (1 + 3 + 3) / 3, (3 + 3 + 6) / 3]
    assert [row["entropy"] for row in rows] == [3, 5, 7]
    assert "epsilon" not in rows[0]  # these updates have none


@pytest.fixture
def series(monkeypatch):
    """Two seeds of a few steps of Pong, with games of ten steps."""
    monkeypatch.setattr(records, "EVERY", 10)
    config = a2c.Config(total_steps=40, num_envs=2, t_max=5)
    screen = Screen(max_frames=40, noop_max=0)
    plan = Plan("a2c", "atari:pong", config, Network(hidden=(4,)), screen)
    return Series("Pong is played.", {"A few": plan}, seeds=(3, 4), keeps=("A few", 4))


def test_a_series_is_played_and_recorded(series, tmp_path):
    runs = series.runs_in(tmp_path / "runs")
    assert [(run.folder.name, run.plan.config.seed) for run in runs] == [
        ("a-few-3", 3),
        ("a-few-4", 4),
    ]
    for run in runs:
        assert not playing.finished(run.folder)
        playing.play(run.plan, run.folder)
        assert playing.finished(run.folder)
    records.store("small", series, tmp_path / "runs", tmp_path / "records")
    about = json.loads((tmp_path / "records" / "small.json").read_text())
    assert about["config"] == records.config(series)
    assert about["config"]["all"]["total_steps"] == 40
    assert about["seeds"] == 2
    assert about["runs"]["a-few-4"]["commit"] == commit()
    with (tmp_path / "records" / "small.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["seed"], row["steps"]) for row in rows] == [
        (seed, steps) for seed in "34" for steps in ("20", "30", "40")
    ]
    assert {row["setting"] for row in rows} == {"A few"}
    ours, kept = Run.open(runs[1].folder).model(), Run.open(tmp_path / "records" / "small").model()
    for mine, theirs in zip(ours.parameters(), kept.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_a_series_is_recorded_run_by_run_here_and_elsewhere(series, tmp_path):
    """What one machine has recorded stays, word for word, when another one records the rest."""
    here, elsewhere, kept = tmp_path / "here", tmp_path / "elsewhere", tmp_path / "records"
    assert records.recorded("small", series, kept) == {}
    (first, _), (_, second) = series.runs_in(here), series.runs_in(elsewhere)
    playing.play(first.plan, first.folder)
    records.store("small", series, here, kept)
    lines = (kept / "small.csv").read_text().splitlines()
    assert set(records.recorded("small", series, kept)) == {"a-few-3"}
    assert not (kept / "small").exists()  # seed 4 is the one that is kept

    playing.play(second.plan, second.folder)
    records.store("small", series, elsewhere, kept)
    assert (kept / "small.csv").read_text().splitlines()[: len(lines)] == lines
    both = records.recorded("small", series, kept)
    assert set(both) == {"a-few-3", "a-few-4"}
    about = json.loads((kept / "small.json").read_text())
    assert about["seconds"] == sum(note["seconds"] for note in both.values())
    assert (kept / "small" / "checkpoint.pt").exists()

    others = series._replace(plans={"A few": with_seed(first.plan, 0)._replace(env="atari:boxing")})
    assert records.recorded("small", others, kept) == {}  # a record of another game


@pytest.mark.parametrize("again", [False, True])
def test_the_command_plays_what_a_record_lacks(series, tmp_path, monkeypatch, again):
    monkeypatch.setattr(command, "SERIES", {"small": series})
    monkeypatch.setattr(command, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(command, "GAMES", kept := tmp_path / "records")
    first, _ = series.runs_in(tmp_path / "runs" / "small")
    playing.play(first.plan, first.folder)
    records.store("small", series, tmp_path / "runs" / "small", kept)
    played = []
    monkeypatch.setattr(
        command, "play", lambda plan, folder: played.append(folder.name) or play(plan, folder)
    )
    monkeypatch.setattr("sys.argv", ["games", "small", *["--again"] * again])
    assert command.main() == 0
    assert played == (["a-few-3"] if again else []) + ["a-few-4"]
    assert set(records.recorded("small", series, kept)) == {"a-few-3", "a-few-4"}
    played.clear()
    monkeypatch.setattr("sys.argv", ["games", "small"])
    assert command.main() == 0
    assert played == []


def test_a_finished_run_is_left_alone_and_an_interrupted_one_goes_on(series, tmp_path, monkeypatch):
    (run, _), played = series.runs_in(tmp_path), []

    def interrupted(*args, **options):
        for update in record(*args, **options):
            played.append(update.steps)
            yield update
            if update.steps == 20:
                raise KeyboardInterrupt

    record = playing.record
    monkeypatch.setattr(playing, "record", interrupted)
    with pytest.raises(KeyboardInterrupt):
        playing.play(run.plan, run.folder)
    assert not playing.finished(run.folder)
    monkeypatch.setattr(playing, "record", record)
    playing.play(run.plan, run.folder)
    assert playing.notes(run.folder)["resumed"]
    assert Run.open(run.folder).metrics()[-1].steps == 40
    monkeypatch.setattr(Plan, "train", None)  # it would fail if anything were trained
    playing.play(run.plan, run.folder)


def test_a_run_of_other_settings_is_not_taken_for_this_one(series, tmp_path):
    (run, other) = series.runs_in(tmp_path)
    playing.play(run.plan, run.folder)
    with pytest.raises(ValueError, match=r"a-few-3 is a run with other settings .* --again"):
        playing.play(other.plan, run.folder)


def test_memory_is_not_told_everywhere(monkeypatch):
    monkeypatch.setattr(playing, "_share", lambda pid: Path(f"/nowhere/{pid}").read_text())
    assert playing.megabytes(SimpleNamespace(pids={})) is None


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="a file of Linux's")
def test_memory_is_told():
    training = SimpleNamespace(pids={})
    assert 50 < playing.megabytes(training) < 10_000


RECORDED = sorted(
    path.stem for path in records.GAMES.glob("*.csv") if not path.stem.endswith("_search")
)


RECORDED_BIT_BY_BIT = {"six_games"}  # no page shows it before all are there


def csv_rows(name):
    with (records.GAMES / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", RECORDED)
def test_a_record_is_of_the_series_as_it_stands(name):
    about, series = json.loads((records.GAMES / f"{name}.json").read_text()), SERIES[name]
    assert about["claim"] == series.claim
    assert about["config"] == records.config(series)
    runs = {run.folder.name: run for run in series.runs_in(playing.RUNS)}
    assert set(about["runs"]) == runs.keys() or name in RECORDED_BIT_BY_BIT
    of_rows = {(row["setting"], row["seed"]) for row in csv_rows(name)}
    assert of_rows == {(runs[key].setting, str(runs[key].seed)) for key in about["runs"]}
    assert not any("dirty" in note["commit"] for note in about["runs"].values())


def test_every_record_of_games_belongs_to_a_series():
    assert set(RECORDED) <= SERIES.keys()


def test_the_network_that_is_kept_plays_pong():
    run = Run.open(records.GAMES / "pong")
    result = evaluate(run.model(), run.plan.world(), episodes=2, seed=7, num_envs=2)
    assert result.mean > 0  # who plays at random is at -20


def test_the_command_that_chapter_07_prints_trains_the_series_pong():
    page = (playing.ROOT / "solutions" / "07_atari.py").read_text("utf-8")
    (block,) = re.findall(r"# ```sh\n# a3c-lib (train parallel-a2c .*?)# ```", page, re.DOTALL)
    command = parsed(shlex.split(block.replace("\\\n# ", " "))).begin
    (first, *_) = SERIES["pong"].runs_in(Path("runs"))
    assert command.config == first.plan.config
    assert command.network == first.plan.network
    assert command.screen == first.plan.screen
    assert command.env == first.plan.env
    recipe = re.search(r"^recipe = (parallel_a2c\.Config\(.*?^\))", page, re.DOTALL | re.MULTILINE)
    assert eval(recipe[1], {"parallel_a2c": parallel_a2c}) == first.plan.config
