"""Chapter 07: every picture is looked at once.

An actor-critic passes each observation through its network twice: to act, and again to learn. In
between nothing has changed. With pictures, most of a pass is the eyes' work: `OneLook` keeps what
the eyes saw while acting, with the graph of it. What follows them is computed again, for all steps
at once: that is little, and its gradient is then one product of large matrices, not many of small
ones.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from typing import Any

import torch
from torch import Tensor, nn

from a3c_lib.actor_critic import look_back
from a3c_lib.networks import ActorCritic
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.rollout import Rollout, State, initial_state


class RememberingEyes(nn.Module):
    """Eyes that keep what they saw while acting, until the rollout is looked back at."""

    def __init__(self, eyes: nn.Module, low_precision: bool) -> None:
        super().__init__()
        self.eyes, self.low_precision = eyes, low_precision
        self.acting = False
        self._seen: list[Tensor] = []  # (N, width) each, with a graph
        self._known: Tensor | None = None  # observations (T, N, *O) of what was seen

    def forward(self, observations: Tensor) -> Tensor:
        if observations is self._known:
            return torch.stack(self._seen)
        if not self.acting:
            return self._look(observations)
        with torch.enable_grad():
            self._seen.append(self._look(observations))
        return self._seen[-1].detach()

    def recognise(self, observations: Tensor) -> None:
        """These (T, N, *O) are what was seen while acting."""
        if len(self._seen) != len(observations):
            steps = len(self._seen)
            self.forget()
            raise RuntimeError(
                f"the rollout has {len(observations)} steps, but OneLook has acted in {steps}: "
                "outside of training, use the model that it was made of"
            )
        self._known = observations

    def forget(self) -> None:
        self._seen, self._known = [], None

    def _look(self, observations: Tensor) -> Tensor:
        with self._precision(observations):
            features: Tensor = self.eyes(observations)
        return features.float()

    def _precision(self, observations: Tensor) -> AbstractContextManager[Any]:
        if not self.low_precision:
            return nullcontext()
        return torch.autocast(observations.device.type, torch.bfloat16)


class OneLook(nn.Module):
    """`model`, trained with one pass of its eyes for each observation, instead of two.

    Hand it to `a2c.train`, `parallel_a2c.train` or `a3c.train` instead of `model`, whose parameters
    it has; to evaluate, take `model` itself. It learns what `model` would learn: the gradients
    differ by rounding, as T passes of N observations are not rounded like one pass of T · N. It
    needs a trainer that changes no parameter between acting and learning, as these are.

    With `bfloat16` the eyes compute with 8 bits of precision instead of 24; parameters, heads, loss
    and optimiser keep 24. It is meant for processors that have instructions for it.

    Raises RuntimeError if it has acted in other steps than those it is to learn from.

    >>> import gymnasium as gym
    >>> from a3c_lib import a2c
    >>> model = ActorCritic.for_env(gym.make("CartPole-v1"), seed=0)
    >>> config = a2c.Config(total_steps=320, t_max=20, num_envs=8, fast_envs=False)
    >>> with a2c.train(OneLook(model), "CartPole-v1", config) as training:
    ...     [update.updates for update in training]
    [1, 2]
    """

    def __init__(self, model: ActorCritic | RecurrentActorCritic, bfloat16: bool = False) -> None:
        super().__init__()
        if not isinstance(model, ActorCritic | RecurrentActorCritic):
            raise TypeError(
                f"a model is an ActorCritic or a RecurrentActorCritic; got {type(model).__name__}"
            )
        self._plain = (model,)  # in a tuple, so that its parameters do not count twice
        eyes, *rest = model.torso
        self._eyes = RememberingEyes(eyes, bfloat16)
        self._model = copy(model)  # the same parameters, and the caller's keeps its own eyes
        self._model._modules = {**model._modules, "torso": nn.Sequential(self._eyes, *rest)}

    def state_dict(self, *args: Any, **options: Any) -> Any:
        """The model's: what was trained with one look goes on with two, and the other way round."""
        return self._plain[0].state_dict(*args, **options)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **options: Any) -> Any:
        return self._plain[0].load_state_dict(state_dict, *args, **options)

    def initial_state(self, num_envs: int) -> tuple[Tensor, ...]:
        """The model's; () if it has none."""
        return initial_state(self._model, num_envs) or ()

    def logits(self, observations: Tensor, state: Any) -> tuple[Tensor, State]:
        """Of one step of N environments: (N, *O) → (N, A), and the memory after it."""
        self._eyes.acting = True
        try:
            if isinstance(self._model, RecurrentActorCritic):
                return self._model.logits(observations, state)
            return self._model.logits(observations), ()
        finally:
            self._eyes.acting = False

    def unroll(
        self, rollout: Rollout, state: State, dummies: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """logits (T, N, A), values (T, N) and V(o_{t+1}) (T, N) of the rollout just acted."""
        self._eyes.recognise(rollout.observations)
        try:
            return look_back(self._model, rollout, state, dummies)
        finally:
            self._eyes.forget()
