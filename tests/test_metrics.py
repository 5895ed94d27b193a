"""A row for every update, and none twice."""

import math

import pytest

from a3c_lib.actor_critic import Update
from a3c_lib.app.metrics import Metrics, rows_of
from a3c_lib.app.plan import RunError
from a3c_lib.rollout import Episode


def update(steps, *returns):
    episodes = tuple(Episode(float(each), 5, env=0) for each in returns)
    return Update(steps, steps // 10, episodes, 0.5, 0.25, 0.7, math.nan, 1.0, 1e-3)


def written(path, *updates, steps=0):
    with Metrics(path, steps) as metrics:
        for each in updates:
            metrics.add(each, seconds=each.steps / 100, speed=100.0)
        metrics.sync()
    return list(rows_of(path))


def test_an_update_is_a_row_of_numbers(tmp_path):
    one, two = written(tmp_path / "metrics.csv", update(10, 1, 2), update(20))
    assert (one["steps"], one["episodes"], one["episode_return"]) == (10, 2, 1.5)
    assert (one["policy_loss"], one["seconds"], one["steps_per_second"]) == (0.5, 0.1, 100.0)
    assert two["episodes"] == 0
    assert math.isnan(two["episode_return"])


def test_rows_later_than_the_steps_are_dropped_and_the_columns_stay(tmp_path):
    path = tmp_path / "metrics.csv"
    written(path, update(10), update(20), update(30))
    rows = written(path, update(21), steps=20)
    assert [row["steps"] for row in rows] == [10, 20, 21]
    assert len(path.read_text().splitlines()) == 4


def test_a_last_line_that_is_a_part_is_none(tmp_path):
    path = tmp_path / "metrics.csv"
    written(path, update(10), update(20))
    path.write_text(path.read_text()[:-5])
    assert [row["steps"] for row in rows_of(path)] == [10]


@pytest.mark.parametrize(
    ("text", "message"),
    [("a,b\n1,2\n", "has no column steps"), ("steps,b\n1,x\n", "line 2, is no row of numbers")],
)
def test_a_table_of_something_else_is_refused(tmp_path, text, message):
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    with pytest.raises(RunError, match=message):
        list(rows_of(path))


def test_there_are_no_rows_before_the_first_update(tmp_path):
    assert list(rows_of(tmp_path / "metrics.csv")) == []
