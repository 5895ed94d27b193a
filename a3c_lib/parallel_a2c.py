"""Chapter 07: A2C on all cores, its environments split among processes.

A2C's environments are split among workers, each a process with a copy of the network. They act and
differentiate at the same time; then they meet, add up their gradients, and all take the same step,
so that the copies stay equal. What is computed is what `a2c` computes, in less time. No gradient is
stale, unlike in A3C; the price is that once an update all wait for the slowest.
"""

from collections import deque, namedtuple
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from a3c_lib import a2c, optim
from a3c_lib.actor_critic import LossFunction, Targets, Update, lesson_of
from a3c_lib.lessons import Lesson, LossParts, Recent, report
from a3c_lib.making import MakeEnv, closed_on_error, for_workers
from a3c_lib.models import check_methods, check_outputs, trainable
from a3c_lib.playing import Player
from a3c_lib.restoring import warn_of_own_statistics
from a3c_lib.rollout import Episode, sampled
from a3c_lib.settings import NumWorkers
from a3c_lib.sharing import in_shared_memory, semaphore
from a3c_lib.training import (
    AS_LEFT,
    Training,
    clip_gradients,
    copy_tensors,
    go_on,
    leave_shared_memory,
    seeds,
    take_step,
)
from a3c_lib.workers import Link, Team

COPIES = 100  # of a state that changes meanwhile, at most: worker 0 may have been killed in it


@dataclass(frozen=True, kw_only=True)
class Config(a2c.Config):
    """How A2C trains on many cores. `num_envs` is that of all workers together."""

    num_workers: NumWorkers = 2  # at least 1, and a divisor of num_envs; as many as there are cores

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_envs % self.num_workers:
            raise ValueError(
                f"num_workers divides num_envs, {self.num_envs}; got {self.num_workers}"
            )
        if self.device != "cpu":
            raise ValueError(
                f"each worker computes on a core: device is 'cpu'; got {self.device!r}"
            )


# Environment steps so far; updates begun; updates made. Where the last two differ, one is being
# made.
STEPS, BEGUN, MADE = range(3)


class Shared(NamedTuple):
    """What the workers have in shared memory."""

    model: nn.Module  # worker 0's, and the user's
    optimizer: optim.Optimizer  # worker 0's
    counts: Tensor  # (3,) STEPS, BEGUN and MADE, which worker 0 writes
    gradients: Tensor  # (2, W, P): each worker's, of the latest two updates
    weights: Tensor  # (2, W) how many steps each worker learned from
    buffers: list[list[Tensor]]  # (2, …) worker 0's buffers, after the latest two rollouts
    arrivals: list[Any]  # (W,) semaphores, released when another worker arrives at the meeting


class Part(NamedTuple):
    """What a worker tells of an update."""

    episodes: tuple[Episode, ...]
    loss: dict[str, float]  # and its parts, by name
    returns: NDArray[np.float32]  # (M,) of its steps
    values: NDArray[np.float32]  # (M,)
    gradient_norm: float  # of all workers' gradient
    learning_rate: float


class Worker:
    """A share of the environments, and a copy of the network that stays equal to the others'."""

    def __init__(
        self,
        link: Link,
        shared: Shared,
        make_env: MakeEnv,
        config: Config,
        targets: Targets,
        loss: LossFunction,
    ) -> None:
        self.link, self.shared, self.config = link, shared, config
        self.targets, self.loss = targets, loss
        self.model, self.optimizer = shared.model, shared.optimizer
        if link.rank > 0:
            self.model = deepcopy(shared.model)
            self.optimizer = config.make_optimizer(trainable(self.model))
            self.optimizer.load_state_dict(shared.optimizer.state_dict())
        self.theta = dict(self.model.named_parameters())
        # Nobody makes an update before all are here, so all find the same.
        self.steps, self.updates = int(shared.counts[STEPS]), 0
        num_envs = config.num_envs // config.num_workers
        envs = a2c.make_vector_env(make_env, num_envs, config.fast_envs)
        self.player = Player(envs, seeds(config.seed, self.steps, link.rank), self.model)
        with closed_on_error(self.player.close):
            warn_of_own_statistics(envs)
            check_outputs(self.model, self.player)

    def update(self, lesson: Lesson) -> Part | None:
        """Meet, and take the step that all take.   → None if stopped"""
        gradients = self._added_up(lesson)
        if gradients is None:
            return None
        gradients, norm = clip_gradients(gradients, self.config.max_grad_norm)
        learning_rate = self.config.annealed(self.steps)
        self.steps += int(self.shared.weights[self.updates % 2].sum())
        self.updates += 1
        if self.link.rank == 0:
            self.shared.counts[BEGUN] += 1
        take_step(self.theta, self.optimizer, gradients, learning_rate)
        if self.link.rank == 0:
            self.shared.counts[STEPS] = self.steps
            self.shared.counts[MADE] += 1
        return Part(
            lesson.episodes,
            {name: part.item() for name, part in lesson.loss._asdict().items()},
            lesson.returns.float().numpy(),
            lesson.values.float().numpy(),
            norm,
            learning_rate,
        )

    def lesson(self) -> Lesson:
        """Act and differentiate."""
        policy = sampled(self.model, self.player.generator)  # type: ignore[arg-type]
        played = self.player.play(policy, self.config.rollout_length(self.steps))
        gamma = self.config.gamma
        return lesson_of(self.model, played, self.targets, self.loss, gamma, self.steps)

    def _added_up(self, lesson: Lesson) -> tuple[Tensor, ...] | None:
        """The gradient of all workers' steps together, a mean over them.   → None if stopped"""
        # Nobody can be two updates ahead, so two places are enough.
        place = self.updates % 2
        gradients, weights = self.shared.gradients[place], self.shared.weights[place]
        torch.cat(
            [d_theta.flatten() for d_theta in lesson.gradients], out=gradients[self.link.rank]
        )
        weights[self.link.rank] = lesson.steps
        buffers = self.shared.buffers[place]
        if self.link.rank == 0:
            copy_tensors(self.model.buffers(), buffers)
        if not self._meet():
            return None
        if self.link.rank > 0:
            copy_tensors(buffers, self.model.buffers())
        mean = (weights / weights.sum()).to(gradients.dtype) @ gradients
        pieces = mean.split([d_theta.numel() for d_theta in lesson.gradients])
        return tuple(
            piece.view_as(d_theta) for piece, d_theta in zip(pieces, lesson.gradients, strict=True)
        )

    @contextmanager
    def saying_where(self) -> Iterator[None]:
        """Errors in here name this worker, and where it was."""
        try:
            yield
        except FloatingPointError as error:
            raise FloatingPointError(
                f"worker {self.link.rank}, after {self.steps} steps: {error}; {AS_LEFT}"
            ) from None

    def _meet(self) -> bool:
        """Wait until every worker has come here as often as this one.   → False if stopped"""
        own = self.shared.arrivals[self.link.rank]
        others = [arrivals for arrivals in self.shared.arrivals if arrivals is not own]
        for arrivals in others:
            arrivals.release()
        for _ in others:
            while not own.acquire(timeout=0.1):
                if self.link.stopped:
                    return False
        return True


def in_a_process(link: Link, shared: Shared, config: Config, **options: Any) -> None:
    """One worker, until the budget is spent."""
    worker = Worker(link, shared, config=config, **options)
    with closed_on_error(worker.player.close):
        link.wait_for_all()
        while worker.steps < config.total_steps and not link.stopped:
            with worker.saying_where():
                lesson = worker.lesson()
            with link.whole(), worker.saying_where():
                part = worker.update(lesson)
                if part is not None:
                    link.send(part)
        link.done()
    worker.player.close()


class ParallelTraining(Training[nn.Module, Update]):
    """Updates to which every worker has given its part."""

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
        check_methods(model)
        self.optimizer = config.make_optimizer(trainable(model))
        self.steps = self.updates = 0
        if resume is not None:
            self.steps, self.updates = go_on(resume, model, self.optimizer)
        self._counts = torch.tensor([self.steps, self.updates, self.updates])
        self._recent = Recent(config.t_max * config.num_envs)
        self._unread: list[deque[Part]] = [deque() for _ in range(config.num_workers)]
        self._closed = False
        self._team: Team | None = None
        if self.steps < self.total_steps:
            body = partial(
                in_a_process,
                make_env=for_workers(make_env),
                config=config,
                targets=targets,
                loss=loss,
            )
            with closed_on_error(partial(leave_shared_memory, model)):
                self._team = Team(body, self._share(), config.num_workers)

    @in_shared_memory()
    def _share(self) -> Shared:
        learned = trainable(self.model)
        parameters = sum(theta.numel() for theta in learned)
        workers = self.config.num_workers
        return Shared(
            self.model.share_memory(),
            self.optimizer.share_memory(),
            self._counts.share_memory_(),
            torch.zeros(2, workers, parameters, dtype=learned[0].dtype).share_memory_(),
            torch.zeros(2, workers).share_memory_(),
            [[b.clone().share_memory_() for b in self.model.buffers()] for _ in range(2)],
            [semaphore() for _ in range(workers)],
        )

    @property
    def pids(self) -> Mapping[int, int]:
        """Process numbers of the workers that run, by rank."""
        return self._team.pids if self._team else {}

    def __next__(self) -> Update:
        if self._closed or self._team is None:
            raise StopIteration
        try:
            parts = self._parts(self._team)
        except BaseException:  # exhausted, a worker's error, or an interrupt
            self.close()
            raise
        return self._together(parts)

    def _parts(self, team: Team) -> list[Part]:
        """Of the next update, one a worker."""
        while not all(self._unread):
            rank, part = next(team)
            self._unread[rank].append(part)
        return [parts.popleft() for parts in self._unread]

    def _together(self, parts: Sequence[Part]) -> Update:
        lesson = self._joined(parts)
        self.steps += lesson.steps
        self.updates += 1
        return report(
            Update,
            lesson,
            steps=self.steps,
            updates=self.updates,
            explained_variance=self._recent.explained_variance(lesson),
            gradient_norm=parts[0].gradient_norm,
            learning_rate=parts[0].learning_rate,
        )

    def _joined(self, parts: Sequence[Part]) -> Lesson:
        """The parts as one lesson, without its gradients, which the workers have used. Worker 1's
        environments are counted on from worker 0's, and so on."""
        each = self.config.num_envs // self.config.num_workers
        weights = [len(part.returns) for part in parts]
        losses = [list(part.loss.values()) for part in parts]
        means = np.average(losses, axis=0, weights=weights)
        kind = namedtuple("Loss", parts[0].loss)  # type: ignore[misc]
        return Lesson(
            gradients=(),
            loss=cast(LossParts, kind(*map(torch.tensor, means))),
            returns=torch.from_numpy(np.concatenate([part.returns for part in parts])),
            values=torch.from_numpy(np.concatenate([part.values for part in parts])),
            episodes=tuple(
                episode._replace(env=episode.env + rank * each)
                for rank, part in enumerate(parts)
                for episode in part.episodes
            ),
        )

    def stop(self) -> None:
        """Let workers begin no further update."""
        if self._team is not None:
            self._team.stop()

    def close(self) -> None:
        """End the workers. The model is as they left it."""
        if self._closed:
            return
        self._closed = True
        if self._team is None:
            return
        try:
            self._team.close()
        finally:  # an impatient interrupt comes here too
            leave_shared_memory(self.model)
            self.steps, self.updates = int(self._counts[STEPS]), int(self._counts[MADE])

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimiser statistics and counters, all of the same update.

        (If worker 0 was killed within an update, a part of that is in it.) While workers run it may
        be some updates ahead of those that were read. `train(..., resume=state)` goes on from it,
        with new episodes.
        """
        for _ in range(1 if self._closed else COPIES):
            made = int(self._counts[MADE])
            state = {
                "model": deepcopy(self.model.state_dict()),
                "optimizer": self.optimizer.state_dict(),
                "steps": int(self._counts[STEPS]),
                "updates": made,
            }
            if self._counts[BEGUN] == made:  # none was begun meanwhile
                break
        return state


def train(
    model: nn.Module,
    make_env: MakeEnv,
    config: Config,
    *,
    targets: Targets | None = None,
    loss: LossFunction | None = None,
    resume: Mapping[str, Any] | None = None,
) -> ParallelTraining:
    """A2C, with its environments split among `num_workers` processes.

    As `a2c.train`; but every worker makes its environments itself, so `make_env` is not a vector
    environment. Same seed, same number of workers: same run, bit for bit. Raises WorkerError when a
    worker fails or is killed, and FloatingPointError when a loss or a gradient is not finite; no
    worker is left then.
    """
    targets = config.returns if targets is None else targets
    loss = config.loss if loss is None else loss
    return ParallelTraining(model, make_env, config, targets, loss, resume)
