"""Chapter 05: a team of processes that report what they do.

Every worker has a pipe of its own, so that one that dies takes nothing with it. `Team` starts the
workers, hands out their messages, notices when one fails or is killed, and leaves none behind. They
are spawned, on every system: a fork hangs once torch has used its threads.
"""

import atexit
import ctypes
import math
import multiprocessing
import os
import platform
import signal
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle
import torch
from torch import Tensor
from torch.multiprocessing.spawn import (
    ProcessContext,
    ProcessExitedException,
    ProcessRaisedException,
    start_processes,
)

import __main__

UNREAD = 16  # messages of a worker that may wait to be read; then the worker waits
TOGETHER = 0.05  # seconds for which a worker gathers messages: each parcel wakes the parent
PATIENCE = 2.0  # seconds that workers have to end by themselves when the team is closed

UNGUARDED = """
Each worker imports your script anew. What starts workers must stand under a guard:

    if __name__ == "__main__":
        with a3c.train(...) as training:
            ...
"""

UNGUARDED_MODULE = """a worker may not start workers of its own.

A module that each worker imports starts them when it is imported. That belongs under a guard, or
into a function that nothing calls on import.
"""


class WorkerError(RuntimeError):
    """A worker failed or was killed. Says which one, and why."""


class Switches(NamedTuple):
    """What the parent tells its workers, in shared memory."""

    stop: Tensor  # () not 0: end
    read: Tensor  # (W,) how many messages of each worker have been read
    ready: Tensor  # (W,) not 0: the worker, or one before it, is ready to work


class Link:
    """A worker's end of its pipe."""

    def __init__(self, rank: int, pipe: Connection, switches: Switches) -> None:
        self.rank = rank
        self._pipe, self._switches = pipe, switches
        self._sent = int(switches.read[rank])  # or gathered
        self._gathered: list[Any] = []
        self._latest = -math.inf  # parcel, when
        self._broken = False

    @property
    def stopped(self) -> bool:
        """Whether the worker is to end."""
        return self._broken or bool(self._switches.stop)

    def wait_for_all(self) -> None:
        """Until every worker has come here for the first time, so that all begin together."""
        self._switches.ready[self.rank] = 1
        while not self._switches.ready.all() and not self.stopped:
            time.sleep(0.002)

    def send(self, message: Any) -> None:
        """Hand a message to the parent, with others of the same moment; wait while too many are
        unread."""
        while self._sent - int(self._switches.read[self.rank]) >= UNREAD and not self.stopped:
            self.flush()
            time.sleep(0.002)
        self._gathered.append(message)
        self._sent += 1
        many = len(self._gathered) >= UNREAD // 2
        if many or time.monotonic() - self._latest >= TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Hand over what was gathered."""
        if self._gathered:
            self.tell("messages", self._gathered)
            self._gathered, self._latest = [], time.monotonic()

    def tell(self, kind: str, message: Any = None) -> None:
        """Send the parent something at once; if the parent is gone, the worker is to end."""
        try:
            self._pipe.send((kind, message))
        except (BrokenPipeError, ConnectionResetError):  # the parent has closed its end
            self._broken = True


class Team(Iterator[tuple[int, Any]]):
    """Processes that run `body(link, shared)`. Yields (rank, message) as messages come in.

    `shared` holds tensors in shared memory, and every worker sees the same ones. `body` reaches the
    workers by value, so that functions and classes of a notebook or a script come along.

    Exhausted when every worker has finished and all messages are read. A worker that is killed is
    replaced, at most `max_restarts` times in all; the next time, and when a worker raises an
    exception, all are ended and WorkerError is raised (FloatingPointError as itself). RuntimeError
    in a worker, which may have no team of its own.
    """

    in_a_worker = False  # whether this process is one

    def __init__(
        self,
        body: Callable[[Link, Any], None],
        shared: Any,
        num_workers: int,
        max_restarts: int = 0,
    ) -> None:
        if Team.in_a_worker:
            raise RuntimeError(UNGUARDED_MODULE)
        self._code, self._shared = by_value(body), shared
        self._restarts_left = max_restarts
        self._switches = Switches(
            torch.zeros((), dtype=torch.int64).share_memory_(),
            torch.zeros(num_workers, dtype=torch.int64).share_memory_(),
            torch.zeros(num_workers, dtype=torch.int64).share_memory_(),
        )
        self._inbox: deque[tuple[int, Any]] = deque()
        self._members: dict[int, _Member] = {}  # that have not ended, by rank
        # Processes end with this object, also when it is forgotten, and when Python exits. (At
        # exit, this runs before multiprocessing waits for its children.)
        self._end = weakref.finalize(self, _end, self._members, self._switches, os.getpid())
        self._end.atexit = False
        atexit.register(self._end)
        with self._closing_on_error():
            for rank in range(num_workers):
                self._start(rank)

    @property
    def pids(self) -> dict[int, int]:
        """Process numbers of the workers that have not ended, by rank."""
        return {rank: member.process.pid for rank, member in self._members.items()}

    def __next__(self) -> tuple[int, Any]:
        with self._closing_on_error():
            while self._members and not self._inbox:
                self._wait()
        if not self._inbox:
            self.close()
            raise StopIteration
        rank, message = self._inbox.popleft()
        self._switches.read[rank] += 1
        return rank, message

    def close(self) -> None:
        """End all workers. When this returns, none is left."""
        self._end()
        atexit.unregister(self._end)
        self._inbox.clear()

    @contextmanager
    def _closing_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:  # an interrupt too
            self.close()
            raise

    def _start(self, rank: int) -> None:
        here, there = connection.Pipe(duplex=False)
        arguments = rank, there, self._switches, self._shared, self._code
        with _interrupts_blocked():
            context = start_processes(_work, arguments, nprocs=1, join=False, start_method="spawn")
        there.close()  # the worker alone holds it: the pipe ends when the worker does
        self._members[rank] = _Member(context, here)

    def _wait(self) -> None:
        """Until a message comes in, or a worker ends."""
        waited_for = {}
        for rank, member in self._members.items():
            waited_for[member.pipe] = waited_for[member.process.sentinel] = rank
        for rank in {waited_for[ready] for ready in connection.wait(list(waited_for))}:
            member = self._members[rank]
            for kind, message in member.mail():
                if kind == "messages":
                    self._inbox.extend((rank, each) for each in message)
                elif kind == "failed":
                    raise message
                member.latest = kind
            if not member.process.is_alive():
                self._ended(rank, member)

    def _ended(self, rank: int, member: "_Member") -> None:
        member.pipe.close()
        del self._members[rank]
        code = member.process.exitcode
        if code == 0 and member.latest == "finished":
            return
        traceback = member.traceback()
        if traceback is not None:
            raise WorkerError(f"worker {rank} failed:\n\n{traceback}")
        if code >= 0 and member.latest is None:
            hint = UNGUARDED if hasattr(__main__, "__file__") else ""
            raise WorkerError(f"worker {rank} could not begin (exit code {code}).{hint}")
        if self._restarts_left == 0:
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else "ended by itself"
            raise WorkerError(f"worker {rank} {how} (exit code {code})")
        self._restarts_left -= 1
        self._start(rank)


class _Member:
    """A worker, as its parent knows it."""

    def __init__(self, context: ProcessContext, pipe: Connection) -> None:
        self.context, self.pipe = context, pipe
        self.process = context.processes[0]
        self.latest: str | None = None  # the kind of its latest message

    def mail(self) -> Iterator[tuple[str, Any]]:
        """What has come in. Ends where a message breaks off, because its sender was killed."""
        with suppress(EOFError, OSError):
            while self.pipe.poll():
                yield self.pipe.recv()

    def traceback(self) -> str | None:
        """Of the exception with which the process ended, if it ended so."""
        try:
            self.context.join()
        except ProcessRaisedException as error:
            return str(error).split("following error:\n", 1)[-1]
        except ProcessExitedException:
            pass
        finally:
            self.forget_traceback()
        return None

    def forget_traceback(self) -> None:
        """Remove the file in which the process may have left one."""
        Path(self.context.error_files[0]).unlink(missing_ok=True)


def by_value(thing: Any) -> bytes:
    """A pickle that other processes can read, also of what a notebook or a script defines.

    Raises TypeError if there is none.
    """
    try:
        code: bytes = cloudpickle.dumps(thing)
    except Exception as error:
        raise TypeError(
            f"workers get a copy of the environment's maker, the network and the functions; one of "
            f"these cannot be copied into another process: {error}"
        ) from error
    return code


def _work(
    _: int, rank: int, pipe: Connection, switches: Switches, shared: Any, code: bytes
) -> None:
    """What a worker's process does."""
    Team.in_a_worker = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the parent
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    keep_freed_memory()
    link = Link(rank, pipe, switches)
    link.tell("began")
    body = cloudpickle.loads(code)
    try:
        try:
            body(link, shared)
        finally:
            link.flush()
    except FloatingPointError as error:
        link.tell("failed", error)
    else:
        link.tell("finished")


def keep_freed_memory() -> None:
    """Let this process keep what it frees, where the C library is glibc.

    glibc gives large pieces back to the system at once, and asks for new ones page by page. Where
    every update makes tensors of some megabytes, as with pictures, that can take longer than the
    arithmetic. Nothing is computed otherwise. [mallopt(3)]
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(-4, 0)  # M_MMAP_MAX: no piece is mapped on its own
        mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: what is free at the heap's end stays


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def _end(members: dict[int, _Member], switches: Switches, owner: int) -> None:
    """Ask all workers to end; terminate, and at last kill, those that do not."""
    if os.getpid() != owner:  # a fork of the parent has no say
        return
    switches.stop.fill_(1)
    processes = [member.process for member in members.values()]
    try:
        for member in members.values():
            member.pipe.close()  # whoever waits to send is woken
        _join(processes, PATIENCE)
        for process in processes:
            process.terminate()
        _join(processes, 1.0)
    finally:  # an impatient second interrupt comes here at once
        for process in processes:
            process.kill()
        _join(processes, 1.0)
        for member in members.values():
            member.forget_traceback()
        members.clear()


def _join(processes: list[Any], seconds: float) -> None:
    """Wait for processes to end, `seconds` for all together."""
    deadline = time.monotonic() + seconds
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Start processes that Ctrl-C in a terminal does not reach, not even while they import.

    The mask is inherited. In the parent an interrupt waits until the block ends.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    multiprocessing.resource_tracker.ensure_running()  # else its start would undo the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
