"""The faults that are planted one by one can be planted: they stand in the code as it is now."""

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
