"""Chapter 08: the paper's value-based methods: asynchronous one-step Q-learning, one-step Sarsa and
n-step Q-learning.

The workers are chapter 05's. A method says how they act, ε-greedy, and what Q(o, a) is to become:

    one-step Q     r + γ max_a Q(o′, a; θ⁻)
    Sarsa          r + γ Q(o′, a′; θ⁻)          with the a′ that is executed in o′
    n-step Q       r + γ r′ + … + γⁿ max_a Q(o⁽ⁿ⁾, a; θ⁻)

θ⁻ is the target network, a copy of θ that stands still for a while. One-step methods act and learn
with the shared θ itself, as the paper's Algorithm 1 has it; n-step Q does with a copy θ′, as in
Algorithm S2. Where they differ here: a rollout goes through episode ends, as everywhere in this
package, and the gradient is that of a mean over the rollout's steps, where the paper adds up.
"""

import math
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_structure, tree_unflatten

from a3c_lib import hogwild
from a3c_lib.actor_critic import Targets, one_step_targets, refuse_context
from a3c_lib.hogwild import HogwildTraining, Shared, Worker
from a3c_lib.lessons import Lesson, mean_return
from a3c_lib.models import trainable
from a3c_lib.networks import ActorCritic
from a3c_lib.playing import Played
from a3c_lib.q_networks import HasUnroll, epsilon_greedy_probabilities
from a3c_lib.recurrent import RecurrentActorCritic
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import (
    Episode,
    MakeEnv,
    Policy,
    Rollout,
    State,
    check_shapes,
    device_of,
    initial_state,
    seed_sequence,
)
from a3c_lib.settings import Count, Fraction
from a3c_lib.training import as_row, copy_tensors, gradients_of


@dataclass(frozen=True, kw_only=True)
class Config(hogwild.Config):
    """How the value-based methods train. `num_envs` and `t_max` are each worker's."""

    # steps of each environment per update, at least 1; for one-step methods the paper's
    # I_AsyncUpdate [A3C]
    t_max: Count = 5
    # steps of all workers together from one θ⁻ ← θ to the next, at least 1; I_target, 40,000 frames
    # in the paper
    target_period: Count = 1_000
    # what every worker's ε begins with, in [0, 1] [A3C]
    first_epsilon: Fraction = 1.0
    # what a worker's ε may come down to, each in [0, 1]; which of them is drawn for it [A3C]
    final_epsilons: tuple[Fraction, ...] = (0.1, 0.01, 0.5)
    # how likely each of them is drawn; adds up to 1 [A3C]
    epsilon_chances: tuple[Fraction, ...] = (0.4, 0.3, 0.3)
    # steps of all workers together in which ε comes down, linearly, at least 1; 4 million frames in
    # the paper
    epsilon_steps: Count = 10_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.final_epsilons) != len(self.epsilon_chances):
            raise ValueError(
                "epsilon_chances has one number for each of final_epsilons "
                f"{self.final_epsilons}; got {self.epsilon_chances}"
            )
        if not math.isclose(sum(self.epsilon_chances), 1):
            raise ValueError(f"epsilon_chances add up to 1; got {self.epsilon_chances}")

    def epsilon(self, rank: int, steps: int) -> float:
        """ε of worker `rank` after `steps` steps of all workers together.

        It comes down linearly to a final value that is the worker's own: the seed and the rank
        decide which it is, whenever the worker begins.

        >>> config = Config(final_epsilons=(0.5,), epsilon_chances=(1.0,), epsilon_steps=100)
        >>> [config.epsilon(rank=0, steps=steps) for steps in (0, 50, 100, 200)]
        [1.0, 0.75, 0.5, 0.5]
        """
        values, chances = tuple(self.final_epsilons), tuple(self.epsilon_chances)
        final = _drawn(self.seed, rank, values, chances)
        return linearly(self.first_epsilon, final, steps, self.epsilon_steps)


def linearly(first: float, final: float, steps: int, duration: int) -> float:
    """What goes from `first` to `final` in `duration` steps, and stays there, after `steps` steps.

    >>> [linearly(0.0, 4.0, steps, duration=100) for steps in (0, 50, 100, 200)]
    [0.0, 2.0, 4.0, 4.0]
    """
    gone = min(1.0, steps / duration)
    return first + gone * (final - first)


@cache
def _drawn(seed: int, rank: int, values: tuple[float, ...], chances: tuple[float, ...]) -> float:
    # Environments and actions are seeded by what is spawned from a sequence, never by one itself.
    dice = np.random.default_rng(seed_sequence(seed, rank, 1))
    return float(dice.choice(values, p=chances))


# How a worker acts


def epsilon_greedy(model: nn.Module, epsilon: float, generator: torch.Generator) -> Policy:
    """a = argmax_a Q(o, a), or, with probability ε, any action, each as likely.

    >>> model = nn.Linear(2, 3, bias=False)  # of two states, as one-hot vectors
    >>> _ = model.load_state_dict({"weight": torch.tensor([[0.0, 5.0], [1.0, 4.0], [0.0, 6.0]])})
    >>> policy = epsilon_greedy(model, epsilon=0.0, generator=torch.Generator())
    >>> policy(torch.eye(2), None)
    (tensor([1, 2]), None)
    """
    return EpsilonGreedy(model, epsilon, generator)


class EpsilonGreedy:
    """Acts so. Where an episode begins, its memory is the model's `initial_state`."""

    def __init__(self, model: nn.Module, epsilon: float, generator: torch.Generator) -> None:
        self.model, self.epsilon, self.generator = model, epsilon, generator

    @torch.no_grad()
    def __call__(self, observation: Tensor, state: Any) -> tuple[Tensor, Any]:
        """(N, *O), state → actions (N), state after them."""
        q, state = _look(self.model, observation, state)
        if (no_number := q.isnan().any(dim=-1)).any():
            env = int(no_number.nonzero()[0])
            raise FloatingPointError(
                f"what environment {env} shows has no policy: Q is {q[env].tolist()}"
            )
        return explored(q, self.epsilon, self.generator), state

    def initial_state(self, num_envs: int) -> State:
        """What is carried along when episodes begin."""
        return initial_state(self.model, num_envs)


def explored(q: Tensor, epsilon: float, generator: torch.Generator) -> Tensor:
    """An ε-greedy action for each of N environments.   (N, A) → (N)"""
    best = q.argmax(dim=-1)
    explores = torch.rand(best.shape, generator=generator) < epsilon
    any_one = torch.randint(q.shape[-1], best.shape, generator=generator)
    return torch.where(explores, any_one, best)


def _look(model: nn.Module, observation: Tensor, state: Any) -> tuple[Tensor, Any]:
    """Q (N, A) of what is seen, and the memory after it."""
    observation = observation.to(device_of(model))
    if not isinstance(model, HasUnroll):
        return model(observation).cpu(), state
    q, state = model.q(observation, state)
    return q.cpu(), state


# What a worker learns


class Loss(NamedTuple):
    """A loss and what is reported beside it, each a mean over the rollout's T·N steps."""

    total: Tensor  # () what is descended
    value: Tensor  # () mean (R − Q(o, a))²
    q: Tensor  # () mean Q(o, a) of the actions taken


def q_loss(values: Tensor, returns: Tensor) -> Loss:
    """mean (R − Q(o, a))².   values, returns (*B) → Loss of scalars       [A3C, Algs. 1 and S2]

    Returns are targets: no gradient flows into them. As everywhere in this package it is a mean.
    """
    check_shapes(values=values, returns=returns)
    squared = (returns.detach() - values).square().mean()
    return Loss(squared, squared, values.mean())


def of_actions(q: Tensor, actions: Tensor) -> Tensor:
    """Q(o, a) of the actions a.   (*B, A), (*B) → (*B)

    >>> of_actions(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1, 0]))
    tensor([2., 3.])
    """
    if q.shape[:-1] != actions.shape:
        raise ValueError(
            f"q {tuple(q.shape)} must be the shape of actions {tuple(actions.shape)} "
            "with one more axis, the actions'"
        )
    return q.gather(-1, actions[..., None]).squeeze(-1)


def look_back(model: nn.Module, rollout: Rollout, state: State = None) -> tuple[Tensor, Tensor]:
    """Q(o_t, ·) and Q(o_{t+1}, ·) of a rollout, as `model` sees it now; the latter are constants.

    → (T, N, A) each.  `state` is what the policy remembered when the rollout began.
    """
    if isinstance(model, HasUnroll):
        return model.unroll(rollout, state)
    q: Tensor = model(rollout.observations)
    next_q = q.detach().roll(-1, dims=0)
    with torch.no_grad():
        next_q[rollout.unseen] = model(rollout.shown_unseen)
    return q, next_q


class Update(NamedTuple):
    """What one rollout of one worker taught."""

    steps: int  # environment steps so far, all workers together
    updates: int  # so far, all workers together
    episodes: tuple[Episode, ...]  # those that ended in the rollout
    value_loss: float  # mean (R − Q(o, a))²
    q: float  # mean Q(o, a) over the rollout
    explained_variance: float  # of R by Q(o, a), over the worker's latest 1000 steps or so
    gradient_norm: float  # before it was clipped
    learning_rate: float
    worker: int
    policy_lag: int  # updates of other workers since the rollout began

    @property
    def episode_return(self) -> float:
        """The mean return of the episodes that ended here; NaN if none did."""
        return mean_return(self.episodes)

    def as_row(self) -> dict[str, float | int | None]:
        """Numbers by name, for a table or a line of JSON: see `training.as_row`."""
        return as_row(self)


@dataclass(frozen=True)
class OneStepQ:
    """Asynchronous one-step Q-learning.                                          [A3C, Alg. 1]"""

    config: Config
    targets: Targets = one_step_targets
    make_update: Callable[..., Update] = Update

    def network(self, worker: Worker) -> nn.Module:
        """What acts, and learns: θ itself, which others may change in the middle of a rollout."""
        return worker.shared_model

    def epsilon(self, worker: Worker) -> float:
        """The worker's ε now."""
        return self.config.epsilon(worker.rank, worker.shared.step_count)

    def policy(self, worker: Worker) -> Policy:
        """ε-greedy, with one ε for the whole rollout."""
        return epsilon_greedy(self.network(worker), self.epsilon(worker), worker.player.generator)

    def next_values(
        self, worker: Worker, rollout: Rollout, next_q: Tensor, target_q: Tensor
    ) -> Tensor:
        """max_a Q(o_{t+1}, a; θ⁻).   → (T, N)

        next_q and target_q (T, N, A) are what θ (or θ′) and θ⁻ say of o_{t+1}.
        """
        return target_q.amax(dim=-1)

    def lesson(self, worker: Worker, played: Played) -> Lesson:
        """The gradient of mean (R − Q(o, a))²."""
        model = self.network(worker)
        rollout = played.rollout.map(lambda tensor: tensor.to(device_of(model)))
        q, next_q = look_back(model, rollout, played.state)
        with torch.no_grad():
            _, target_q = look_back(worker.target, rollout, played.state)
            next_values = self.next_values(worker, rollout, next_q, target_q)
            returns = self.targets(
                rollout.rewards,
                next_values,
                rollout.terminated,
                rollout.truncated,
                self.config.gamma,
            )
        values = of_actions(q, rollout.actions)
        if rollout.dummies.any():
            values, returns = values[~rollout.dummies], returns[~rollout.dummies]
        loss = q_loss(values, returns)
        return Lesson(
            gradients_of(loss.total, trainable(model)),
            loss,
            returns.flatten(),
            values.detach().flatten(),
            rollout.episodes,
        )

    def counted(self, shared: Shared, before: int, after: int) -> None:
        """θ⁻ ← θ, where a multiple of `target_period` lies in (before, after].

        Workers in turn do it once for each multiple. Of processes, the one whose steps bring T to
        the multiple or past it always does, whatever the others do meanwhile; another one that
        counts at the same moment may do it again. As they copy without a lock, some weights of θ⁻
        may be an update older than others.
        """
        period = self.config.target_period
        if after // period > before // period:
            copy_target(shared)


def copy_target(shared: Shared) -> None:
    """θ⁻ ← θ, and likewise what else the networks keep."""
    copy_tensors([*shared.parameters, *shared.buffers], shared.target)


@dataclass(frozen=True)
class NStepQ(OneStepQ):
    """Asynchronous n-step Q-learning: returns as far as the rollout goes.       [A3C, Alg. S2]"""

    targets: Targets = n_step_returns

    def network(self, worker: Worker) -> nn.Module:
        """What acts, and learns: the worker's own copy θ′, the same for the whole rollout."""
        return worker.model


@dataclass(frozen=True)
class Sarsa(OneStepQ):
    """Asynchronous one-step Sarsa: the value of the action that is executed next.

    What follows a rollout's last step is chosen when it is learned from, before θ changes, and the
    next rollout begins with it. The worker carries it along beside the network's memory, as the
    action's number plus 1; 0, where an episode begins, stands for none.
    """

    def policy(self, worker: Worker) -> Policy:
        """ε-greedy, but what has been chosen already is executed."""
        return AsChosen(self.network(worker), self.epsilon(worker), worker.player.generator)

    def lesson(self, worker: Worker, played: Played) -> Lesson:
        """As one-step Q-learning's, with other values of what comes next."""
        memory, _ = _parted(worker.model, played.state)
        return super().lesson(worker, played._replace(state=memory))

    def next_values(
        self, worker: Worker, rollout: Rollout, next_q: Tensor, target_q: Tensor
    ) -> Tensor:
        """Q(o_{t+1}, a_{t+1}; θ⁻) of the a_{t+1} that is executed.   → (T, N)

        Where a time limit cut, none is: it is the mean over those that the policy would choose.
        """
        epsilon = self.epsilon(worker)
        following = self._choose_first(worker, rollout, next_q[-1].cpu(), epsilon)
        next_actions = torch.cat([rollout.actions[1:], following.to(next_q.device)[None]])
        mean = (epsilon_greedy_probabilities(next_q, epsilon) * target_q).sum(dim=-1)
        return torch.where(rollout.truncated, mean, of_actions(target_q, next_actions))

    def _choose_first(self, worker: Worker, rollout: Rollout, q: Tensor, epsilon: float) -> Tensor:
        """The actions with which the next rollout begins, where the episode goes on.   → (N)"""
        player = worker.player
        actions = explored(q, epsilon, player.generator)
        memory, _ = _parted(worker.model, player.position.policy_state)
        chosen = (actions + 1).masked_fill(rollout.ended[-1].cpu(), 0)
        player.position = player.position._replace(policy_state=(*_tensors(memory), chosen))
        return actions


class AsChosen(EpsilonGreedy):
    """ε-greedy, but actions that are carried along beside the memory are executed, for one step."""

    def __call__(self, observation: Tensor, state: Any) -> tuple[Tensor, Any]:
        """(N, *O), what is carried along → actions (N), memory after them."""
        memory, chosen = _parted(self.model, state)
        action, memory = super().__call__(observation, memory)
        if chosen is not None:
            action = torch.where(chosen > 0, chosen - 1, action)
        return action, memory


def _parted(model: nn.Module, carried: State) -> tuple[State, Tensor | None]:
    """What a worker carries along: the network's memory, and the actions chosen already, if they
    are."""
    first, parts = initial_state(model, 1), _tensors(carried)
    of_memory = len(_tensors(first))
    memory, chosen = parts[:of_memory], parts[of_memory:]
    in_its_form = tree_unflatten(memory, tree_structure(first)) if memory else None
    return in_its_form, chosen[0] if chosen else None


def _tensors(memory: State) -> list[Tensor]:
    """Of which a memory is made: none, if there is no memory."""
    return [] if memory is None else tree_leaves(memory)


def train(
    model: nn.Module,
    make_env: MakeEnv,
    config: Config,
    *,
    method: type[OneStepQ] = OneStepQ,
    targets: Targets | None = None,
    resume: Mapping[str, Any] | None = None,
) -> HogwildTraining:
    """Let `num_workers` workers act and learn at the same time, by `method`: OneStepQ, Sarsa or
    NStepQ.

    `model` gives Q (*B, A) of observations (*B, *O), as `QNetwork` does; one with memory has what
    `RecurrentQNetwork` has. It is yours, and changes while the workers run: its parameters are the
    shared θ. `training.target` has θ⁻, a copy to begin with. Without `targets` they are the
    method's own. With `lock`, workers change θ one at a time; one-step methods act with it all the
    same. What is raised, and when it ends, is as in `a3c.train`; an actor-critic is a TypeError,
    and so are targets `WithContext`, as there is none here.

    >>> import gymnasium as gym
    >>> from a3c_lib.q_networks import QNetwork
    >>> model = QNetwork.for_env(gym.make("CartPole-v1"), seed=0)
    >>> config = Config(total_steps=40, t_max=10, num_workers=2, schedule="round-robin")
    >>> with train(model, "CartPole-v1", config, method=NStepQ) as training:
    ...     [(update.steps, update.worker, update.policy_lag) for update in training]
    [(10, 0, 0), (20, 1, 1), (30, 0, 1), (40, 1, 1)]
    """
    if isinstance(model, ActorCritic | RecurrentActorCritic):
        raise TypeError(f"a model gives Q (*B, A), as a QNetwork does; got {type(model).__name__}")
    its = method(config) if targets is None else method(config, targets)
    refuse_context(its.targets)
    return HogwildTraining(model, make_env, config, its, resume, target=deepcopy(model))
