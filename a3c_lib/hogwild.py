"""Chapter 05: Hogwild workers, which act and learn at the same time, and change shared parameters
without a lock.

How workers run is one thing, what they learn another. Here are the workers, what they share, and
two schedules: each in a process, or in turn in this one, where everything can be repeated bit for
bit. A `Method` says how a worker acts and what it learns from a rollout. A3C is one (`a3c`).
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from typing import Any, Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from a3c_lib import optim
from a3c_lib.lessons import Lesson, Recent, report
from a3c_lib.making import (
    MakeEnv,
    check_distinct,
    close_all,
    closed_on_error,
    for_workers,
    make_envs,
)
from a3c_lib.models import check_module, trainable
from a3c_lib.playing import Played, Player
from a3c_lib.restoring import memory_from, rollout_from, rollout_state, warn_of_own_statistics
from a3c_lib.rollout import Policy, device_of
from a3c_lib.settings import NotNegativeCount, NumWorkers
from a3c_lib.sharing import in_shared_memory, semaphore
from a3c_lib.training import (
    AS_LEFT,
    RolloutConfig,
    Training,
    clip_gradients,
    copy_tensors,
    go_on,
    leave_shared_memory,
    seeds,
    take_step,
)
from a3c_lib.workers import Link, Team, WorkerError

Schedule = Literal["processes", "round-robin"]


@dataclass(frozen=True, kw_only=True)
class Config(optim.Config, RolloutConfig):
    """How workers run. `num_envs` and `t_max` are each worker's."""

    num_workers: NumWorkers = 2  # at least 1; as many as there are cores is good; the paper has 16
    # processes: each worker in a process of its own, all at once; round-robin: all in this process,
    # one after another, so that a run can be repeated bit for bit
    schedule: Schedule = "processes"
    # True: all workers use and change one copy of the optimiser's running averages; False: each
    # worker has its own
    shared_statistics: bool = True
    lock: bool = False  # let one worker at a time read or change θ; A3C does without
    max_restarts: NotNegativeCount = 0  # how many workers that were killed are replaced, at least 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lock and self.max_restarts:
            raise ValueError(
                "a worker that is killed takes the lock with it: lock=True goes with "
                f"max_restarts=0; got {self.max_restarts}"
            )


class Shared(NamedTuple):
    """What all workers read and change, in shared memory when they are processes."""

    parameters: list[nn.Parameter]  # θ
    buffers: list[Tensor]  # what else the network keeps, such as BatchNorm's running means
    target: list[Tensor]  # θ⁻ and its buffers, if the method has a target network; else none
    optimizer: optim.Optimizer
    steps: Tensor  # (W,) a slot for each worker, which it alone writes
    updates: Tensor  # (W,) likewise
    lock: AbstractContextManager[Any]

    @property
    def step_count(self) -> int:
        """T, the steps of all workers together: the sum of the slots, without a lock."""
        return int(self.steps.sum())


class Method(Protocol):
    """What a worker does in its environments, and what it learns there.

    A worker offers its own copy of the network, `worker.model` (θ′), the shared one itself,
    `worker.shared_model` (θ), a target network if there is one, `worker.target` (θ⁻), its number
    `worker.rank`, and `worker.player`, with the random numbers to draw actions from.
    """

    @property
    def make_update(self) -> Callable[..., Any]:
        """The named tuple that is reported of each lesson."""

    def policy(self, worker: "Worker") -> Policy:
        """How it acts in the rollout that begins now."""

    def lesson(self, worker: "Worker", played: Played) -> Lesson:
        """What the rollout teaches."""

    def counted(self, shared: Shared, before: int, after: int) -> None:
        """Called when a worker has raised T from `before` to `after`. What is due every so many
        steps belongs here, such as θ⁻ ← θ."""


class UnderWay(NamedTuple):
    """A rollout that has been played, and not yet learned from."""

    played: Played
    updates_seen: int  # of all workers, when θ was read


class Worker:
    """An actor-learner: one thread of Algorithm S3."""

    def __init__(
        self,
        rank: int,
        shared: Shared,
        model: nn.Module,
        make_env: MakeEnv,
        config: Config,
        method: Method,
    ) -> None:
        self.rank, self.shared, self.config, self.method = rank, shared, config, method
        self.model = model  # with θ′, this worker's own copy of θ
        self.optimizer = shared.optimizer
        if not config.shared_statistics:
            learned = [theta for theta in shared.parameters if theta.requires_grad]
            self.optimizer = config.make_optimizer(learned)
        names = (name for name, _ in model.named_parameters())
        self.theta = dict(zip(names, shared.parameters, strict=True))
        own = seeds(config.seed, shared.step_count, rank)
        self.player = Player(make_envs(make_env, config.num_envs), own, model)
        with closed_on_error(self.player.close):  # a warning may be one
            warn_of_own_statistics(self.player.envs)
        self.recent = Recent(config.t_max * config.num_envs)
        self.under_way: UnderWay | None = None  # between `begin` and `finish`

    def begin(self) -> None:
        """Copy θ, and act."""
        steps = self.shared.step_count
        with self.shared.lock:
            updates_seen = int(self.shared.updates.sum())
            copy_tensors(self.shared.parameters, self.model.parameters())  # θ′ ← θ
            copy_tensors(self.shared.buffers, self.model.buffers())
        # Another worker may have spent the budget since this one looked whether there is any left.
        t_max = max(1, self.config.rollout_length(steps))
        with self._saying_where():
            played = self.player.play(self.method.policy(self), t_max)
        self.under_way = UnderWay(played, updates_seen)

    def finish(self) -> Any:
        """Learn from the rollout, and change θ.   → the method's update"""
        assert self.under_way is not None, "begin() comes before finish()"
        shared, (played, updates_seen) = self.shared, self.under_way
        with self._saying_where():
            lesson = self.method.lesson(self, played)
            gradients, norm = clip_gradients(lesson.gradients, self.config.max_grad_norm)
        learning_rate = self.config.annealed(shared.step_count)
        good = None if self._steps_alone else list(self.model.parameters())
        with self._saying_where(good), shared.lock:
            # θ ← θ − η dθ / √(g + ε); if that is not finite, θ is again what it was, or θ′
            take_step(self.theta, self.optimizer, gradients, learning_rate, good)
            copy_tensors(self.model.buffers(), shared.buffers)
            policy_lag = int(shared.updates.sum()) - updates_seen
            shared.updates[self.rank] += 1
        before = shared.step_count
        shared.steps[self.rank] += lesson.steps  # T ← T + (t − t_start)
        self.method.counted(shared, before, shared.step_count)
        self.under_way = None
        return report(
            self.method.make_update,
            lesson,
            steps=lesson.steps,
            updates=1,
            explained_variance=self.recent.explained_variance(lesson),
            gradient_norm=norm,
            learning_rate=learning_rate,
            worker=self.rank,
            policy_lag=policy_lag,
        )

    @property
    def _steps_alone(self) -> bool:
        """Whether nobody else changes θ during this worker's step. Else another one may have
        spoilt θ just before; what is known to be good then is θ′, with which was acted."""
        return self.config.lock or self.config.schedule == "round-robin"

    @contextmanager
    def _saying_where(self, good: Sequence[Tensor] | None = None) -> Iterator[None]:
        left = AS_LEFT if good is None else "the parameters are as it had read them before it acted"
        try:
            yield
        except FloatingPointError as error:
            raise FloatingPointError(
                f"worker {self.rank}, after {self.shared.step_count} steps: {error}; {left}"
            ) from None

    @cached_property
    def shared_model(self) -> nn.Module:
        """The network with θ itself, for a method that acts without a copy. What else it keeps,
        such as running means, is this worker's own, which `finish` hands back."""
        return seeing(self.model, [*self.shared.parameters, *self.model.buffers()])

    @cached_property
    def target(self) -> nn.Module:
        """The target network, with θ⁻."""
        return seeing(self.model, self.shared.target)

    def state_dict(self) -> dict[str, Any] | None:
        """All that this worker goes on with, the rollout under way among it; None if its
        environments cannot be restored."""
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "recent": self.recent.state_dict(),
            "optimizer": None,  # the one of all is not this worker's
            "under_way": None,
            **self.player.state_dict(),
        }
        if not self.config.shared_statistics:
            state["optimizer"] = self.optimizer.state_dict()
        if self.under_way is not None:
            state["under_way"] = _under_way_state(self.under_way)
        return None if state["world"] is None else deepcopy(state)

    def load_state_dict(self, state: Mapping[str, Any]) -> bool:
        """Go on from there, if the environments can.   → whether they can."""
        state = _with_an_optimizer(state)
        if not self.player.load_state_dict(state):
            return False
        device = device_of(self.model)
        self.model.load_state_dict(state["model"])
        self.recent.load_state_dict(state["recent"], device)
        if not self.config.shared_statistics:
            own = state["optimizer"]
            # If it had none, as all shared one, it goes on with what that one remembered.
            self.optimizer.load_state_dict(
                self.shared.optimizer.state_dict() if own is None else own
            )
        if state["under_way"] is not None:
            self.under_way = _under_way_from(state["under_way"], device)
        return True


def seeing(model: nn.Module, tensors: Sequence[Tensor]) -> nn.Module:
    """A network like `model`, whose parameters and buffers are these very tensors, in their order.

    >>> model, weights = nn.Linear(1, 1), [torch.zeros(1, 1), torch.zeros(1)]
    >>> other = seeing(model, weights)
    >>> weights[1] += 7
    >>> other.bias.item()
    7.0
    """
    other = deepcopy(model)
    for own, tensor in zip(chain(other.parameters(), other.buffers()), tensors, strict=True):
        own.data = tensor.data
    return other


def _with_an_optimizer(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """A worker's state. What its own optimiser remembered stood once where the statistics of
    wrappers stand that normalise."""
    if "optimizer" in state:
        return state
    statistics = state.get("statistics")
    if isinstance(statistics, Mapping):
        return {**state, "optimizer": statistics, "statistics": ()}
    return {**state, "optimizer": None}


def _under_way_state(under_way: UnderWay) -> dict[str, Any]:
    rollout, memory = under_way.played
    return {
        "rollout": rollout_state(rollout),
        "memory": memory,
        "updates_seen": under_way.updates_seen,
    }


def _under_way_from(state: Mapping[str, Any], device: torch.device) -> UnderWay:
    # Version 0.1 kept the whole position in which the rollout began.
    memory = state["began"]["policy_state"] if "began" in state else state["memory"]
    played = Played(rollout_from(state["rollout"]), memory_from(memory, device))
    return UnderWay(played, state["updates_seen"])


MakeWorker = Callable[[int, Shared], Worker]


class InTurn(Iterator[dict[str, Any]]):
    """Workers one after another, each a rollout behind: while one acts, all others learn.

    So a gradient is num_workers − 1 updates old when it is applied. Everything can be repeated bit
    for bit.
    """

    pids: Mapping[int, int] = {}  # no processes

    def __init__(self, make_worker: MakeWorker, shared: Shared, config: Config) -> None:
        self.shared, self.total_steps = shared, config.total_steps
        self.workers: list[Worker] = []
        with closed_on_error(self.close):
            for rank in range(config.num_workers):
                self.workers.append(make_worker(rank, shared))
            check_distinct(*(worker.player.envs for worker in self.workers))
        self.turn = 0  # whose it is
        self.stopped = False

    def __next__(self) -> dict[str, Any]:
        if self.stopped or self.shared.step_count >= self.total_steps:
            raise StopIteration
        for worker in self.workers:
            if worker.under_way is None:  # at first all; later the one that has just finished
                worker.begin()
        update = self.workers[self.turn].finish()
        self.turn = (self.turn + 1) % len(self.workers)
        fields: dict[str, Any] = update._asdict()
        return fields

    def state_dict(self) -> dict[str, Any]:
        """The workers' states, if their environments can be restored, and whose turn it is."""
        workers = [worker.state_dict() for worker in self.workers]
        return {"workers": None if None in workers else workers, "turn": self.turn}

    def load_state_dict(self, state: Mapping[str, Any]) -> bool:
        """Put the workers back to where they were, if they are as many and can be restored.   →
        whether they are and can."""
        states = state.get("workers")
        if not states or len(states) != len(self.workers):
            return False
        goes_on = [
            worker.load_state_dict(its) for worker, its in zip(self.workers, states, strict=True)
        ]
        self.turn = state["turn"] if all(goes_on) else 0
        return all(goes_on)

    def stop(self) -> None:
        """Let no worker begin any more."""
        self.stopped = True

    def close(self) -> None:
        """Close the workers' environments."""
        close_all(worker.player.close for worker in self.workers)


class InProcesses(Iterator[dict[str, Any]]):
    """Every worker in a process, all at the same time; their updates in the order they come in."""

    def __init__(self, make_worker: MakeWorker, shared: Shared, config: Config) -> None:
        body = partial(in_a_process, make_worker=make_worker, total_steps=config.total_steps)
        self._team = Team(body, shared, config.num_workers, config.max_restarts)

    @property
    def pids(self) -> Mapping[int, int]:
        """Process numbers of the workers that run, by rank."""
        return self._team.pids

    def __next__(self) -> dict[str, Any]:
        fields: dict[str, Any]
        _, fields = next(self._team)
        return fields

    def state_dict(self) -> dict[str, Any]:
        """Processes are not put back where they stood."""
        return {"workers": None, "turn": 0}

    def load_state_dict(self, state: Mapping[str, Any]) -> bool:
        """They begin new episodes."""
        return False

    def stop(self) -> None:
        """Let the processes end. What they reported is still handed out."""
        self._team.stop()

    def close(self) -> None:
        """End the processes."""
        self._team.close()


def in_a_process(link: Link, shared: Shared, make_worker: MakeWorker, total_steps: int) -> None:
    """One worker, for as long as it takes."""
    worker = make_worker(link.rank, shared)
    statistics = chain.from_iterable(shared.optimizer.statistics.values())
    everybodys = [*shared.parameters, *shared.buffers, *shared.target, *statistics]
    assert all(tensor.is_shared() for tensor in everybodys)
    assert not any(theta.is_shared() for theta in worker.model.parameters())
    with closed_on_error(worker.player.close):
        link.wait_for_all()
        while shared.step_count < total_steps and not link.stopped:
            worker.begin()
            with link.whole():
                link.send(worker.finish()._asdict())
        link.done()
    worker.player.close()


SCHEDULES: dict[str, type[InTurn | InProcesses]] = {
    "round-robin": InTurn,
    "processes": InProcesses,
}


class HogwildTraining(Training[nn.Module, Any]):
    """Updates of all workers, in the order in which they come in.

    `target` is a target network, for a method that has one; the method changes it in `counted`.
    """

    def __init__(
        self,
        model: nn.Module,
        make_env: MakeEnv,
        config: Config,
        method: Method,
        resume: Mapping[str, Any] | None = None,
        target: nn.Module | None = None,
    ) -> None:
        check_module(model)
        self.model, self.target, self.config = model, target, config
        # Workers report an update's fields: its class may be one that other processes cannot name.
        self._make_update = method.make_update
        self.total_steps = config.total_steps
        self._closed = False
        self._schedule: InTurn | InProcesses | None = None
        with closed_on_error(self._leave_shared_memory):
            self.shared = _share(model, target, config)
            self._begin(make_env, method, resume)

    def _begin(self, make_env: MakeEnv, method: Method, resume: Mapping[str, Any] | None) -> None:
        model, target, config = self.model, self.target, self.config
        if resume is not None:
            steps, updates = go_on(
                resume, model, self.shared.optimizer, *(["target"] if target else [])
            )
            self.shared.steps[0], self.shared.updates[0] = steps, updates
            if target is not None:
                target.load_state_dict(resume["target"])
        self._count()
        make_worker = partial(
            _make_worker,
            model=deepcopy(model),
            make_env=for_workers(make_env),
            config=config,
            method=method,
        )
        if self.steps < self.total_steps:
            self._schedule = SCHEDULES[config.schedule](make_worker, self.shared, config)
            with closed_on_error(self._schedule.close):
                self.restored = resume is not None and self._schedule.load_state_dict(resume)

    @property
    def pids(self) -> Mapping[int, int]:
        """Process numbers of the workers that run, by rank."""
        return self._schedule.pids if self._schedule else {}

    def __next__(self) -> Any:
        if self._closed or self._schedule is None:
            raise StopIteration
        try:
            fields = next(self._schedule)
        except BaseException as error:  # exhausted, a worker's error, or an interrupt
            self.close()
            if isinstance(error, WorkerError) and self.steps >= self.total_steps:
                warnings.warn(f"the budget is spent, but {error}", RuntimeWarning, stacklevel=2)
                raise StopIteration from None
            raise
        self.steps += fields["steps"]
        self.updates += fields["updates"]
        return self._make_update(**{**fields, "steps": self.steps, "updates": self.updates})

    def stop(self) -> None:
        """Let workers begin no further update."""
        if self._schedule is not None:
            self._schedule.stop()

    def close(self) -> None:
        """End the workers. The model is as they left it."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._schedule is not None:
                self._schedule.close()
        finally:  # an impatient interrupt comes here too
            self._leave_shared_memory()
            self._count()

    def _leave_shared_memory(self) -> None:
        for network in filter(None, (self.model, self.target)):
            leave_shared_memory(network)

    def _count(self) -> None:
        self.steps, self.updates = self.shared.step_count, int(self.shared.updates.sum())

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimiser statistics and counters, and of workers in turn all that they go on
        with, if their environments can be restored (see `restoring`).

        `train(..., resume=state)` goes on from it: workers in turn as if they had never stopped,
        bit for bit, if they can be restored; processes with new episodes. While processes run it
        is a snapshot of something that moves: every number is one that stood there, but not all at
        the same instant.
        """
        state = {
            "model": deepcopy(self.model.state_dict()),
            "optimizer": self.shared.optimizer.state_dict(),
            "steps": self.shared.step_count,
            "updates": int(self.shared.updates.sum()),
            **(self._schedule.state_dict() if self._schedule else {"workers": [], "turn": 0}),
        }
        if self.target is not None:
            state["target"] = deepcopy(self.target.state_dict())
        return state


@in_shared_memory()
def _share(model: nn.Module, target: nn.Module | None, config: Config) -> Shared:
    """What workers share; in shared memory if they are to be processes."""
    optimizer = config.make_optimizer(trainable(model))
    slots = torch.zeros(2, config.num_workers, dtype=torch.int64)
    lock: AbstractContextManager[Any] = nullcontext()
    if config.schedule == "processes":
        for network in filter(None, (model, target)):
            network.share_memory()
        optimizer.share_memory()
        slots.share_memory_()
        if config.lock:
            lock = semaphore(1)
    theirs = [] if target is None else [*target.parameters(), *target.buffers()]
    return Shared(
        list(model.parameters()),
        list(model.buffers()),
        [tensor.detach() for tensor in theirs],
        optimizer,
        slots[0],
        slots[1],
        lock,
    )


def _make_worker(rank: int, shared: Shared, *, model: nn.Module, **rest: Any) -> Worker:
    return Worker(rank, shared, deepcopy(model), **rest)
