import json

import numpy as np
import pytest

from a3c_lib.app import records


@pytest.fixture
def book(tmp_path, monkeypatch):
    folder = tmp_path / "claims" / "records"
    folder.mkdir(parents=True)
    (folder / "trap.csv").write_text(
        "beta,seed,steps,value,note\n0.0,0,10,1.5,a\n0.0,0,20,2.5,\n0.0,1,10,3,\n0.1,0,10,nan,\n"
    )
    about = {"seeds": 2, "seconds": 90, "date": "2026-01-02", "machine": "M", "command": "C"}
    (folder / "trap.json").write_text(json.dumps(about))
    (tmp_path / "chapters").mkdir()
    monkeypatch.chdir(tmp_path / "chapters")


@pytest.mark.usefixtures("book")
def test_a_record_is_found_from_a_folder_of_the_book():
    record = records.load("trap")
    assert record.rows[0] == {"beta": 0.0, "seed": 0, "steps": 10, "value": 1.5, "note": "a"}
    assert record.levels("beta") == [0.0, 0.1]
    assert record.select(beta=0.0).column("value").tolist() == [1.5, 2.5, 3]
    assert np.isnan(record.select(beta=0.1).column("value")).all()


@pytest.mark.usefixtures("book")
def test_curves_are_one_pair_per_seed():
    curves = records.load("trap").select(beta=0.0).curves("steps", "value")
    assert [(x.tolist(), y.tolist()) for x, y in curves] == [([10, 20], [1.5, 2.5]), ([10], [3])]


@pytest.mark.usefixtures("book")
def test_a_record_says_that_it_is_one():
    assert str(records.load("trap")) == (
        "Recorded, not run here: 2 seeds per setting, 2 min of computing on 2026-01-02 (M). "
        "To run it again: C --again"
    )


@pytest.mark.usefixtures("book")
def test_what_is_kept_beside_the_records_is_found():
    assert records.path("trap.csv").read_text().startswith("beta,seed")


@pytest.mark.usefixtures("book")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: records.path("games/hop.pt"), FileNotFoundError, "there is no .*games/hop.pt"),
        (lambda: records.load("hop"), FileNotFoundError, r"'hop'; there are \['trap'\]"),
        (lambda: records.load("trap").column("x"), ValueError, "got 'x'"),
        (lambda: records.load("trap").select(beta=7), ValueError, "no row .* {'beta': 7}"),
        (lambda: records.load("trap").select(gamma=7), ValueError, "got 'gamma'"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_outside_the_book_there_are_no_records(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="work in the book's folder"):
        records.load("trap")
