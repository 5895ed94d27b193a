"""Chapter 01: what a rollout teaches a model, and what is reported of it.

A `Lesson` is made by whatever method learns: an actor-critic here, others later. Trainers know no
more of a method than its lessons.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from a3c_lib.rollout import Episode

U = TypeVar("U")


class LossParts(Protocol):
    """A named tuple of scalars: the `total` that is descended comes first, then its parts."""

    @property
    def total(self) -> Tensor:
        """(), what is descended."""

    def _asdict(self) -> dict[str, Tensor]: ...


class Lesson(NamedTuple):
    """What a rollout teaches a model. Its M steps are those that belong to an episode."""

    gradients: tuple[Tensor, ...]  # d loss / d parameters
    loss: LossParts
    returns: Tensor  # (M,) what the model should have said of its steps
    values: Tensor  # (M,) what it said
    episodes: tuple[Episode, ...]  # those that ended

    @property
    def steps(self) -> int:
        """M, the steps that count."""
        return len(self.returns)


def report(make_update: Callable[..., U], lesson: Lesson, **others: Any) -> U:
    """The update of a lesson: the loss's parts, by name, beside the `others`.

    `make_update` is a named tuple such as `actor_critic.Update`. A part called `policy` is its
    `policy_loss` if it has a field of that name, and its `policy` otherwise. Parts that it has no
    field for are its `extra`, if it has that.
    """
    fields = getattr(make_update, "_fields", ())
    parts: dict[str, Any] = {}
    extra: dict[str, float] = {}
    for name, part in lesson.loss._asdict().items():
        if name != "total":
            field = f"{name}_loss" if f"{name}_loss" in fields else name
            known = field in fields or "extra" not in fields
            (parts if known else extra)[field] = part.item()
    if extra:
        parts["extra"] = extra
    return make_update(episodes=lesson.episodes, **parts, **others)


def mean_return(episodes: tuple[Episode, ...]) -> float:
    """The mean return of episodes; NaN if there are none.

    >>> mean_return((Episode(1.0, 5, env=0), Episode(2.0, 9, env=1)))
    1.5
    """
    if not episodes:
        return math.nan
    return sum(episode.episode_return for episode in episodes) / len(episodes)


def explained_variance(returns: Tensor, values: Tensor) -> float:
    """1 − Var(R − V) / Var(R): 1 for a perfect critic, 0 for a constant one, negative for a worse
    one; NaN if R is constant.

    >>> explained_variance(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 3.0]))
    1.0
    """
    # The variance of equal numbers is not exactly 0 in floating point.
    if (returns == returns.flatten()[0]).all():
        return math.nan
    return 1 - float((returns - values).var(correction=0) / returns.var(correction=0))


class Recent:
    """The latest returns and values, 1000 steps or so."""

    def __init__(self, steps_per_update: int) -> None:
        self.pairs: deque[tuple[Tensor, Tensor]] = deque(maxlen=math.ceil(1000 / steps_per_update))

    def state_dict(self) -> dict[str, Any]:
        """All returns in a row, all values, and how many of them come from each update."""
        lengths = [len(returns) for returns, _ in self.pairs]
        returns, values = (torch.cat(part) if part else torch.empty(0) for part in self._columns())
        return {"returns": returns, "values": values, "lengths": lengths}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on with what is in `state`, on `device`."""
        parts = (state[name].to(device).split(state["lengths"]) for name in ("returns", "values"))
        self.pairs.extend(zip(*parts, strict=True))

    def explained_variance(self, lesson: Lesson) -> float:
        """Of the critic, over what is recent, now that there is one lesson more."""
        self.pairs.append((lesson.returns, lesson.values))
        return explained_variance(*map(torch.cat, self._columns()))

    def _columns(self) -> tuple[list[Tensor], list[Tensor]]:
        return [returns for returns, _ in self.pairs], [values for _, values in self.pairs]
