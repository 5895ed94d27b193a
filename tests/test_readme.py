"""What the README shows runs, and what it lists is there."""

import re
import shlex
import sys
from itertools import chain
from pathlib import Path

import address
import numpy as np
import pytest
import torch
import tree

from a3c_lib.app import check, records
from a3c_lib.app.cli import main
from claims import defaults

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text()


OF_THE_READER = """
from a3c_lib import ActorCritic

def make_network(env, seed):
    return ActorCritic.for_env(env, hidden=(8,), seed=seed)
"""


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    """One after another, as a reader would have them in one script."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_package.py").write_text(OF_THE_READER)
    code = "\n".join(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
    shorter = code.replace("total_steps=100_000", "total_steps=200").replace(
        "episodes=100", "episodes=4"
    )
    assert shorter.count("200") == 1
    names = {}
    exec(compile(shorter, "README.md", "exec"), names)  # the reader's own lines
    said = capsys.readouterr().out
    assert "4 episodes, sampled actions" in said
    assert names["action"] in (0, 1)
    weights = zip(names["model"].parameters(), names["again"].parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in weights)
    exported = torch.export.load("cart.pt2").module()
    logits, _ = exported(torch.zeros(5, 4))
    assert torch.equal(logits, names["again"].logits(torch.zeros(5, 4)))
    assert names["learned"].policy_head.in_features == 8
    assert main(["evaluate", "mine", "--episodes", "2"]) == 0
    assert main(["resume", "mine", "--total-steps", "400"]) == 0
    sys.modules.pop("my_package")


def test_the_commands_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(check, "installation", lambda: True)  # has tests of its own
    (commands,) = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for line in commands.splitlines():
        shorter = re.sub(r"000\b", "", line).replace("episodes 100", "episodes 4")
        program, *arguments = shlex.split(shorter)
        assert program == "a3c-lib"
        assert main(arguments) == 0, shorter
    assert {"cart", "cart.gif", "curves.png"} == {path.name for path in tmp_path.iterdir()}
    said = capsys.readouterr().out
    assert "Done: 112 steps" in said  # seven of each of sixteen environments
    assert "cart goes on after 112 steps, with new episodes" in said


def test_the_tree_of_the_package_is_what_its_modules_say():
    assert tree.with_tree(TEXT) == TEXT, "run: python tools/tree.py"


def test_the_first_screen_says_for_whom_it_is_and_shows_how_to_begin():
    first = TEXT[: TEXT.index("\n| | chapter |")]
    assert first.count("\n") < 35
    said = ("**For whom.**", "](images/", address.BEGIN, "make lab ", "make test ", "`make site`")
    places = [first.index(each) for each in said]
    assert places == sorted(places)


def test_every_chapter_is_in_the_table():
    listed = set(re.findall(r"\(chapters/(\w+)\.ipynb\)", TEXT))
    assert listed == {path.stem for path in (ROOT / "solutions").glob("*.py")}


def test_the_number_of_exercises_is_the_chapters():
    sources = (ROOT / "solutions").glob("*.py")
    number = sum(path.read_text("utf-8").count('\n@exercise("') for path in sources)
    assert f" {number} exercises" in TEXT


def test_teaching_knows_every_chapter():
    teaching = (ROOT / "docs" / "teaching.md").read_text("utf-8")
    titles = re.findall(r"^\| (\d\d) \| \[(.+?)\]", TEXT, re.MULTILINE)
    assert re.findall(r"^\| (\d\d) (.+?) \|", teaching, re.MULTILINE) == titles


def test_the_times_of_a_chapter_are_what_its_head_says():
    assert tree.with_times(TEXT) == TEXT, "run: python tools/tree.py"


def test_a_time_that_is_not_the_heads_is_mended():
    minutes, computing = tree.times(ROOT / "solutions" / "00_the_loop.py")
    row = f"| {minutes} min | {computing} |"
    assert TEXT.count(f"REINFORCE {row}\n") == 1
    for other in f"| 7 min | {computing} |", f"| {minutes} min | a day |":
        assert tree.with_times(TEXT.replace(f"REINFORCE {row}", f"REINFORCE {other}")) == TEXT


def test_what_the_defaults_learn_is_their_record(monkeypatch):
    monkeypatch.chdir(ROOT)
    record = records.load("defaults")
    head, *rows = re.search(r"\| algorithm \|.*\n\|---.*\n(?:\|.*\n)+", TEXT)[0].splitlines()
    worlds = list(dict.fromkeys(re.findall(r"\w+-v\d", head)))
    told = [
        [f"`{name}`", *chain(*(of_seeds(record.select(algorithm=name, world=w)) for w in worlds))]
        for name in record.levels("algorithm")
    ]
    assert worlds == record.levels("world")
    assert rows[1:] == [f"| {' | '.join(row)} |" for row in told]


def of_seeds(record):
    """How many seeds learned it, and after how many steps; what they did at the end, and how many
    still had it then."""
    means, learned = record.column("mean"), record.column("learned")
    (world,) = record.levels("world")
    digits = 0 if world == "CartPole-v1" else 2
    middle, low, high = (f"{f(means):.{digits}f}" for f in (np.median, min, max))
    first, last = (f"{round(f(learned), -3):,.0f}" for f in (np.nanmin, np.nanmax))
    had = np.isfinite(learned).sum()
    have = (means >= defaults.LEARNED[world]).sum()
    return (
        f"{had} of {len(means)}, {first} to {last}",
        f"{middle} ({low} to {high}), {have} of {len(means)}",
    )


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!http)([^)]+)\)", TEXT))), ids=str)
def test_a_link_leads_somewhere(target):
    assert (ROOT / target).exists()
