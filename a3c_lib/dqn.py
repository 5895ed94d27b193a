"""Chapter 09: DQN and its family, Q-learning from a replay memory.

One process acts, ε-greedy, and remembers what it saw. From time to time it draws a batch from the
memory, and learns what chapter 08's Q-learning would have learned of it:

    DQN                  R = r + γ max_a Q(o′, a; θ⁻)                         [DQN 2015]
    Double DQN           R = r + γ Q(o′, argmax_a Q(o′, a; θ); θ⁻)            [van Hasselt 2016]
    with n steps         R = r + γ r′ + … + γⁿ max_a Q(o⁽ⁿ⁾, a; θ⁻)           [Hessel 2018]
    dueling              Q(o, a) = V(o) + A(o, a) − mean_a′ A(o, a′)          [Wang 2016]
    prioritised          batches in which large |R − Q(o, a)| are more often  [Schaul 2016]

Each is a switch of one `Config`, and goes with all others.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any, Literal, NamedTuple

import torch
from gymnasium import spaces
from torch import Tensor, nn

from a3c_lib import optim
from a3c_lib.actor_critic import Targets, refuse_context
from a3c_lib.lessons import Lesson, Recent, mean_return, report
from a3c_lib.making import Envs, MakeEnv, closed_on_error, make_envs
from a3c_lib.models import check_module, trainable
from a3c_lib.networks import ActorCritic, MakeEncoder, encoder_for, torso
from a3c_lib.optim import Kind
from a3c_lib.q_learning import Loss, epsilon_greedy, linearly, of_actions
from a3c_lib.q_networks import PLAYING_EPSILON, QNetwork
from a3c_lib.replay import Drawn, PrioritizedReplayMemory, ReplayMemory
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import Episode, Rollout, check_shapes, device_of
from a3c_lib.settings import (
    Count,
    Fraction,
    Limit,
    NotNegative,
    NotNegativeCount,
    Positive,
    Range,
)
from a3c_lib.training import (
    RolloutConfig,
    SingleThreadTraining,
    as_row,
    clip_gradients,
    copy_tensors,
    gradients_of,
    seeds,
    take_step,
)

MB = 10**6
Error = Literal["squared", "huber"]
# (model, target, observations) → values, (*B, *O) → (*B)
Best = Callable[[nn.Module, nn.Module, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Config(optim.Config, RolloutConfig):
    """How DQN and its family train."""

    # steps of each environment from one time of learning to the next, at least 1 [DQN 2015]
    t_max: Count = 4
    anneal: bool = False  # bring the learning rate down to 0, linearly in steps
    max_grad_norm: Limit = 10.0  # longer gradients are scaled to it; above 0 [Wang 2016]
    # adam: what DQN learns best with on small worlds [Obando-Ceron 2021]; rmsprop: the first one
    optimizer: Kind = "adam"

    capacity: Count = 100_000  # of the replay memory, in steps of all environments together
    batch_size: Count = 64  # steps that are drawn at a time, at least 1; 32 in the papers
    draws: Count = 1  # batches that are learned from each time, one after another, at least 1
    # steps that are remembered before learning begins, at least 0
    warm_up: NotNegativeCount = 1_000
    target_period: Count = 500  # steps from one θ⁻ ← θ to the next, at least 1
    first_epsilon: Fraction = 1.0  # what ε begins with, in [0, 1]
    final_epsilon: Fraction = 0.05  # what ε comes down to, in [0, 1]
    epsilon_steps: Count = 10_000  # steps in which ε comes down, linearly, at least 1
    # squared: the square of R − Q(o, a) is descended; huber: beyond ±1 it is no steeper than there
    error: Error = "squared"

    n_steps: Count = 1  # rewards in a target, before it bootstraps, at least 1; 3 in Rainbow
    double: bool = False  # θ chooses the action whose value θ⁻ says
    dueling: bool = False  # a network with V(o) and A(o, a), a `DuelingQNetwork`
    prioritized: bool = False  # draw the more often what there is more to learn from
    # ω, in P = p^ω / Σ p^ω; at least 0: 0 draws all steps alike [Schaul 2016]
    priority_exponent: NotNegative = 0.6
    least_priority: Positive = 1e-6  # added to |R − Q(o, a)|, so that every step can be drawn
    # κ at first, of the weights (1 / P)^κ, in [0, 1]; it comes up to 1 at the end [Schaul 2016]
    first_importance_exponent: Fraction = 0.4
    # a replay memory that takes more MB than this is no part of state_dict(), or of a checkpoint: a
    # run that goes on begins with an empty one; at least 0
    memory_in_state: Annotated[float, Range(least=0, finite=False)] = 100.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.capacity < self.n_steps * self.num_envs:
            raise ValueError(
                f"capacity is at least n_steps · num_envs = {self.n_steps * self.num_envs}; "
                f"got {self.capacity}"
            )

    @property
    def network(self) -> type[QNetwork]:
        """The kind of network that this is for.

        >>> import gymnasium as gym
        >>> model = Config(dueling=True).network.for_env(gym.make("CartPole-v1"), seed=0)
        >>> type(model).__name__
        'DuelingQNetwork'
        """
        return DuelingQNetwork if self.dueling else QNetwork

    @property
    def best(self) -> Best:
        """What the next observation is worth."""
        return double_values if self.double else max_values

    def memory(self, steps: int = 0) -> ReplayMemory:
        """An empty replay memory, for a training that begins after `steps` steps."""
        seed, _ = seeds(self.seed, steps, worker=1)  # others than the environment's and the dice's
        if not self.prioritized:
            return ReplayMemory(self.capacity, n_steps=self.n_steps, seed=seed)
        return PrioritizedReplayMemory(
            self.capacity,
            n_steps=self.n_steps,
            seed=seed,
            priority_exponent=self.priority_exponent,
            least_priority=self.least_priority,
        )

    def epsilon(self, steps: int) -> float:
        """ε after `steps` steps.

        >>> config = Config(first_epsilon=1.0, final_epsilon=0.5, epsilon_steps=100)
        >>> [config.epsilon(steps) for steps in (0, 50, 100, 200)]
        [1.0, 0.75, 0.5, 0.5]
        """
        return linearly(self.first_epsilon, self.final_epsilon, steps, self.epsilon_steps)

    def importance_exponent(self, steps: int) -> float:
        """κ after `steps` steps.

        >>> config = Config(total_steps=100, first_importance_exponent=0.5)
        >>> [config.importance_exponent(steps) for steps in (0, 50, 100)]
        [0.5, 0.75, 1.0]
        """
        return linearly(self.first_importance_exponent, 1.0, steps, self.total_steps)


# A network with two streams


class DuelingQNetwork(QNetwork):
    """Q(o, a) = V(o) + A(o, a) − mean_a′ A(o, a′), from two streams behind one torso.

    The last width of `hidden` is that of a layer in each stream; those before it are the torso's.
    So V is the mean of Q over the actions, and each step teaches it, whatever was done. In all else
    it is a `QNetwork`.                                                               [Wang 2016]

    >>> model = DuelingQNetwork(spaces.Box(-1, 1, (4,)), spaces.Discrete(2), seed=0)
    >>> model(torch.zeros(5, 3, 4)).shape
    torch.Size([5, 3, 2])
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        hidden: Sequence[int] = (64, 64),
        make_encoder: MakeEncoder = encoder_for,
        activation: type[nn.Module] = nn.Tanh,
        epsilon: float = PLAYING_EPSILON,
        seed: int = 0,
    ) -> None:
        super().__init__(
            observation_space, action_space, hidden, make_encoder, activation, epsilon, seed
        )
        num_actions = self.head.out_features
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.torso, width = torso(observation_space, hidden[:-1], make_encoder, activation)
            self.head = Dueling(  # type: ignore[assignment]
                width, num_actions, hidden[-1:], activation
            )


class Dueling(nn.Module):
    """Features (*B, width) → Q (*B, A) = V + A − mean of A over the actions.

    Of V and A that add up to Q there are many; minus the mean, it is those of which A's mean is 0.
    The last layers start small, so at first every action is worth about nothing.

    >>> head = Dueling(3, num_actions=2)
    >>> with torch.no_grad():
    ...     _ = head.value[-1].bias.fill_(10.0)
    ...     _ = head.advantages[-1].bias.copy_(torch.tensor([1.0, 5.0]))
    ...     head(torch.zeros(3))
    tensor([ 8., 12.])
    """

    def __init__(
        self,
        width: int,
        num_actions: int,
        hidden: Sequence[int] = (),
        activation: type[nn.Module] = nn.Tanh,
    ) -> None:
        super().__init__()
        self.value = _stream(width, hidden, 1, activation)
        self.advantages = _stream(width, hidden, num_actions, activation)

    def forward(self, features: Tensor) -> Tensor:
        """(*B, width) → (*B, A)."""
        advantages = self.advantages(features)
        q: Tensor = self.value(features) + advantages - advantages.mean(dim=-1, keepdim=True)
        return q


def _stream(
    width: int, hidden: Sequence[int], outputs: int, activation: type[nn.Module]
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(width, size), activation()]
        width = size
    last = nn.Linear(width, outputs)
    with torch.no_grad():
        last.weight *= 0.01
        last.bias.zero_()
    return nn.Sequential(*layers, last)


# What a batch teaches


def max_values(model: nn.Module, target: nn.Module, observations: Tensor) -> Tensor:
    """max_a Q(o, a; θ⁻).   (*B, *O) → (*B)                                           [DQN 2015]

    θ⁻ chooses and judges: what it overrates it takes, so the largest is too large on average.
    """
    best: Tensor = target(observations).amax(dim=-1)
    return best


def double_values(model: nn.Module, target: nn.Module, observations: Tensor) -> Tensor:
    """Q(o, argmax_a Q(o, a; θ); θ⁻).   (*B, *O) → (*B)                       [van Hasselt 2016]

    θ chooses, and θ⁻ judges, which does not overrate the same actions.
    """
    chosen = model(observations).argmax(dim=-1)
    return of_actions(target(observations), chosen)


def next_values(
    model: nn.Module, target: nn.Module, rollout: Rollout, best: Best = max_values
) -> Tensor:
    """What o_{t+1} is worth, where a return may stop looking: at ends and in the last row; 0
    elsewhere.   → (T, N), constants"""
    with torch.no_grad():
        unseen = best(model, target, rollout.shown_unseen)
    values = unseen.new_zeros(rollout.rewards.shape)
    values[rollout.unseen] = unseen
    return values


def weighted_loss(
    values: Tensor, returns: Tensor, weights: Tensor, error: Error = "squared"
) -> Loss:
    """mean w ℓ(R − Q(o, a)), with ℓ(δ) = δ², or, huber, 2|δ| − 1 where |δ| > 1.

    values, returns, weights (*B) → Loss of scalars.                        [DQN 2015; Schaul 2016]

    With weights of 1 the squared one is chapter 08's `q_loss`, bit for bit. Huber's is twice what
    the name stands for elsewhere, so that both have the same gradient for small δ. Returns and
    weights are constants: no gradient flows into them. What is reported as `value` is without
    weights, and squared, whatever is descended. Raises ValueError for shapes that are not one.

    >>> values, returns = torch.zeros(2), torch.tensor([0.5, 3.0])
    >>> weighted_loss(values, returns, weights=torch.tensor([1.0, 0.5]), error="huber").total
    tensor(1.3750)
    """
    check_shapes(values=values, returns=returns, weights=weights)
    deltas = returns.detach() - values
    squared, far = deltas.square(), deltas.abs() > 1
    each = torch.where(far, 2 * deltas.abs() - 1, squared) if error == "huber" else squared
    return Loss((weights.detach() * each).mean(), squared.mean(), values.mean())


def lesson_of(
    model: nn.Module,
    target: nn.Module,
    drawn: Drawn,
    gamma: float,
    *,
    best: Best = max_values,
    targets: Targets = n_step_returns,
    error: Error = "squared",
) -> Lesson:
    """What a batch teaches `model`: of the first step of each window, which looks n steps ahead.

    Raises FloatingPointError if the loss is not finite.
    """
    rollout = drawn.rollout.map(lambda tensor: tensor.to(device_of(model)))
    values = of_actions(model(rollout.observations[:1]), rollout.actions[:1])  # (1, B)
    after = next_values(model, target, rollout, best)
    returns = targets(rollout.rewards, after, rollout.terminated, rollout.truncated, gamma)[:1]
    weights = drawn.weights.to(values)[None]
    loss = weighted_loss(values, returns, weights, error)
    gradients = gradients_of(loss.total, trainable(model))
    return Lesson(gradients, loss, returns.flatten(), values.detach().flatten(), ())


# The trainer


class Update(NamedTuple):
    """What was played, and what the last batch that was drawn then taught. NaN: none was."""

    steps: int  # environment steps so far
    updates: int  # so far
    batches: int  # that were learned from so far
    episodes: tuple[Episode, ...]  # those that ended in the rollout
    value_loss: float  # mean (R − Q(o, a))² of the batch, without weights
    q: float  # mean Q(o, a) of the batch
    explained_variance: float  # of R by Q(o, a), over the latest 1000 steps that were drawn or so
    gradient_norm: float  # before it was clipped
    learning_rate: float
    epsilon: float  # with which was played

    @property
    def episode_return(self) -> float:
        """The mean return of the episodes that ended here; NaN if none did."""
        return mean_return(self.episodes)

    def as_row(self) -> dict[str, float | int | None]:
        """Numbers by name, for a table or a line of JSON: see `training.as_row`."""
        return as_row(self)


class DQNTraining(SingleThreadTraining[nn.Module, Update]):
    """Play t_max steps and remember them, learn from `draws` batches, and so on."""

    def __init__(
        self,
        model: nn.Module,
        envs: Envs,
        config: Config,
        targets: Targets,
        resume: Mapping[str, Any] | None,
    ) -> None:
        super().__init__(model, config.make_optimizer(trainable(model)), envs, config, resume)
        self.config, self.targets = config, targets
        self.target = deepcopy(model).requires_grad_(False)  # θ⁻
        self.memory = config.memory(self.steps)
        self.recent = Recent(config.batch_size)
        self.batches = 0  # that were learned from so far
        self.remembers = True  # what it had remembered when it stopped, if it goes on
        if resume is not None:
            self._go_on(resume)

    def _go_on(self, state: Mapping[str, Any]) -> None:
        missing = {"target", "recent", "batches"} - state.keys()
        if missing:
            raise ValueError(f"resume is a trainer's state_dict(); it lacks {sorted(missing)}")
        self.batches = state["batches"]
        self.target.load_state_dict(state["target"])
        self.recent.load_state_dict(state["recent"], device_of(self.model))
        self.remembers = state.get("memory") is not None
        if self.remembers:
            self.memory.load_state_dict(state["memory"])
        if not self.restored:
            self.memory.cut()  # new episodes begin
        self.restored = self.restored and self.remembers

    def state_dict(self) -> dict[str, Any]:
        """As every single-threaded trainer's, with the target network, and with the replay memory
        if that takes no more than `config.memory_in_state` MB.

        Without it `train(..., resume=state)` begins with an empty one, and learns only after
        `warm_up` steps more; with it, as if it had never stopped, bit for bit, if the environments
        can be restored.
        """
        kept = self.memory.num_bytes <= self.config.memory_in_state * MB
        return {
            **super().state_dict(),
            "target": deepcopy(self.target.state_dict()),
            "recent": self.recent.state_dict(),
            "batches": self.batches,
            "memory": self.memory.state_dict() if kept else None,
        }

    def update(self) -> Update:
        """Play t_max steps, and learn `draws` times."""
        config, before = self.config, self.steps
        epsilon, learning_rate = config.epsilon(before), config.annealed(before)
        policy = epsilon_greedy(self.model, epsilon, self.player.generator)
        rollout = self.player.play(policy, config.rollout_length(before)).rollout
        self.memory.add(rollout)
        norm, lesson = math.nan, None
        if self.memory.added * config.num_envs >= config.warm_up and len(self.memory) > 0:
            for _ in range(config.draws):
                norm, lesson = self.learn(learning_rate)
        self.steps += int((~rollout.dummies).sum())
        self.updates += 1
        if self.steps // config.target_period > before // config.target_period:
            self.copy_target()
        facts = {
            "steps": self.steps,
            "updates": self.updates,
            "batches": self.batches,
            "gradient_norm": norm,
            "learning_rate": learning_rate,
            "epsilon": epsilon,
        }
        if lesson is None:
            nothing = dict.fromkeys(("value_loss", "q", "explained_variance"), math.nan)
            return Update(episodes=rollout.episodes, **facts, **nothing)  # type: ignore[arg-type]
        explained = self.recent.explained_variance(lesson)
        lesson = lesson._replace(episodes=rollout.episodes)
        return report(Update, lesson, explained_variance=explained, **facts)

    def learn(self, learning_rate: float) -> tuple[float, Lesson]:
        """Draw a batch, and take a step.   → the gradient's norm, and what was learned"""
        config, memory = self.config, self.memory
        if isinstance(memory, PrioritizedReplayMemory):
            drawn = memory.draw(config.batch_size, config.importance_exponent(self.steps))
        else:
            drawn = memory.draw(config.batch_size)
        lesson = lesson_of(
            self.model,
            self.target,
            drawn,
            config.gamma,
            best=config.best,
            targets=self.targets,
            error=config.error,
        )
        gradients, norm = clip_gradients(lesson.gradients, config.max_grad_norm)
        take_step(self.theta, self.optimizer, gradients, learning_rate)
        self.batches += 1
        if isinstance(memory, PrioritizedReplayMemory):
            memory.learned(drawn.numbers, (lesson.returns - lesson.values).cpu())
        return norm, lesson

    def copy_target(self) -> None:
        """θ⁻ ← θ, and likewise what else the networks keep."""
        own = chain(self.model.parameters(), self.model.buffers())
        copy_tensors(own, chain(self.target.parameters(), self.target.buffers()))


def train(
    model: nn.Module,
    make_env: MakeEnv | Envs,
    config: Config,
    *,
    targets: Targets = n_step_returns,
    resume: Mapping[str, Any] | None = None,
) -> DQNTraining:
    """Act ε-greedily for t_max steps, remember them, learn from batches of what is remembered, and
    so on.                                                                     [DQN 2015, Alg. 1]

    `model` gives Q (*B, A) of observations (*B, *O), as `QNetwork` does; with `config.dueling` it
    is a `DuelingQNetwork`. It is yours, and holds what was learned after every update;
    `training.target` has θ⁻, and `training.memory` is the replay memory. `make_env` may be a vector
    environment of your own; it is closed with the training. Raises FloatingPointError, with the
    parameters as the last good step left them, if an observation, a loss or a gradient is not
    finite; TypeError for an actor-critic, for a network with memory, as a batch begins in the
    middle of episodes, and for targets `WithContext`, as there is none here; and ValueError for
    actions that are not Discrete.

    >>> import gymnasium as gym
    >>> model = QNetwork.for_env(gym.make("CartPole-v1"), seed=0)
    >>> config = Config(total_steps=12, t_max=4, warm_up=8)
    >>> with train(model, "CartPole-v1", config) as training:
    ...     [(update.steps, update.updates, update.batches) for update in training]
    [(4, 1, 0), (8, 2, 1), (12, 3, 2)]
    """
    _check(model, config)
    refuse_context(targets)
    envs = make_envs(make_env, config.num_envs)
    with closed_on_error(envs.close):
        if not isinstance(envs.single_action_space, spaces.Discrete):
            raise ValueError(
                "Q(o, a) is of actions that are Discrete; these environments have "
                f"{envs.single_action_space}"
            )
        return DQNTraining(model, envs, config, targets, resume)


def _check(model: nn.Module, config: Config) -> None:
    check_module(model)
    kind = type(model).__name__
    if isinstance(model, ActorCritic):
        raise TypeError(f"a model gives Q (*B, A), as a QNetwork does; got {kind}")
    if hasattr(model, "initial_state"):
        raise TypeError(
            "what is drawn from a replay memory begins in the middle of an episode, of which a "
            f"network with memory would have to remember the beginning; got {kind}"
        )
    if isinstance(model, DuelingQNetwork) != config.dueling:
        raise ValueError(
            f"dueling={config.dueling} goes with a {config.network.__name__}; got {kind}"
        )
