"""Chapter 01: actor and critic, their loss and their trainer.

The trainer stays the same to the end of Part I; what changes is what it is given.

`targets` says what the critic is to predict: one step here, n steps in chapter 02. `loss` says what
is descended: without the entropy bonus here, with it in chapter 03.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn

from a3c_lib.distributions import PolicyOutput, distribution
from a3c_lib.lessons import Lesson, Recent, mean_return, report
from a3c_lib.making import Envs, MakeEnv, closed_on_error, make_envs
from a3c_lib.models import HasUnroll, check_methods, check_outputs, trainable
from a3c_lib.networks import ActorCritic
from a3c_lib.playing import Played
from a3c_lib.rollout import (
    Episode,
    HasLogits,
    Rollout,
    State,
    check_shapes,
    device_of,
    sampled,
)
from a3c_lib.training import (
    Optimizer,
    RolloutConfig,
    SingleThreadTraining,
    TorchOptimizer,
    as_row,
    clip_gradients,
    gradients_of,
    take_step,
)

F = TypeVar("F", bound=Callable[..., Any])


class Loss(NamedTuple):
    """A loss and its parts, each a mean over the rollout's T·N steps."""

    total: Tensor  # () what is descended
    policy: Tensor  # () −mean log π(a | o) A
    value: Tensor  # () mean (R − V)²
    entropy: Tensor  # () mean H(π), in nats: positive; that of a density need not be


class Targets(Protocol):
    """What the critic is to predict.   all (T, N) → (T, N)"""

    def __call__(
        self,
        rewards: Tensor,
        next_values: Tensor,
        terminated: Tensor,
        truncated: Tensor,
        gamma: float,
        /,
    ) -> Tensor:
        """`next_values` are V(o_{t+1}); it may stand where a rollout or a time limit cut."""


class LossFunction(Protocol):
    """What is descended.   logits (*B, A), the others (*B) → Loss of scalars

    Where actions are a Box (chapter 10), the policy distribution stands in the logits' place, and
    actions are (*B, D).
    """

    def __call__(
        self, logits: PolicyOutput, values: Tensor, actions: Tensor, returns: Tensor, /
    ) -> Loss:
        """No gradient flows into `returns`."""


class Context(NamedTuple):
    """What else there is to see for a loss, or for targets: see `WithContext`."""

    model: nn.Module  # that learns; a worker's own copy
    rollout: Rollout  # all its T·N steps, where the model computes
    steps: int  # environment steps before it, of all workers together
    values: Tensor  # (T, N) V(o_t), constants
    next_values: Tensor  # (T, N) V(o_{t+1}), constants


@dataclass(frozen=True)
class WithContext:
    """A loss, or targets, with one argument more, the `Context`.

    Every trainer of actors and critics hands it over; the others have none, and refuse it. So a
    loss may have a weight that changes with the steps, or a term of its own, of what the
    model makes of the rollout. What its named tuple has besides the parts of `Loss` is reported in
    `update.extra`.

    >>> import gymnasium as gym
    >>> from a3c_lib.losses import a2c_loss
    >>> @WithContext
    ... def loss(logits, values, actions, returns, context):
    ...     weight = 0.01 * 0.5 ** (context.steps / 100_000)
    ...     return a2c_loss(logits, values, actions, returns, entropy_weight=weight)

    Targets that are given values, such as λ-returns, which look at each step's own:

    >>> @WithContext
    ... def targets(rewards, next_values, terminated, truncated, gamma, context):
    ...     after = torch.where(terminated, 0.0, next_values)
    ...     errors = rewards + gamma * after - context.values
    ...     A, ended = torch.zeros_like(rewards[0]), terminated | truncated
    ...     advantages = []
    ...     for t in reversed(range(len(rewards))):
    ...         A = errors[t] + gamma * 0.95 * A * ~ended[t]
    ...         advantages.append(A)
    ...     return context.values + torch.stack(advantages[::-1])
    >>> from a3c_lib import a2c
    >>> model = ActorCritic.for_env(gym.make("CartPole-v1"), seed=0)
    >>> config = a2c.Config(total_steps=200)
    >>> with a2c.train(model, "CartPole-v1", config, loss=loss, targets=targets) as training:
    ...     [update.steps for update in training]
    [157, 202]
    """

    function: Callable[..., Any]

    def __call__(self, *arguments: Any, context: Context | None = None) -> Any:
        """The function's answer. Raises TypeError if there is no context."""
        if context is None:
            raise TypeError(NO_CONTEXT)
        return self.function(*arguments, context)


NO_CONTEXT = (
    "what is made WithContext is for trainers that hand over the Context, as a2c, a3c, "
    "parallel_a2c and actor_critic do"
)


def in_context(function: F, context: Context | None) -> F:
    """A loss or targets as any other is called: with the context, if that is asked for."""
    if isinstance(function, WithContext):
        return partial(function, context=context)  # type: ignore[return-value]
    return function


def refuse_context(targets: Targets) -> None:
    """Raise TypeError for targets that ask for a context: before a trainer begins that has none."""
    if isinstance(targets, WithContext):
        raise TypeError(NO_CONTEXT)


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
    logits: PolicyOutput,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    value_weight: float = 0.5,
) -> Loss:
    """−mean log π(a | o) A + value_weight · mean (R − V)²,   A = R − V held constant.

    logits (T, N, A); values, actions, returns (T, N) → Loss of scalars.         [A3C, Alg. S3]

    Returns are targets: no gradient flows into them. Means, not sums: the gradient's scale then
    does not depend on the rollout's size. The paper adds up over the rollout, and has no
    value_weight; 0.5 is OpenAI's A2C's, and makes the gradient V − R.
    """
    pi = distribution(logits)  # Categorical(logits=logits), or of a Box what was handed over
    log_pi = pi.log_prob(actions)
    check_shapes(log_pi=log_pi, values=values, returns=returns)
    advantages = (returns - values).detach()
    policy = -(log_pi * advantages).mean()
    value = (returns.detach() - values).square().mean()
    return Loss(policy + value_weight * value, policy, value, pi.entropy().mean())


def values_after(model: ActorCritic, rollout: Rollout, values: Tensor) -> Tensor:
    """V(o_{t+1}) for every step of a rollout, from the values of its observations.

    values (T, N) → (T, N), constants.

    Most of them are known already: o_{t+1} is the next step's observation. Only after the last
    step, and where an episode ended, the world showed something that no action was chosen on.
    """
    after = values.detach().roll(-1, dims=0)
    with torch.no_grad():
        after[rollout.unseen] = model.values(rollout.shown_unseen)
    return after


def look_back(
    model: nn.Module, rollout: Rollout, state: State = None
) -> tuple[PolicyOutput, Tensor, Tensor]:
    """logits (T, N, A), values (T, N) and V(o_{t+1}) (T, N) of a rollout, as `model` sees it now.

    `state` is what the policy carried along when the rollout began. A model with memory (chapter
    04) goes through the rollout itself.
    """
    if isinstance(model, HasUnroll):
        return model.unroll(rollout, state)
    logits, values = model(rollout.observations)
    return logits, values, values_after(cast(ActorCritic, model), rollout, values)


def lesson_of(
    model: nn.Module,
    played: Played,
    targets: Targets,
    loss: LossFunction,
    gamma: float,
    steps: int = 0,
) -> Lesson:
    """What a rollout teaches `model`, whose parameters are left as they are, after `steps` steps.

    Steps that belong to no episode are left out. Raises FloatingPointError if the loss is not
    finite, and TypeError if it is not a named tuple with a `total`.
    """
    rollout = played.rollout.map(lambda tensor: tensor.to(device_of(model)))
    logits, values, next_values = look_back(model, rollout, played.state)
    context = Context(model, rollout, steps, values.detach(), next_values)
    targets, loss = in_context(targets, context), in_context(loss, context)
    returns = targets(rollout.rewards, next_values, rollout.terminated, rollout.truncated, gamma)
    actions = rollout.actions
    if played.rollout.dummies.any():
        real = ~rollout.dummies
        logits, values, actions, returns = logits[real], values[real], actions[real], returns[real]
    losses = loss(logits, values, actions, returns)
    if not hasattr(losses, "total"):
        raise TypeError(
            "a loss gives a named tuple with its total and parts, such as actor_critic.Loss; "
            f"got {type(losses).__name__}"
        )
    return Lesson(
        gradients_of(losses.total, trainable(model)),
        losses,
        returns.detach().flatten(),
        values.detach().flatten(),
        rollout.episodes,
    )


@dataclass(frozen=True, kw_only=True)
class Config(RolloutConfig):
    """How an actor-critic trains. The defaults learn CartPole-v1 with n-step returns."""


class Update(NamedTuple):
    """What one rollout taught."""

    steps: int  # environment steps so far
    updates: int
    episodes: tuple[Episode, ...]  # those that ended in the rollout
    policy_loss: float
    value_loss: float
    entropy: float  # mean over the rollout, in nats
    explained_variance: float  # over the latest 1000 steps or so
    gradient_norm: float  # before it was clipped
    learning_rate: float
    extra: Mapping[str, float] = {}  # what else a loss of one's own reports, by name

    @property
    def episode_return(self) -> float:
        """The mean return of the episodes that ended here; NaN if none did."""
        return mean_return(self.episodes)

    def as_row(self) -> dict[str, float | int | None]:
        """Numbers by name, for a table or a line of JSON: see `training.as_row`."""
        return as_row(self)


class ActorCriticTraining(SingleThreadTraining[nn.Module, Update]):
    """Chapters 01 to 04 train with it, and so does A2C in chapter 06."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        envs: Envs,
        config: RolloutConfig,
        targets: Targets,
        loss: LossFunction,
        resume: Mapping[str, Any] | None,
    ) -> None:
        super().__init__(model, optimizer, envs, config, resume)
        check_outputs(model, self.player)
        self.config, self.targets, self.loss = config, targets, loss
        self.recent = Recent(config.t_max * config.num_envs)
        if resume is not None and "recent" in resume:
            self.recent.load_state_dict(resume["recent"], device_of(model))

    def state_dict(self) -> dict[str, Any]:
        """As every single-threaded trainer's, and what the explained variance is computed from."""
        return {**super().state_dict(), "recent": self.recent.state_dict()}

    def update(self) -> Update:
        """Collect t_max steps, and learn from them once."""
        config, learning_rate = self.config, self.config.annealed(self.steps)
        policy = sampled(cast(HasLogits, self.model), self.player.generator)
        played = self.player.play(policy, config.rollout_length(self.steps))
        lesson = lesson_of(self.model, played, self.targets, self.loss, config.gamma, self.steps)
        gradients, norm = clip_gradients(lesson.gradients, config.max_grad_norm)
        take_step(self.theta, self.optimizer, gradients, learning_rate)
        self.steps += lesson.steps
        self.updates += 1
        return report(
            Update,
            lesson,
            steps=self.steps,
            updates=self.updates,
            explained_variance=self.recent.explained_variance(lesson),
            gradient_norm=norm,
            learning_rate=learning_rate,
        )


def train(
    model: nn.Module,
    make_env: MakeEnv | Envs,
    config: Config,
    *,
    targets: Targets = one_step_targets,
    loss: LossFunction = actor_critic_loss,
    resume: Mapping[str, Any] | None = None,
) -> ActorCriticTraining:
    """Collect t_max steps, learn from them once, and so on, with Adam.

    Any module that gives `logits, values` of observations (T, N, *O), and has
    `logits(observations)` and `values(observations)`, for (N, *O), will do as a model, and so will
    one with memory (chapter 04). It is yours, and holds what was learned after every update.
    `make_env` may be a vector environment of your own; it is closed with the training. Raises
    FloatingPointError, with the parameters as the last good step left them, if an observation, a
    loss or a gradient is not finite. (What else the model keeps, such as running means, may have
    changed since.)

    >>> import gymnasium as gym
    >>> model = ActorCritic.for_env(gym.make("CartPole-v1"), seed=0)
    >>> with train(model, "CartPole-v1", Config(total_steps=50, t_max=20)) as training:
    ...     [update.steps for update in training]
    [20, 40, 50]
    """
    check_methods(model)
    adam = TorchOptimizer(torch.optim.Adam(trainable(model), lr=config.learning_rate))
    envs = make_envs(make_env, config.num_envs)
    with closed_on_error(envs.close):
        return ActorCriticTraining(model, adam, envs, config, targets, loss, resume)
