"""Chapter 01: one torso with two heads, the policy's and the value's."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Literal, Protocol, cast

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn.functional import one_hot, softplus

from a3c_lib.distributions import Gaussian, PolicyOutput, SquashedGaussian
from a3c_lib.making import check_actions
from a3c_lib.settings import Seed, Width, check_setting

SUPPORTED = (
    "supported are observations that are Discrete, a Box with one axis (a vector) or a Box of "
    "bytes with three axes (a picture: channels, height, width), and actions that are Discrete or "
    "a Box of real numbers with one axis; gymnasium.wrappers.FlattenObservation makes vectors of "
    "others"
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


def small(head: nn.Linear) -> nn.Linear:
    """A head with weights so small that at first it says about the same of everything."""
    with torch.no_grad():
        head.weight *= 0.01
        if head.bias is not None:
            head.bias.zero_()
    return head


Variance = Literal["per-state", "state-independent"]


class GaussianHead(nn.Module):
    """Features (*B, width) → π(· | o), a `Gaussian` over a Box with one axis (chapter 10).

    The mean is linear in the features. So is, with the variance "per-state", what σ² is the
    softplus of [A3C, section 9]; "state-independent", log σ is a parameter, one for each axis. Both
    are measured from the Box's middle in halves of its width, if it is bounded. So at first actions
    are about 0 ± 0.83 there, or 0 ± 1, whatever the Box. `squashed` is for a bounded Box: then π is
    a `SquashedGaussian`.

    >>> head = GaussianHead(64, spaces.Box(0, 20, (3,)))
    >>> pi = head(torch.zeros(64))
    >>> pi.mean.tolist(), round(pi.deviation[0].item(), 2)
    ([10.0, 10.0, 10.0], 8.33)
    """

    centre: Tensor
    reach: Tensor

    def __init__(
        self,
        width: int,
        space: spaces.Box,
        variance: Variance = "per-state",
        squashed: bool = False,
    ) -> None:
        super().__init__()
        check_setting("variance", variance, Variance)
        bounded = space.bounded_below & space.bounded_above
        if squashed and not bounded.all():
            raise ValueError(f"a squashed policy is for a bounded Box; got {space}")
        low, high = np.where(bounded, [space.low, space.high], [[-1.0], [1.0]])
        if not (low < high).all():
            raise ValueError(f"actions need room on each axis of their Box; got {space}")
        self.register_buffer("centre", torch.as_tensor((low + high) / 2).float(), persistent=False)
        self.register_buffer("reach", torch.as_tensor((high - low) / 2).float(), persistent=False)
        self.squashed, (D,) = squashed, space.shape
        self.log_deviation: nn.Parameter | None = None
        self.linear = small(nn.Linear(width, 2 * D if variance == "per-state" else D))
        if variance == "state-independent":
            self.log_deviation = nn.Parameter(torch.zeros(D))

    def forward(self, features: Tensor) -> Gaussian:
        """(*B, width) → the policy of *B observations."""
        said = self.linear(features)
        if self.log_deviation is None:
            mean, variance = said.chunk(2, dim=-1)
            deviation = softplus(variance).sqrt()
        else:
            mean, deviation = said, self.log_deviation.exp()
        if self.squashed:
            return SquashedGaussian(mean, deviation, self.centre, self.reach)
        return Gaussian(self.centre + self.reach * mean, self.reach * deviation)


def policy_head(width: int, space: spaces.Space[Any]) -> nn.Module:
    """The policy's head for a space of actions: of features (*B, width) it says the logits, or the
    policy distribution. Raises ValueError for a space that is not supported."""
    if isinstance(space, spaces.Discrete):
        return small(nn.Linear(width, int(space.n)))
    try:
        check_actions(space)
    except ValueError:
        raise unsupported("actions", space) from None
    return GaussianHead(width, cast(spaces.Box, space))


# (width of the features, space of the actions) → a module like that
MakeHead = Callable[[int, Any], Any]


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
    hidden=() the heads see the observation itself; if that is Discrete, they are tables, each with
    a bias that all states share. Another encoder than the space's own is made by
    `make_encoder(space)`, another head of the policy by `make_head(width, space)`. Where actions
    are a Box, π is no softmax of logits but a Gaussian, and stands wherever logits do (chapter 10).

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
        make_head: MakeHead = policy_head,
    ) -> None:
        super().__init__()
        check_sizes(hidden, seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            make_torso = partial(torso, observation_space, hidden, make_encoder, activation)
            self.torso, width = make_torso()
            self.policy_head = make_head(width, action_space)
            self.value_head = nn.Linear(width, 1)
            self.value_torso = None if shared else make_torso()[0]
        with torch.no_grad():
            self.value_head.bias.zero_()

    @classmethod
    def for_env(cls, env: HasSpaces, **options: Any) -> "ActorCritic":
        """The network that fits an environment's spaces.

        >>> import gymnasium as gym
        >>> ActorCritic.for_env(gym.make("CartPole-v1"), hidden=(32,)).policy_head
        Linear(in_features=32, out_features=2, bias=True)
        """
        return cls(env.observation_space, env.action_space, **options)

    def forward(self, observations: Tensor) -> tuple[PolicyOutput, Tensor]:
        """(*B, *O) → logits (*B, A), values (*B), for any batch axes B."""
        features = self.torso(observations)
        logits: PolicyOutput = self.policy_head(features)
        if self.value_torso is not None:
            features = self.value_torso(observations)
        return logits, self.value_head(features).squeeze(-1)

    def logits(self, observations: Tensor) -> PolicyOutput:
        """The policy alone: (*B, *O) → (*B, A), π = softmax(logits)."""
        logits: PolicyOutput = self.policy_head(self.torso(observations))
        return logits

    def values(self, observations: Tensor) -> Tensor:
        """The critic alone: (*B, *O) → (*B)."""
        features = (self.value_torso or self.torso)(observations)
        values: Tensor = self.value_head(features).squeeze(-1)
        return values
