"""A row for every update, and none twice."""

import math
import tracemalloc

import pytest

from a3c_lib.actor_critic import Update
from a3c_lib.app.metrics import Metrics, Table
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
    return list(Table.read(path))


def test_an_update_is_a_row_of_numbers(tmp_path):
    one, two = written(tmp_path / "metrics.csv", update(10, 1, 2), update(20))
    assert (one.steps, one.episodes, one.episode_return) == (10, 2, 1.5)
    assert (one.policy_loss, one.seconds, one.steps_per_second) == (0.5, 0.1, 100.0)
    assert (two.episodes, type(two.episodes), type(two.steps)) == (0, int, int)
    assert math.isnan(two.episode_return)


def test_rows_later_than_the_steps_are_dropped_and_the_columns_stay(tmp_path):
    path = tmp_path / "metrics.csv"
    written(path, update(10), update(20), update(30))
    rows = written(path, update(21), steps=20)
    assert [row.steps for row in rows] == [10, 20, 21]
    assert len(path.read_text().splitlines()) == 4


def test_a_last_line_that_is_a_part_is_none(tmp_path):
    path = tmp_path / "metrics.csv"
    written(path, update(10), update(20))
    path.write_text(path.read_text()[:-5])
    assert [row.steps for row in Table.read(path)] == [10]


@pytest.mark.parametrize(
    ("text", "message"),
    [("a,b\n1,2\n", "has no column steps"), ("steps,b\n1,x\n", "line 2, is no row of numbers")],
)
def test_a_table_of_something_else_is_refused(tmp_path, text, message):
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    with pytest.raises(RunError, match=message):
        list(Table.read(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"steps,b\n1,2\n3,\xe9\n", "is no text: invalid"),
        (b"steps,b\n1,2,3\n", "line 2, has 3 cells, and not 2"),
        (b"steps,b\n1\n", "line 2, has 1 cells, and not 2"),
        (b"steps,b\n1," + b"2" * 200_000 + b"\n", "line 2, is no row"),
        (b"steps,b\n1,\n", "line 2, is no row of numbers"),
        (b"steps,b\n1," + b"2" * 9000 + b"x\n", "line 2, is no row of numbers"),
    ],
    ids=lambda given: str(given[:20]),
)
@pytest.mark.parametrize("read", [Table.read, lambda path: Metrics(path, 9).__enter__()])
def test_a_damaged_table_is_one_clear_line(tmp_path, text, message, read):
    (tmp_path / "metrics.csv").write_bytes(text)
    with pytest.raises(RunError, match=message):
        read(tmp_path / "metrics.csv")


def test_a_column_that_somebody_added_stays(tmp_path):
    path = tmp_path / "metrics.csv"
    written(path, update(10))
    head, row = path.read_text().splitlines()
    path.write_text(f"{head},mine\n{row},7\n")
    rows = written(path, update(20), steps=10)
    assert rows[0].mine == 7
    assert math.isnan(rows[1].mine)


def test_columns_are_those_of_the_rows(tmp_path):
    path = tmp_path / "metrics.csv"
    rows = written(path, update(10, 3), update(20))
    table = Table.read(path, ["entropy", "episode_return", "nothing"])
    assert [row.steps for row in table[1:]] == [20]
    assert table.names == list(vars(rows[0]))
    assert table.column("steps").tolist() == [10, 20]
    assert len(table) == 2
    assert (table[0].steps, table[0].entropy, table[0].episode_return) == (10, 0.7, 3.0)
    assert math.isnan(table[-1].episode_return)
    assert not hasattr(table[0], "nothing")
    assert not hasattr(table[0], "seconds")
    path.write_text(path.read_text()[:-5])
    assert len(Table.read(path, ["entropy"])) == 1
    assert len(Table.read(tmp_path / "other.csv", ["entropy"])) == 0


def test_a_long_table_takes_little_memory(tmp_path):
    """Of 50,000 rows, with 14 columns, those two columns that are wanted."""
    path = tmp_path / "metrics.csv"
    with Metrics(path, 0) as metrics:
        metrics.add(update(1), 0.0, 1.0)
    head, row = path.read_text().splitlines()
    path.write_text(head + "\n" + f"{row}\n" * 50_000)
    tracemalloc.start()
    table = Table.read(path, ["entropy"])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(table) == 50_000
    assert most < 3 * 2 * 50_000 * 8


def test_there_are_no_rows_before_the_first_update(tmp_path):
    assert list(Table.read(tmp_path / "metrics.csv")) == []
