"""A thing has one name, in one spelling: the code's where it is code, and the text's elsewhere."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYTHON = [p for d in ("a3c_lib", "claims", "solutions") for p in sorted((ROOT / d).rglob("*.py"))]
TEXTS = sorted((ROOT / "docs").glob("*.md")) + [
    ROOT / name for name in ("NOTATION.md", "README.md", "CONTRIBUTING.md", "BUILDING.md")
]

IN_CODE, IN_TEXT = "prioritized", "prioritised"
# Code within a text, a title, and what others say
QUOTED = re.compile(
    r"```.*?```|`[^`\n]*`|--\w+|PrioritizedReplayMemory|prioritized experience replay",
    re.DOTALL | re.IGNORECASE,
)


def names_and_texts(source: str) -> Iterator[tuple[bool, str]]:
    """What Python code says, and whether that is text: a comment, or a string of several words.
    A string of one word may be either."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            yield False, token.string
        elif token.type in (tokenize.COMMENT, tokenize.STRING) and " " in token.string:
            yield True, token.string


def misspelled(is_text: bool, said: str) -> bool:
    wrong = IN_CODE if is_text else IN_TEXT
    return wrong in (QUOTED.sub("", said) if is_text else said).lower()


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: path.stem)
def test_code_and_its_comments_have_a_spelling_each(path: Path) -> None:
    parts = names_and_texts(path.read_text("utf-8"))
    assert not [said for is_text, said in parts if misspelled(is_text, said)]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_a_text_has_the_texts_spelling(path: Path) -> None:
    assert not misspelled(True, path.read_text("utf-8"))


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("prioritized = True  # a Prioritised replay", []),
        ("prioritised = True  # `prioritized`, --prioritized", ["prioritised"]),
        ("x = 1  # Prioritized replay", ["# Prioritized replay"]),
        ("class PrioritisedMemory: pass", ["PrioritisedMemory"]),
        ("x = 'prioritized', 'prioritized replay'", ["'prioritized replay'"]),
        ("'''Schaul and others: Prioritized Experience Replay'''", []),
    ],
)
def test_a_spelling_in_the_wrong_place_is_found(source: str, wrong: list[str]) -> None:
    assert [said for is_text, said in names_and_texts(source) if misspelled(is_text, said)] == wrong
