"""Chapter 06: A2C, the synchronous advantage actor-critic.

What A3C's workers do one by one, many environments do in step with each other, for one update from
all of them together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import torch
from gymnasium.envs.registration import EnvSpec
from torch import nn

from a3c_lib import losses, optim, returns
from a3c_lib.actor_critic import ActorCriticTraining, LossFunction, Targets
from a3c_lib.making import Envs, MakeEnv, closed_on_error, find_spec, make_envs
from a3c_lib.models import check_methods, trainable
from a3c_lib.settings import NumEnvs
from a3c_lib.training import RolloutConfig


@dataclass(frozen=True, kw_only=True)
class Config(losses.Config, returns.Config, optim.Config, RolloutConfig):
    """How A2C trains."""

    num_envs: NumEnvs = 8  # environments in step with each other, at least 1; OpenAI's A2C has 16
    fast_envs: bool = True  # Gymnasium's own vector environment, where an id has one
    device: str = "cpu"  # where the network computes: "cpu", "cuda", …

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            torch.zeros((), device=self.device).item()  # of "meta" there are no numbers
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"device {self.device!r} cannot be used here: {reason}") from None


def make_vector_env(source: MakeEnv | Envs, num_envs: int, fast: bool = True) -> Envs:
    """Copies of an environment in step with each other: Gymnasium's own fast vector environment,
    if the id has one that shows what a single environment shows, and `fast` allows it.

    >>> make_vector_env("CartPole-v1", 4)
    CartPoleVectorEnv(CartPole-v1, num_envs=4)
    """
    spec = find_spec(source) if isinstance(source, str) else source
    own = _own_vector_env(spec, num_envs) if fast and isinstance(spec, EnvSpec) else None
    return make_envs(source, num_envs) if own is None else own


def _own_vector_env(spec: EnvSpec, num_envs: int) -> Envs | None:
    """The vector environment that a spec names, if it shows and takes what a single one does."""
    if spec.vector_entry_point is None or spec.additional_wrappers:
        return None
    envs: Envs = gym.make_vec(spec, num_envs, vectorization_mode="vector_entry_point")
    with closed_on_error(envs.close):
        its = envs.single_observation_space, envs.single_action_space
        if spec.entry_point is None or _spaces_of(spec) == its:
            return envs
    envs.close()
    return None


def _spaces_of(spec: EnvSpec) -> tuple[gym.Space[Any], gym.Space[Any]]:
    single = gym.make(spec)
    single.close()
    return single.observation_space, single.action_space


def train(
    model: nn.Module,
    make_env: MakeEnv | Envs,
    config: Config,
    *,
    targets: Targets | None = None,
    loss: LossFunction | None = None,
    resume: Mapping[str, Any] | None = None,
) -> ActorCriticTraining:
    """Collect t_max steps of all environments, learn from them once, and so on.  [OpenAI's A2C]

    `make_env` may be a vector environment of your own; it is closed with the training. Without
    `targets` they are n-step returns, or λ-returns, as the config says; without `loss`, it is
    `a2c_loss` with the config's weights. The model is what `actor_critic.train` takes, and yours;
    it is moved to `config.device`, and holds what was learned after every update.
    Raises FloatingPointError, with the parameters as the last good step left them, if an
    observation, a loss or a gradient is not finite.

    >>> from a3c_lib.networks import ActorCritic
    >>> model = ActorCritic.for_env(gym.make("CartPole-v1"), seed=0)
    >>> with train(model, "CartPole-v1", Config(total_steps=500, num_envs=10)) as training:
    ...     [update.updates for update in training]
    [1, 2, 3]
    """
    check_methods(model)
    envs = make_vector_env(make_env, config.num_envs, config.fast_envs)
    with closed_on_error(envs.close):
        optimizer = config.make_optimizer(trainable(model.to(config.device)))
        targets = config.returns if targets is None else targets
        loss = config.loss if loss is None else loss
        return ActorCriticTraining(model, optimizer, envs, config, targets, loss, resume)
