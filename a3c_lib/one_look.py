"""Chapter 07: every picture is looked at once, and quickly. Read this module last.

An actor-critic passes each picture through its network twice: to act, and again to learn. In
between nothing has changed. Most of a pass is the torso's work: the two convolutions of
`PaperEncoder`, and the units behind them. `OneLook` keeps what each of these layers made of a
picture while acting. To learn, it starts from there, and goes back through them, once for all steps
of the rollout.

Two more things save time, and neither changes more than rounding. Pictures are cut into patches,
for which processors have the faster convolutions. And, if you choose so, the torso computes with
bfloat16: 8 bits of precision instead of 24.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
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


class KnownConvolutions(torch.autograd.Function):
    """Two convolutions, each with its ReLU, of which is known what they make of the patches:
    forward, nothing is computed; backward, the gradients that their weights have.

    `first` (B, 16, …) is what the first one makes of the patches, `features` (B, width) what the
    second one makes of that, in a row.
    """

    @staticmethod
    def forward(ctx: Any, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, *known: Tensor) -> Tensor:
        """What is known: patches, first, features.   → features"""
        ctx.save_for_backward(w1, w2, *known)
        return known[-1].view_as(known[-1])

    @staticmethod
    def backward(ctx: Any, d_features: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of the weights and biases."""
        w1, w2, patches, first, features = ctx.saved_tensors
        through = threshold_backward(d_features, features, 0)  # where the ReLU let it
        height, width = (
            1 + (n - k) // STRIDE for n, k in zip(first.shape[2:], w2.shape[2:], strict=True)
        )
        d_second = through.unflatten(1, (len(w2), height, width))
        d_first, d_w2, d_b2 = _convolution_backward(d_second, first, w2, STRIDE)
        d_first = threshold_backward(d_first, first, 0)
        _, d_w1, d_b1 = _convolution_backward(d_first, patches, w1, 1, of_signal=False)
        return d_w1, d_b1, d_w2, d_b2, None, None, None


threshold_backward: Callable[..., Tensor] = torch.ops.aten.threshold_backward


def _convolution_backward(
    d_outcome: Tensor, signal: Tensor, weight: Tensor, stride: int, of_signal: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of signal, weight and bias."""
    gradients: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
        # Neighbours in memory as in the signal: of two orders the ReLU's gradient is slow.
        d_outcome.contiguous(memory_format=torch.channels_last),
        signal,
        weight,
        bias_sizes=[len(weight)],
        stride=[stride] * 2,
        padding=[0, 0],
        dilation=[1, 1],
        transposed=False,
        output_padding=[0, 0],
        groups=1,
        output_mask=[of_signal, True, True],
    )
    return gradients


class KnownUnits(torch.autograd.Function):
    """linear(features, weight, bias), of which is known what it makes, in the same way."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, known: Tensor, weight: Tensor, *bias: Tensor) -> Tensor:
        """What is known: the units (B, width)."""
        ctx.save_for_backward(features, weight)
        ctx.has_bias = bool(bias)
        return known.view_as(known)

    @staticmethod
    def backward(ctx: Any, d_units: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of features, weight and bias."""
        features, weight = ctx.saved_tensors
        d_bias = [d_units.sum(dim=0)] * ctx.has_bias
        return d_units @ weight, None, d_units.T @ features, *d_bias


class Weights(NamedTuple):
    """Of the torso, as they are computed with: weight and bias of each layer that has some."""

    mean: Tensor | None  # (1, 16 n, H/4, W/4) patches of the mean picture, if pictures have one
    first: tuple[Tensor, Tensor]  # (16, 16 n, 2, 2), for patches in bytes, and (16,)
    second: tuple[Tensor, Tensor]  # (32, 16, 4, 4), (32,)
    behind: list[list[Tensor]]  # of each layer behind the encoder


class Pile:
    """Rows, one under another in one piece of memory, so that nothing has to be put together
    afterwards. The memory is used again. A copy of a pile is empty."""

    def __init__(self) -> None:
        self._memory = torch.empty(0)
        self._height = 0

    def __len__(self) -> int:
        return self._height

    def __reduce__(self) -> tuple[Any, ...]:
        return Pile, ()

    @property
    def rows(self) -> Tensor:
        """All of them."""
        return self._memory[: self._height]

    def room(self, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
        """Memory for more rows, (B, …), to be written to. Of pictures the channels come last."""
        before, self._height = self._height, self._height + shape[0]
        if self._height > len(self._memory) or self._memory.device != device:
            rows = self._memory[:before]
            order = torch.channels_last if len(shape) == 4 else torch.contiguous_format
            enough = 2 * self._height if before else self._height
            self._memory = torch.empty(
                (enough, *shape[1:]), dtype=dtype, device=device, memory_format=order
            )
            if before:
                self._memory[:before] = rows
        return self._memory[before : self._height]

    def clear(self) -> None:
        """Begin anew."""
        self._height = 0


class Seen:
    """What a torso made of pictures, layer by layer."""

    def __init__(self, layers_behind: int) -> None:
        self.patches = Pile()  # (B, 16 n, H/4, W/4), less those of the mean picture
        self.first = Pile()  # (B, 16, …) after its ReLU
        self.features = Pile()  # (B, width) the encoder's: the second layer after its ReLU
        self.behind = [Pile() for _ in range(layers_behind)]  # (B, …) of those that have weights

    def __len__(self) -> int:
        return len(self.patches)

    def clear(self) -> None:
        """Drop it all."""
        for pile in (self.patches, self.first, self.features, *self.behind):
            pile.clear()


class RememberingTorso(nn.Module):
    """`PaperEncoder` and the layers behind it. What they saw while acting is kept, until the
    rollout is looked back at."""

    def __init__(self, torso: nn.Sequential, bfloat16: bool) -> None:
        super().__init__()
        encoder, *behind = torso
        self.encoder = cast(PaperEncoder, encoder)
        self.behind = nn.ModuleList(behind)
        self.dtype = torch.bfloat16 if bfloat16 else torch.float32
        self._seen = Seen(len(behind))
        self._known: Tensor | None = None  # observations (T, N, *O) of what was seen
        self._weights: Weights | None = None  # those that all of it was seen with

    def forward(self, observations: Tensor) -> Tensor:
        """Pictures of bytes (*B, n, H, W) → features (*B, width)."""
        weights = self._weights or self._prepared()
        if self._known is not None and _same(observations, self._known):
            features = self._recalled(weights)
        else:
            seen = self._seen if self._known is None else Seen(len(self.behind))
            pictures = observations.reshape(-1, *observations.shape[-3:])
            features = self._look(pictures, weights, seen)
            self._weights = weights
        return features.float().reshape(*observations.shape[:-3], -1)

    def recognise(self, observations: Tensor) -> None:
        """These (T, N, *O) are what was seen while acting. (Nothing is kept of a rollout that was
        under way when its run was interrupted: then they are looked at now.)"""
        T, N = observations.shape[:2]
        if not len(self._seen):
            self(observations)
        elif len(self._seen) != T * N:
            steps = len(self._seen) // N
            self.forget()
            raise RuntimeError(
                f"the rollout has {T} steps, but OneLook has acted in {steps}: "
                "outside of training, use the model that it was made of"
            )
        self._known = observations

    def forget(self) -> None:
        """Drop what was seen: the rollout has been looked back at."""
        self._seen.clear()
        self._known, self._weights = None, None

    @torch.no_grad()
    def _look(self, pictures: Tensor, weights: Weights, seen: Seen) -> Tensor:
        """(B, n, H, W) → (B, width). What each layer makes of them is added to `seen`."""
        cut = patches(pictures)
        kind = self.dtype, cut.device
        signal = seen.patches.room(cut.shape, *kind).copy_(cut)
        if weights.mean is not None:
            signal -= weights.mean  # exact also in bfloat16: both are whole numbers up to 255
        computed = conv2d(signal, *weights.first)
        first = seen.first.room(computed.shape, *kind)
        torch.clamp_min(computed, 0, out=first)  # its ReLU
        computed = conv2d(first, *weights.second, STRIDE)
        features = seen.features.room((len(cut), computed[0].numel()), *kind)
        torch.clamp_min(computed, 0, out=features.view_as(computed))
        for layer, own, pile in zip(self.behind, weights.behind, seen.behind, strict=True):
            if isinstance(layer, nn.Linear):
                units = linear(features, *own)
                features = pile.room(units.shape, *kind).copy_(units)
            else:
                features = layer(features)
        return features

    def _recalled(self, weights: Weights) -> Tensor:
        """The features of all that was seen, with a gradient for the weights."""
        convolutions: Callable[..., Tensor] = KnownConvolutions.apply
        units: Callable[..., Tensor] = KnownUnits.apply
        known = (self._seen.patches.rows, self._seen.first.rows, self._seen.features.rows)
        features = convolutions(*weights.first, *weights.second, *known)
        for layer, own, pile in zip(self.behind, weights.behind, self._seen.behind, strict=True):
            is_known = isinstance(layer, nn.Linear)
            features = units(features, pile.rows, *own) if is_known else layer(features)
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
    """`model`, trained with one pass of its torso for each picture, instead of two.

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

    def unroll(self, rollout: Rollout, state: State) -> tuple[PolicyOutput, Tensor, Tensor]:
        """logits (T, N, A), values (T, N) and V(o_{t+1}) (T, N) of the rollout just acted."""
        self._torso.recognise(rollout.observations)
        try:
            return look_back(self._model, rollout, state)
        finally:
            self._torso.forget()
