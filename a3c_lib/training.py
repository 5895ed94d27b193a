"""Chapter 00: a trainer is an iterator of updates, and a context manager.

    with train(model, make_env, config) as training:
        for update in training:
            ...

Printing, plotting and stopping belong to the caller. What every trainer shares stands here: the
budget of steps, seeds, the hand-over of gradients, closing, and the state from which it can go on.
"""

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

import torch
from numpy.random import SeedSequence
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from a3c_lib.restoring import restored, world_state
from a3c_lib.rollout import Envs, initial_state, seed_sequence, start

M = TypeVar("M", bound=nn.Module)
U = TypeVar("U")


class Optimizer(Protocol):
    """What a training keeps of its optimiser; torch's have it."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: dict[str, Any]) -> None: ...


class Training(Iterator[U], Generic[M, U]):
    """Updates of `model`, one a `next`, until `total_steps` environment steps are taken.

    After `close`, and after the budget, it is exhausted; the model keeps what it learned.
    """

    model: M
    total_steps: int
    steps: int  # environment steps so far
    updates: int
    restored: bool = False  # resumed where it stopped, bit for bit; not with new episodes

    @abstractmethod
    def close(self) -> None:
        """End the training: environments are closed, processes ended. Twice is fine."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """What `train(..., resume=state)` goes on from."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class SingleThreadTraining(Training[M, U]):
    """Training in this thread: each `next` collects, and learns once.

    Same seed, same machine: same run, bit for bit.
    """

    def __init__(
        self,
        model: M,
        optimizer: Optimizer,
        envs: Envs,
        total_steps: int,
        seed: int,
        resume: Mapping[str, Any] | None,
    ) -> None:
        self.model, self.optimizer, self.envs = model, optimizer, envs
        self.total_steps = total_steps
        self.steps = self.updates = 0
        self.generator = torch.Generator()
        if resume is not None:
            self._load_state_dict(resume)
        # Where environments cannot be restored, new episodes begin, other ones than at step 0.
        for_envs, for_actions = seeds(seed, self.steps)
        if resume is None:
            self.generator.manual_seed(int(for_actions.generate_state(1)[0]))
        self.position = start(envs, for_envs, initial_state(model, envs.num_envs))
        if resume is not None:
            position = restored(envs, resume.get("world"), self.position)
            self.restored = position is not None
            self.position = position or self.position

    @abstractmethod
    def update(self) -> U:
        """Collect, learn once, report."""

    def __next__(self) -> U:
        if self.envs.closed or self.steps >= self.total_steps:
            raise StopIteration
        try:
            return self.update()
        except FloatingPointError as error:
            where = f"update {self.updates + 1}, after {self.steps} steps"
            raise FloatingPointError(f"{where}: {error}; the model was left as it was") from None

    def close(self) -> None:
        if not self.envs.closed:
            self.envs.close()

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimiser statistics, counters and the random state of the actions; and where the
        environments stand, if they can be restored (see `restoring`).

        `train(..., resume=state)` then goes on as if it had never stopped, bit for bit; else with
        new episodes.
        """
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "steps": self.steps,
            "updates": self.updates,
            "world": world_state(self.envs, self.position),
        }
        return deepcopy(state)  # torch's are views, which training would go on changing

    def _load_state_dict(self, state: Mapping[str, Any]) -> None:
        missing = {"model", "optimizer", "generator", "steps", "updates"} - state.keys()
        if missing:
            raise ValueError(f"resume is a trainer's state_dict(); it lacks {sorted(missing)}")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.steps, self.updates = state["steps"], state["updates"]


def seeds(seed: int, steps: int, worker: int = 0) -> tuple[SeedSequence, SeedSequence]:
    """For a worker's environments and for its actions, when it begins after `steps` steps."""
    for_envs, for_actions = seed_sequence(seed, steps).spawn(2 * worker + 2)[-2:]
    return for_envs, for_actions


def gradients_of(loss: Tensor, parameters: Sequence[nn.Parameter]) -> tuple[Tensor, ...]:
    """d loss / d parameters, as values; zero for a parameter that the loss does not depend on.

    Raises FloatingPointError if the loss is not finite.
    """
    if not loss.isfinite():
        raise FloatingPointError(f"the loss is {loss.item()}")
    return torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)


def limited(
    gradients: Sequence[Tensor], max_norm: float = math.inf
) -> tuple[tuple[Tensor, ...], float]:
    """The gradients, scaled down so that their norm is at most `max_norm`, and the norm before.

    One norm for all of them together, so that their direction stays. Raises FloatingPointError if
    it is not finite.

    >>> limited([torch.tensor([3.0]), torch.tensor([4.0])], max_norm=1.0)
    ((tensor([0.6000]), tensor([0.8000])), 5.0)
    """
    norm = float(get_total_norm(gradients))
    if not math.isfinite(norm):
        raise FloatingPointError(f"the gradient's norm is {norm}")
    scale = min(1.0, max_norm / norm) if norm > 0 else 1.0
    return tuple(gradient * scale for gradient in gradients), norm


def apply_gradients(
    optimizer: torch.optim.Optimizer,
    parameters: Sequence[nn.Parameter],
    gradients: Sequence[Tensor],
    max_norm: float = math.inf,
) -> float:
    """Limit the gradients' norm to `max_norm`, then take one step.   → the norm before that.

    Gradients are values that are handed over: nothing is left in `.grad`, so nothing needs zeroing.
    Raises FloatingPointError, with nothing changed, if the norm is not finite.

    >>> theta = nn.Parameter(torch.tensor([1.0, 1.0]))
    >>> sgd = torch.optim.SGD([theta], lr=0.1)
    >>> apply_gradients(sgd, [theta], [torch.tensor([3.0, 4.0])], max_norm=1.0)
    5.0
    >>> theta.data
    tensor([0.9400, 0.9200])
    """
    gradients, norm = limited(gradients, max_norm)
    for theta, d_theta in zip(parameters, gradients, strict=True):
        theta.grad = d_theta
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return norm
