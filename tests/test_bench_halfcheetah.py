"""HalfCheetah's benchmark: its tables, that both sides do the same work, and the scores. Nothing is
timed."""

import os
import pickle
import runpy
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from a3c_lib.returns import n_step_returns
from bench import __main__ as command, baselines, halfcheetah, measuring, scores
from bench.measuring import THREADS, side_by_side
from bench.tables import AS_THE_ZOO, ENVIRONMENT, RATE, RETURN, read, write

pytest.importorskip("mujoco", reason="not installed: pip install mujoco")

# Tables


def rates(name, kind, *values):
    return [
        {
            "quantity": RATE,
            "kind": kind,
            "line": name,
            "repetition": number,
            "value": value,
            "steps": "",
            "seconds": "",
        }
        for number, value in enumerate(values)
    ]


def scored(name, kind, *seeds):
    """Evaluations every 50 steps, a list of scores for each seed."""
    return [
        {
            "quantity": RETURN,
            "kind": kind,
            "line": name,
            "repetition": seed,
            "value": score,
            "steps": 50 * number,
            "seconds": 0.5 * number,
        }
        for seed, way in enumerate(seeds)
        for number, score in enumerate(way, start=1)
    ]


RATES = [
    *rates(ENVIRONMENT, "part", 5000.0, 5000.0),
    *rates(f"a2c, {AS_THE_ZOO}", "ours", 1000.0, 1000.0),
    *rates("a2c, many", "ours", 4000.0, 6000.0),
    *rates("a3c, 2 workers", "ours", 2000.0, 2000.0),
]
THEIR_RATES = rates("theirs, 1 thread", "theirs", 1000.0, 1000.0)
SCORES = [
    *scored("a2c", "ours", [100.0, 3041.0], [50.0, 3040.0], [70.0, 5000.0]),
    *scored("a3c", "ours", [2000.0], [1000.0]),
]
THEIR_SCORES = scored("theirs", "theirs", [900.0, 3500.0])
ROWS = [*RATES, *THEIR_RATES, *THEIR_SCORES, *SCORES]


def test_the_whole_report():
    assert scores.text(ROWS, cores=2).splitlines() == [
        "                                 steps/s  lowest – highest  × stable-baselines3  of the environment",
        "environment, on each of 2 cores    5,000     5,000 – 5,000",
        "a2c, as the zoo                    1,000     1,000 – 1,000                 1.00                 10%",
        "a2c, many                          5,000     4,000 – 6,000                 5.00                 50%",
        "a3c, 2 workers                     2,000     2,000 – 2,000                 2.00                 20%",
        "theirs, 1 thread                   1,000     1,000 – 1,000                 1.00                 10%",
        "",
        "                               score after 100 steps  lowest – highest  3,041 or more",
        "theirs                                         3,500     3,500 – 3,500   1 of 1 seeds",
        "a2c                                            3,041     3,040 – 5,000   2 of 3 seeds",
        "a3c                                            1,500     1,000 – 2,000   0 of 2 seeds",
        "rl-baselines3-zoo's own agent            3,041 ± 157",
        "",
        "a2c, many: 5.00 times the steps per second of theirs, 1 thread (4.00 – 6.00); aim: at least 3.0, reached",
        "a3c, 2 workers: 2.00 times the steps per second of theirs, 1 thread (2.00 – 2.00); aim: at least 3.0, not reached",
        "a2c: a score of 3,041 in the median of 3 seeds; aim: at least 3,041, reached",
        "a3c: a score of 1,500 in the median of 2 seeds; aim: at least 3,041, not reached",
    ]


def test_without_stable_baselines3_the_scores_are_told_all_the_same():
    told = scores.text([*RATES, *SCORES], cores=2)
    assert "theirs" not in told
    assert "times the steps" not in told
    assert "a2c: a score of 3,041 in the median of 3 seeds" in told


@pytest.mark.parametrize("with_theirs", [True, False])
def test_the_figure_names_every_line_and_draws_every_seed(with_theirs):
    rows = ROWS if with_theirs else [*RATES, *SCORES]
    figure = scores.figure(rows, cores=2)
    bars, curves = figure.axes
    named = [label.get_text() for label in bars.get_yticklabels()]
    ours = [f"a2c, {AS_THE_ZOO}", "a2c, many", "a3c, 2 workers"]
    assert named == ours + ["theirs, 1 thread"] * with_theirs
    written = {text.get_text() for text in curves.texts}
    assert {"a2c", "a3c", "3,041"} <= written
    assert ("theirs" in written) == with_theirs
    thick = [line.get_ydata().tolist() for line in curves.lines if line.get_linewidth() > 2]
    assert thick[-2:] == [[70.0, 3041.0], [1500.0]]  # the medians over the seeds
    dots = [line for line in curves.lines if line.get_marker() == "o"]
    assert len(dots) == 5 + with_theirs
    plt.close(figure)


def test_a_table_is_read_as_it_was_written(tmp_path):
    write(tmp_path / "t.csv", {"cores": 2}, ROWS)
    assert read(tmp_path / "t.csv")[1] == ROWS


def test_rates_and_scores_are_rows_of_one_table(monkeypatch):
    told = []
    monkeypatch.setattr(command, "rate_rows", lambda *_: [{"quantity": RATE, "value": 1.0}])
    monkeypatch.setattr(halfcheetah, "learn", lambda *how: told.append(how) or [{"steps": 5}])
    rows = command.measure_halfcheetah(command.FULL)
    assert rows == [{"quantity": RATE, "value": 1.0, "steps": "", "seconds": ""}, {"steps": 5}]
    assert told == [(command.FULL.seeds, 1_000_000)]


# What is measured


@pytest.mark.parametrize("line", halfcheetah.lines(), ids=lambda line: line.name)
def test_a_line_reaches_a_process_of_its_own(line):
    assert pickle.loads(pickle.dumps(line)).name == line.name


def test_their_lines_are_left_out_where_it_is_missing(monkeypatch):
    assert [line.kind for line in halfcheetah.lines()].count("theirs") == len(THREADS)
    monkeypatch.setattr(baselines, "installed", lambda: False)
    assert {line.kind for line in halfcheetah.lines()} == {"part", "ours"}


def test_tasks_run_in_processes_of_their_own_with_one_thread():
    threads, *pids = side_by_side([torch.get_num_threads, os.getpid, os.getpid])
    assert threads == 1
    assert len({*pids, os.getpid()}) == 3


class Told:
    """Stands for processes: runs in this one, and remembers who ran beside whom."""

    def __init__(self):
        self.together = []

    def side_by_side(self, tasks):
        self.together.append([(task.line, task.seed) for task in tasks])
        return [task() for task in tasks]

    def in_fresh_processes(self, processes, threads, task):
        assert (processes, threads) == (1, 1)
        return self.side_by_side([task])


@pytest.mark.parametrize("with_theirs", [True, False])
def test_a3c_has_the_machine_for_itself_and_a2c_does_not(monkeypatch, with_theirs):
    told = Told()
    monkeypatch.setattr(halfcheetah, "side_by_side", told.side_by_side)
    monkeypatch.setattr(halfcheetah, "in_fresh_processes", told.in_fresh_processes)
    monkeypatch.setattr(baselines, "installed", lambda: with_theirs)
    way = [{"steps": 7, "seconds": 0.5, "value": 1.0}]
    monkeypatch.setattr(halfcheetah, "our_course", lambda *_: way)
    monkeypatch.setattr(halfcheetah, "their_course", lambda *_: way)
    rows = halfcheetah.learn(4, 10)
    theirs = [(halfcheetah.SB3, 0)] * with_theirs
    of_a2c = [("a2c", seed) for seed in range(4)]
    assert told.together == [theirs + of_a2c, [("a3c", 0)], [("a3c", 1)], [("a3c", 2)]]
    assert rows[-1] == scored("a3c", "ours", [], [], [1.0])[0] | {"steps": 7, "seconds": 0.5}


@pytest.mark.parametrize(("cores", "shares"), [(1, 1), (2, 2), (3, 2), (6, 4), (8, 8), (12, 8)])
def test_a2cs_environments_are_split_evenly_on_any_machine(monkeypatch, cores, shares):
    """Among as many processes as divide them: the most that there are cores for."""
    monkeypatch.setattr(measuring, "CORES", cores)
    again = runpy.run_path(halfcheetah.__file__, run_name="bench.halfcheetah")
    assert again["SHARES"] == shares
    with again["our_parallel_a2c"](0, 1)[1] as training:
        assert training.config.num_workers == shares


@pytest.mark.parametrize(
    "trainer", [halfcheetah.our_a2c, halfcheetah.our_a3c, halfcheetah.our_parallel_a2c]
)
def test_a_way_of_ours_is_evaluated_up_to_its_budget(monkeypatch, trainer):
    monkeypatch.setattr(halfcheetah, "EPISODES", 1)
    course = halfcheetah.our_course(trainer, every=100, seed=3, steps=200)
    assert 200 <= course[-1]["steps"] < 400
    assert all(-1000 < row["value"] < 1000 for row in course)


# The same work


def test_theirs_has_the_settings_of_the_zoo():
    model = baselines.halfcheetah(halfcheetah.cheetah, seed=0)
    envs = model.get_vec_normalize_env()
    assert (envs.norm_obs, envs.norm_reward, envs.gamma, envs.num_envs) == (True, True, 0.99, 1)
    assert (model.n_steps, model.learning_rate, model.gae_lambda) == (5, 7e-4, 1.0)
    assert isinstance(model.policy.optimizer, torch.optim.RMSprop)
    ours = halfcheetah.network(0)
    assert sum(p.numel() for p in ours.parameters()) == sum(
        p.numel() for p in model.policy.parameters()
    )


def test_their_policy_sees_what_its_environments_would_show_it():
    model = baselines.halfcheetah(halfcheetah.cheetah, seed=0)
    envs = model.get_vec_normalize_env()
    envs.obs_rms.mean[:], envs.obs_rms.var[:] = 3.0, 4.0
    seen = np.full((2, 17), 5.0)  # one deviation above the mean
    actions = baselines.mean_action(model, seen)
    np.testing.assert_allclose(actions, model.predict(np.ones((2, 17)), deterministic=True)[0])
    assert not np.allclose(actions, model.predict(seen, deterministic=True)[0])
    assert (envs.obs_rms.mean == 3.0).all()


def test_our_policy_is_evaluated_with_its_mean_and_learns_nothing_from_it():
    model = halfcheetah.network(seed=1)
    model.torso[0].take_in(torch.randn(100, 17))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    seen = np.random.default_rng(0).normal(size=(3, 17))
    actions = halfcheetah.mean_action(model, seen)
    features = model.torso.eval()(torch.from_numpy(seen))
    expected = model.policy_head.linear(features)
    np.testing.assert_allclose(actions, expected.detach().numpy(), rtol=1e-5)
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())


def test_an_environment_is_made_without_a_word_and_leaves_no_file(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    halfcheetah.cheetah()
    halfcheetah.make_envs(halfcheetah.cheetah, 2).close()
    assert capfd.readouterr() == ("", "")
    assert not any(tmp_path.iterdir())


def test_a_score_is_of_whole_episodes_and_of_the_rewards_as_they_are(monkeypatch):
    monkeypatch.setattr(halfcheetah, "EPISODES", 1)
    push = np.full((1, 6), 2.0, np.float32)  # beyond what the motors can: it is clipped
    score = halfcheetah.evaluated(lambda _: push, seed=1, number=4)
    env = halfcheetah.cheetah()
    env.reset(seed=20_004)
    assert score == pytest.approx(sum(env.step(np.ones(6, np.float32))[1] for _ in range(1000)))


def test_the_first_policy_is_as_uncertain_as_it_is_told_and_does_about_nothing():
    pi = halfcheetah.network(seed=0).logits(torch.randn(4, 17))
    torch.testing.assert_close(pi.deviation.log(), torch.full((4, 6), halfcheetah.LOG_DEVIATION))
    assert pi.mean.abs().max() < 0.1


def test_targets_are_of_rewards_that_are_scaled():
    r, v, no = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [3.0]]), torch.zeros(2, 1) > 0
    ours = partial(halfcheetah.scaled, n_step_returns)
    torch.testing.assert_close(
        ours(r, v, no, no, 0.5), n_step_returns(halfcheetah.REWARD * r, v, no, no, 0.5)
    )
    assert not torch.equal(ours(r, v, no, no, 0.5), n_step_returns(r, v, no, no, 0.5))


def test_advantages_are_normalised_and_are_constants_for_the_policy():
    model = halfcheetah.network(seed=0).double()
    seen, actions = torch.randn(8, 17).double(), torch.randn(8, 6).double()
    policy, values = model(seen)
    returns = torch.arange(8.0).double()
    loss = halfcheetah.loss_of_normalised_advantages(policy, values, actions, returns)
    A = (returns - values).detach()
    A = (A - A.mean()) / A.std()
    expected = -(policy.log_prob(actions) * A).mean()
    torch.testing.assert_close(loss.policy, expected)
    torch.testing.assert_close(
        loss.total, expected + halfcheetah.VALUE_WEIGHT * (returns - values).square().mean()
    )
    heads = [model.policy_head.linear.weight, model.value_head.weight]
    ours = torch.autograd.grad(loss.policy, heads, allow_unused=True, retain_graph=True)
    assert ours[1] is None  # none of the policy's part flows into the critic
    torch.testing.assert_close(ours[0], torch.autograd.grad(expected, heads[:1])[0])
