"""Chapter 07: every picture is looked at once, and quickly. Read this module last.

An actor-critic passes each picture through its network twice: to act, and again to learn. In
between nothing has changed. Most of a pass is the encoder's work, the two convolutions of
`PaperEncoder`. `OneLook` keeps what each of them made of a picture while acting. To learn, it
starts from there, and goes back through both, once for all steps of the rollout.

Two more things save time, and neither changes more than rounding. Pictures are cut into patches,
for which processors have the faster convolutions. And, if you choose so, the torso computes with
bfloat16: 8 bits of precision instead of 24.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from a3c_lib.actor_critic import look_back
from a3c_lib.distributions import PolicyOutput
from a3c_lib.encoders import PaperEncoder
from a3c_lib.networks import ActorCritic
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.rollout import Rollout, State, initial_state

PATCH = 4  # dots: the stride of the first convolution, whose windows are 2 × 2 patches
STRIDE = 2  # of the second convolution


def patches(pictures: Tensor) -> Tensor:
    """Pictures cut into patches of 4 × 4 dots, each with its 16 dots as channels.

    bytes (B, n, H, W) → (B, 16 n, H/4, W/4), in memory with the channels last.

    What is left over at the right and below is dropped: no window of the first layer reaches it.

    >>> picture = torch.arange(64, dtype=torch.uint8).reshape(8, 8)
    >>> patches(picture[None, None])[0, :, 0, 1].tolist()
    [4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31]
    """
    B, n, height, width = pictures.shape
    rows, columns = height // PATCH, width // PATCH
    whole = pictures[..., : rows * PATCH, : columns * PATCH].contiguous()
    # Four bytes side by side move as one number of 32 bits. Two moves of two axes each, whole rows
    # of patches before single patches, are faster than one move of all.
    strips = whole.view(torch.int32).reshape(B, n, rows, PATCH * columns).transpose(1, 2)
    cut = strips.reshape(B, rows, n * PATCH, columns).transpose(2, 3).contiguous()
    return cut.view(torch.uint8).permute(0, 3, 1, 2)


def of_patches(weight: Tensor) -> Tensor:
    """The first layer's weight, for patches: (F, n, 8, 8), stride 4 → (F, 16 n, 2, 2), stride 1."""
    filters, n, *_ = weight.shape
    cut = weight.reshape(filters, n, 2, PATCH, 2, PATCH).permute(0, 2, 4, 1, 3, 5)
    return cut.reshape(filters, 2, 2, n * PATCH**2).permute(0, 3, 1, 2)


class KnownLayer(torch.autograd.Function):
    """relu(conv2d(signal, weight, bias, stride)) whose outcome is known: forward, nothing is
    computed; backward, the gradients that the layer has."""

    @staticmethod
    def forward(
        ctx: Any, signal: Tensor, weight: Tensor, bias: Tensor, stride: int, outcome: Tensor
    ) -> Tensor:
        """The outcome that is known; nothing is computed."""
        ctx.save_for_backward(signal, weight, outcome)
        ctx.stride = stride
        return outcome.view_as(outcome)

    @staticmethod
    def backward(ctx: Any, d_outcome: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of signal, weight and bias."""
        signal, weight, outcome = ctx.saved_tensors
        # Neighbours in memory as in the outcome: of two orders the ReLU's gradient is slow.
        d_outcome = d_outcome.contiguous(memory_format=torch.channels_last)
        through = torch.ops.aten.threshold_backward(d_outcome, outcome, 0)  # where the ReLU let it
        d_signal, d_weight, d_bias = torch.ops.aten.convolution_backward(
            through,
            signal,
            weight,
            bias_sizes=[len(weight)],
            stride=[ctx.stride] * 2,
            padding=[0, 0],
            dilation=[1, 1],
            transposed=False,
            output_padding=[0, 0],
            groups=1,
            output_mask=ctx.needs_input_grad[:3],
        )
        return d_signal, d_weight, d_bias, None, None


class Weights(NamedTuple):
    """Of the torso, as they are computed with: weight and bias of each layer that has some."""

    mean: Tensor | None  # (1, 16 n, H/4, W/4) patches of the mean picture, if pictures have one
    first: tuple[Tensor, Tensor]  # (16, 16 n, 2, 2), for patches in bytes, and (16,)
    second: tuple[Tensor, Tensor]  # (32, 16, 4, 4), (32,)
    behind: list[list[Tensor]]  # of each layer behind the encoder


class Seen(NamedTuple):
    """What the encoder makes of B pictures, layer by layer."""

    patches: Tensor  # (B, 16 n, H/4, W/4), less those of the mean picture
    first: Tensor  # (B, 16, …) after its ReLU
    second: Tensor  # (B, 32, …) after its ReLU


class RememberingTorso(nn.Module):
    """`PaperEncoder` and the layers behind it. What the encoder saw while acting is kept, until
    the rollout is looked back at."""

    def __init__(self, torso: nn.Sequential, bfloat16: bool) -> None:
        super().__init__()
        encoder, *behind = torso
        self.encoder = cast(PaperEncoder, encoder)
        self.behind = nn.ModuleList(behind)
        self.dtype = torch.bfloat16 if bfloat16 else torch.float32
        self._kept: list[Seen] = []
        self._known: Tensor | None = None  # observations (T, N, *O) of what is kept
        self._weights: Weights | None = None  # those that all of it was seen with

    def forward(self, observations: Tensor) -> Tensor:
        """Pictures of bytes (*B, n, H, W) → features (*B, width)."""
        weights = self._weights or self._prepared()
        if self._known is not None and _same(observations, self._known):
            seen = self._recalled(weights)
        else:
            seen = self._look(observations.reshape(-1, *observations.shape[-3:]), weights)
            self._kept.append(seen)
            self._weights = weights
        features = self._units(seen.second.flatten(1), weights)
        return features.float().reshape(*observations.shape[:-3], -1)

    def recognise(self, observations: Tensor) -> None:
        """These (T, N, *O) are what was seen while acting. (Nothing is kept of a rollout that was
        under way when its run was interrupted: then they are looked at now.)"""
        if not self._kept:
            self(observations)
        elif len(self._kept) != len(observations):
            steps = len(self._kept)
            self.forget()
            raise RuntimeError(
                f"the rollout has {len(observations)} steps, but OneLook has acted in {steps}: "
                "outside of training, use the model that it was made of"
            )
        self._known = observations

    def forget(self) -> None:
        """Drop what was seen: the rollout has been looked back at."""
        self._kept, self._known, self._weights = [], None, None

    @torch.no_grad()
    def _look(self, pictures: Tensor, weights: Weights) -> Seen:
        signal = patches(pictures).to(self.dtype)
        if weights.mean is not None:
            signal -= weights.mean  # exact also in bfloat16: both are whole numbers up to 255
        first = conv2d(signal, *weights.first).relu_()
        second = conv2d(first, *weights.second, STRIDE).relu_()
        return Seen(signal, first, second)

    def _recalled(self, weights: Weights) -> Seen:
        """All that is kept, with a gradient for the weights."""
        kept = Seen(*map(torch.cat, zip(*self._kept, strict=True)))
        known: Callable[..., Tensor] = KnownLayer.apply
        first = known(kept.patches, *weights.first, 1, kept.first)
        second = known(first, *weights.second, STRIDE, kept.second)
        return kept._replace(first=first, second=second)

    def _units(self, features: Tensor, weights: Weights) -> Tensor:
        for layer, own in zip(self.behind, weights.behind, strict=True):
            features = linear(features, *own) if isinstance(layer, nn.Linear) else layer(features)
        return features

    @torch.enable_grad()
    def _prepared(self) -> Weights:
        first, _, second, *_ = cast(Iterable[Any], self.encoder.layers)
        for_bytes = of_patches(first.weight / self.encoder.deviation)
        mean = self.encoder.mean.byte().expand(1, first.in_channels, -1, -1)
        return Weights(
            patches(mean).to(self.dtype) if mean.any() else None,
            (for_bytes.to(self.dtype), first.bias.to(self.dtype)),
            (second.weight.to(self.dtype), second.bias.to(self.dtype)),
            [[part.to(self.dtype) for part in layer.parameters()] for layer in self.behind],
        )


def _same(pictures: Tensor, others: Tensor) -> bool:
    """Whether these are the same, in the same place of memory."""
    return pictures.data_ptr() == others.data_ptr() and pictures.shape == others.shape


class OneLook(nn.Module):
    """`model`, trained with one pass of its encoder for each picture, instead of two.

    Hand it to `a2c.train`, `parallel_a2c.train` or `a3c.train` instead of `model`, whose parameters
    it has; to evaluate, take `model` itself. It learns what `model` would learn, but for rounding.
    It needs a trainer that changes no parameter between acting and learning, as these are, and a
    model that has a `PaperEncoder`.

    With `bfloat16` the torso computes with 8 bits of precision instead of 24; parameters, heads,
    loss and optimiser keep 24. It is meant for processors that have instructions for it.

    Raises TypeError for a model with another encoder, or of other numbers than float32, and
    RuntimeError if it has acted in other steps than those it is to learn from.

    >>> from a3c_lib import a2c
    >>> from a3c_lib.worlds.atari import Game
    >>> from a3c_lib.encoders import paper_network
    >>> pong = Game("pong")
    >>> config = a2c.Config(total_steps=20, t_max=5, num_envs=2)
    >>> with a2c.train(OneLook(paper_network(pong)), pong, config) as training:
    ...     [update.updates for update in training]
    [1, 2]
    """

    def __init__(self, model: ActorCritic | RecurrentActorCritic, bfloat16: bool = False) -> None:
        super().__init__()
        if not isinstance(model, ActorCritic | RecurrentActorCritic):
            raise TypeError(
                f"a model is an ActorCritic or a RecurrentActorCritic; got {type(model).__name__}"
            )
        if not isinstance(model.torso[0], PaperEncoder):
            encoder = type(model.torso[0]).__name__
            raise TypeError(f"a model that looks once has a PaperEncoder; got {encoder}")
        numbers = model.value_head.weight.dtype
        if numbers is not torch.float32:
            raise TypeError(f"a model that looks once computes with torch.float32; got {numbers}")
        self._plain = (model,)  # in a tuple, so that its parameters do not count twice
        self._torso = RememberingTorso(model.torso, bfloat16)
        self._model = copy(model)  # the same parameters, and the caller's keeps its own torso
        self._model._modules = {**model._modules, "torso": self._torso}

    def state_dict(self, *args: Any, **options: Any) -> Any:
        """The model's: what was trained with one look goes on with two, and the other way round."""
        return self._plain[0].state_dict(*args, **options)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **options: Any) -> Any:
        """The model's."""
        return self._plain[0].load_state_dict(state_dict, *args, **options)

    def initial_state(self, num_envs: int) -> tuple[Tensor, ...]:
        """The model's; an empty one if it has none."""
        return initial_state(self._model, num_envs) or ()

    def logits(self, observations: Tensor, state: Any) -> tuple[PolicyOutput, State]:
        """Of one step of N environments: (N, *O) → (N, A), and the memory after it."""
        if isinstance(self._model, RecurrentActorCritic):
            return self._model.logits(observations, state)
        return self._model.logits(observations), state

    def unroll(
        self, rollout: Rollout, state: State, dummies: Tensor | None = None
    ) -> tuple[PolicyOutput, Tensor, Tensor]:
        """logits (T, N, A), values (T, N) and V(o_{t+1}) (T, N) of the rollout just acted."""
        self._torso.recognise(rollout.observations)
        try:
            return look_back(self._model, rollout, state, dummies)
        finally:
            self._torso.forget()
