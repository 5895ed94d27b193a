"""Chapter 07: the encoders that turn Atari's pictures into features, and the paper's networks.

An encoder is what an actor-critic begins with: convolutions here. Pixels may be normalised with
statistics of random play, and first weights drawn orthogonally.
"""

import math
from contextlib import closing
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from a3c_lib.networks import ActorCritic, check_channels
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.worlds.atari import Game


class PixelStatistics(NamedTuple):
    """Mean and deviation of a game's pixels under random play."""

    mean: Tensor  # (H, W) the mean picture, in whole bytes
    deviation: float  # how far a dot is from it: root of the mean square, over dots and pictures


def pixel_statistics(
    game: Game, steps: int = 250, num_envs: int = 8, seed: int = 0
) -> PixelStatistics:
    """Measured over `steps` · `num_envs` steps of random play.

    >>> statistics = pixel_statistics(Game("pong"), steps=50)
    >>> statistics.mean.shape, 2 < statistics.deviation < 10
    (torch.Size([84, 84]), True)
    """
    envs, dice = game.make_envs(num_envs), np.random.default_rng(seed)
    with closing(envs):
        envs.reset(seed=seed)
        actions = dice.integers(0, len(game.actions), (steps, num_envs))
        pictures = np.stack([envs.step(action)[0][:, -1].copy() for action in actions])
    mean = np.rint(pictures.mean((0, 1)))
    # Step by step, in whole numbers, which add up without rounding.
    squares = sum(float(np.square(shown - mean).sum()) for shown in pictures)
    deviation = math.sqrt(squares / pictures.size)
    if deviation == 0:
        raise ValueError(f"nothing moves in {steps} steps of {game.name!r}: take more of them")
    return PixelStatistics(torch.from_numpy(mean).float(), deviation)


SMALLEST = 20  # dots: the second convolution's window of 4, each 8 wide and 4 from the last


class PaperEncoder(nn.Module):
    """Pictures (*B, stack, 84, 84) of bytes → features (*B, 2592): the convolutions of the first
    DQN paper, which A3C took over.

    With `statistics` it sees (x − mean) / deviation, else x / 255. Raises ValueError for pictures
    that are too small, and for statistics that are not of such pictures.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, space: spaces.Box, statistics: PixelStatistics | None = None) -> None:
        super().__init__()
        check_channels(space)
        stack, *size = space.shape
        if min(size) < SMALLEST:
            raise ValueError(f"pictures are at least {SMALLEST} × {SMALLEST}; got {tuple(size)}")
        statistics = statistics or PixelStatistics(torch.zeros(size), 255.0)
        if tuple(statistics.mean.shape) != tuple(size):
            raise ValueError(
                f"statistics.mean is a picture {tuple(size)}; got {tuple(statistics.mean.shape)}"
            )
        if not torch.equal(statistics.mean, statistics.mean.byte().to(statistics.mean.dtype)):
            raise ValueError("statistics.mean is in whole bytes, 0 … 255; got other numbers")
        if not statistics.deviation > 0:
            raise ValueError(f"statistics.deviation is above 0; got {statistics.deviation}")
        self.register_buffer("mean", statistics.mean.clone())  # its own, whatever is loaded
        self.register_buffer("deviation", torch.tensor(statistics.deviation))
        self.layers = nn.Sequential(
            nn.Conv2d(stack, 16, kernel_size=8, stride=4),
            nn.ReLU(),
            nn.Conv2d(16, 32, kernel_size=4, stride=2),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.width = _width(self.layers, space)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (*B, stack, H, W) of bytes → features (*B, width)."""
        if self.mean.any() or self.deviation != 255:
            pictures = (pictures - self.mean) * (255 / self.deviation)
        return features_of(self.layers, pictures)


class SmallEncoder(nn.Module):
    """Pictures (*B, stack, 42, 42) of bytes → features (*B, 288): four layers that halve them.

    With four pictures a step, a quarter of the pixels and 0.7 of the multiplications of
    `PaperEncoder` with 256 units behind them. [the network of OpenAI's universe agent]
    """

    def __init__(self, space: spaces.Box) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        check_channels(space)
        channels = space.shape[0]
        for _ in range(4):
            layers += [nn.Conv2d(channels, 32, kernel_size=3, stride=2, padding=1), nn.ELU()]
            channels = 32
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.width = _width(self.layers, space)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (*B, stack, H, W) of bytes → features (*B, width)."""
        return features_of(self.layers, pictures)


def features_of(layers: nn.Module, pictures: Tensor) -> Tensor:
    """What `layers` make of pictures of bytes, in any batch axes B; 0 … 255 become 0 … 1.

    (*B, stack, H, W) → (*B, features)
    """
    *batch, stack, height, width = pictures.shape
    numbers = next(layers.parameters()).dtype
    features: Tensor = layers(pictures.reshape(-1, stack, height, width).to(numbers) / 255)
    return features.reshape(*batch, -1)


def _width(layers: nn.Module, space: spaces.Box) -> int:
    with torch.no_grad():
        return int(layers(torch.zeros(1, *space.shape)).shape[-1])


def paper_network(
    game: Game, seed: int = 0, statistics: PixelStatistics | None = None, orthogonal: bool = False
) -> ActorCritic:
    """Two convolutions, 256 units, two heads: 0.7 million weights.              [A3C; DQN 2013]

    With `statistics`, pixels are normalised by them: see `PaperEncoder`. With `orthogonal`, the
    first weights are those of `orthogonal_init`. Neither is known of the paper. A3C's figures 1, 3
    and 4 are of this network, its table of 57 games of a larger one [DQN 2015].

    >>> sum(theta.numel() for theta in paper_network(Game("pong")).parameters())
    677943
    """
    encoder = partial(PaperEncoder, statistics=statistics)
    model = ActorCritic.for_env(
        game, hidden=(256,), make_encoder=encoder, activation=nn.ReLU, seed=seed
    )
    return orthogonal_init(model, seed) if orthogonal else model


def paper_lstm(
    game: Game, seed: int = 0, statistics: PixelStatistics | None = None, orthogonal: bool = False
) -> RecurrentActorCritic:
    """The same with 256 LSTM cells between the units and the heads. [cells: A3C, "A3C LSTM"]"""
    encoder = partial(PaperEncoder, statistics=statistics)
    model = RecurrentActorCritic.for_env(
        game, hidden=(256,), cells=256, make_encoder=encoder, activation=nn.ReLU, seed=seed
    )
    return orthogonal_init(model, seed) if orthogonal else model


Model = TypeVar("Model", bound=ActorCritic | RecurrentActorCritic)


def orthogonal_init(model: Model, seed: int = 0) -> Model:
    """Initialise every layer orthogonally: its matrix times √2, since a ReLU lets half of the mean
    square through; the policy's head times 0.01, the value's times 1. Biases are zero. An
    LSTM stays as it is.                                    [Saxe et al. 2014; OpenAI's A2C]

    >>> first, *_ = orthogonal_init(paper_network(Game("pong"))).torso[0].layers
    >>> rows = first.weight.detach().flatten(1)
    >>> bool(torch.allclose(rows @ rows.T, 2 * torch.eye(16), atol=1e-5))
    True
    """
    gains = dict.fromkeys(model.policy_head.modules(), 0.01) | {model.value_head: 1.0}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.orthogonal_(layer.weight, gains.get(layer, math.sqrt(2)))
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
    return model
