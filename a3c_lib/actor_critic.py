"""Chapter 01: actor and critic. The trainer here stays the same to the end of Part I; what changes
is what it is given.

`targets` says what the critic is to predict: one step here, n steps in chapter 02. `loss` says what
is descended: without the entropy bonus here, with it in chapter 03.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.distributions import Categorical

from a3c_lib.networks import ActorCritic
from a3c_lib.rollout import Episode, MakeEnv, Rollout, collect, sampled
from a3c_lib.training import Training, apply_gradients, gradients_of


class Loss(NamedTuple):
    """A loss and its parts, each a mean over the rollout's T·N steps."""

    total: Tensor  # () the only part that is differentiated
    policy: Tensor  # () −mean log π(a | o) A
    value: Tensor  # () mean (R − V)²
    entropy: Tensor  # () mean H(π), in nats: positive


Targets = Callable[[Tensor, Tensor, Tensor, Tensor, float], Tensor]
LossFunction = Callable[[Tensor, Tensor, Tensor, Tensor], Loss]


def one_step_targets(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    """R_t = r_t + γ V(o_{t+1}), or r_t alone where the world ended.   all (T, N) → (T, N).

    A time limit is not an ending: where `truncated`, V(o_{t+1}) is still the best guess of what
    would have come. So `truncated` changes nothing here; it is taken because targets that look
    further need it.

    >>> one, no = torch.ones(2, 1), torch.zeros(2, 1, dtype=torch.bool)
    >>> one_step_targets(one, 10 * one, torch.tensor([[False], [True]]), no, gamma=0.9)
    tensor([[10.],
            [ 1.]])
    """
    check_shapes(
        rewards=rewards, next_values=next_values, terminated=terminated, truncated=truncated
    )
    return rewards + gamma * next_values * ~terminated


def actor_critic_loss(
    logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, value_weight: float = 0.5
) -> Loss:
    """−mean log π(a | o) A + value_weight · mean (R − V)²,   A = R − V held constant.   [A3C, Alg.
    S3]

    logits (T, N, A); values, actions, returns (T, N) → Loss of scalars. Returns are targets: no
    gradient flows into them. Means, not sums: the gradient's scale then does not depend on the
    rollout's size. The paper adds up over the rollout, and has no value_weight; 0.5 is
    OpenAI's A2C's, and makes the gradient V − R.
    """
    check_shapes(values=values, actions=actions, returns=returns)
    if logits.shape[:-1] != values.shape:
        raise ValueError(
            f"logits {tuple(logits.shape)} must be the shape of values {tuple(values.shape)} "
            "with one more axis, the actions'"
        )
    pi = Categorical(logits=logits, validate_args=False)
    advantages = (returns - values).detach()
    policy = -(pi.log_prob(actions) * advantages).mean()
    value = (returns.detach() - values).square().mean()
    return Loss(policy + value_weight * value, policy, value, pi.entropy().mean())


def values_after(model: ActorCritic, rollout: Rollout, values: Tensor) -> Tensor:
    """V(o_{t+1}) for every step of a rollout, from the values (T, N) of its observations.   → (T,
    N), constants.

    Most of them are known already: o_{t+1} is the next step's observation. Only after the last
    step, and where an episode ended, the world showed something that the rollout does not go on
    from.
    """
    unseen = rollout.terminated | rollout.truncated
    unseen[-1] = True
    after = values.detach().roll(-1, dims=0)
    with torch.no_grad():
        after[unseen] = model.values(rollout.next_observations[unseen])
    return after


def explained_variance(returns: Tensor, values: Tensor) -> float:
    """1 − Var(R − V) / Var(R): 1 for a perfect critic, 0 for a constant one, negative for a worse
    one; NaN if R is constant.

    >>> explained_variance(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 3.0]))
    1.0
    """
    variance = returns.var(correction=0)
    if variance == 0:
        return math.nan
    return 1 - float((returns - values).var(correction=0) / variance)


@dataclass(frozen=True, kw_only=True)
class Config:
    """How an actor-critic trains. The defaults learn CartPole-v1 with n-step returns."""

    total_steps: int = 100_000  # environment steps, all environments together
    t_max: int = 20  # steps of each environment per update; the paper's 5 suits 16 workers
    num_envs: int = 1  # environments in step with each other
    gamma: float = 0.99  # discount per step [A3C]
    learning_rate: float = 1e-3  # Adam's, at the beginning; found by trying
    anneal: bool = True  # bring the learning rate down to 0, linearly in steps [A3C]
    max_grad_norm: float = 0.5  # longer gradients are scaled to it [OpenAI's A2C]
    seed: int = 0

    def __post_init__(self) -> None:
        for name in "total_steps", "t_max", "num_envs":
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1; got {getattr(self, name)}")
        if not 0 <= self.gamma <= 1:
            raise ValueError(f"gamma is a discount in [0, 1]; got {self.gamma}")
        for name in "learning_rate", "max_grad_norm":
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is positive; got {getattr(self, name)}")


class Update(NamedTuple):
    """What one rollout taught."""

    steps: int  # environment steps so far
    updates: int
    episodes: tuple[Episode, ...]  # those that ended in the rollout
    policy_loss: float
    value_loss: float
    entropy: float  # mean over the rollout, in nats
    explained_variance: float  # over the latest 1000 steps or so
    gradient_norm: float  # before it was limited
    learning_rate: float

    @property
    def episode_return(self) -> float:
        """The mean return of the episodes that ended here; NaN if none did."""
        if not self.episodes:
            return math.nan
        return sum(episode.episode_return for episode in self.episodes) / len(self.episodes)


class ActorCriticTraining(Training[ActorCritic, Update]):
    def __init__(
        self,
        model: ActorCritic,
        make_env: MakeEnv,
        config: Config,
        targets: Targets,
        loss: LossFunction,
        resume: Mapping[str, Any] | None,
    ) -> None:
        optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
        super().__init__(
            model, optimizer, make_env, config.num_envs, config.total_steps, config.seed, resume
        )
        self.config, self.targets, self.loss = config, targets, loss
        self._recent: deque[tuple[Tensor, Tensor]] = deque(
            maxlen=math.ceil(1000 / (config.t_max * config.num_envs))
        )

    def update(self) -> Update:
        policy = sampled(self.model, self.generator)
        rollout, self.position = collect(self.envs, policy, self.position, self._t_max())
        logits, values = self.model(rollout.observations)
        returns = self.targets(
            rollout.rewards,
            values_after(self.model, rollout, values),
            rollout.terminated,
            rollout.truncated,
            self.config.gamma,
        )
        loss = self.loss(logits, values, rollout.actions, returns)

        parameters = list(self.model.parameters())
        gradients = gradients_of(loss.total, parameters)
        learning_rate = self._set_learning_rate()
        norm = apply_gradients(self.optimizer, parameters, gradients, self.config.max_grad_norm)
        self.steps += rollout.rewards.numel()
        self.updates += 1

        self._recent.append((returns.detach().flatten(), values.detach().flatten()))
        return Update(
            steps=self.steps,
            updates=self.updates,
            episodes=rollout.episodes,
            policy_loss=loss.policy.item(),
            value_loss=loss.value.item(),
            entropy=loss.entropy.item(),
            explained_variance=explained_variance(*map(torch.cat, zip(*self._recent, strict=True))),
            gradient_norm=norm,
            learning_rate=learning_rate,
        )

    def _t_max(self) -> int:
        """The rollout's length: the last one is as short as the budget of steps asks for."""
        return min(self.config.t_max, math.ceil((self.total_steps - self.steps) / self.num_envs))

    def _set_learning_rate(self) -> float:
        remaining = 1 - self.steps / self.total_steps if self.config.anneal else 1.0
        learning_rate = self.config.learning_rate * remaining
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        return learning_rate


def train(
    model: ActorCritic,
    make_env: MakeEnv,
    config: Config,
    *,
    targets: Targets = one_step_targets,
    loss: LossFunction = actor_critic_loss,
    resume: Mapping[str, Any] | None = None,
) -> ActorCriticTraining:
    """Collect t_max steps, learn from them once, and so on.

    Any module that gives `logits, values`, and has `logits(observations)` and
    `values(observations)`, will do as a model; it is yours, and holds what was learned after every
    update. Raises FloatingPointError, with the model left as it was, if a gradient is not finite.

    >>> import gymnasium as gym
    >>> model = ActorCritic.for_env(gym.make("CartPole-v1"), seed=0)
    >>> with train(model, "CartPole-v1", Config(total_steps=50, t_max=20)) as training:
    ...     [update.steps for update in training]
    [20, 40, 50]
    """
    return ActorCriticTraining(model, make_env, config, targets, loss, resume)


def check_shapes(**tensors: Tensor) -> None:
    """Refuse tensors of different shapes: (T, 1) against (T,) would become (T, T), and train,
    badly."""
    if len({tensor.shape for tensor in tensors.values()}) > 1:
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in tensors.items())
        raise ValueError(f"these must have one shape: {shapes}")
