"""Processes that a live Jupyter kernel starts, as a notebook's cells do."""

from collections.abc import Iterator

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel
from test_workers import assert_all_end

DEFINED_IN_A_CELL = """
import gymnasium as gym
from a3c_lib import ActorCritic, a3c

class Mine(gym.Wrapper):
    pass

def make():
    return Mine(gym.make("CartPole-v1"))

class Net(ActorCritic):
    pass

model = Net.for_env(make())
config = a3c.Config(total_steps=10**9, num_workers=2)
"""
TRAINING = """
with a3c.train(model, make, config) as training:
    print(*training.pids.values(), flush=True)
    for update in training:
        pass
"""
HELD = """
training = a3c.train(model, make, config)
print(*training.pids.values(), flush=True)
update = next(training)
"""

Kernel = tuple[KernelManager, BlockingKernelClient]


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    manager, client = start_new_kernel()
    try:
        client.execute_interactive(DEFINED_IN_A_CELL, timeout=60)
        yield manager, client
    finally:
        client.stop_channels()
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)


def messages(client: BlockingKernelClient, request: str, kind: str) -> Iterator[dict]:
    """What a cell sends of one kind, as it comes, until it has ended."""
    while True:
        message = client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") != request:
            continue
        if message["msg_type"] == kind:
            yield message["content"]
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return


def pids_printed(client: BlockingKernelClient, request: str) -> list[int]:
    return [int(pid) for pid in next(messages(client, request, "stream"))["text"].split()]


def test_an_interrupted_cell_leaves_no_process_and_the_next_cell_works(kernel: Kernel) -> None:
    manager, client = kernel
    request = client.execute(TRAINING)
    pids = pids_printed(client, request)
    manager.interrupt_kernel()
    assert [e["ename"] for e in messages(client, request, "error")] == ["KeyboardInterrupt"]
    assert_all_end(pids)
    reply = client.execute_interactive(
        "assert all(p.isfinite().all() for p in model.parameters())", timeout=60
    )
    assert reply["content"]["status"] == "ok"


@pytest.mark.parametrize("now", [False, True], ids=["shut down", "killed"])
def test_a_kernels_end_leaves_no_process(kernel: Kernel, now: bool) -> None:
    manager, client = kernel
    request = client.execute(HELD)
    pids = pids_printed(client, request)
    assert list(messages(client, request, "error")) == []
    manager.shutdown_kernel(now=now)
    assert_all_end(pids)


def test_a_training_that_a_cell_replaces_is_ended(kernel: Kernel) -> None:
    _, client = kernel
    request = client.execute(HELD)
    pids = pids_printed(client, request)
    list(messages(client, request, "error"))
    client.execute_interactive("training = None", timeout=60)
    assert_all_end(pids)
