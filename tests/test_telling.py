"""What went wrong in somebody else's code is told in a line, with the place."""

import runpy

import pytest

from a3c_lib.app import telling
from a3c_lib.app.telling import closing, is_somebodys, told
from a3c_lib.worlds.envs import Corridor


class Failed(Exception):
    pass


def test_an_error_in_closing_does_not_hide_the_one_before():
    class Thing:
        def close(self):
            raise OSError("second")

    for error in ZeroDivisionError, KeyboardInterrupt:
        with pytest.raises(error, match="first"), closing(Thing(), "it", Failed):
            raise error("first")
    with (
        pytest.raises(Failed, match=r"it cannot be closed: OSError: second \(test_telling"),
        closing(Thing(), "it", Failed),
    ):
        pass


def raised(function, *given):
    try:
        function(*given)
    except Exception as error:  # noqa: BLE001  whatever it is
        return error
    raise AssertionError("nothing was raised")


def test_the_place_is_that_in_somebodys_own_code(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text("import json\n\ndef f():\n    json.loads('{')\n\nf()\n")
    error = raised(runpy.run_path, str(script))
    assert told(error).startswith("JSONDecodeError: Expecting property name")
    assert told(error).endswith("(mine.py, line 4, in f)")
    assert is_somebodys(error)
    ours = raised(Corridor, -1)
    ours.__traceback__ = ours.__traceback__.tb_next  # without this test, which is somebody's
    assert told(ours).startswith("ValueError: length is a number of cells, at least 1; got -1")
    assert not is_somebodys(ours)


def test_a_file_whose_name_begins_as_the_packages_folder_is_somebodys(tmp_path, monkeypatch):
    monkeypatch.setattr(telling, "PACKAGE", tmp_path / "a3c_lib")
    script = tmp_path / "a3c_lib_mine.py"
    script.write_text("def f():\n    int('x')\n\nf()\n")
    error = raised(runpy.run_path, str(script))
    error.__traceback__ = error.__traceback__.tb_next  # without this test, which is somebody's
    assert is_somebodys(error)
    (tmp_path / "a3c_lib").mkdir()
    inside = script.rename(tmp_path / "a3c_lib" / "mine.py")
    error = raised(runpy.run_path, str(inside))
    error.__traceback__ = error.__traceback__.tb_next
    assert not is_somebodys(error)


def test_what_says_nothing_has_its_kind():
    assert told(RuntimeError()) == "RuntimeError"
