"""Chapter 01: actor and critic. The trainer here stays the same to the end of Part I; what changes
is what it is given.

`targets` says what the critic is to predict: one step here, n steps in chapter 02. `loss` says what
is descended: without the entropy bonus here, with it in chapter 03.
"""

import math
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from a3c_lib.networks import ActorCritic
from a3c_lib.rollout import (
    Envs,
    Episode,
    HasLogits,
    MakeEnv,
    Rollout,
    State,
    collect,
    device_of,
    dummy_steps,
    make_envs,
    sampled,
)
from a3c_lib.training import Optimizer, SingleThreadTraining, apply_gradients, gradients_of


class Loss(NamedTuple):
    """A loss and its parts, each a mean over the rollout's T·N steps."""

    total: Tensor  # () what is descended
    policy: Tensor  # () −mean log π(a | o) A
    value: Tensor  # () mean (R − V)²
    entropy: Tensor  # () mean H(π), in nats: positive


Targets = Callable[[Tensor, Tensor, Tensor, Tensor, float], Tensor]
LossFunction = Callable[[Tensor, Tensor, Tensor, Tensor], Loss]


@runtime_checkable
class HasMemory(Protocol):
    """A model with memory (chapter 04)."""

    def initial_state(self, num_envs: int) -> State: ...
    def unroll(
        self, rollout: Rollout, state: Any, dummies: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]: ...


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
    # The variance of equal numbers is not exactly 0 in floating point.
    if (returns == returns.flatten()[0]).all():
        return math.nan
    return 1 - float((returns - values).var(correction=0) / returns.var(correction=0))


class Lesson(NamedTuple):
    """What a rollout teaches a model. Its M steps are those that belong to an episode."""

    gradients: tuple[Tensor, ...]  # d loss / d parameters
    loss: Loss
    returns: Tensor  # (M,) what the critic should have said
    values: Tensor  # (M,) what it said
    episodes: tuple[Episode, ...]  # those that ended

    @property
    def steps(self) -> int:
        return len(self.returns)


def look_back(
    model: nn.Module, rollout: Rollout, state: State = None, dummies: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """logits (T, N, A), values (T, N) and V(o_{t+1}) (T, N) of a rollout, as `model` sees it now.

    `state` is what the policy carried along when the rollout began. A model with memory (chapter
    04) goes through the rollout itself.
    """
    if isinstance(model, HasMemory):
        return model.unroll(rollout, state, dummies)
    logits, values = model(rollout.observations)
    return logits, values, values_after(cast(ActorCritic, model), rollout, values)


def learn(
    model: nn.Module,
    rollout: Rollout,
    targets: Targets,
    loss: LossFunction,
    gamma: float,
    state: State = None,
    dummies: Tensor | None = None,
    seen: tuple[Tensor, Tensor, Tensor] | None = None,
) -> Lesson:
    """What a rollout that began with the memory `state` teaches `model`, which is left as it is.

    `dummies` (T, N) are steps to leave out. `seen` is what `look_back` would give, if it is known
    already. Raises FloatingPointError if the loss is not finite.
    """
    rollout = _on(device_of(model), rollout)
    logits, values, next_values = seen or look_back(model, rollout, state, dummies)
    returns = targets(rollout.rewards, next_values, rollout.terminated, rollout.truncated, gamma)
    actions = rollout.actions
    if dummies is not None and dummies.any():
        real = ~dummies.to(values.device)
        logits, values, actions, returns = logits[real], values[real], actions[real], returns[real]
    losses = loss(logits, values, actions, returns)
    return Lesson(
        gradients_of(losses.total, list(model.parameters())),
        losses,
        returns.detach().flatten(),
        values.detach().flatten(),
        rollout.episodes,
    )


def _on(device: torch.device, rollout: Rollout) -> Rollout:
    tensors = (tensor.to(device) for tensor in rollout[:-1])
    return Rollout(*tensors, episodes=rollout.episodes)  # type: ignore[misc, arg-type]


@dataclass(frozen=True, kw_only=True)
class Config:
    """How an actor-critic trains. The defaults learn CartPole-v1 with n-step returns."""

    total_steps: int = 100_000  # environment steps, of all environments together, at least 1
    # steps of each environment per update, at least 1; the paper's 5 suits 16 workers
    t_max: int = 20
    num_envs: int = 1  # environments in step with each other, at least 1
    gamma: float = 0.99  # discount per step, in [0, 1] [A3C]
    learning_rate: float = 1e-3  # at the beginning, above 0; found by trying, for Adam
    anneal: bool = True  # bring the learning rate down to 0, linearly in steps [A3C]
    max_grad_norm: float = 0.5  # longer gradients are scaled to it; above 0 [OpenAI's A2C]
    seed: int = 0  # of environments and actions, at least 0

    def __post_init__(self) -> None:
        for name in "total_steps", "t_max", "num_envs":
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1; got {getattr(self, name)}")
        if not 0 <= self.gamma <= 1:
            raise ValueError(f"gamma is a discount in [0, 1]; got {self.gamma}")
        for name in "learning_rate", "max_grad_norm":
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is positive; got {getattr(self, name)}")
        if self.seed < 0:
            raise ValueError(f"seed is at least 0; got {self.seed}")

    def rollout_length(self, steps: int) -> int:
        """t_max, or what is left of the budget after `steps` steps, if that is less."""
        return min(self.t_max, math.ceil((self.total_steps - steps) / self.num_envs))

    def annealed(self, steps: int) -> float:
        """The learning rate after `steps` steps."""
        left = max(0.0, 1 - steps / self.total_steps)
        return self.learning_rate * (left if self.anneal else 1.0)


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


class Recent:
    """The latest returns and values, 1000 steps or so."""

    def __init__(self, steps_per_update: int) -> None:
        self.pairs: deque[tuple[Tensor, Tensor]] = deque(maxlen=math.ceil(1000 / steps_per_update))

    def state_dict(self) -> dict[str, Any]:
        """All returns in a row, all values, and how many of them come from each update."""
        lengths = [len(returns) for returns, _ in self.pairs]
        returns, values = (torch.cat(part) if part else torch.empty(0) for part in self._columns())
        return {"returns": returns, "values": values, "lengths": lengths}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        parts = (state[name].to(device).split(state["lengths"]) for name in ("returns", "values"))
        self.pairs.extend(zip(*parts, strict=True))

    def explained_variance(self, lesson: Lesson) -> float:
        """Of the critic, over what is recent, now that there is one lesson more."""
        self.pairs.append((lesson.returns, lesson.values))
        return explained_variance(*map(torch.cat, self._columns()))

    def _columns(self) -> tuple[list[Tensor], list[Tensor]]:
        return [returns for returns, _ in self.pairs], [values for _, values in self.pairs]


class ActorCriticTraining(SingleThreadTraining[nn.Module, Update]):
    def __init__(
        self,
        model: nn.Module,
        envs: Envs,
        config: Config,
        optimizer: Optimizer,
        targets: Targets,
        loss: LossFunction,
        resume: Mapping[str, Any] | None,
    ) -> None:
        super().__init__(model, optimizer, envs, config.total_steps, config.seed, resume)
        self.config, self.targets, self.loss = config, targets, loss
        self.recent = Recent(config.t_max * config.num_envs)
        if resume is not None and "recent" in resume:
            self.recent.load_state_dict(resume["recent"], device_of(model))

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "recent": self.recent.state_dict()}

    def update(self) -> Update:
        began = self.position
        policy = sampled(cast(HasLogits, self.model), self.generator)
        t_max = self.config.rollout_length(self.steps)
        rollout, self.position = collect(self.envs, policy, began, t_max)
        dummies = dummy_steps(self.envs, rollout, began)
        lesson = learn(
            self.model,
            rollout,
            self.targets,
            self.loss,
            self.config.gamma,
            began.policy_state,
            dummies,
        )
        learning_rate = self.config.annealed(self.steps)
        norm = self.descend(lesson.gradients, learning_rate)
        self.steps += lesson.steps
        self.updates += 1
        return Update(
            steps=self.steps,
            updates=self.updates,
            episodes=lesson.episodes,
            policy_loss=lesson.loss.policy.item(),
            value_loss=lesson.loss.value.item(),
            entropy=lesson.loss.entropy.item(),
            explained_variance=self.recent.explained_variance(lesson),
            gradient_norm=norm,
            learning_rate=learning_rate,
        )

    @abstractmethod
    def descend(self, gradients: Sequence[Tensor], learning_rate: float) -> float:
        """One step of the optimiser.   → the gradients' norm before it was limited."""


class AdamTraining(ActorCriticTraining):
    """What chapters 01 to 04 train with."""

    optimizer: torch.optim.Adam

    def descend(self, gradients: Sequence[Tensor], learning_rate: float) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        parameters = list(self.model.parameters())
        return apply_gradients(self.optimizer, parameters, gradients, self.config.max_grad_norm)


def train(
    model: nn.Module,
    make_env: MakeEnv,
    config: Config,
    *,
    targets: Targets = one_step_targets,
    loss: LossFunction = actor_critic_loss,
    resume: Mapping[str, Any] | None = None,
) -> AdamTraining:
    """Collect t_max steps, learn from them once, and so on.

    Any module that gives `logits, values`, and has `logits(observations)` and
    `values(observations)`, will do as a model, and so will one with memory (chapter 04). It is
    yours, and holds what was learned after every update. Raises FloatingPointError, with the model left as it was, if a gradient is not finite.

    >>> import gymnasium as gym
    >>> model = ActorCritic.for_env(gym.make("CartPole-v1"), seed=0)
    >>> with train(model, "CartPole-v1", Config(total_steps=50, t_max=20)) as training:
    ...     [update.steps for update in training]
    [20, 40, 50]
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    envs = make_envs(make_env, config.num_envs)
    return AdamTraining(model, envs, config, optimizer, targets, loss, resume)


def check_shapes(**tensors: Tensor) -> None:
    """Refuse tensors of different shapes: (T, 1) against (T,) would become (T, T), and train,
    badly."""
    if len({tensor.shape for tensor in tensors.values()}) > 1:
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in tensors.items())
        raise ValueError(f"these must have one shape: {shapes}")
