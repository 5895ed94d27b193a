"""The faults that are planted one by one can be planted: they stand in the code as it is now."""

from subprocess import CompletedProcess

import faults
import pytest
from faults import FAULTS, ROOT, Fault, planted


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_stands_once_in_its_module_and_changes_it(fault: Fault) -> None:
    assert fault.right != fault.wrong
    compile(planted(fault), fault.module, "exec")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_tests_that_have_to_see_a_fault_exist(fault: Fault) -> None:
    named = faults.tests_for(fault.module)
    assert named
    assert all((ROOT / name).exists() for name in named)


def test_a_fault_that_no_longer_meets_the_code_is_named() -> None:
    with pytest.raises(ValueError, match="gone: 'no such line' must stand once in returns"):
        planted(Fault("gone", "returns", "no such line", ""))


@pytest.mark.parametrize(
    ("code", "said", "found"),
    [
        (0, "3 passed", None),
        (5, "no tests ran", None),
        (
            1,
            "FAILED tests/test_a.py::test_b - assert 1 == 2\n1 failed",
            "FAILED tests/test_a.py::test_b",
        ),
        (2, "ERROR tests/test_a.py - NameError\n1 error", "ERROR tests/test_a.py"),  # on import
    ],
)
def test_what_pytest_says_of_a_fault(monkeypatch, tmp_path, code: int, said: str, found) -> None:
    monkeypatch.setattr(faults.subprocess, "run", lambda *_, **__: CompletedProcess([], code, said))
    assert faults.first_failure(tmp_path, ["tests"]) == found


@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_tests_that_were_broken_off_have_caught_nothing(monkeypatch, tmp_path, code: int) -> None:
    said = "!!! KeyboardInterrupt !!!\n2 passed"
    monkeypatch.setattr(faults.subprocess, "run", lambda *_, **__: CompletedProcess([], code, said))
    with pytest.raises(RuntimeError, match=f"pytest ended with {code}, and no test failed"):
        faults.first_failure(tmp_path, ["tests"])
