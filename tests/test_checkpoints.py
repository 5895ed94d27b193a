"""A checkpoint is whole or not there, and loading an unknown file does no harm."""

import hashlib
import io
import os
import pickle
from itertools import islice

import gymnasium as gym
import numpy as np
import pytest
import torch

from a3c_lib import a3c
from a3c_lib.app import checkpoints
from a3c_lib.app.checkpoints import CheckpointError, load, save
from a3c_lib.networks import ActorCritic

STATE = {"weights": torch.arange(6.0).reshape(2, 3), "steps": 3}


@pytest.fixture
def path(tmp_path):
    save(tmp_path / "c.pt", STATE)
    return tmp_path / "c.pt"


def names(folder):
    return [each.name for each in folder.iterdir()]


# ---- what comes back ----


def test_what_was_saved_comes_back(tmp_path):
    generator = np.random.default_rng(3)
    state = {
        "nested": [(1, 2.5, None, True), {"text": "θ′", 7: torch.tensor([True])}],
        "array": np.arange(4),
        "number": np.float64(0.1),
        "generator": generator.bit_generator.state,  # has integers of 128 bits
        "torch": torch.Generator().manual_seed(5).get_state(),
    }
    save(tmp_path / "c.pt", state)
    again = load(tmp_path / "c.pt")
    assert again["nested"][0] == (1, 2.5, None, True)
    assert again["nested"][1]["text"] == "θ′"
    assert isinstance(again["array"], np.ndarray)
    assert again["array"].tolist() == [0, 1, 2, 3]
    assert again["number"] == 0.1
    other = np.random.default_rng(0)
    other.bit_generator.state = again["generator"]
    assert other.random() == generator.random()
    assert torch.equal(again["torch"], state["torch"])
    assert names(tmp_path) == ["c.pt"]


def test_a_view_is_saved_without_what_it_is_a_view_of(tmp_path):
    save(tmp_path / "c.pt", {"one": torch.zeros(10**6)[:1]})
    assert (tmp_path / "c.pt").stat().st_size < 10_000


def test_a_run_goes_on_from_a_file_bit_for_bit(tmp_path):
    env = "a3c_lib/TMaze-v0"
    config = a3c.Config(total_steps=200, t_max=5, num_workers=3, schedule="round-robin")

    def network():
        return ActorCritic.for_env(gym.make(env), seed=0, hidden=(8,))

    whole, resumed = network(), network()
    with a3c.train(whole, env, config) as training:
        list(training)
    with a3c.train(network(), env, config) as training:
        list(islice(training, 10))
        save(tmp_path / "c.pt", training.state_dict())
    with a3c.train(resumed, env, config, resume=load(tmp_path / "c.pt")) as training:
        assert training.restored
        list(training)
    assert all(map(torch.equal, whole.parameters(), resumed.parameters()))


# ---- whole or not there ----


class Unknown:
    pass


def test_what_cannot_be_kept_is_named_and_the_old_file_stays(path):
    before = path.read_bytes()
    with pytest.raises(TypeError, match=r"state\['envs'\]\[0\]\['it'\] is a Unknown"):
        save(path, {"envs": [{"it": Unknown()}]})
    assert path.read_bytes() == before
    assert names(path.parent) == ["c.pt"]


class Full(io.FileIO):
    def write(self, content):
        super().write(content[:20])
        raise OSError("no space left on device")


@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file(path, monkeypatch, where):
    def fail(*_):
        raise OSError("no space left on device")

    if where == "write":
        monkeypatch.setattr(type(path), "open", lambda path, _: Full(path, "w"))
    elif where == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(type(path), "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        save(path, {"steps": 4})
    monkeypatch.undo()
    assert load(path)["steps"] == 3
    assert names(path.parent) == ["c.pt"]


def test_a_checkpoint_is_on_the_disk_before_it_takes_the_old_ones_place(path, monkeypatch):
    done = []
    synced, replaced = os.fsync, type(path).replace
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append("fsync"), synced(fd)))
    monkeypatch.setattr(
        type(path), "replace", lambda a, b: (done.append("replace"), replaced(a, b))
    )
    save(path, STATE)
    assert done[:2] == ["fsync", "replace"]


# ---- files that are none ----


def refused(path, message):
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=message):
        load(path)
    assert path.read_bytes() == before


def test_a_file_that_breaks_off_is_refused(path):
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"c\.pt is (damaged|no checkpoint of a3c_lib)"):
            load(path)


def test_a_bit_that_changed_on_the_disk_is_noticed(path):
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(CheckpointError, match=r"c\.pt is (damaged|no checkpoint of a3c_lib)"):
            load(path)


@pytest.mark.parametrize("thing", [{"model": {}}, [1, 2], torch.zeros(2)])
def test_another_file_of_torch_is_refused(path, thing):
    torch.save(thing, path)
    refused(path, r"looks like a file of torch\.save, which torch\.load reads")


def test_text_is_refused_and_so_is_nothing(path):
    path.write_text("steps,updates\n")
    refused(path, "is no checkpoint of a3c_lib")
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        load(path.with_name("other.pt"))
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(path.parent)


def forged(content):
    """A file with the right head, whatever is in it."""
    return checkpoints.FORMAT + hashlib.sha256(content).digest() + content


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_with_code_is_refused_and_not_run(path):
    harm, evil = path.with_name("harm"), io.BytesIO()
    torch.save({"steps": Evil(harm)}, evil)
    for content in evil.getvalue(), pickle.dumps({"steps": Evil(harm)}, protocol=2):
        path.write_bytes(forged(content))
        refused(path, "it was refused, and nothing in it was run")
        path.write_bytes(content)
        refused(path, "is no checkpoint of a3c_lib|looks like a file of torch")
    assert not harm.exists()
    torch.load(io.BytesIO(evil.getvalue()), weights_only=False)
    assert harm.exists()  # it would have been


def test_nothing_with_a_right_checksum_is_refused(path):
    path.write_bytes(forged(b""))
    refused(path, "cannot be read by torch")


def test_a_pickle_that_torch_warns_of_is_refused_without_a_warning(path):
    path.write_bytes(forged(pickle.dumps({"steps": 3}, protocol=4)))
    with pytest.raises(CheckpointError):  # warnings are errors in the tests
        load(path)


@pytest.mark.parametrize(
    "thing", [3, "text", [torch.zeros(2)], torch.zeros(2, dtype=torch.bfloat16)]
)
def test_an_array_that_is_none_is_refused(path, thing):
    content = io.BytesIO()
    torch.save({"a": {checkpoints.ARRAY: thing}}, content)
    path.write_bytes(forged(content.getvalue()))
    refused(path, "holds an array that is none")


@pytest.mark.parametrize("target", ["pipe", "/dev/zero"])
def test_what_may_never_end_is_not_read(path, target):
    path.unlink()
    if target == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(target)
    with pytest.raises(CheckpointError, match="cannot be read: it is no file"):
        load(path)


def test_what_is_no_state_is_refused(path):
    content = io.BytesIO()
    torch.save([1, 2], content)
    path.write_bytes(forged(content.getvalue()))
    refused(path, "holds a list, which is no trainer's state")
    path.write_bytes(forged(content.getvalue()[:100]))
    refused(path, f"cannot be read by torch {torch.__version__}".replace("+", r"\+"))
