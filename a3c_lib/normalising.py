"""Chapter 10: what is seen and paid is normalised, with statistics that go with the network's
weights.

They are buffers of the network. So a checkpoint has them, a run goes on with them, and an agent is
evaluated with them; A3C's workers measure together. Wrappers around environments know of nothing
but their own environment.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self
from zlib import crc32

import torch
from gymnasium import spaces
from torch import Tensor, nn

from a3c_lib import hogwild
from a3c_lib.actor_critic import Context, Targets, WithContext, in_context, one_step_targets
from a3c_lib.networks import Encoder, Vector, unsupported
from a3c_lib.rollout import Rollout
from a3c_lib.sharing import in_shared_memory
from a3c_lib.training import RolloutConfig, copy_tensors

FARTHEST = 10.0  # deviations: what lies farther from the mean is put there [OpenAI's baselines]
TINY = 1e-8  # added to a variance, for what never changes


class Measuring(nn.Module):
    """A part of a network that has mean and variance of all that it measured, as buffers."""

    mean: Tensor
    variance: Tensor
    count: Tensor
    _latest: tuple[int, Tensor, Tensor] | None = None  # that was measured: number, mean, variance

    def _begin(self, *shape: int) -> None:
        # In float64, as there may be more rows than float32 can count.
        self.register_buffer("mean", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("variance", torch.ones(shape, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """The statistics go where the network goes, and stay in float64 whatever numbers it gets,
        as by `model.float()`."""
        before = self.statistics
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.mean, self.variance, self.count = (
            now if now.dtype is was.dtype else was.to(now.device)
            for was, now in zip(before, self.statistics, strict=True)
        )
        return self

    @property
    def statistics(self) -> list[Tensor]:
        """mean, variance, count"""
        return [self.mean, self.variance, self.count]

    @torch.no_grad()
    def _measure(self, rows: Tensor) -> None:
        """Mean and variance are now those of these rows (n, …), too."""
        variance, mean = torch.var_mean(rows, dim=0, correction=0)
        self._latest = len(rows), mean, variance
        self._add(*self._latest)

    def _add(self, n: int, mean: Tensor, variance: Tensor) -> None:  # [Chan et al. 1983]
        total, off = self.count + n, mean - self.mean
        squares = self.variance * self.count + variance * n + off.square() * self.count * n / total
        self.mean += off * n / total
        self.variance.copy_(squares / total)
        self.count += n

    @torch.no_grad()
    def meet(self, everybodys: Sequence[Tensor]) -> None:
        """What was measured latest is now in `everybodys` statistics, too, and these are those."""
        if self._latest is None:
            return
        latest, self._latest = self._latest, None
        if everybodys[2] > self.count - latest[0]:  # others have measured something meanwhile
            copy_tensors(everybodys, self.statistics)
            self._add(*latest)
        copy_tensors(self.statistics, everybodys)

    def _deviations(self, off: Tensor) -> Tensor:
        """In deviations, and limited to ±`FARTHEST`."""
        return (off / (self.variance + TINY).sqrt()).clamp(-FARTHEST, FARTHEST)


class Normalised(Encoder, Measuring):
    """Vectors (*B, width) less the mean, and divided by the deviation, of all that it learned from.

    To act, and to evaluate, the statistics are used as they are. Where a gradient is to be taken in
    training mode, what is seen is normalised as it was to act, and then taken in: at every pass. So
    what a loss of one's own passes through the network once more counts once more, and is
    normalised with what the first pass took in; and so is, in any case, what no action was chosen
    on, of which V alone is asked, at ends and behind a rollout. (Of Hogwild's workers each goes on
    from what it took in itself, and the network's statistics are those of who learned last; with
    `measured_together` all have the same.)

    >>> encoder = Normalised(spaces.Box(-100, 100, (1,)))
    >>> encoder(torch.tensor([[10.0], [30.0]]))  # of which nothing is known yet
    tensor([[10.],
            [10.]])
    >>> encoder(torch.tensor([[10.0], [30.0]]))
    tensor([[-1.],
            [ 1.]])
    """

    def __init__(self, space: spaces.Space[Any]) -> None:
        super().__init__()
        if not isinstance(space, spaces.Box) or len(space.shape) != 1:
            raise unsupported("normalised observations", space)
        self.encoder = Vector(space)
        self.width = self.encoder.width
        self._begin(self.width)

    def forward(self, observations: Tensor) -> Tensor:
        """(*B, width) → the same, normalised, in the network's numbers."""
        normal = self._deviations(observations - self.mean)
        if self.training and torch.is_grad_enabled():
            self.take_in(observations)
        features: Tensor = self.encoder(normal)
        return features

    def take_in(self, observations: Tensor) -> None:
        """Mean and variance are now those of these (*B, width), too.

        Raises FloatingPointError, with nothing changed, if one of them is not finite.
        """
        rows = observations.reshape(-1, self.width).to(self.mean.dtype)
        finite = rows.isfinite().all(dim=-1)
        if not finite.all():
            raise FloatingPointError(f"an observation is not finite: {rows[~finite][0].tolist()}")
        self._measure(rows)


class RewardStatistics(Measuring):
    """What rewards are divided by: the deviation of the returns so far, of all that was learned
    from. They are not centred, since that would change what is best.

        Z_t = r_t + γ Z_{t−1},   from 0 where an episode begins         [OpenAI's baselines]

    A part of the network, by whatever name: `model.reward_statistics = RewardStatistics()`. Then
    `normalised_rewards` are learned from.

    >>> column = lambda *numbers: torch.tensor(numbers)[:, None]
    >>> no = column(False, False, False)
    >>> shown, rewards = column(0, 1, 2, 3), column(3.0, 1.0, 5.0)
    >>> rollout = Rollout.of(shown[:-1], no.long(), rewards, shown[1:], no, no)
    >>> statistics = RewardStatistics()
    >>> statistics.take_in(rollout, gamma=0.0)  # Z = r: 3, 1 and 5, and their variance is 8/3
    >>> statistics.normalised(rewards).squeeze()
    tensor([1.8371, 0.6124, 3.0619])
    """

    def __init__(self) -> None:
        super().__init__()
        self._begin()
        # Of one player, so no buffers, which workers share: what its environments showed last, as
        # a number, and Z (N,) there, 0 where an episode ended.
        self._shown: int | None = None
        self._so_far = torch.zeros(0, dtype=torch.float64)

    def normalised(self, rewards: Tensor) -> Tensor:
        """(*B) → (*B), divided by the deviation, and then limited to ±`FARTHEST`."""
        return self._deviations(rewards).to(rewards.dtype)

    @torch.no_grad()
    def take_in(self, rollout: Rollout, gamma: float) -> None:
        """Mean and variance are now those of this rollout's Z, too. Where it begins with what the
        last one ended with, Z goes on; else new episodes have begun.

        Raises FloatingPointError, with nothing changed, if a reward is not finite.
        """
        if not 0 <= gamma <= 1:
            raise ValueError(f"gamma is a discount per step, in [0, 1]; got {gamma}")
        rewards = rollout.rewards.masked_fill(rollout.dummies, 0.0).to(self.mean.dtype)
        _check_finite(rewards)
        begins = rollout.ended | rollout.dummies
        so_far, Z = [], self._at_the_beginning(rollout)
        for reward, anew in zip(rewards, begins, strict=True):
            Z = reward + gamma * Z
            so_far.append(Z)
            Z = Z.masked_fill(anew, 0.0)
        self._shown, self._so_far = _as_number(rollout.seen[-1]), Z
        self._measure(torch.stack(so_far)[~rollout.dummies])

    def _at_the_beginning(self, rollout: Rollout) -> Tensor:
        if self._shown == _as_number(rollout.seen[0]):
            return self._so_far.to(self.mean.device)
        return self.mean.new_zeros(rollout.rewards.shape[1])

    def get_extra_state(self) -> dict[str, Any]:
        """What goes on beside the buffers: Z, and where."""
        return {"shown": self._shown, "so_far": self._so_far}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Go on with that."""
        self._shown, self._so_far = state["shown"], state["so_far"].clone()


def _check_finite(rewards: Tensor) -> None:
    wrong = (~rewards.isfinite()).nonzero().tolist()
    if wrong:
        (t, env), *_ = wrong
        raise FloatingPointError(
            f"step {t} of the rollout: environment {env} pays {rewards[t, env].item()}"
        )


def _as_number(shown: Tensor) -> int:
    """Of observations (N, *O); others have another one, but for a chance in four billion."""
    return crc32(shown.cpu().contiguous().numpy().data)


def normalised_rewards(
    model: nn.Module, config: RolloutConfig, targets: Targets | None = None
) -> Targets:
    """`targets` of rewards that are divided by the deviation of the returns so far, for
    `a2c.train`, `a3c.train`, `parallel_a2c.train` and `actor_critic.train`.

    The `model` that is trained, with its `config`, has `RewardStatistics`; without `targets` they
    are what the config says. A rollout is taken in, and then normalised. The critic's values are in
    the unit of what is learned from; returns that are reported, and evaluated, stay the world's.

    Hogwild's workers have their statistics `measured_together`. Those of `parallel_a2c` all have
    the statistics of worker 0's environments, so that a run can be repeated bit for bit.

    Raises ValueError if the model has no RewardStatistics, or several.

    >>> import gymnasium as gym
    >>> from a3c_lib import a2c
    >>> from a3c_lib.networks import ActorCritic
    >>> model = ActorCritic.for_env(gym.make("Pendulum-v1"), seed=0)
    >>> model.reward_statistics = RewardStatistics()
    >>> config = a2c.Config(total_steps=320, gamma=0.9)
    >>> targets = normalised_rewards(model, config)
    >>> with a2c.train(model, "Pendulum-v1", config, targets=targets) as training:
    ...     [update.steps for update in training]
    [160, 320]
    >>> model.reward_statistics.count
    tensor(320., dtype=torch.float64)
    """
    _reward_statistics(model)
    targets = _or_the_configs(targets, config)
    shared = _everybodys(model, config)
    return WithContext(partial(_of_normalised, targets=targets, shared=shared))


def measured_together(
    model: nn.Module, config: hogwild.Config, targets: Targets | None = None
) -> Targets:
    """`targets` with which A3C's workers measure together, what they see and what they are paid:
    each goes on from what all of them have measured.

    They are for one training of the `model`, with its `config`; without `targets` they are what the
    config says. There is no lock: of two processes that add what they measured in the same moment,
    one may write over the other's. Besides, the model, and a checkpoint, lack at most a rollout of
    each other worker.
    """
    targets = _or_the_configs(targets, config)
    return WithContext(partial(_as_paid, targets=targets, shared=_everybodys(model, config)))


def _or_the_configs(targets: Targets | None, config: RolloutConfig) -> Targets:
    its: Targets = getattr(config, "returns", one_step_targets)
    return its if targets is None else targets


Everybodys = Sequence[Sequence[Tensor]]  # the statistics of each part that measures


def _everybodys(model: nn.Module, config: RolloutConfig) -> Everybodys:
    """Where Hogwild's workers meet; nowhere, if there are none. (The copies of buffers that they
    make do not do: each would only ever meet what it wrote there itself.)"""
    if not isinstance(config, hogwild.Config):
        return ()
    everybodys = [part.statistics for part in _measuring(model)]
    if config.schedule == "round-robin":
        return everybodys
    with in_shared_memory():  # beside the model's own, which reaches processes another way
        return [[each.clone().share_memory_() for each in part] for part in everybodys]


def _as_paid(*arguments: Any, targets: Targets, shared: Everybodys) -> Tensor:
    *others, context = arguments
    _meet(context, shared)
    return in_context(targets, context)(*others)


def _of_normalised(
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    context: Context,
    *,
    targets: Targets,
    shared: Everybodys,
) -> Tensor:
    statistics = _reward_statistics(context.model)
    if statistics.training:
        statistics.take_in(context.rollout, gamma)
    _meet(context, shared)
    normal = statistics.normalised(rewards)
    return in_context(targets, context)(normal, next_values, terminated, truncated, gamma)


def _meet(context: Context, shared: Everybodys) -> None:
    if shared:
        for part, everybodys in zip(_measuring(context.model), shared, strict=True):
            part.meet(everybodys)


def _measuring(model: nn.Module) -> list[Measuring]:
    return [part for part in model.modules() if isinstance(part, Measuring)]


def _reward_statistics(model: nn.Module) -> RewardStatistics:
    found = [part for part in _measuring(model) if isinstance(part, RewardStatistics)]
    if len(found) != 1:
        raise ValueError(
            "a network that learns from normalised rewards has one RewardStatistics, as with "
            "model.reward_statistics = RewardStatistics(); "
            f"this {type(model).__name__} has {len(found)}"
        )
    return found[0]
