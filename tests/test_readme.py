"""What the README shows runs, and what it lists is there."""

import re
import shlex
from pathlib import Path

import pytest
import tree

from a3c_lib.app import check
from a3c_lib.app.cli import main

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text()


def test_the_example_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    shorter = code.replace("total_steps=100_000", "total_steps=200").replace(
        "episodes=100", "episodes=4"
    )
    assert shorter.count("200") == 1
    exec(compile(shorter, "README.md", "exec"), {})  # the reader's own lines
    assert "4 episodes, sampled actions" in capsys.readouterr().out


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
    assert "Done: 104 steps" in said  # thirteen of each of eight environments
    assert "cart goes on after 104 steps, with new episodes" in said


def test_the_tree_of_the_package_is_what_its_modules_say():
    assert tree.with_tree(TEXT) == TEXT, "run: python tools/tree.py"


def test_every_chapter_is_in_the_table():
    listed = set(re.findall(r"\(chapters/(\w+)\.ipynb\)", TEXT))
    assert listed == {path.stem for path in (ROOT / "solutions").glob("*.py")}


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!http)([^)]+)\)", TEXT))), ids=str)
def test_a_link_leads_somewhere(target):
    assert (ROOT / target).exists()
