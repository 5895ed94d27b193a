"""Chapter 01: one torso with two heads, the policy's and the value's."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn.functional import one_hot

from a3c_lib.settings import Seed, Width, check_setting

SUPPORTED = (
    "supported are observations that are Discrete, a Box with one axis (a vector) or a Box of "
    "bytes with three axes (a picture: channels, height, width), and actions that are Discrete; "
    "gymnasium.wrappers.FlattenObservation makes vectors of others"
)


class Encoder(nn.Module):
    """What turns observations into features, in numbers of the network's kind: float32, or what
    `model.double()` made of it."""

    one: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Of the kind that the network's weights are, whatever becomes of them.
        self.register_buffer("one", torch.ones(()), persistent=False)


class OneHot(Encoder):
    """State numbers (*B) → (*B, n), with a 1 in the state's place."""

    def __init__(self, space: spaces.Discrete) -> None:
        super().__init__()
        self.first, self.width = int(space.start), int(space.n)

    def forward(self, observations: Tensor) -> Tensor:
        """(*B) → (*B, n)."""
        return one_hot(observations.long() - self.first, self.width).to(self.one.dtype)


class Vector(Encoder):
    """Vectors (*B, width) as they are."""

    def __init__(self, space: spaces.Box) -> None:
        super().__init__()
        (self.width,) = space.shape

    def forward(self, observations: Tensor) -> Tensor:
        """(*B, width) → the same, in the network's numbers."""
        return observations.to(self.one.dtype)


class Picture(Encoder):
    """Bytes (*B, channels, height, width) → features (*B, 16·height·width), through two 3×3
    convolutions."""

    def __init__(self, space: spaces.Box) -> None:
        super().__init__()
        channels, height, width = space.shape
        self.width = 16 * height * width
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 16, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 16, kernel_size=3, padding=1),
            nn.ReLU(),
        )

    def forward(self, observations: Tensor) -> Tensor:
        """Bytes (*B, channels, height, width) → (*B, 16·height·width)."""
        *batch, channels, height, width = observations.shape
        pictures = observations.reshape(math.prod(batch), channels, height, width)
        features: Tensor = self.layers(pictures.to(self.one.dtype) / 255)
        return features.reshape(*batch, self.width)


def encoder_for(space: spaces.Space[Any]) -> OneHot | Vector | Picture:
    """The encoder of a space: what turns its observations into features.

    Raises ValueError for a space that is not supported.
    """
    if isinstance(space, spaces.Discrete):
        return OneHot(space)
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return Vector(space)
    if isinstance(space, spaces.Box) and len(space.shape) == 3 and space.dtype == np.uint8:
        check_channels(space)
        return Picture(space)
    raise unsupported("observations", space)


def unsupported(what: str, space: spaces.Space[Any]) -> ValueError:
    """The error that says what is supported; for spaces of another package, that they are."""
    if not isinstance(space, spaces.Space):
        theirs = type(space).__module__.partition(".")[0]
        return ValueError(f"{what} are a space of gymnasium's; got {space}, one of {theirs}'s")
    return ValueError(f"{what} {space} are not supported; {SUPPORTED}")


def check_channels(space: spaces.Box) -> None:
    """Refuse pictures whose channels seem to come last, as Gymnasium's own do.

    >>> check_channels(spaces.Box(0, 255, (3, 96, 96), np.uint8))
    >>> check_channels(spaces.Box(0, 255, (96, 96, 3), np.uint8))
    Traceback (most recent call last):
    ...
    ValueError: pictures are (channels, height, width); the channels of (96, 96, 3) seem to come \
last: wrap the environment in a3c_lib.worlds.envs.ChannelsFirst; if they do not, hand over \
make_encoder=a3c_lib.networks.Picture
    """
    first, _, last = space.shape
    if last in (1, 3, 4) and first > last:
        raise ValueError(
            f"pictures are (channels, height, width); the channels of {space.shape} seem to come "
            "last: wrap the environment in a3c_lib.worlds.envs.ChannelsFirst; if they do not, hand "
            "over make_encoder=a3c_lib.networks.Picture"
        )


def check_sizes(hidden: Sequence[int], seed: int) -> None:
    """Raise ValueError for widths that no layer has, and for what is no seed."""
    check_setting("hidden", hidden, tuple[Width, ...])
    check_setting("seed", seed, Seed)


# space → a module of observations (*B, *O) → features (*B, width), that has a `width`
MakeEncoder = Callable[[Any], Any]


def torso(
    space: spaces.Space[Any],
    hidden: Sequence[int],
    make_encoder: MakeEncoder = encoder_for,
    activation: type[nn.Module] = nn.Tanh,
) -> tuple[nn.Sequential, int]:
    """An encoder, then a layer of each width in `hidden` with an activation after it.

    → module, width of its output
    """
    first = make_encoder(space)
    widths = [first.width, *hidden]
    layers: list[nn.Module] = [first]
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers), widths[-1]


class HasSpaces(Protocol):
    """An environment, as far as a network is concerned."""

    @property
    def observation_space(self) -> spaces.Space[Any]:
        """What is seen."""

    @property
    def action_space(self) -> spaces.Space[Any]:
        """What can be done."""


class ActorCritic(nn.Module):
    """π(a | o) and V(o) from one torso, or, with shared=False, from two.

    `hidden` lists the widths of the torso's layers, each with an `activation` after it. With
    hidden=() the heads see the observation itself; if that is Discrete, they are tables. Another
    encoder than the space's own is made by `make_encoder(space)`.

    The policy head starts small, so at first every action is about equally likely. The same seed
    gives the same weights, and torch's random state is left alone. Raises ValueError for spaces
    that are not supported, for widths below 1 and for what is no seed.

    >>> model = ActorCritic(spaces.Box(-1, 1, (4,)), spaces.Discrete(2), seed=0)
    >>> logits, values = model(torch.zeros(5, 3, 4))
    >>> logits.shape, values.shape
    (torch.Size([5, 3, 2]), torch.Size([5, 3]))
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        hidden: Sequence[int] = (64, 64),
        shared: bool = True,
        make_encoder: MakeEncoder = encoder_for,
        activation: type[nn.Module] = nn.Tanh,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not isinstance(action_space, spaces.Discrete):
            raise unsupported("actions", action_space)
        check_sizes(hidden, seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            make_torso = partial(torso, observation_space, hidden, make_encoder, activation)
            self.torso, width = make_torso()
            self.policy_head = nn.Linear(width, int(action_space.n))
            self.value_head = nn.Linear(width, 1)
            self.value_torso = None if shared else make_torso()[0]
        with torch.no_grad():
            self.policy_head.weight *= 0.01
            self.policy_head.bias.zero_()
            self.value_head.bias.zero_()

    @classmethod
    def for_env(cls, env: HasSpaces, **options: Any) -> "ActorCritic":
        """The network that fits an environment's spaces.

        >>> import gymnasium as gym
        >>> ActorCritic.for_env(gym.make("CartPole-v1"), hidden=(32,)).policy_head
        Linear(in_features=32, out_features=2, bias=True)
        """
        return cls(env.observation_space, env.action_space, **options)

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """(*B, *O) → logits (*B, A), values (*B), for any batch axes B."""
        features = self.torso(observations)
        logits: Tensor = self.policy_head(features)
        if self.value_torso is not None:
            features = self.value_torso(observations)
        return logits, self.value_head(features).squeeze(-1)

    def logits(self, observations: Tensor) -> Tensor:
        """The policy alone: (*B, *O) → (*B, A), π = softmax(logits)."""
        logits: Tensor = self.policy_head(self.torso(observations))
        return logits

    def values(self, observations: Tensor) -> Tensor:
        """The critic alone: (*B, *O) → (*B)."""
        features = (self.value_torso or self.torso)(observations)
        values: Tensor = self.value_head(features).squeeze(-1)
        return values
