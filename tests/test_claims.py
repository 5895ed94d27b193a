"""Records must have come from the claims as they stand, and from the code as it stands."""

import pytest

from claims import recording

CLAIMS = recording.names()


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_record_is_of_the_code_as_it_stands(claim):
    assert recording.is_current(claim), f"out of date; run: python -m claims {claim}"


def test_every_record_belongs_to_a_claim():
    assert {path.stem for path in recording.RECORDS.glob("*.csv")} == set(CLAIMS)
    assert {path.stem for path in recording.RECORDS.glob("*.json")} == set(CLAIMS)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A little project with one claim that depends on one module."""
    (tmp_path / "claims" / "records").mkdir(parents=True)
    (tmp_path / "a3c_lib").mkdir()
    write(tmp_path, "claims/small.py", CLAIM)
    write(tmp_path, "a3c_lib/used.py", "def f(x):\n    return x\n")
    write(tmp_path, "a3c_lib/unused.py", "a = 1\n")
    monkeypatch.setattr(recording, "ROOT", tmp_path)
    return tmp_path


CLAIM = '''"""A claim."""
from a3c_lib.used import f
SETTINGS = [{}]
SEEDS = range(2)
def run(seed):
    return [{"x": f(seed)}]
'''


def write(project, path, text):
    (project / path).write_text(text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a3c_lib/used.py", "def f(x):\n    return x + 1\n"),
        ("claims/small.py", CLAIM.replace("range(2)", "range(3)")),
    ],
)
def test_a_change_of_code_changes_the_hash(project, path, text):
    before = recording.code_hash("small")
    write(project, path, text)
    assert recording.code_hash("small") != before


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a3c_lib/used.py", '"""Doc."""\n\n\ndef f(x):\n    """Doc."""\n    return x  # why\n'),
        ("a3c_lib/unused.py", "a = 2\n"),
    ],
)
def test_comments_docstrings_and_other_modules_do_not(project, path, text):
    before = recording.code_hash("small")
    write(project, path, text)
    assert recording.code_hash("small") == before
