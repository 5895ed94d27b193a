"""Chapter 07: A2C on all cores.

A2C's environments are split among workers, each in a process with a copy of the network. They
collect and differentiate at the same time, add up their gradients, and all take the same step: so
the copies stay equal, and what is computed is what `a2c` computes, faster. Nothing is stale here,
unlike in A3C; the price is that workers wait for each other, once an update.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Semaphore
from typing import Any, NamedTuple

import gymnasium as gym
import torch
from torch import Tensor, nn

from a3c_lib import a2c, optim
from a3c_lib.a2c import make_vector_env
from a3c_lib.actor_critic import Lesson, LossFunction, Recent, Targets, Update, learn
from a3c_lib.losses import a2c_loss
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import MakeEnv, collect, dummy_steps, initial_state, sampled, start
from a3c_lib.training import Training, limited, seeds
from a3c_lib.workers import Link, Team


@dataclass(frozen=True, kw_only=True)
class Config(a2c.Config):
    """How A2C trains on many cores. `num_envs` is that of all workers together."""

    num_workers: int = 2  # as many as there are cores

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_workers < 1 or self.num_envs % self.num_workers:
            raise ValueError(
                f"num_workers is at least 1 and divides num_envs, {self.num_envs}; "
                f"got {self.num_workers}"
            )
        if self.device != "cpu":
            raise ValueError(f"workers compute on the CPU, each on a core; got {self.device!r}")


class Shared(NamedTuple):
    """What the workers have in shared memory."""

    model: nn.Module  # worker 0's, and the user's
    optimizer: optim.Optimizer  # worker 0's
    gradients: Tensor  # (2, W, parameters): of this update and of the one before
    arrivals: list[Semaphore]  # one a worker: who else has come to the meeting


class Stopped(Exception):
    """The training was closed while workers waited for each other."""
