"""Chapter 00: REINFORCE, learning from the returns of whole episodes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import torch
from gymnasium import spaces
from torch import Tensor, nn

from a3c_lib import training
from a3c_lib.distributions import PolicyDistribution, distribution
from a3c_lib.making import Envs, MakeEnv, closed_on_error, make_envs
from a3c_lib.models import check_methods, check_outputs, trainable
from a3c_lib.rollout import Episode, Rollout, check_shapes, sampled
from a3c_lib.settings import Count, Fraction, Positive
from a3c_lib.training import (
    Optimizer,
    SingleThreadTraining,
    TorchOptimizer,
    as_row,
    clip_gradients,
    gradients_of,
    take_step,
)


class TabularPolicy(nn.Module):
    """π(a | s) = softmax(θ_s)_a: a row of logits for every state, all 0 at first."""

    def __init__(self, num_states: int, num_actions: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(num_states, num_actions))

    @classmethod
    def for_env(cls, env: gym.Env[Any, Any]) -> "TabularPolicy":
        """The table that fits an environment whose observations and actions are Discrete, counted
        from 0."""
        observations, actions = env.observation_space, env.action_space
        for space in observations, actions:
            if not isinstance(space, spaces.Discrete) or space.start != 0:
                raise ValueError(f"a table needs Discrete spaces counted from 0; got {space}")
        return cls(int(observations.n), int(actions.n))  # type: ignore[attr-defined]

    def logits(self, observations: Tensor) -> Tensor:
        """(…) state numbers → (…, A)."""
        return self.table[observations]

    forward = logits


def discounted_returns(rewards: Tensor, gamma: float) -> Tensor:
    """G_t = r_t + γ r_{t+1} + γ² r_{t+2} + … to the episode's end.   (T,) → (T,).

    >>> discounted_returns(torch.tensor([0.0, 0.0, 4.0]), gamma=0.5)
    tensor([1., 2., 4.])
    """
    if rewards.dim() != 1:
        raise ValueError(f"rewards of one episode are (T,); got {tuple(rewards.shape)}")
    returns = torch.empty_like(rewards)
    G = torch.zeros((), dtype=rewards.dtype)
    for t in reversed(range(len(rewards))):
        returns[t] = G = rewards[t] + gamma * G
    return returns


def reinforce_loss(log_probabilities: Tensor, returns: Tensor) -> Tensor:
    """−Σ_t G_t log π(a_t | s_t).   (T,), (T,) → ().

    Its negative gradient is an estimate of the policy gradient ∇J if `returns` are γᵗ G_t. Without
    γᵗ, as `train` has it, it is one only with γ = 1, and else of the direction that
    `exact.policy_direction` computes.

    A sum over the episode, since J is a sum over it: a mean would let short episodes count more.
    Returns are constants: no gradient flows into them.                    [Williams 1992]
    """
    check_shapes(log_probabilities=log_probabilities, returns=returns)
    return -(returns.detach() * log_probabilities).sum()


@dataclass(frozen=True, kw_only=True)
class Config(training.Config):
    """How REINFORCE trains. One update per episode, a plain step against the loss's gradient."""

    total_steps: Count = 20_000  # environment steps, at least 1; the last episode is finished
    gamma: Fraction = 0.9  # discount per step, in [0, 1]
    learning_rate: Positive = 0.1  # step along the gradient, above 0


class Update(NamedTuple):
    """What one episode taught."""

    steps: int  # environment steps so far
    updates: int
    episodes: tuple[Episode, ...]  # the one it learned from
    entropy: float  # of the policy on the episode's states, mean, in nats
    gradient_norm: float

    @property
    def episode_return(self) -> float:
        """The return of its episode; NaN if there is none."""
        return self.episodes[0].episode_return if self.episodes else math.nan

    def as_row(self) -> dict[str, float | int | None]:
        """Numbers by name, for a table or a line of JSON: see `training.as_row`."""
        return as_row(self)


class ReinforceTraining(SingleThreadTraining[TabularPolicy, Update]):
    """Learns from an episode at a time."""

    def __init__(
        self,
        model: TabularPolicy,
        make_env: MakeEnv | Envs,
        config: Config,
        resume: Mapping[str, Any] | None = None,
        optimizer: Optimizer | None = None,
    ) -> None:
        self.config = config
        check_methods(model, ["logits"])
        if optimizer is None:
            optimizer = TorchOptimizer(torch.optim.SGD(trainable(model), lr=config.learning_rate))
        envs = make_envs(make_env)
        with closed_on_error(envs.close):
            super().__init__(model, optimizer, envs, config, resume)
            check_outputs(model, self.player, critic=False)

    def update(self) -> Update:
        """Play one episode, and learn from it."""
        rollout = self.player.play_episode(sampled(self.model, self.player.generator))
        pi = distribution(self.model.logits(rollout.observations[:, 0]))
        loss = self._loss(pi, rollout.actions[:, 0], self._returns(rollout))
        gradients, norm = clip_gradients(gradients_of(loss, trainable(self.model)))
        take_step(self.theta, self.optimizer, gradients, self.config.learning_rate)
        self.steps += len(rollout.rewards)
        self.updates += 1
        entropy = pi.entropy().mean().item()
        return Update(self.steps, self.updates, rollout.episodes, entropy, norm)

    def _loss(self, pi: PolicyDistribution, actions: Tensor, returns: Tensor) -> Tensor:
        return reinforce_loss(pi.log_prob(actions), returns)

    def _returns(self, rollout: Rollout) -> Tensor:
        """G_t, to the next end of what is learned from.   (T, 1) → (T,)"""
        ends = rollout.ended[:-1, 0].nonzero().squeeze(-1)  # of lives; the last is the episode's
        lives = rollout.rewards[:, 0].tensor_split(ends + 1)
        return torch.cat([discounted_returns(rewards, self.config.gamma) for rewards in lives])


def train(
    model: TabularPolicy,
    make_env: MakeEnv | Envs,
    config: Config,
    resume: Mapping[str, Any] | None = None,
    optimizer: Optimizer | None = None,
) -> ReinforceTraining:
    """Learn from whole episodes, one update each.

    Any module with `logits(observations)` will do as a model. Without an `optimizer` of the model's
    parameters each update is `learning_rate` times the negative gradient of `reinforce_loss`.

    A lost life that ends what is learned from (chapter 07) ends the returns, not the episode.

    >>> from itertools import islice
    >>> with train(TabularPolicy(4, 2), "a3c_lib/Corridor-v0", Config(seed=1)) as training:
    ...     [update.updates for update in islice(training, 3)]
    [1, 2, 3]
    """
    return ReinforceTraining(model, make_env, config, resume, optimizer)
