"""The soak samples what it says, and sees what grows."""

import os
import sys

import pytest
import soak

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_what_grows_is_named(capsys):
    flat, grown = [soak.Sample(100.0, 50.0, 7, 20, 1)] * 8, soak.Sample(104.0, 51.0, 8, 20, 1)
    assert soak.report("flat", iter(flat)) == []
    assert soak.report("grown", iter([*flat[:6], grown, grown])) == [
        "grown: memory grew from 100.0 to 104.0",
        "grown: descriptors grew from 7.0 to 8.0",
    ]
    assert capsys.readouterr().out.count("\n") == 18


def test_a_sample_is_of_this_process_and_its_largest_worker():
    before = soak.sample({})
    with open(os.devnull):  # noqa: PTH123  a descriptor more
        after = soak.sample({0: os.getpid()})
    assert after.descriptors == after.workers_descriptors == before.descriptors + 1
    assert before.memory > 10
    assert (before.workers_memory, before.threads >= 1) == (0, True)


def test_trainings_are_sampled_while_they_run(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["soak", "--minutes", "0.005", "--trainings", "10"])
    monkeypatch.setattr(soak, "GROWN", 10.0)
    assert soak.main() == 0
    said = capsys.readouterr().out
    assert said.endswith("nothing grew\n")
    assert said.count("\n   ") >= 10 + 2
