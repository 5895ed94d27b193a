"""What processes share: memory, locks, and what is pickled for them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from a3c_lib.sharing import NO_ROOM, NoRoomError, Parcel, Tokens, in_shared_memory

TOO_LITTLE = """
import os, resource
from pathlib import Path

import gymnasium as gym
from a3c_lib import ActorCritic, a3c, parallel_a2c
from a3c_lib.sharing import NoRoomError
from a3c_lib.workers import Team

model = ActorCritic.for_env(gym.make("CartPole-v1"), hidden=(200, 200))
for train, config, room in (
    (a3c.train, a3c.Config(), 65_536),
    (parallel_a2c.train, parallel_a2c.Config(num_envs=2), 65_536),
    (lambda *_: Team(print, None, 1_000), None, 4_096),
):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        train(model, "CartPole-v1", config)
    except NoRoomError as error:
        print(error)
print([path.name for path in Path("/dev/shm").glob(f"torch_{os.getpid()}_*")])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="as Linux limits memory")
def test_too_little_shared_memory_is_said_with_the_remedy_and_nothing_stays_there():
    done = subprocess.run(
        [sys.executable, "-c", TOO_LITTLE],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        check=True,
    )
    *said, left = done.stdout.splitlines()
    assert len(said) == 3
    assert all(line.startswith(NO_ROOM) and "File too large" in line for line in said)
    assert left == "[]"


def test_an_error_of_another_kind_is_left_as_it_is():
    with (
        pytest.raises(RuntimeError, match=r"^no memory of any kind$") as caught,
        in_shared_memory(),
    ):
        raise RuntimeError("no memory of any kind")
    assert caught.type is not NoRoomError


def test_a_lock_of_tokens_lets_one_in_at_a_time():
    lock = Tokens(1)
    with lock:
        assert not lock.acquire(timeout=0.0)
    with pytest.raises(KeyError), lock:
        raise KeyError
    assert lock.acquire(timeout=0.0)
    assert not lock.acquire(timeout=0.0)


def test_a_network_outside_shared_memory_stays_there_when_it_is_sent():
    """What workers get a copy of is not moved."""
    weights = torch.nn.Linear(2, 2)
    make, arguments = Parcel(weights).__reduce__()
    copy = make(*arguments)()
    assert torch.equal(copy.weight, weights.weight)
    assert not weights.weight.is_shared()
    assert not copy.weight.is_shared()
