"""What the README shows runs, and what it lists is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text()


def test_the_example_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    shorter = code.replace("total_steps=100_000", "total_steps=200").replace(
        "episodes=100", "episodes=4"
    )
    assert shorter.count("200") == 1
    exec(compile(shorter, "README.md", "exec"), {})  # the reader's own ten lines
    assert "4 episodes, sampled actions" in capsys.readouterr().out


def test_every_chapter_is_in_the_table():
    listed = set(re.findall(r"\(chapters/(\w+)\.ipynb\)", TEXT))
    assert listed == {path.stem for path in (ROOT / "solutions").glob("*.py")}


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!http)([^)]+)\)", TEXT))), ids=str)
def test_a_link_leads_somewhere(target):
    assert (ROOT / target).exists()
