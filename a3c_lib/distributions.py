"""Chapter 00: the policy distribution π(· | o): what a policy draws from, and a loss looks at.

Where actions are Discrete it is a `Categorical`, and a model may say its logits alone. Where they
are a Box (chapter 10) it is a density: a `Gaussian`, or one that is squashed into the Box. Nothing
but this differs, from the rollout to the loss. torch.distributions does the computing; added are
draws from a random generator of one's own.
"""

import math
from functools import cached_property
from typing import Any, Protocol, Self, cast

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical as TorchCategorical, Independent, Normal
from torch.nn.functional import softplus

LOG_2 = math.log(2)


class NoActionError(ValueError):
    """Raised where what a policy says are no numbers, so that it chooses no action."""


class PolicyDistribution(Protocol):
    """π(· | o) for a batch (*B) of observations. Actions are (*B) or, in a Box, (*B, D)."""

    def sample(self, generator: torch.Generator) -> Tensor:
        """a ~ π(· | o), an action for each observation. Raises NoActionError if there is none."""

    @property
    def mode(self) -> Tensor:
        """The likeliest actions. Raises NoActionError if there are none."""

    def log_prob(self, actions: Tensor) -> Tensor:
        """log π(a | o).   (*B). Raises ValueError for actions of another shape."""

    def entropy(self) -> Tensor:
        """H(π), in nats.   (*B)"""

    def wrong(self) -> str | None:
        """What of one observation's policy is no number, in words; None if all is well."""

    def __getitem__(self, index: Any) -> "PolicyDistribution":
        """The policy of some of the observations."""

    def cpu(self) -> "PolicyDistribution":
        """The same on the CPU, where actions are drawn."""


# What a model says of its policy: logits (*B, A) of actions that are Discrete, or a distribution
PolicyOutput = Tensor | PolicyDistribution


def distribution(policy: PolicyOutput) -> PolicyDistribution:
    """The policy distribution, of what a model says: of logits (*B, A) a `Categorical`.

    >>> pi = distribution(torch.tensor([0.9, 0.1]).log())
    >>> pi.mode, round(pi.entropy().item(), 5)
    (tensor(0), 0.32508)
    """
    return Categorical(policy) if isinstance(policy, Tensor) else policy


class Categorical:
    """π = softmax(logits), over A actions counted from 0.   logits (*B, A)"""

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits

    def sample(self, generator: torch.Generator) -> Tensor:
        """a ~ π(· | o).   (*B, A) → (*B), for one batch axis"""
        pi = self.logits.softmax(dim=-1)
        try:
            return torch.multinomial(pi, 1, generator=generator).squeeze(-1)
        except RuntimeError:  # torch looks anyway
            if pi.isfinite().all():
                raise
            raise NoActionError from None

    @property
    def mode(self) -> Tensor:
        """argmax_a π(a | o)"""
        if self.wrong():
            raise NoActionError
        return self.logits.argmax(dim=-1)

    @cached_property
    def _torchs(self) -> Any:
        return TorchCategorical(logits=self.logits, validate_args=False)

    def log_prob(self, actions: Tensor) -> Tensor:
        """log π(a | o).   (*B) → (*B)"""
        if self.logits.shape[:-1] != actions.shape:
            raise ValueError(
                f"logits {tuple(self.logits.shape)} must be the shape of actions "
                f"{tuple(actions.shape)} with one more axis, the actions'"
            )
        log_pi: Tensor = self._torchs.log_prob(actions)
        return log_pi

    def entropy(self) -> Tensor:
        """H(π) = −Σ_a π(a) log π(a), in nats: log A for a uniform policy, 0 for a certain one."""
        H: Tensor = self._torchs.entropy()
        return H

    def wrong(self) -> str | None:
        """The logits, if they are no numbers."""
        if not self.logits.softmax(dim=-1).isnan().any():
            return None
        return f"the logits are {self.logits.tolist()}"

    def __getitem__(self, index: Any) -> Self:
        return type(self)(self.logits[index])

    def cpu(self) -> Self:
        """The same on the CPU."""
        return type(self)(self.logits.cpu())


class Gaussian:
    """N(μ, σ²) on each of D axes, one independent of the other.   mean, deviation (*B, D)

    `deviation` is σ, not σ². It is a density: log π(a) = −½ Σ ((a − μ)/σ)² − Σ log σ − ½ D log 2π
    may be positive, and H(π) = Σ log σ + ½ D log 2πe negative. Both are sums over the axes.

    >>> pi = Gaussian(mean=torch.zeros(2), deviation=torch.ones(2))
    >>> pi.log_prob(torch.zeros(2)), pi.entropy()  # −log 2π; log 2πe
    (tensor(-1.8379), tensor(2.8379))
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor) -> None:
        self.mean, self.deviation = torch.broadcast_tensors(mean, deviation)

    @cached_property
    def _torchs(self) -> Any:
        return Independent(
            Normal(self.mean, self.deviation, validate_args=False), 1, validate_args=False
        )

    def sample(self, generator: torch.Generator) -> Tensor:
        """a = μ + σ z,   z ~ N(0, 1).   (*B, D)"""
        if self.wrong():
            raise NoActionError
        drawn: Tensor = torch.normal(self.mean, self.deviation, generator=generator)
        return drawn

    @property
    def mode(self) -> Tensor:
        """μ"""
        if self.wrong():
            raise NoActionError
        return self.mean

    def log_prob(self, actions: Tensor) -> Tensor:
        """log π(a | o), of actions as they were drawn, before they are clipped.   (*B, D) → (*B)"""
        if actions.shape != self.mean.shape:  # (T, N) against (T, N, D) would broadcast
            raise ValueError(
                f"actions {tuple(actions.shape)} must be the shape of the policy's mean, "
                f"{tuple(self.mean.shape)}"
            )
        log_pi: Tensor = self._torchs.log_prob(actions)
        return log_pi

    def entropy(self) -> Tensor:
        """H(π) = Σ log σ + ½ D log 2πe, in nats.   (*B)"""
        H: Tensor = self._torchs.entropy()
        return H

    def wrong(self) -> str | None:
        """Mean and deviation, if they are not finite, or σ is not above 0."""
        deviation = self.deviation
        if (self.mean.isfinite() & deviation.isfinite() & (deviation > 0)).all():
            return None
        return f"mean and deviation are {self.mean.tolist()} and {self.deviation.tolist()}"

    def __getitem__(self, index: Any) -> "Gaussian":
        return Gaussian(self.mean[index], self.deviation[index])

    def cpu(self) -> "Gaussian":
        """The same on the CPU."""
        return Gaussian(self.mean.cpu(), self.deviation.cpu())


class SquashedGaussian(Gaussian):
    """a = centre + reach · tanh(u),   u ~ N(μ, σ²): no action is outside of centre ± reach.

    Where the squashing is steep, u's density is thinned, and the other way round: log π(a) =
    log N(u) − Σ log |da/du|, with da/du = reach · (1 − tanh² u).   mean, deviation (*B, D), of u;
    centre, reach (D,)
    """

    def __init__(self, mean: Tensor, deviation: Tensor, centre: Tensor, reach: Tensor) -> None:
        super().__init__(mean, deviation)
        self.centre, self.reach = centre, reach

    def sample(self, generator: torch.Generator) -> Tensor:
        """a = centre + reach · tanh(u).   (*B, D)"""
        return self._squashed(super().sample(generator))

    @property
    def mode(self) -> Tensor:
        """centre + reach · tanh(μ): as likely to be exceeded as not, on each axis. (The likeliest
        action may be at a bound.)"""
        return self._squashed(super().mode)

    def log_prob(self, actions: Tensor) -> Tensor:
        """log π(a | o).   (*B, D) → (*B). An action that rounding has put on a bound counts as the
        nearest one that is not."""
        most = 1 - torch.finfo(actions.dtype).eps
        u = ((actions - self.centre) / self.reach).clamp(-most, most).atanh()
        return super().log_prob(u) - self._log_slope(u).sum(dim=-1)

    def entropy(self) -> Tensor:
        """H(π) = H(N(μ, σ²)) + E Σ log |da/du|, the mean by Gauss–Hermite quadrature.   (*B)"""
        z, weights = (self.mean.new_tensor(part) for part in _hermite(32))
        u = self.mean[..., None] + self.deviation[..., None] * z
        log_slope = self._log_slope(u.movedim(-1, 0)).movedim(0, -1)
        H: Tensor = super().entropy() + (log_slope @ weights).sum(dim=-1)
        return H

    def _squashed(self, u: Tensor) -> Tensor:
        return self.centre + self.reach * u.tanh()

    def _log_slope(self, u: Tensor) -> Tensor:
        """log |da/du|, in a form that does not round to log 0."""
        return self.reach.log() + 2 * (LOG_2 - u - softplus(-2 * u))

    def __getitem__(self, index: Any) -> "SquashedGaussian":
        return SquashedGaussian(self.mean[index], self.deviation[index], self.centre, self.reach)

    def cpu(self) -> "SquashedGaussian":
        """The same on the CPU."""
        parts = (self.mean, self.deviation, self.centre, self.reach)
        return SquashedGaussian(*(part.cpu() for part in parts))


def _hermite(n: int) -> tuple[Any, Any]:
    """Where to look, and with which weights: E f(z) ≈ Σ weights · f(z), for z ~ N(0, 1)."""
    z, weights = np.polynomial.hermite_e.hermegauss(n)
    return z, cast(Any, weights) / math.sqrt(2 * math.pi)
