"""Records must have come from the claims as they stand, and from the code as it stands."""

import json
import re
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
import torch

from a3c_lib.app import records
from a3c_lib.app.plan import ALGORITHMS
from a3c_lib.losses import a2c_loss
from claims import __main__ as command, a2c_looks, defaults, recording, stale_batches
from claims.normalised_rewards import EachByItsOwn

CLAIMS = recording.names()


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_record_is_of_the_code_as_it_stands(claim):
    assert recording.is_current(claim), f"out of date; run: python -m claims {claim}"


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_record_holds_the_settings_with_which_the_claim_runs(claim):
    about = json.loads((recording.RECORDS / f"{claim}.json").read_text())
    assert about["config"] == recording.config(claim)


def test_every_record_belongs_to_a_claim():
    assert {path.stem for path in recording.RECORDS.glob("*.csv")} == set(CLAIMS)
    assert {path.stem for path in recording.RECORDS.glob("*.json")} == set(CLAIMS)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A little project with one claim that depends on one module."""
    (tmp_path / "claims" / "records").mkdir(parents=True)
    (tmp_path / "a3c_lib").mkdir()
    write(tmp_path, "claims/small.py", CLAIM)
    write(tmp_path, "a3c_lib/used.py", "def f(x):\n    return x\n")
    write(tmp_path, "a3c_lib/unused.py", "a = 1\n")
    monkeypatch.setattr(recording, "ROOT", tmp_path)
    return tmp_path


CLAIM = '''"""A claim."""
from a3c_lib.used import f
SETTINGS = [{}]
SEEDS = range(2)
def run(seed):
    return [{"x": f(seed)}]
'''


def write(project, path, text):
    (project / path).write_text(text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a3c_lib/used.py", "def f(x):\n    return x + 1\n"),
        ("claims/small.py", CLAIM.replace("range(2)", "range(3)")),
    ],
)
def test_a_change_of_code_changes_the_fingerprint(project, path, text):
    before = recording.fingerprint("small")
    write(project, path, text)
    assert recording.fingerprint("small") != before


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a3c_lib/used.py", '"""Doc."""\n\n\ndef f(x):\n    """Doc."""\n    return x  # why\n'),
        ("a3c_lib/unused.py", "a = 2\n"),
    ],
)
def test_comments_docstrings_and_other_modules_do_not(project, path, text):
    before = recording.fingerprint("small")
    write(project, path, text)
    assert recording.fingerprint("small") == before


@pytest.fixture
def recorded(project, monkeypatch):
    """The little project with a record of its claim, each setting run in this process."""
    records = project / "claims" / "records"
    monkeypatch.setattr(recording, "RECORDS", records)
    monkeypatch.setattr(recording, "UNFINISHED", records / "unfinished")
    monkeypatch.setattr(
        recording, "_results", lambda jobs, workers: [(job, recording._run(job)) for job in jobs]
    )
    monkeypatch.setattr(recording, "_run", run_from(project))
    claim = SimpleNamespace(
        __doc__="A claim.",
        SETTINGS=[{}],
        SEEDS=range(2),
        config=lambda seed: SimpleNamespace(seed=seed, rate=0.1),
    )
    monkeypatch.setattr(recording.importlib, "import_module", lambda name: claim)
    recording.record("small", workers=1)
    return project


def run_from(project):
    def run(job):
        names = {}
        exec((project / "a3c_lib" / "used.py").read_text(), names)
        return {"rows": [{"x": names["f"](job.seed)}], "seconds": 0.0}

    return run


def test_a_record_is_kept_when_a_change_of_code_changed_no_result(recorded):
    assert recording.is_current("small")
    write(recorded, "a3c_lib/used.py", "def f(x):\n    return 1 * x\n")
    assert not recording.is_current("small")
    assert recording.confirm("small", workers=1)
    assert recording.is_current("small")


def test_what_a_clock_gave_need_not_be_the_same_again(recorded):
    claim = recording.importlib.import_module("claims.small")
    write(recorded, "a3c_lib/used.py", "def f(x):\n    return x + 1e-3\n")
    claim.CLOCKED = ("y",)
    assert not recording.confirm("small", workers=1)
    claim.CLOCKED = ("x",)
    assert recording.confirm("small", workers=1)


def test_what_a_clock_gave_is_a_column():
    for claim in CLAIMS:
        head = (recording.RECORDS / f"{claim}.csv").read_text().partition("\n")[0].split(",")
        assert set(recording.clocked(claim)) < set(head), claim


def test_a_record_is_not_kept_when_results_differ(recorded):
    write(recorded, "a3c_lib/used.py", "def f(x):\n    return x + 1e-3\n")
    assert not recording.confirm("small", workers=1)
    assert not recording.is_current("small")


def test_finished_runs_of_other_code_are_not_mixed_in(recorded, monkeypatch):
    def interrupted(jobs, workers):
        yield jobs[0], recording._run(jobs[0])
        raise KeyboardInterrupt

    monkeypatch.setattr(recording, "_results", interrupted)
    with pytest.raises(KeyboardInterrupt):
        recording.record("small", workers=1)
    (log,) = recording.UNFINISHED.iterdir()
    assert log.name == f"small-{recording.fingerprint('small')}.jsonl"
    write(recorded, "a3c_lib/used.py", "def f(x):\n    return 1 * x\n")
    assert log.name != f"small-{recording.fingerprint('small')}.jsonl"


@pytest.mark.parametrize("alone", [False, True])
def test_runs_that_are_timed_have_all_cores(recorded, monkeypatch, alone):
    claim, asked = recording.importlib.import_module("claims.small"), []
    claim.ALONE = alone

    def results(jobs, workers):
        asked.append(workers)
        return [(job, recording._run(job)) for job in jobs]

    monkeypatch.setattr(recording, "_results", results)
    recording.record("small", workers=4)
    assert asked == [1 if alone else 4]


def test_every_claim_that_has_a_clock_is_alone():
    clocks = re.compile("perf_counter|process_time")
    timed = {
        claim
        for claim in CLAIMS
        if clocks.search((recording.ROOT / "claims" / f"{claim}.py").read_text())
    }
    timed.remove("replay_worlds")  # of two runs each had a core, as it says
    assert {claim for claim in CLAIMS if recording.is_alone(claim)} == timed | {
        "adding_ones",
        "defaults",
        "lost_updates",
        "replay_family",
    }


def test_a_record_of_other_settings_is_out_of_date(recorded):
    path = recorded / "claims" / "records" / "small.json"
    about = json.loads(path.read_text())
    assert about["config"] == {"all": {"rate": 0.1}, "by setting": [{"setting": {}, "differs": {}}]}
    about["config"]["all"]["rate"] = 0.2
    path.write_text(json.dumps(about))
    assert not recording.is_current("small")


@pytest.fixture
def dated(recorded, monkeypatch):
    """The little project with a record that says of which commit it is."""
    recording.importlib.import_module("claims.small").BY_COMMIT = True
    monkeypatch.setattr(recording, "commit", lambda: "0123456789ab")
    recording.record("small", workers=1)
    return recorded


def test_a_claim_that_reaches_the_whole_package_is_dated_by_its_commit(dated):
    about = json.loads((dated / "claims" / "records" / "small.json").read_text())
    assert about["commit"] == "0123456789ab"


def test_a_dated_record_stays_when_a_line_has_changed_and_not_when_a_setting_has(dated):
    write(dated, "a3c_lib/used.py", "def f(x):\n    return x + 1\n")
    assert recording.is_current("small")
    claim = recording.importlib.import_module("claims.small")
    claim.config = lambda seed: SimpleNamespace(seed=seed, rate=0.2)
    assert not recording.is_current("small")


def test_a_dated_record_does_not_stay_when_the_claim_itself_has_changed(dated):
    write(dated, "claims/small.py", CLAIM.replace("f(seed)", "2 * f(seed)"))
    assert not recording.is_current("small")


def test_a_dated_claim_is_run_of_committed_code_alone(dated, monkeypatch):
    monkeypatch.setattr(recording, "commit", lambda: "0123456789ab-dirty")
    monkeypatch.setattr(recording, "_results", None)  # it would fail if anything were run
    for what in recording.record, recording.confirm:
        with pytest.raises(ValueError, match="small is dated by its commit; commit what was cha"):
            what("small", workers=1)


def test_a_claim_that_is_refused_does_not_keep_the_others_from_being_run(monkeypatch, capsys):
    asked = []

    def refused(name, workers):
        asked.append(name)
        if name == "first":
            raise ValueError("first is dated by its commit; commit what was changed")

    monkeypatch.setattr(command, "names", lambda: ["first", "second", "third"])
    monkeypatch.setattr(command, "is_current", lambda name: name == "second")
    monkeypatch.setattr(command, "record", refused)
    monkeypatch.setattr(command.sys, "argv", ["claims"])
    assert command.main() == 1
    assert asked == ["first", "third"]
    assert capsys.readouterr().out.splitlines() == [
        "first is dated by its commit; commit what was changed",
        "second: the record is current",
    ]


def test_a_commit_says_if_code_was_changed_since_but_records_are_none(project):
    def git(*words):
        who = "-c", "user.name=a", "-c", "user.email=a@b.c"
        subprocess.run(["git", *who, *words], cwd=project, check=True, capture_output=True)

    write(project, "claims/records/small.csv", "x\n1\n")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    clean = recording.commit()
    assert re.fullmatch("[0-9a-f]{12}", clean)
    write(project, "claims/records/small.csv", "x\n2\n")
    assert recording.commit() == clean
    write(project, "a3c_lib/used.py", "def f(x):\n    return x + 1\n")
    assert recording.commit() == f"{clean}-dirty"


def test_a_record_is_of_the_commit_with_which_its_runs_began(dated, monkeypatch):
    def and_meanwhile(jobs, workers):
        monkeypatch.setattr(recording, "commit", lambda: "fedcba987654-dirty")
        return [(job, recording._run(job)) for job in jobs]

    monkeypatch.setattr(recording, "_results", and_meanwhile)
    recording.record("small", workers=1)
    about = json.loads((dated / "claims" / "records" / "small.json").read_text())
    assert about["commit"] == "0123456789ab"


def test_runs_of_another_commit_are_not_mixed_in(dated, monkeypatch):
    def interrupted(jobs, workers):
        yield jobs[0], recording._run(jobs[0])
        raise KeyboardInterrupt

    monkeypatch.setattr(recording, "_results", interrupted)
    with pytest.raises(KeyboardInterrupt):
        recording.record("small", workers=1)
    (log,) = recording.UNFINISHED.iterdir()
    assert log.name == "small-0123456789ab.jsonl"


def test_a_dated_record_names_the_commit_that_it_is_of():
    for claim in filter(recording.is_dated, CLAIMS):
        about = json.loads((recording.RECORDS / f"{claim}.json").read_text())
        assert re.fullmatch("[0-9a-f]{12}", about["commit"]), claim


# Whom README tells of, one by one: who never learned it, and who had and has not any more.
NEVER: dict[tuple[str, str], list[int]] = {}
LOST = {
    ("a2c", "CartPole-v1"): [0],
    ("q", "CartPole-v1"): [1, 2, 3],
    ("q", "FrozenLake-v1"): [1],
    ("sarsa", "CartPole-v1"): [0, 3],
    ("n-step-q", "CartPole-v1"): [0, 3],
}


def test_with_its_defaults_every_algorithm_learns_but_for_seeds_that_are_told(monkeypatch):
    monkeypatch.chdir(recording.ROOT)
    rows = records.load("defaults").rows
    assert len(rows) == 5 * 2 * len(ALGORITHMS)
    assert {row["steps"] // 1_000 for row in rows} == {100}
    assert seeds_of(row for row in rows if not row["learned"] <= row["steps"]) == NEVER
    had = [row for row in rows if row["learned"] <= row["steps"]]
    assert seeds_of(r for r in had if r["mean"] < defaults.LEARNED[r["world"]]) == LOST


def seeds_of(rows):
    seeds: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        seeds.setdefault((row["algorithm"], row["world"]), []).append(row["seed"])
    return seeds


def test_the_bar_is_two_thirds_of_what_the_ice_allows_and_far_from_chance():
    """The most that a policy may reach on average, and what random actions do, in 100 steps."""
    ice = gym.make("FrozenLake-v1").unwrapped
    best, random = np.zeros(ice.observation_space.n), np.zeros(ice.observation_space.n)
    for _ in range(gym.spec("FrozenLake-v1").max_episode_steps):
        best = worth(ice.P, best).max(axis=1)
        random = worth(ice.P, random).mean(axis=1)
    assert best[0] == pytest.approx(0.744, abs=5e-4)
    assert random[0] == pytest.approx(0.014, abs=5e-4)
    assert defaults.LEARNED["FrozenLake-v1"] == pytest.approx(best[0] * 2 / 3, abs=0.005)


def worth(transitions, after):
    """What each action leads to, if states are worth `after` from then on.   (S) → (S, A)"""
    return np.array(
        [
            [
                sum(p * (reward + (0 if end else after[to])) for p, to, reward, end in outcomes)
                for outcomes in actions.values()
            ]
            for actions in transitions.values()
        ]
    )


def test_settings_that_all_runs_share_are_told_once():
    made = [({"b": 1}, {"rate": 1, "T": 5}), ({"b": 2}, {"rate": 2, "T": 5, "workers": 3})]
    assert recording.config_of(made) == {
        "all": {"T": 5},
        "by setting": [
            {"setting": {"b": 1}, "differs": {"rate": 1}},
            {"setting": {"b": 2}, "differs": {"rate": 2, "workers": 3}},
        ],
    }


# Claims that change one thing about another claim


@pytest.fixture
def few_looks(monkeypatch):
    """The claim on several looks, with three rollouts a run."""
    whole = a2c_looks.config

    def config(seed, looks, learning_rate):
        its = whole(seed, looks, learning_rate)
        its.training = replace(its.training, total_steps=120)
        its.evaluation = {"episodes": 5, "actions": "greedy"}
        return its

    monkeypatch.setattr(a2c_looks, "config", config)


CHANGES = list(dict.fromkeys(setting["change"] for setting in stale_batches.SETTINGS))


@pytest.mark.parametrize("change", CHANGES)
def test_with_one_step_each_time_nothing_about_looks_is_changed(few_looks, change):
    one_look = a2c_looks.run(0, looks=1, learning_rate=0.01)
    assert stale_batches.run(0, change, times=1) == one_look
    assert stale_batches.run(0, change, times=2) != one_look


def test_each_change_about_looks_is_another_one(few_looks):
    two = [stale_batches.run(0, change, times=2)[0]["moved"] for change in CHANGES]
    two += [a2c_looks.run(0, looks=2, learning_rate=0.01)[0]["moved"]]
    assert len(set(two)) == len(CHANGES) + 1


def test_corrected_the_policys_gradient_is_that_of_how_likely_actions_are_now():
    torch.manual_seed(0)
    logits = torch.randn(5, 2, 3, requires_grad=True)
    values, returns, actions = torch.randn(5, 2), torch.randn(5, 2), torch.randint(3, (5, 2))
    before = torch.randn(5, 2, 3).log_softmax(dim=-1)
    loss = stale_batches.corrected(a2c_loss, before)(logits, values, actions, returns)

    pi = logits.softmax(dim=-1).gather(-1, actions[..., None]).squeeze(-1)
    acted = before.exp().gather(-1, actions[..., None]).squeeze(-1)
    mean = (pi / acted * (returns - values)).mean()
    (found,) = torch.autograd.grad(loss.policy, logits, retain_graph=True)
    torch.testing.assert_close(found, torch.autograd.grad(-mean, logits)[0])
    rest = a2c_loss(logits, values, actions, returns)
    torch.testing.assert_close(loss.total - loss.policy, rest.total - rest.policy)


def test_what_each_change_about_looks_is_made_of():
    made = {}
    for change in CHANGES:
        its = stale_batches.config(0, change, times=8)
        made[change] = its.steps_each_time, its.rollouts_each_time, its.training.learning_rate
    assert made == {
        "corrected": (8, 1, 0.01),
        "new rollouts, old policy": (8, 8, 0.01),
        "new rollouts, newest policy": (8, 8, 0.01),
        "one long step": (1, 1, 0.08),
    }


def test_rewards_are_divided_by_the_deviation_of_their_own_environment():
    torch.manual_seed(0)
    rewards, ended = torch.randn(7, 2) * torch.tensor([1.0, 50.0]), torch.rand(7, 2) < 0.3
    assert ended[:, 0].any()
    no, targets = torch.zeros(7, 2, dtype=torch.bool), EachByItsOwn(lambda given, *_: given)
    given = [
        targets(rewards[rows], no[rows], ended[rows], no[rows], 0.5)
        for rows in (slice(3), slice(3, 7))
    ]
    for n in range(2):
        Z, so_far = [], 0.0
        for reward, end in zip(rewards[:, n].tolist(), ended[:, n], strict=True):
            Z.append(reward + 0.5 * so_far)
            so_far = 0.0 if end else Z[-1]
        torch.testing.assert_close(given[0][:, n], rewards[:3, n] / np.std(Z[:3]))
        torch.testing.assert_close(given[1][:, n], rewards[3:, n] / np.std(Z))
