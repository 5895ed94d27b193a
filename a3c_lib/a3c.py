"""Chapter 05: A3C, the asynchronous advantage actor-critic.

Each worker acts in environments of its own with a copy θ′ of the parameters, and changes the shared
parameters θ without a lock. The same worker runs in a process, or in turn with others in this one,
where everything can be repeated bit for bit.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from multiprocessing import get_context
from typing import Any, Literal, NamedTuple

import gymnasium as gym
import torch
from torch import Tensor, nn

from a3c_lib import optim
from a3c_lib.actor_critic import Lesson, LossFunction, Recent, Targets, learn
from a3c_lib.losses import a2c_loss
from a3c_lib.restoring import (
    position_from,
    position_state,
    restored,
    rollout_from,
    rollout_state,
    world_state,
)
from a3c_lib.returns import n_step_returns
from a3c_lib.rollout import (
    Episode,
    MakeEnv,
    collect,
    device_of,
    dummy_steps,
    initial_state,
    make_envs,
    sampled,
    start,
)
from a3c_lib.training import Training, limited, seeds
from a3c_lib.workers import Link, Team

Schedule = Literal["processes", "round-robin"]


@dataclass(frozen=True, kw_only=True)
class Config(optim.Config):
    """How A3C trains. `num_envs` and `t_max` are each worker's."""

    num_workers: int = 2  # at least 1; as many as there are cores is good; the paper has 16
    schedule: Schedule = "processes"  # one for each worker; round-robin: in this one, in turn
    shared_statistics: bool = True  # of the optimiser; else each worker keeps its own
    lock: bool = False  # let one worker at a time read or change θ; A3C does without
    max_restarts: int = 0  # how many workers that were killed are replaced, at least 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_workers < 1:
            raise ValueError(f"num_workers is at least 1; got {self.num_workers}")
        if self.schedule not in ("processes", "round-robin"):
            raise ValueError(f"schedule is 'processes' or 'round-robin'; got {self.schedule!r}")
        if self.max_restarts < 0:
            raise ValueError(f"max_restarts is at least 0; got {self.max_restarts}")
        if self.lock and self.max_restarts:
            raise ValueError(
                "a worker that is killed takes the lock with it: lock=True goes with max_restarts=0; "
                f"got {self.max_restarts}"
            )


class Update(NamedTuple):
    """What one rollout of one worker taught."""

    steps: int  # environment steps so far, all workers together
    updates: int  # so far, all workers together
    episodes: tuple[Episode, ...]  # those that ended in the rollout
    policy_loss: float
    value_loss: float
    entropy: float  # mean over the rollout, in nats
    explained_variance: float  # over the worker's latest 1000 steps or so
    gradient_norm: float  # before it was limited
    learning_rate: float
    worker: int
    policy_lag: int  # updates of other workers between reading θ and changing it

    @property
    def episode_return(self) -> float:
        """The mean return of the episodes that ended here; NaN if none did."""
        if not self.episodes:
            return math.nan
        return sum(episode.episode_return for episode in self.episodes) / len(self.episodes)


class Shared(NamedTuple):
    """What all workers read and change, in shared memory when they are processes."""

    parameters: list[nn.Parameter]  # θ
    optimizer: optim.Optimizer
    steps: (
        Tensor  # (W,) a slot for each worker, which it alone writes: T is their sum, without a lock
    )
    updates: Tensor  # (W,) likewise
    lock: AbstractContextManager[Any]


class Worker:
    """An actor-learner: one thread of Algorithm S3."""

    def __init__(
        self,
        rank: int,
        shared: Shared,
        model: nn.Module,
        make_env: MakeEnv,
        config: Config,
        targets: Targets,
        loss: LossFunction,
    ) -> None:
        self.rank, self.shared, self.config = rank, shared, config
        self.model = model  # with θ′, this worker's own copy of θ
        self.targets, self.loss = targets, loss
        self.optimizer = shared.optimizer
        if not config.shared_statistics:
            self.optimizer = config.make_optimizer(shared.parameters)
        for_envs, for_actions = seeds(config.seed, int(shared.steps.sum()), rank)
        self.generator = torch.Generator().manual_seed(int(for_actions.generate_state(1)[0]))
        self.envs = make_envs(make_env, config.num_envs)
        self.position = start(self.envs, for_envs, initial_state(model, config.num_envs))
        self.recent = Recent(config.t_max * config.num_envs)
        self.acting = False  # between `begin` and `finish`

    def begin(self) -> None:
        """Copy θ, and act with the copy."""
        shared, steps = self.shared, int(self.shared.steps.sum())
        self.updates_seen = int(shared.updates.sum())
        with shared.lock:
            _copy(shared.parameters, self.model)  # θ′ ← θ
        self.began, policy = self.position, sampled(self.model, self.generator)  # type: ignore[arg-type]
        # Another worker may have spent the budget since this one looked whether there is any left.
        t_max = max(1, self.config.rollout_length(steps))
        self.rollout, self.position = collect(self.envs, policy, self.began, t_max)
        self.acting = True

    def finish(self) -> Update:
        """Learn from the rollout, and change θ."""
        shared, config, rank = self.shared, self.config, self.rank
        try:
            lesson = self._lesson()
            gradients, norm = limited(lesson.gradients, config.max_grad_norm)
        except FloatingPointError as error:
            raise FloatingPointError(
                f"worker {rank}, after {int(shared.steps.sum())} steps: {error}; "
                "the model is as the last good update left it"
            ) from None
        learning_rate = config.annealed(int(shared.steps.sum()))
        with shared.lock:
            self.optimizer.step(gradients, learning_rate)  # θ ← θ − η dθ / √(g + ε)
        policy_lag = int(shared.updates.sum()) - self.updates_seen
        shared.steps[rank] += lesson.steps  # T ← T + (t − t_start)
        shared.updates[rank] += 1
        self.acting = False
        return Update(
            steps=lesson.steps,
            updates=1,
            episodes=lesson.episodes,
            policy_loss=lesson.loss.policy.item(),
            value_loss=lesson.loss.value.item(),
            entropy=lesson.loss.entropy.item(),
            explained_variance=self.recent.explained_variance(lesson),
            gradient_norm=norm,
            learning_rate=learning_rate,
            worker=rank,
            policy_lag=policy_lag,
        )

    def _lesson(self) -> Lesson:
        return learn(
            self.model,
            self.rollout,
            self.targets,
            self.loss,
            self.config.gamma,
            self.began.policy_state,
            dummy_steps(self.envs, self.rollout, self.began),
        )

    def state_dict(self) -> dict[str, Any] | None:
        """All that this worker goes on with, the rollout under way among it; None if its
        environments cannot be restored."""
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "generator": self.generator.get_state(),
            "world": world_state(self.envs, self.position),
            "recent": self.recent.state_dict(),
            "statistics": None,
            "under_way": None,
        }
        if not self.config.shared_statistics:
            state["statistics"] = self.optimizer.state_dict()
        if self.acting:
            state["under_way"] = {
                "began": position_state(self.began),
                "rollout": rollout_state(self.rollout),
                "updates_seen": self.updates_seen,
            }
        return None if state["world"] is None else deepcopy(state)

    def load_state_dict(self, state: Mapping[str, Any]) -> bool:
        """Go on from there, if the environments can.   → whether they can."""
        position, device = restored(self.envs, state["world"], self.position), device_of(self.model)
        if position is None:
            return False
        self.position = position
        self.model.load_state_dict(state["model"])
        self.generator.set_state(state["generator"])
        self.recent.load_state_dict(state["recent"], device)
        if not self.config.shared_statistics:
            self.optimizer.load_state_dict(state["statistics"])
        self.acting = state["under_way"] is not None
        if self.acting:
            under_way = state["under_way"]
            self.began = position_from(under_way["began"], device)
            self.rollout = rollout_from(under_way["rollout"])
            self.updates_seen = under_way["updates_seen"]
        return True


MakeWorker = Callable[[int, Shared], Worker]


def in_turn(workers: Sequence[Worker], shared: Shared, config: Config) -> Iterator[Update]:
    """Workers one after another, each a rollout behind: while one acts, all others learn.

    So a gradient is num_workers − 1 updates old when it is applied. Everything can be repeated bit
    for bit.
    """
    for worker in workers:
        if not worker.acting:  # in a run that goes on, all but one are
            worker.begin()
    for worker in cycle(workers):
        yield worker.finish()
        if int(shared.steps.sum()) >= config.total_steps:
            return
        worker.begin()


def in_a_process(link: Link, shared: Shared, make_worker: MakeWorker, config: Config) -> None:
    """One worker, for as long as it takes."""
    worker = make_worker(link.rank, shared)
    try:
        link.wait_for_all()
        while int(shared.steps.sum()) < config.total_steps and not link.stopped:
            worker.begin()
            link.send(worker.finish())
    finally:
        worker.envs.close()


class A3CTraining(Training[nn.Module, Update]):
    """Updates of all workers, in the order in which they come in."""

    def __init__(
        self,
        model: nn.Module,
        make_env: MakeEnv,
        config: Config,
        targets: Targets,
        loss: LossFunction,
        resume: Mapping[str, Any] | None,
    ) -> None:
        self.model, self.config, self.total_steps = model, config, config.total_steps
        self._closed = False
        processes = config.schedule == "processes"
        optimizer = config.make_optimizer(list(model.parameters()))
        slots = torch.zeros(2, config.num_workers, dtype=torch.int64)
        if resume is not None:
            _load(resume, model, optimizer, slots)
        self.steps, self.updates = slots.sum(dim=1).tolist()
        # A notebook's registrations are unknown in other processes; what they stand for is not.
        known = gym.spec(make_env) if isinstance(make_env, str) else make_env
        make_worker = partial(
            _make_worker,
            model=deepcopy(model),
            make_env=known,
            config=config,
            targets=targets,
            loss=loss,
        )
        if processes:
            model.share_memory()
            optimizer.share_memory()
            slots.share_memory_()
        lock = get_context("spawn").Lock() if config.lock and processes else nullcontext()
        self.shared = Shared(list(model.parameters()), optimizer, slots[0], slots[1], lock)
        self._updates: Iterator[Update]
        self._team: Team | None = None
        self._workers: list[Worker] = []  # in this process
        self._turn = 0  # whose it is of them
        if self.steps >= self.total_steps:
            self._updates = iter(())
        elif processes:
            body = partial(in_a_process, make_worker=make_worker, config=config)
            self._team = Team(body, self.shared, config.num_workers, config.max_restarts)
            self._updates = (update for _, update in self._team)
        else:
            self._workers = [make_worker(rank, self.shared) for rank in range(config.num_workers)]
            self._go_on(resume)
            order = self._workers[self._turn :] + self._workers[: self._turn]
            self._updates = in_turn(order, self.shared, config)

    @property
    def pids(self) -> dict[int, int]:
        """Process numbers of the workers that run, by rank."""
        return self._team.pids if self._team else {}

    def __next__(self) -> Update:
        if self._closed:
            raise StopIteration
        try:
            update = next(self._updates)
        except BaseException:  # exhausted, a worker's error, or an interrupt
            self.close()
            raise
        self.steps += update.steps
        self.updates += update.updates
        self._turn = (update.worker + 1) % self.config.num_workers
        return update._replace(steps=self.steps, updates=self.updates)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._team:
            self._team.close()
        for worker in self._workers:
            worker.envs.close()
        with torch.no_grad():
            for parameter in self.model.parameters():  # back into memory of this process alone
                parameter.data = parameter.data.clone()
        self.steps, self.updates = int(self.shared.steps.sum()), int(self.shared.updates.sum())

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimiser statistics and counters, and of workers in turn all that they go on
        with, if their environments can be restored (see `restoring`).

        `train(..., resume=state)` goes on from it: workers in turn as if they had never stopped,
        bit for bit, if they can be restored; processes with new episodes. While processes run it
        is a snapshot of something that moves: every number is one that stood there, but not all at
        the same instant.
        """
        workers = [worker.state_dict() for worker in self._workers]
        return {
            "model": deepcopy(self.model.state_dict()),
            "optimizer": self.shared.optimizer.state_dict(),
            "steps": int(self.shared.steps.sum()),
            "updates": int(self.shared.updates.sum()),
            "workers": None if None in workers else workers,
            "turn": self._turn,
        }

    def _go_on(self, resume: Mapping[str, Any] | None) -> None:
        """Put the workers back to where they were, if they are as many and can be restored."""
        states = resume.get("workers") if resume is not None else None
        if states and len(states) == len(self._workers):
            goes_on = [
                worker.load_state_dict(state)
                for worker, state in zip(self._workers, states, strict=True)
            ]
            self.restored = all(goes_on)
            self._turn = resume["turn"] if self.restored else 0  # type: ignore[index]


def train(
    model: nn.Module,
    make_env: MakeEnv,
    config: Config,
    *,
    targets: Targets = n_step_returns,
    loss: LossFunction | None = None,
    resume: Mapping[str, Any] | None = None,
) -> A3CTraining:
    """Let `num_workers` workers act and learn at the same time.                      [A3C, Alg. S3]

    `model` is yours, and changes while the workers run: its parameters are the shared θ. Without
    `loss`, it is `a2c_loss` with the config's weights. The workers stop when all of them together
    have taken `total_steps` steps; those under way then finish, so it may be a few rollouts more.

    Raises WorkerError when a worker fails or is killed, with its number and its traceback, and
    FloatingPointError when a loss or a gradient is not finite; no worker is left then, and the
    model holds what the last good update made of it.

    >>> from a3c_lib.networks import ActorCritic
    >>> model = ActorCritic.for_env(gym.make("CartPole-v1"), seed=0)
    >>> config = Config(total_steps=60, t_max=10, num_workers=3, schedule="round-robin")
    >>> with train(model, "CartPole-v1", config) as training:
    ...     [(update.steps, update.worker, update.policy_lag) for update in training]
    [(10, 0, 0), (20, 1, 1), (30, 2, 2), (40, 0, 2), (50, 1, 2), (60, 2, 2)]
    """
    if loss is None:
        loss = partial(
            a2c_loss, value_weight=config.value_weight, entropy_weight=config.entropy_weight
        )
    return A3CTraining(model, make_env, config, targets, loss, resume)


def _make_worker(rank: int, shared: Shared, *, model: nn.Module, **rest: Any) -> Worker:
    return Worker(rank, shared, deepcopy(model), **rest)


@torch.no_grad()
def _copy(parameters: Sequence[Tensor], model: nn.Module) -> None:
    for local, shared in zip(model.parameters(), parameters, strict=True):
        local.copy_(shared)


def _load(
    state: Mapping[str, Any], model: nn.Module, optimizer: optim.Optimizer, slots: Tensor
) -> None:
    missing = {"model", "optimizer", "steps", "updates"} - state.keys()
    if missing:
        raise ValueError(f"resume is a trainer's state_dict(); it lacks {sorted(missing)}")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    slots[0, 0], slots[1, 0] = state["steps"], state["updates"]
