"""The benchmark's arithmetic and tables, and that both sides do the same work. Nothing is timed."""

import math
import os
import pickle

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from stable_baselines3.common.atari_wrappers import MaxAndSkipEnv, WarpFrame
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack, VecTransposeImage

from a3c_lib.encoders import paper_network
from a3c_lib.worlds.atari import Game
from bench import __main__ as command, baselines, cartpole, pong, reports, scaling
from bench.measuring import (
    FOREVER,
    KEEPS_MEMORY,
    THREADS,
    Line,
    Stopwatch,
    environment,
    follow,
    in_fresh_processes,
    repeat,
)
from bench.tables import (
    AS_THE_ZOO,
    ENVIRONMENT,
    KEPT,
    RATE,
    RETURN,
    UNSHARED,
    Measured,
    best,
    rates_of,
    ratios,
    read,
    spread,
    write,
)

# Arithmetic


def test_ratios_are_of_one_round():
    assert ratios((10.0, 30.0), (5.0, 10.0)) == (2.0, 3.0)


def test_the_best_has_the_highest_median_not_the_highest_rate():
    steady, lucky = Measured("steady", "theirs", (3, 3, 3)), Measured("lucky", "theirs", (1, 2, 9))
    assert best([lucky, steady]) is steady


def test_the_median_of_what_was_not_reached():
    assert spread((1.0, math.inf, 3.0), ".1f") == ("3.0", "1.0 – –")
    assert spread((math.inf, math.inf, 3.0), ".1f")[0] == "–"


def test_a_stopwatch_counts_from_the_end_of_the_warm_up():
    times = iter([10.0, 10.5, 11.0, 12.0, 13.5])
    watch = Stopwatch(2.0, warm_up=1.0, clock=lambda: next(times))
    assert [watch.goes_on(steps) for steps in (0, 7, 20, 60, 140)] == [True] * 4 + [False]
    assert watch.rate == (140 - 20) / (13.5 - 11.0)


def test_a_process_that_keeps_its_memory_is_told_so_and_others_are_not():
    name = next(iter(KEEPS_MEMORY))
    with environment(KEEPS_MEMORY):
        assert in_fresh_processes(1, 1, os.getenv, name) == [KEEPS_MEMORY[name]]
    assert os.getenv(name) is None


def test_processes_have_the_threads_that_are_asked_for():
    assert in_fresh_processes(2, 3, torch.get_num_threads) == [3, 3]


class Limit:
    """A watch that lets so many updates pass."""

    def __init__(self, updates):
        self.left, self.told = updates, []

    def goes_on(self, steps):
        self.told.append(steps)
        self.left -= 1
        return self.left >= 0


def test_a_watch_is_told_the_steps_done():
    watch, done = Limit(3), []
    repeat(lambda: done.append(1), 4, watch)
    assert watch.told == [0, 4, 8, 12]
    assert len(done) == 3


def test_ours_and_theirs_tell_the_watch_after_every_update():
    ours, theirs = Limit(3), Limit(3)
    follow(cartpole.our_training(0, FOREVER)[1], ours)
    baselines.follow(baselines.cartpole(seed=0, **cartpole.ZOO), theirs)
    rollout = cartpole.SETTINGS["num_envs"] * cartpole.SETTINGS["t_max"]
    assert ours.told == pytest.approx([0, rollout, 2 * rollout, 3 * rollout], rel=0.1)  # dummies
    assert theirs.told == [0, 40, 80, 120]  # 8 environments, rollouts of 5 steps: the zoo's


def test_the_clock_stands_still_during_an_evaluation():
    clock = [0.0]

    def evaluate(number):
        clock[0] += 100
        return [30.0, 480.0][number]

    course = cartpole.Course(evaluate, every=50, goal=475, budget=1000, clock=lambda: clock[0])
    told = []
    for steps in (0, 40, 80, 120):  # a second for each update
        told.append(course.goes_on(steps))
        clock[0] += 1
    assert told == [True, True, True, False]
    assert course.rows == [
        {"steps": 80, "seconds": 2.0, "value": 30.0},
        {"steps": 120, "seconds": 3.0, "value": 480.0},
    ]


def test_a_course_ends_with_its_budget():
    course = cartpole.Course(lambda number: 9.0, every=50, budget=100, clock=lambda: 0.0)
    assert [course.goes_on(steps) for steps in (0, 60, 99, 100)] == [True, True, True, False]


def test_an_evaluation_is_of_first_episodes():
    left = cartpole.evaluated(lambda o: np.zeros(len(o), np.int64), seed=0, number=0)
    balanced = cartpole.evaluated(lambda o: (o[:, 2] + o[:, 3] > 0).astype(np.int64), 0, 0)
    assert 8 <= left <= 11  # a pole that is pushed one way falls within ten steps
    assert 100 < balanced <= 500


# Tables


def rate_rows(**rates):
    kinds = dict.fromkeys((ENVIRONMENT, "b", UNSHARED), "part")
    kinds |= dict.fromkeys(("theirs, 1", "theirs, 2", f"theirs, 1, {KEPT}"), "theirs")
    return [
        {
            "quantity": RATE,
            "kind": kinds.get(name, "ours"),
            "line": name,
            "repetition": number,
            "value": rate,
        }
        for name, values in rates.items()
        for number, rate in enumerate(values)
    ]


PONG = rate_rows(
    b=[1000.0, 2000.0, 1500.0],
    ours=[900.0, 1900.0, 1500.0],
    **{
        ENVIRONMENT: [1000.0, 2000.0, 1500.0],
        "theirs, 1": [200.0, 300.0, 200.0],
        "theirs, 2": [300.0, 500.0, 300.0],
        f"theirs, 1, {KEPT}": [450.0, 475.0, 500.0],
    },
)


def test_the_table_of_pong():
    assert reports.pong_text(PONG, cores=2).splitlines() == [
        "                                 steps/s  lowest – highest  × stable-baselines3  of the environment",
        "b, on each of 2 cores              1,500     1,000 – 2,000",
        "environment, on each of 2 cores    1,500     1,000 – 2,000",
        "ours                               1,500       900 – 1,900                 3.00                 48%",
        "theirs, 1                            200         200 – 300                 0.44                  8%",
        "theirs, 2                            300         300 – 500                 0.67                 12%",
        "theirs, 1, memory kept               475         450 – 500                 1.00                 17%",
        "",
        "ours: 3.80 times the steps per second of theirs, 2 (3.00 – 5.00); aim: at least 3.5, reached",
        "ours: 3.00 times the steps per second of theirs, 1, memory kept (2.00 – 4.00); aim: at least 3.5, not reached",
        "ours: 48% of what the environment alone takes (45% – 50%); aim: at least 55%, not reached",
    ]


def test_hogwild_is_compared_with_one_worker_and_with_workers_that_share_nothing():
    rows = rate_rows(
        **{
            UNSHARED: [900.0, 950.0, 900.0],
            "one": [1000.0, 1000.0, 1000.0],
            "two": [1764.0, 1862.0, 1710.0],
        }
    )
    measured = reports.speeds(rows, cores=2)
    assert reports.hogwild_sentences(measured, "two", "one", workers=2) == [
        "two: 1.76 times one worker (1.71 – 1.86); 2 workers that share nothing: 1.80 times "
        "(1.80 – 1.90); that is 98% of them (95% – 98%); aim: at least 97%, reached"
    ]
    assert reports.hogwild_sentences(measured, "three", "one", workers=2) == []


def test_hogwild_is_measured_with_the_lines_that_are_compared():
    assert {*map(pong.so_many, (1, pong.WORKERS)), UNSHARED, ENVIRONMENT} <= {
        line.name for line in pong.lines()
    }


def learned(kind, name, *seeds):
    return [
        {
            "quantity": RETURN,
            "kind": kind,
            "line": name,
            "repetition": seed,
            "value": value,
            "steps": steps,
            "seconds": seconds,
        }
        for seed, way in enumerate(seeds)
        for steps, seconds, value in way
    ]


CARTPOLE = [
    *learned("ours", "a2c", [(5000, 0.5, 30.0), (10000, 1.0, 500.0)], [(5000, 2.0, 475.0)]),
    *learned("theirs", "stable-baselines3", [(5000, 4.0, 480.0)], [(5000, 8.0, 490.0)]),
]


def test_the_table_of_what_was_learned():
    assert reports.learning_table(CARTPOLE).splitlines() == [
        "                   seconds to 475  lowest – highest  steps  lowest – highest   seeds",
        "a2c                           1.5         1.0 – 2.0  7,500    5,000 – 10,000  2 of 2",
        "stable-baselines3             6.0         4.0 – 8.0  5,000     5,000 – 5,000  2 of 2",
    ]
    assert reports.learning_sentences(CARTPOLE) == [
        "seconds until learned: 0.25 of stable-baselines3's; aim: at most 0.25, reached"
    ]


def test_the_same_batch_is_compared_by_itself():
    same = f"ours, {AS_THE_ZOO}"
    rows = rate_rows(**{same: [300.0, 200.0], "ours": [900.0, 900.0], "theirs, 1": [100.0, 100.0]})
    assert reports.same_batch_sentences(reports.speeds(rows, cores=2)) == [
        f"{same}: 2.50 times the steps per second of theirs, 1 (2.00 – 3.00); "
        "aim: at least 2.5, reached"
    ]
    assert reports.same_batch_sentences(reports.speeds(rows[:4], cores=2)) == []


def test_a_seed_that_did_not_learn_is_counted_as_such():
    rows = learned("ours", "a2c", [(5000, 0.5, 474.9)], [(5000, 0.5, 475.0)])
    assert reports.learning_table(rows).splitlines()[1].endswith("1 of 2")
    assert reports.until_learned(reports.ways(rows, "ours"), "seconds") == (math.inf, 0.5)
    assert reports.learning_sentences(rows) == []  # no ratio without a median


def test_a_table_is_read_as_it_was_written(tmp_path):
    write(tmp_path / "t.csv", {"date": "2026-01-01", "cores": 2}, CARTPOLE)
    about, rows = read(tmp_path / "t.csv")
    assert about == {"date": "2026-01-01", "cores": "2"}
    assert rows == CARTPOLE


@pytest.mark.parametrize("with_theirs", [True, False])
def test_figures_name_every_line(with_theirs):
    kept = [row for row in PONG if with_theirs or row["kind"] != "theirs"]
    figure = reports.pong_figure(kept, cores=2)
    (ax,) = figure.axes
    named = [label.get_text() for label in ax.get_yticklabels()]
    theirs = ["theirs, 1", "theirs, 2", f"theirs, 1, {KEPT}"]
    assert named == ["ours"] + theirs * with_theirs
    plt.close(figure)
    rows = [row for row in [*PONG, *CARTPOLE] if row["kind"] in ("ours", "theirs")]
    kept = [row for row in rows if with_theirs or row["kind"] != "theirs"]
    figure = reports.cartpole_figure(kept, cores=2)
    assert len(figure.axes[1].get_legend().get_texts()) == 1 + with_theirs
    plt.close(figure)


def test_more_workers_are_compared_with_one_round_by_round():
    rates = {"a3c, 1 worker": [100.0, 200.0, 100.0], "a3c, 4 workers": [300.0, 500.0, 390.0]}
    rows = rate_rows(**rates)
    assert scaling.speed_ups(rates_of(rows)) == {1: (1.0, 1.0, 1.0), 4: (3.0, 2.5, 3.9)}
    assert scaling.text(rows, cores=4).splitlines()[:3] == [
        "                steps/s  lowest – highest  × one worker  paper: sooner by",
        "a3c, 1 worker       100         100 – 200          1.00               1.0",
        "a3c, 4 workers      390         300 – 500          3.00               3.7",
    ]
    figure = scaling.figure(rows, cores=4)
    assert figure.axes[0].lines[0].get_ydata().tolist() == [1.0, 3.0]
    plt.close(figure)


# What is measured


@pytest.mark.parametrize(
    "line", [*pong.lines(), *cartpole.lines(), *scaling.lines()], ids=lambda line: line.name
)
def test_a_line_reaches_a_process_of_its_own(line):
    assert pickle.loads(pickle.dumps(line)).name == line.name


@pytest.mark.parametrize("line", pong.OURS, ids=lambda line: line.name)
def test_ours_have_the_batch_of_theirs(line, monkeypatch):
    configs = []
    for trainer in pong.a2c, pong.a3c, pong.parallel_a2c:
        monkeypatch.setattr(trainer, "train", lambda *args, **_: configs.append(args[2]))
    monkeypatch.setattr(pong, "follow", lambda *_: None)
    line.run(Limit(1))
    share = pong.WORKERS if f"a3c, {pong.WORKERS} × {pong.EACH}" in line.name else 1
    assert configs[0].num_envs * configs[0].t_max * share == pong.ENVS * pong.T_MAX


# Without stable-baselines3


def test_its_lines_are_left_out_where_it_is_missing(monkeypatch):
    assert [line.kind for line in pong.lines()].count("theirs") == 2 * len(THREADS) + 1
    assert [line.kind for line in cartpole.lines()].count("theirs") == len(THREADS)
    monkeypatch.setattr(baselines, "installed", lambda: False)
    assert {line.kind for line in pong.lines()} == {"part", "ours"}
    assert {line.kind for line in cartpole.lines()} == {"ours"}


def test_the_command_says_so_and_goes_on(monkeypatch, tmp_path, capsys):
    ours = [row for row in PONG if row["kind"] != "theirs"]
    fake = command.BENCHES["pong"]._replace(measure=lambda effort: ours)
    monkeypatch.setattr(command, "BENCHES", {"pong": fake})
    monkeypatch.setattr(baselines, "installed", lambda: False)
    monkeypatch.setattr(command, "CORES", 2)
    assert command.main(["pong", "--quick", "--folder", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "stable-baselines3 is not installed, so its lines are left out" in said
    assert "× stable-baselines3" not in said
    assert "ours: 48% of what the environment alone takes" in said
    assert {path.name for path in tmp_path.iterdir()} == {"pong.csv", "pong.png"}


def test_what_is_not_measured_is_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["tetris"])
    assert (
        "tetris is not measured; there are ['pong', 'cartpole', 'halfcheetah', 'scaling']"
        in capsys.readouterr().err
    )


def test_rates_become_rows(monkeypatch):
    lines = [Line("x", "ours", print), Line("y", "theirs", print)]
    monkeypatch.setattr(command, "rounds", lambda *_: iter([[1.0, 2.0], [3.0, 4.0]]))
    rows = command.rate_rows(lines, command.QUICK)
    assert [(row["line"], row["repetition"], row["value"]) for row in rows] == [
        ("x", 0, 1.0),
        ("y", 0, 2.0),
        ("x", 1, 3.0),
        ("y", 1, 4.0),
    ]


# The same work


def test_the_network_that_stable_baselines3_gets_computes_what_ours_does():
    ours = paper_network(pong.GAME, seed=1)
    envs = baselines.atari(pong.GAME_ID, 2, pong.GAME.stack, processes=False)
    policy = pong.their_model(envs).policy
    policy.features_extractor.torso.load_state_dict(ours.torso.state_dict())
    policy.action_net.load_state_dict(ours.policy_head.state_dict())
    policy.value_net.load_state_dict(ours.value_head.state_dict())
    assert sum(p.numel() for p in policy.parameters()) == sum(p.numel() for p in ours.parameters())
    pictures = torch.randint(0, 256, (3, 4, 84, 84), dtype=torch.uint8)
    logits, values = ours(pictures)
    torch.testing.assert_close(policy.predict_values(pictures).squeeze(-1), values)
    torch.testing.assert_close(
        policy.get_distribution(pictures).distribution.logits, logits.log_softmax(-1)
    )
    envs.close()


def their_pictures(game_id):
    """Their preparation without what it does when an episode begins."""

    def make():
        env = gym.make(game_id, frameskip=1, repeat_action_probability=0.0)
        return WarpFrame(MaxAndSkipEnv(env, 4))

    return VecTransposeImage(VecFrameStack(DummyVecEnv([make]), 4))


@pytest.mark.parametrize("name", ["breakout", "pong"])
def test_both_see_the_same_pictures(name):
    """Dot for dot in Breakout. In Pong 2 dots in 1000 are a little brighter or darker: they take
    the brighter of two frames in each colour, then the luminance; ours the other way round."""
    game = Game(name, noop_max=0, fire_at_start=False)
    ours, theirs = game.make_envs(1), their_pictures(f"ALE/{name.title()}-v5")
    ours.reset(seed=3)
    theirs.seed(3)
    theirs.reset()
    dice, differences = np.random.default_rng(0), []
    for _ in range(150):
        action = dice.integers(len(game.actions), size=1)
        seen, reward, ended, *_ = ours.step(action)
        same, same_reward, same_end, _ = theirs.step(action)
        assert (reward, ended) == (same_reward, same_end)
        differences.append(np.abs(seen.astype(int) - same))
    assert np.max(differences) <= (16 if name == "pong" else 0)
    assert (np.array(differences) > 0).mean() <= 0.004


def test_theirs_has_the_same_wrappers_and_actions():
    envs = baselines.atari(pong.GAME_ID, 1, pong.GAME.stack, processes=False)
    env = envs.venv.envs[0]
    assert "AtariWrapper" in str(env)
    assert tuple(env.unwrapped.get_action_meanings()) == pong.GAME.actions
    assert envs.observation_space.shape == (84, 84, 4)
    envs.close()
