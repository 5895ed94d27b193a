import ast
import json
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import book as maker
import nbformat
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from a3c_lib import a3c
from a3c_lib.app import records
from a3c_lib.networks import ActorCritic
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.reinforce import TabularPolicy


@pytest.fixture
def book(tmp_path, monkeypatch):
    folder = tmp_path / "claims" / "records"
    folder.mkdir(parents=True)
    (folder / "trap.csv").write_text(
        "beta,seed,steps,value,note,late\n"
        "0.0,0,10,1.5,a,\n0.0,0,20,2.5,,\n0.0,1,10,3,,\n0.1,0,10,nan,,7\n"
    )
    config = {
        "all": {"T": 5, "rate": 0.001, "steps": 24_000, "hidden": [64, 64]},
        "by setting": [
            {"setting": {"beta": beta}, "differs": {"entropy_weight": beta}} for beta in (0.0, 0.1)
        ],
    }
    about = {"seeds": 2, "seconds": 90, "date": "2026-01-02", "machine": "M", "command": "C"}
    about["config"] = config
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
def test_a_column_may_be_blank_in_any_row():
    record = records.load("trap")
    assert record.select(late=7).column("late").tolist() == [7]
    assert record.levels("note") == ["a"]
    assert record.select(note="a").rows == record.rows[:1]


@pytest.mark.usefixtures("book")
def test_a_row_that_a_setting_does_not_speak_of_is_none_of_its_rows():
    record = records.load("trap")
    record.about["config"]["by setting"] = [{"setting": {"late": 7}, "differs": {"T": 6}}]
    assert one_line(record.settings()).startswith("Settings of the record: T 6; rate 0.001;")


@pytest.mark.usefixtures("book")
def test_curves_are_one_pair_per_seed():
    curves = records.load("trap").select(beta=0.0).curves("steps", "value")
    assert [(x.tolist(), y.tolist()) for x, y in curves] == [([10, 20], [1.5, 2.5]), ([10], [3])]


@pytest.mark.usefixtures("book")
def test_a_record_says_that_it_is_one():
    assert str(records.load("trap")) == (
        "Recorded, not run here: 2 seeds per setting, 2 min of computing on 2026-01-02 (M).\n"
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
        (
            lambda: records.load("trap").levels("x"),
            ValueError,
            r"columns \['beta', .*'note', 'late'",
        ),
        (
            lambda: records.load("trap").column("note"),
            ValueError,
            "'note' is blank in 3 of 4 rows, the first of them {'beta': 0.0, .*'steps': 20",
        ),
    ],
)
def test_what_is_not_there_is_named_with_what_is(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_outside_the_book_there_are_no_records(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="work in the book's folder"):
        records.load("trap")


@pytest.mark.usefixtures("book")
def test_outside_the_book_the_records_of_a_wheel_are_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claims").rename(tmp_path / "carried")
    monkeypatch.setattr(records, "CARRIED", tmp_path / "carried" / "records")
    assert records.load("trap").name == "trap"
    assert records.path("trap.json").exists()


@pytest.mark.usefixtures("book")
def test_the_records_of_the_books_folder_come_first(tmp_path, monkeypatch):
    (carried := tmp_path / "carried").mkdir()
    monkeypatch.setattr(records, "CARRIED", carried)
    assert records.load("trap").name == "trap"


# The settings of a record


def one_line(text):
    return " ".join(text.split())


@pytest.mark.usefixtures("book")
def test_without_code_beside_it_a_record_tells_all_its_settings():
    assert one_line(records.load("trap").settings()) == (
        "Settings of the record: T 5; rate 0.001; steps 24,000; hidden (64, 64); "
        "entropy_weight 0 or 0.1."
    )


@pytest.mark.usefixtures("book")
def test_settings_that_differ_from_the_code_here_are_told_with_what_is_here():
    told = records.load("trap").settings(T=5, rate=0.01, hidden=(64, 64), entropy_weight=0.1)
    assert one_line(told) == (
        "Settings of the record: rate 0.001 (here 0.01); entropy_weight 0 or 0.1 (here 0.1); "
        "steps 24,000. All else is as in the code here."
    )


@pytest.mark.usefixtures("book")
def test_settings_are_those_of_the_rows_that_are_left():
    told = records.load("trap").select(beta=0.1).settings(entropy_weight=0.1, T=5)
    assert "entropy_weight" not in told
    assert "entropy_weight 0 (here 0.1)" in records.load("trap").select(beta=0.0).settings(
        entropy_weight=0.1, T=5
    )


@pytest.mark.usefixtures("book")
def test_where_all_is_the_same_that_is_told():
    same = {"T": 5, "rate": 0.001, "steps": 24_000, "hidden": [64, 64], "entropy_weight": 0}
    told = records.load("trap").select(beta=0.0).settings(**same)
    assert told == "Settings of the record: those of the code here."


@pytest.mark.usefixtures("book")
@pytest.mark.parametrize("field", ["T", "rate", "steps", "hidden"])
def test_every_field_that_differs_is_told(field):
    here = {"T": 5, "rate": 0.001, "steps": 24_000, "hidden": (64, 64)}
    assert field not in records.load("trap").settings(**here)
    assert f"{field} " in records.load("trap").settings(**{**here, field: 7})


def loss(logits, values, value_weight=0.5, entropy_weight=0.01):
    return logits + values


def test_a_part_gives_its_fields():
    assert records.fields(loss=loss) == {
        "loss": "loss",
        "value_weight": 0.5,
        "entropy_weight": 0.01,
    }
    assert records.fields(loss=partial(loss, entropy_weight=0.1))["entropy_weight"] == 0.1
    assert records.fields(evaluation={"episodes": 100}) == {"evaluation_episodes": 100}
    assert records.fields(training=a3c.Config(seed=3)) == {
        "algorithm": "a3c",
        **{k: v for k, v in vars(a3c.Config()).items() if k != "seed"},
    }
    pair = [a3c.Config(num_workers=n, lock=True) for n in (1, 2)]
    assert records.fields(trainings=pair)["num_workers"] == [1, 2]
    assert records.fields(trainings=pair)["lock"] is True


def test_a_derived_config_or_class_goes_by_the_name_of_what_it_is_derived_from():
    @dataclass(frozen=True, kw_only=True)
    class Config(a3c.Config):
        own: int = 1

    class Noting(torch.optim.RMSprop):
        pass

    assert records.fields(training=Config())["algorithm"] == "a3c"
    assert records.fields(optimizer=partial(Noting, lr=0.1)) == {
        "optimizer": "torch's RMSprop",
        "lr": 0.1,
    }


def test_a_network_is_told_by_its_layers():
    vector, picture = spaces.Box(-1, 1, (4,)), spaces.Box(0, 255, (3, 8, 8), np.uint8)
    actions = spaces.Discrete(2)
    two_torsos = ActorCritic(vector, actions, hidden=(8,), shared=False)
    assert records.fields(model=two_torsos)["network"] == (
        "torso 4→8 Tanh + policy_head 8→2 + value_head 8→1 + value_torso 4→8 Tanh"
    )
    with_memory = RecurrentActorCritic(picture, actions, hidden=(8,), cells=5, activation=nn.ReLU)
    assert records.fields(model=with_memory)["network"] == (
        "torso 3×3 3→16 ReLU 3×3 16→16 ReLU 1024→8 ReLU + lstm 8→5 + policy_head 5→2 + value_head 5→1"
    )
    assert records.fields(model=TabularPolicy(4, 2))["network"] == "table 4×2"


# The settings on the page

CHAPTERS = maker.chapters()


def called(tree, method):
    """The calls of `….method(…)`."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == method
    ]


def loaded(cell):
    """The records that a cell loads, by name."""
    if cell.cell_type != "code" or "records.load(" not in cell.source:
        return []
    loads = [call for call in called(ast.parse(cell.source), "load") if on_records(call)]
    return [ast.literal_eval(call.args[0]) for call in loads]


def on_records(call):
    return isinstance(call.func.value, ast.Name) and call.func.value.id == "records"


def figures(chapter):
    """Every cell that loads records, with their names."""
    for cell in nbformat.read(chapter.solved, as_version=4).cells:
        if names := loaded(cell):
            yield cell, names


def test_every_record_is_on_a_page():
    shown = {name for chapter in CHAPTERS for _, names in figures(chapter) for name in names}
    shown |= set(re.findall(r"`claims/records/(\w+)\.csv`", Path("README.md").read_text()))
    assert {path.stem for path in Path("claims/records").glob("*.csv")} <= shown


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.source.stem)
def test_what_a_record_is_compared_with_is_the_pages_own(chapter):
    """Names of what the page runs: a number written for the comparison alone might be another."""
    text = chapter.source.read_text()
    for call in called(ast.parse(text), "settings"):
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        literals = (ast.Constant, ast.Tuple, ast.List, ast.Dict)
        assert not [part for part in given if isinstance(part, literals)], ast.unparse(call)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.source.stem)
def test_every_setting_of_a_record_is_on_the_page_or_as_in_its_code(chapter):
    for cell, names in figures(chapter):
        text = one_line("".join(output.get("text", "") for output in cell.outputs))
        sentences = text.split("Settings of the record: ")[1:]
        assert len(sentences) == len(names), f"settings are not printed beside {names}"
        compared = any(call.keywords for call in called(ast.parse(cell.source), "settings"))
        for name, sentence in zip(names, sentences, strict=True):
            untold = [field for field in unlike(records.load(name)) if not told(field, sentence)]
            as_here = "All else is as in the code here." in sentence or "those of the" in sentence
            assert not untold or (compared and as_here), f"{name}: {untold}"


def unlike(record):
    """Every field of a record with each of its values, as a page has it."""
    for field, values in record._config().items():
        yield [f"{field} {records._told([value])}" for value in values]


def told(field, sentence):
    return any(one_line(value) in sentence for value in field)
