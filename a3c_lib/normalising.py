"""Chapter 10: a network that normalises what it sees, with statistics that go with its weights.

They are buffers of the network. So workers share them, a checkpoint has them, a run goes on with
them, and an agent is evaluated with them; wrappers around environments know of nothing but their
own environment.
"""

from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor

from a3c_lib.networks import Encoder, Vector, unsupported

FARTHEST = 10.0  # deviations: what is seen farther from the mean is put there [OpenAI's baselines]
TINY = 1e-8  # added to a variance, for what never changes


class Normalised(Encoder):
    """Vectors (*B, width) less the mean, and divided by the deviation, of all that it learned from.

    To act, and to evaluate, the statistics are used as they are. Where a gradient is to be taken in
    training mode, what is seen is normalised as it was to act, and then taken in. (Of workers that
    learn at the same time, one may overwrite what another has taken in; the mean is then of fewer
    observations, and as good.)

    >>> encoder = Normalised(spaces.Box(-100, 100, (1,)))
    >>> encoder(torch.tensor([[10.0], [30.0]]))  # of which nothing is known yet
    tensor([[10.],
            [10.]])
    >>> encoder(torch.tensor([[10.0], [30.0]]))
    tensor([[-1.],
            [ 1.]])
    """

    mean: Tensor
    variance: Tensor
    count: Tensor

    def __init__(self, space: spaces.Space[Any]) -> None:
        super().__init__()
        if not isinstance(space, spaces.Box) or len(space.shape) != 1:
            raise unsupported("normalised observations", space)
        self.encoder = Vector(space)
        self.width = self.encoder.width
        # In float64, as there may be more observations than float32 can count.
        self.register_buffer("mean", torch.zeros(self.width, dtype=torch.float64))
        self.register_buffer("variance", torch.ones(self.width, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    def forward(self, observations: Tensor) -> Tensor:
        """(*B, width) → the same, normalised, in the network's numbers."""
        deviation = (self.variance + TINY).sqrt()
        normal = ((observations - self.mean) / deviation).clamp(-FARTHEST, FARTHEST)
        if self.training and torch.is_grad_enabled():
            self.take_in(observations)
        features: Tensor = self.encoder(normal)
        return features

    @torch.no_grad()
    def take_in(self, observations: Tensor) -> None:
        """Mean and variance are now those of these (*B, width), too.         [Chan et al. 1983]"""
        seen = observations.reshape(-1, self.width).to(self.mean.dtype)
        n, total = len(seen), self.count + len(seen)
        variance, mean = torch.var_mean(seen, dim=0, correction=0)
        off = mean - self.mean
        squares = self.variance * self.count + variance * n + off.square() * self.count * n / total
        self.mean += off * n / total
        self.variance.copy_(squares / total)
        self.count += n
