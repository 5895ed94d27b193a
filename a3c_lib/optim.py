"""Chapter 05: optimisers that many workers share.

An optimiser is handed gradients as values, and changes the parameters in place. Its statistics are
tensors like the parameters: in shared memory, all workers see one copy and change it without a
lock; else each worker has its own.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import torch
from torch import Tensor

from a3c_lib import training
from a3c_lib.settings import Positive, ProperFraction, check_setting


class Optimizer(ABC):
    """θ, and what is remembered of the gradients so far.

    The learning rate is handed over with the gradients: it belongs to the run's schedule. Nothing
    is kept in `.grad`.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError("an optimizer needs at least one parameter; got none")

    @property
    @abstractmethod
    def statistics(self) -> dict[str, list[Tensor]]:
        """The tensors that change with every step, by name."""

    @abstractmethod
    def step(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        """Change every parameter in place, by one step against its gradient."""

    def share_memory(self) -> Self:
        """Move the statistics into shared memory, for processes that are started from now on."""
        for tensors in self.statistics.values():
            for tensor in tensors:
                tensor.share_memory_()
        return self

    def state_dict(self) -> dict[str, Any]:
        """A copy of the statistics."""
        return {
            name: [tensor.clone() for tensor in tensors]
            for name, tensors in self.statistics.items()
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on with the statistics of `state_dict`. Raises ValueError if they are of another kind
        of optimiser, or of other parameters."""
        own = self.statistics
        if state_dict.keys() != own.keys():
            raise ValueError(
                f"{type(self).__name__} has the statistics {sorted(own)}; got {sorted(state_dict)}"
            )
        for name, tensors in own.items():
            shapes = [tuple(tensor.shape) for tensor in tensors]
            given = [tuple(tensor.shape) for tensor in state_dict[name]]
            if shapes != given:
                raise ValueError(f"{name} has the shapes {shapes}; got {given}")
        for name, tensors in own.items():
            for tensor, saved in zip(tensors, state_dict[name], strict=True):
                tensor.copy_(saved)


class RMSProp(Optimizer):
    """g ← αg + (1 − α)Δθ²,   θ ← θ − η Δθ / √(g + ε)                          [A3C, section 4]

    `decay` is α, the paper's 0.99. `epsilon` stands inside the root, as in the paper, which does
    not print its value; torch's RMSprop has it outside.

    >>> theta = torch.tensor([1.0])
    >>> RMSProp([theta], decay=0.75, epsilon=1.75).step([torch.tensor([3.0])], learning_rate=0.1)
    >>> theta  # g = 9/4 and √(9/4 + 7/4) = 2, so that the step is 0.1 · 3 / 2
    tensor([0.8500])
    """

    def __init__(
        self, parameters: Iterable[Tensor], decay: float = 0.99, epsilon: float = 1e-5
    ) -> None:
        super().__init__(parameters)
        check_setting("decay", decay, ProperFraction)
        check_setting("epsilon", epsilon, Positive)
        self.decay, self.epsilon = decay, epsilon
        self.g = _zeros_like(self.parameters)

    @property
    def statistics(self) -> dict[str, list[Tensor]]:
        """g, the moving average of squared gradients."""
        return {"g": self.g}

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        """θ ← θ − η Δθ / √(g + ε), for every parameter."""
        for theta, g, d_theta in zip(self.parameters, self.g, gradients, strict=True):
            g.mul_(self.decay).addcmul_(d_theta, d_theta, value=1 - self.decay)
            theta.addcdiv_(d_theta, (g + self.epsilon).sqrt_(), value=-learning_rate)


class Momentum(Optimizer):
    """m ← αm + (1 − α)Δθ,   θ ← θ − η m

    `decay` is α. The paper compares this with RMSProp.

    >>> theta = torch.tensor([1.0])
    >>> Momentum([theta], decay=0.75).step([torch.tensor([4.0])], learning_rate=0.1)
    >>> theta
    tensor([0.9000])
    """

    def __init__(self, parameters: Iterable[Tensor], decay: float = 0.99) -> None:
        super().__init__(parameters)
        check_setting("decay", decay, ProperFraction)
        self.decay = decay
        self.m = _zeros_like(self.parameters)

    @property
    def statistics(self) -> dict[str, list[Tensor]]:
        """m, the moving average of gradients."""
        return {"m": self.m}

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        """θ ← θ − η m, for every parameter."""
        for theta, m, d_theta in zip(self.parameters, self.m, gradients, strict=True):
            m.mul_(self.decay).add_(d_theta, alpha=1 - self.decay)
            theta.add_(m, alpha=-learning_rate)


class Adam(Optimizer):
    """m ← β₁m + (1 − β₁)Δθ,   v ← β₂v + (1 − β₂)Δθ²,
    θ ← θ − η m̂ / (√v̂ + ε)   with m̂ = m / (1 − β₁ᵏ) and v̂ = v / (1 − β₂ᵏ) at step k.
                                                                        [Kingma and Ba 2015]

    Not in the paper, but what many implementations of A3C share among workers. The step count k is
    shared as well, and counted without a lock.

    Without a lock, a worker can meet another's m before its v; where v is still 0, as for most of a
    table at first, m would be divided by ε. So m is taken for no more than gradients can make it,
    |m| ≤ `bound` √v. That changes nothing where nobody interferes.

    >>> theta = torch.tensor([1.0])
    >>> Adam([theta]).step([torch.tensor([3.0])], learning_rate=0.1)
    >>> theta  # the first step is η against the gradient's sign, whatever its size
    tensor([0.9000])
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        decays: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(parameters)
        check_setting("decays", decays, tuple[ProperFraction, ...])
        check_setting("epsilon", epsilon, Positive)
        if len(decays) != 2:
            raise ValueError(f"decays are two, β₁ and β₂; got {decays}")
        self.decays, self.epsilon = decays, epsilon
        b1, b2 = decays
        if b1**2 >= b2:
            raise ValueError(f"decays: β₁² is below β₂, as 0.9² is below 0.999; got {decays}")
        # Σ (1 − β₁) β₁ⁱ dᵢ ≤ bound √(Σ (1 − β₂) β₂ⁱ dᵢ²)  for all d         [Cauchy and Schwarz]
        self.bound = (1 - b1) / math.sqrt((1 - b2) * (1 - b1**2 / b2))
        self.m, self.v = _zeros_like(self.parameters), _zeros_like(self.parameters)
        self.k = torch.zeros((), dtype=torch.int64)

    @property
    def statistics(self) -> dict[str, list[Tensor]]:
        """m and v, the moving averages, and k, how many steps were taken."""
        return {"m": self.m, "v": self.v, "k": [self.k]}

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        """θ ← θ − η m̂ / (√v̂ + ε), for every parameter."""
        self.k += 1
        (b1, b2), k = self.decays, int(self.k)
        for theta, m, v, d_theta in zip(self.parameters, self.m, self.v, gradients, strict=True):
            m.mul_(b1).add_(d_theta, alpha=1 - b1)
            v.mul_(b2).addcmul_(d_theta, d_theta, value=1 - b2)
            most = v.sqrt() * self.bound
            scale = (v / (1 - b2**k)).sqrt_().add_(self.epsilon)
            theta.addcdiv_(m.clamp(-most, most), scale, value=-learning_rate / (1 - b1**k))


Kind = Literal["rmsprop", "momentum", "adam"]


@dataclass(frozen=True, kw_only=True)
class Config(training.Config):
    """Which optimiser, and how it is set."""

    # rmsprop: the paper's; momentum: compared with it in the paper; adam: not in the paper
    optimizer: Kind = "rmsprop"
    # how much of the past RMSProp's mean square or the momentum keeps in a step, α in [0, 1) [A3C]
    decay: ProperFraction = 0.99
    # ε, added to RMSProp's mean square before the root is taken, above 0; the paper does not print
    # it [OpenAI's A2C]
    rmsprop_epsilon: Positive = 1e-5

    def make_optimizer(self, parameters: Iterable[Tensor]) -> Optimizer:
        """The optimiser that the config names, its statistics at zero."""
        if self.optimizer == "rmsprop":
            return RMSProp(parameters, self.decay, self.rmsprop_epsilon)
        if self.optimizer == "momentum":
            return Momentum(parameters, self.decay)
        return Adam(parameters)


def _zeros_like(parameters: Sequence[Tensor]) -> list[Tensor]:
    return [torch.zeros_like(parameter, requires_grad=False) for parameter in parameters]
