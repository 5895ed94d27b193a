"""Chapter 05: A3C, the asynchronous advantage actor-critic.

Each worker acts in environments of its own with a copy θ′ of the parameters, and changes the shared
parameters θ without a lock. `hogwild` has the workers; what is A3C's own is what they learn.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import nn

from a3c_lib import hogwild, losses, returns
from a3c_lib.actor_critic import LossFunction, Targets, lesson_of
from a3c_lib.hogwild import HogwildTraining, Shared, Worker
from a3c_lib.lessons import Lesson, mean_return
from a3c_lib.models import check_methods, check_outputs
from a3c_lib.playing import Played
from a3c_lib.rollout import Episode, MakeEnv, Policy, sampled
from a3c_lib.training import as_row


@dataclass(frozen=True, kw_only=True)
class Config(losses.Config, returns.Config, hogwild.Config):
    """How A3C trains. `num_envs` and `t_max` are each worker's."""


class Update(NamedTuple):
    """What one rollout of one worker taught."""

    steps: int  # environment steps so far, all workers together
    updates: int  # so far, all workers together
    episodes: tuple[Episode, ...]  # those that ended in the rollout
    policy_loss: float
    value_loss: float
    entropy: float  # mean over the rollout, in nats
    explained_variance: float  # over the worker's latest 1000 steps or so
    gradient_norm: float  # before it was clipped
    learning_rate: float
    worker: int
    policy_lag: int  # updates of other workers between reading θ and changing it
    extra: Mapping[str, float] = {}  # what else a loss of one's own reports, by name

    @property
    def episode_return(self) -> float:
        """The mean return of the episodes that ended here; NaN if none did."""
        return mean_return(self.episodes)

    def as_row(self) -> dict[str, float | int | None]:
        """Numbers by name, for a table or a line of JSON: see `training.as_row`."""
        return as_row(self)


@dataclass(frozen=True)
class Method:
    """What A3C's workers do: sample from π(· ; θ′), and learn as an actor-critic."""

    targets: Targets
    loss: LossFunction
    gamma: float
    make_update: Callable[..., Update] = Update

    def policy(self, worker: Worker) -> Policy:
        """a ~ π(· | o; θ′)"""
        if not worker.recent.pairs:  # the first time
            check_outputs(worker.model, worker.player)
        return sampled(worker.model, worker.player.generator)  # type: ignore[arg-type]

    def lesson(self, worker: Worker, played: Played) -> Lesson:
        """The gradient of the loss at θ′."""
        steps = worker.shared.step_count
        return lesson_of(worker.model, played, self.targets, self.loss, self.gamma, steps)

    def counted(self, shared: Shared, before: int, after: int) -> None:
        """Nothing is due."""


def train(
    model: nn.Module,
    make_env: MakeEnv,
    config: Config,
    *,
    targets: Targets | None = None,
    loss: LossFunction | None = None,
    resume: Mapping[str, Any] | None = None,
) -> HogwildTraining:
    """Let `num_workers` workers act and learn at the same time.                      [A3C, Alg. S3]

    `model` is yours, and changes while the workers run: its parameters are the shared θ. Without
    `targets` they are n-step returns, or λ-returns, as the config says; without `loss`, it is
    `a2c_loss` with the config's weights. The workers stop when all of them together
    have taken `total_steps` steps; those under way then finish, so it may be a few rollouts more.

    Raises WorkerError when a worker fails or is killed, with its number and its traceback, and
    FloatingPointError when a loss or a gradient is not finite, or a step spoils a parameter; no
    worker is left then, and the parameters are as the last good step left them. (Processes without
    a lock cannot undo a single step: those are then what its worker had read before it acted, and
    steps of others since then are lost too.)

    >>> import gymnasium as gym
    >>> from a3c_lib.networks import ActorCritic
    >>> model = ActorCritic.for_env(gym.make("CartPole-v1"), seed=0)
    >>> config = Config(total_steps=60, t_max=10, num_workers=3, schedule="round-robin")
    >>> with train(model, "CartPole-v1", config) as training:
    ...     [(update.steps, update.worker, update.policy_lag) for update in training]
    [(10, 0, 0), (20, 1, 1), (30, 2, 2), (40, 0, 2), (50, 1, 2), (60, 2, 2)]
    """
    check_methods(model)
    targets = config.returns if targets is None else targets
    method = Method(targets, config.loss if loss is None else loss, config.gamma)
    return HogwildTraining(model, make_env, config, method, resume)
