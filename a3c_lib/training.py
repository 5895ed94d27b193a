"""Chapter 00: a trainer is an iterator of updates, and a context manager.

    with train(model, make_env, config) as training:
        for update in training:
            ...

Printing, plotting and stopping belong to the caller. What every trainer shares stands here: the
budget of steps, seeds, the hand-over of gradients, closing, and the state from which it can go on.
"""

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

import torch
from numpy.random import SeedSequence
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from a3c_lib.making import Envs, close_all
from a3c_lib.playing import Player
from a3c_lib.rollout import seed_sequence
from a3c_lib.settings import (
    Count,
    Fraction,
    Limit,
    NumEnvs,
    Positive,
    Seed,
    check_settings,
)

AS_LEFT = "the parameters are as the last good step left them"  # what errors end with

M = TypeVar("M", bound=nn.Module)
U = TypeVar("U")


@dataclass(frozen=True, kw_only=True)
class Config:
    """What every trainer is told."""

    total_steps: Count = 100_000  # environment steps, of all environments together, at least 1
    gamma: Fraction = 0.99  # discount per step, in [0, 1] [A3C]
    learning_rate: Positive = 1e-3  # above 0; where it is annealed, the one at the beginning
    seed: Seed = 0  # of environments and actions, at least 0

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, kw_only=True)
class RolloutConfig(Config):
    """What every trainer is told that learns from rollouts of a fixed length."""

    # steps of each environment per update, at least 1; the paper's 5 suits 16 workers
    t_max: Count = 20
    num_envs: NumEnvs = 1  # environments in step with each other, at least 1
    anneal: bool = True  # bring the learning rate down to 0, linearly in steps [A3C]
    max_grad_norm: Limit = 0.5  # longer gradients are scaled to it; above 0 [OpenAI's A2C]

    def rollout_length(self, steps: int) -> int:
        """t_max, or what is left of the budget after `steps` steps, if that is less."""
        return min(self.t_max, math.ceil((self.total_steps - steps) / self.num_envs))

    def annealed(self, steps: int) -> float:
        """The learning rate after `steps` steps."""
        left = max(0.0, 1 - steps / self.total_steps)
        return self.learning_rate * (left if self.anneal else 1.0)


def as_row(update: Any) -> dict[str, float | int | None]:
    """An update as numbers by name, for a table or a line of JSON: with the number of its episodes
    and their `episode_return`, and None for what is no number.

    >>> from a3c_lib.reinforce import Update
    >>> as_row(Update(steps=9, updates=1, episodes=(), entropy=0.5, gradient_norm=math.nan))
    ... # doctest: +NORMALIZE_WHITESPACE
    {'steps': 9, 'updates': 1, 'episodes': 0, 'entropy': 0.5, 'gradient_norm': None,
     'episode_return': None}
    """
    row = update._asdict()
    extra = row.pop("extra", {})
    row |= {"episodes": len(update.episodes), "episode_return": update.episode_return, **extra}
    return {name: value if math.isfinite(value) else None for name, value in row.items()}


class Optimizer(Protocol):
    """What changes θ, by one step against gradients that are handed over as values.
    `TorchOptimizer` is one, and chapter 05 writes others."""

    def step(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        """Change every parameter by one step against its gradient."""

    def state_dict(self) -> dict[str, Any]:
        """What it goes on with."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with that."""


class TorchOptimizer:
    """One of torch's optimisers, for gradients that are values.

    Nothing is left in `.grad`, so nothing needs zeroing.

    >>> theta = nn.Parameter(torch.tensor([1.0]))
    >>> sgd = TorchOptimizer(torch.optim.SGD([theta]))
    >>> sgd.step([torch.tensor([3.0])], learning_rate=0.1)
    >>> theta.data, theta.grad
    (tensor([0.7000]), None)
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer

    def step(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        """One step against the gradients, of all parameters in their order."""
        groups = self.optimizer.param_groups
        parameters = [theta for group in groups for theta in group["params"]]
        for theta, d_theta in zip(parameters, gradients, strict=True):
            theta.grad = d_theta
        for group in groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """torch's."""
        return self.optimizer.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with torch's, a copy: torch's optimisers would go on changing the tensors in it.
        Raises ValueError if it is another kind's."""
        if "param_groups" not in state_dict:
            kind = type(self.optimizer).__name__
            raise ValueError(
                f"a state of torch's {kind} has param_groups; this one has {sorted(state_dict)}"
            )
        self.optimizer.load_state_dict(deepcopy(state_dict))


class Training(Iterator[U], Generic[M, U]):
    """Updates of `model`, one a `next`, until `total_steps` environment steps are taken.

    After `close`, and after the budget, it is exhausted; the model keeps what it learned.
    """

    model: M
    total_steps: int
    steps: int  # environment steps so far
    updates: int
    restored: bool = False  # resumed where it stopped, bit for bit; not with new episodes

    @property
    def pids(self) -> Mapping[int, int]:
        """Process numbers of the workers that run, by rank; none if it has no processes."""
        return {}

    @abstractmethod
    def stop(self) -> None:
        """Begin no further update. Those that are made are still handed out; then the training is
        exhausted. A signal's handler may call this."""

    def finish(self) -> list[U]:
        """Stop.   → the updates that were made and not handed out, in order

        Afterwards the model, `steps` and `state_dict()` are what the last of them says. Only
        workers in processes make updates that nobody has asked for yet.
        """
        self.stop()
        return list(self)

    @abstractmethod
    def close(self) -> None:
        """End the training: environments are closed, processes ended. Twice is fine.

        Workers in processes may have made updates that nobody has read. They are in the model
        and in `steps`; `finish`, called before, hands them out.
        """

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
        close_all([self.close], under_way=error)


class SingleThreadTraining(Training[M, U]):
    """Training in this thread: each `next` collects, and learns once.

    Same seed, same machine: same run, bit for bit.
    """

    def __init__(
        self,
        model: M,
        optimizer: Optimizer,
        envs: Envs,
        config: Config,
        resume: Mapping[str, Any] | None,
    ) -> None:
        self.model, self.optimizer = model, optimizer
        self.theta = dict(model.named_parameters())
        self.total_steps = config.total_steps
        self.steps = self.updates = 0
        if resume is not None:
            self.steps, self.updates = go_on(resume, model, optimizer, "generator")
        # Where environments cannot be restored, new episodes begin, other ones than at step 0.
        self.player = Player(envs, seeds(config.seed, self.steps), model)
        self.stopped = False
        if resume is not None:
            self.restored = self.player.load_state_dict(resume)

    @abstractmethod
    def update(self) -> U:
        """Collect, learn once, report."""

    def __next__(self) -> U:
        if self.stopped or self.player.closed or self.steps >= self.total_steps:
            raise StopIteration
        try:
            return self.update()
        except FloatingPointError as error:
            where = f"update {self.updates + 1}, after {self.steps} steps"
            raise FloatingPointError(f"{where}: {error}; {AS_LEFT}") from None

    def stop(self) -> None:
        """Make no further update."""
        self.stopped = True

    def close(self) -> None:
        """Close the environments."""
        self.player.close()

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimiser statistics, counters and the random state of the actions; and where
        the environments stand, if they can be restored (see `restoring`).

        `train(..., resume=state)` then goes on as if it had never stopped, bit for bit; else with
        new episodes.
        """
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "steps": self.steps,
            "updates": self.updates,
            **self.player.state_dict(),
        }
        return deepcopy(state)  # torch's are views, which training would go on changing


def take_step(
    theta: Mapping[str, Tensor],
    optimizer: Optimizer,
    gradients: Sequence[Tensor],
    learning_rate: float,
    good: Iterable[Tensor] | None = None,
) -> None:
    """One step of the optimizer. `theta` are the parameters, by name.

    Raises FloatingPointError if the step makes a parameter, or one of the optimizer's statistics,
    not finite; the parameters are then as they were before, or as they are in `good`.
    """
    before = [each.detach().clone() for each in theta.values()] if good is None else good
    try:
        optimizer.step(gradients, learning_rate)
        check_finite(theta, optimizer)
    except (FloatingPointError, RuntimeError) as error:
        copy_tensors(before, theta.values())
        # torch refuses numbers that float32 does not have.
        if isinstance(error, FloatingPointError) or "overflow" in str(error):
            raise FloatingPointError(
                f"after a step with learning rate {learning_rate}: {error}"
            ) from None
        raise


def check_finite(theta: Mapping[str, Tensor], optimizer: object) -> None:
    """Raise FloatingPointError, with the names, if parameters are not finite, or what an optimizer
    remembers in its `statistics`.

    >>> check_finite({"bias": torch.tensor([0.0, math.inf])}, optimizer=None)
    Traceback (most recent call last):
    ...
    FloatingPointError: not finite: bias
    """
    named = [*theta.items()]
    for name, tensors in getattr(optimizer, "statistics", {}).items():
        named += [(f"the optimizer's {name}", tensor) for tensor in tensors]
    # A sum is finite only if all numbers are; where it is not, it may only have overflowed.
    if not math.isfinite(sum(float(tensor.detach().sum()) for _, tensor in named)):
        spoilt = [name for name, tensor in named if not tensor.isfinite().all()]
        if spoilt:
            raise FloatingPointError(f"not finite: {', '.join(dict.fromkeys(spoilt))}")


@torch.no_grad()
def copy_tensors(source: Iterable[Tensor], to: Iterable[Tensor]) -> None:
    """Write the numbers of some tensors into others, in their order."""
    for theirs, ours in zip(source, to, strict=True):
        ours.copy_(theirs)


def go_on(
    state: Mapping[str, Any], model: nn.Module, optimizer: Optimizer, *others: str
) -> tuple[int, int]:
    """Load a trainer's state into model and optimiser.   → steps, updates

    Raises ValueError if it lacks one of these, or of the `others` that the trainer will read, or
    if it holds numbers that are not finite.
    """
    if not isinstance(state, Mapping):
        raise ValueError(f"resume is a trainer's state_dict(); got {type(state).__name__}")
    missing = {"model", "optimizer", "steps", "updates", *others} - state.keys()
    if missing:
        raise ValueError(f"resume is a trainer's state_dict(); it lacks {sorted(missing)}")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    try:
        check_finite(dict(model.named_parameters()), optimizer)
    except FloatingPointError as error:
        raise ValueError(f"resume is of a run that diverged: {error}") from None
    return state["steps"], state["updates"]


@torch.no_grad()
def leave_shared_memory(model: nn.Module) -> None:
    """Bring a model that processes shared back into memory of this process alone."""
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.clone()


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


def clip_gradients(
    gradients: Sequence[Tensor], max_norm: float = math.inf
) -> tuple[tuple[Tensor, ...], float]:
    """The gradients, scaled down so that their norm is at most `max_norm`, and the norm before.

    One norm for all of them together, so that their direction stays. Raises FloatingPointError if
    it is not finite.

    >>> clip_gradients([torch.tensor([3.0]), torch.tensor([4.0])], max_norm=1.0)
    ((tensor([0.6000]), tensor([0.8000])), 5.0)
    """
    norm = float(get_total_norm(gradients))
    if not math.isfinite(norm):
        raise FloatingPointError(f"the gradient's norm is {norm}")
    scale = min(1.0, max_norm / norm) if norm > 0 else 1.0
    return tuple(gradient * scale for gradient in gradients), norm
