"""Chapter 05: a team of processes that report what they do.

Every worker has a pipe of its own, so that one that dies takes nothing with it. `Team` starts the
workers, hands out their messages, notices when one fails or is killed, and leaves none behind. They
are spawned, on every system: a fork hangs once torch has used its threads.

A worker ends when its work is done, or when its parent tells it to. Ctrl-C, a request to end
(SIGTERM) and a terminal that is closed (SIGHUP) often reach a whole group of processes. They are
for the parent to answer: a worker that was not told to end goes on.
"""

import atexit
import ctypes
import math
import multiprocessing
import os
import platform
import signal
import sys
import threading
import time
import traceback
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor

import __main__
from a3c_lib.settings import NotNegativeCount, NumWorkers, check_setting
from a3c_lib.sharing import Parcel, in_shared_memory

if sys.platform != "win32":
    import fcntl

UNREAD = 16  # messages of a worker that may wait to be read; then the worker waits
TOGETHER = 0.05  # seconds for which a worker gathers messages: each parcel wakes the parent
LOOK = 0.1  # seconds without a message after which the parent looks around
GRACE = 0.5  # seconds in which workers that are told to end do so by themselves; then SIGTERM
PATIENCE = 2.5  # seconds in which they close their environments after that; then SIGKILL
CLOSING = 10.0  # seconds in which a worker closes its environments when nobody waits for it
# What may reach a whole group of processes. (There is no SIGHUP on Windows.)
FOR_THE_PARENT = {
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
}

UNGUARDED = """
Each worker imports your script anew. What starts workers must stand under a guard:

    if __name__ == "__main__":
        with a3c.train(...) as training:
            ...
"""

NO_TEAM = "a worker may not start workers of its own"

UNGUARDED_MODULE = f"""{NO_TEAM}.

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
        self._alone = False  # the parent is gone
        self._wholes = 0  # how many things are under way that are not broken off
        self._owed = False  # an interrupt that waits for them
        self._done = False
        self.interrupted = False  # as it did not end by itself

    @property
    def stopped(self) -> bool:
        """Whether the worker is to end."""
        return self._alone or bool(self._switches.stop)

    def wait_for_all(self) -> None:
        """Until every worker has come here for the first time, so that all begin together."""
        self._switches.ready[self.rank] = 1
        while not self._switches.ready.all() and not self.stopped:
            time.sleep(0.002)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """What stands in here is not broken off when the worker is to end; elsewhere it is, with
        SystemExit. So an update is made and reported, or not made."""
        self._wholes += 1
        try:
            yield
        finally:
            self._wholes -= 1
        if self._owed and not self._wholes:
            self._owed = False
            raise SystemExit

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

    def done(self) -> None:
        """Say that nothing more is to come. How the worker ends does no harm from now on."""
        self._done = True
        self.flush()
        self.tell("done")

    def tell(self, kind: str, message: Any = None) -> None:
        """Send the parent something at once; if the parent is gone, the worker is to end."""
        with self.whole():
            try:
                self._pipe.send((kind, message))
            except (BrokenPipeError, ConnectionResetError):  # the parent has closed its end
                self._alone = True

    def answer_signals(self) -> None:
        """From now on: SIGTERM ends this worker if it is told to end; other signals are not for
        it."""
        for number in FOR_THE_PARENT:
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._interrupt)
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, FOR_THE_PARENT)

    def _interrupt(self, _: int, __: FrameType | None) -> None:
        if self.stopped and not (self.interrupted or self._done):  # it closes in peace
            self.interrupted = True
            self._owed = self._wholes > 0
            if not self._owed:
                raise SystemExit

    def end_with_parent(self) -> None:
        """Wait, in a thread, until the parent is gone; then leave as if it had said so."""
        parent = multiprocessing.parent_process()
        assert parent is not None
        connection.wait([parent.sentinel])
        self._alone = True
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)  # type: ignore[arg-type]
            time.sleep(PATIENCE)
        os._exit(1)


class Team(Iterator[tuple[int, Any]]):
    """Processes that run `body(link, shared)`. Yields (rank, message) as messages come in.

    `body` and `shared` reach the workers by value, so that functions and classes of a notebook or a
    script come along; but for tensors in shared memory, of which every worker sees the same ones.
    (What else `shared` has of tensors is moved there.)

    Exhausted when every worker has finished and all messages are read. A worker that is killed is
    replaced, at most `max_restarts` times in all; the next time, and when a worker raises an
    exception, all are ended and, after the messages that they had sent, WorkerError is raised
    (FloatingPointError as itself). What goes wrong in a worker that was `done` is a warning.

    RuntimeError in a worker, which may have no team of its own. (Nor may a process of a
    multiprocessing.Pool, in which Python allows no children. One of concurrent.futures'
    ProcessPoolExecutor may.)
    """

    refused = ""  # why this process may have no team

    def __init__(
        self,
        body: Callable[[Link, Any], None],
        shared: Any,
        num_workers: int,
        max_restarts: int = 0,
    ) -> None:
        if Team.refused:
            raise RuntimeError(Team.refused)
        check_setting("num_workers", num_workers, NumWorkers)
        check_setting("max_restarts", max_restarts, NotNegativeCount)
        _refuse_script_without_file()
        self._parcels = Parcel(body), Parcel(shared, share=True)
        self._restarts_left = max_restarts
        with in_shared_memory():
            self._switches = Switches(
                torch.zeros((), dtype=torch.int64).share_memory_(),
                torch.zeros(num_workers, dtype=torch.int64).share_memory_(),
                torch.zeros(num_workers, dtype=torch.int64).share_memory_(),
            )
        self._inbox: deque[tuple[int, Any]] = deque()
        self._members: dict[int, _Member] = {}  # that have not ended, by rank
        self._stopping = False
        self._error: Exception | None = None  # a worker's
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
            error, self._error = self._error, None
            self.close()
            raise error or StopIteration
        rank, message = self._inbox.popleft()
        self._switches.read[rank] += 1
        return rank, message

    def stop(self) -> None:
        """Let the workers end. What they send until then is still handed out, and how they end does
        not matter. A signal's handler may call this."""
        self._stopping = True
        _ask_to_end(self._members, self._switches)

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
        other_end, lifeline = connection.Pipe(duplex=False)
        process = multiprocessing.get_context("spawn").Process(
            target=_work, args=(rank, there, other_end, self._switches, *self._parcels)
        )
        with _signals_blocked():
            process.start()
        _tie(other_end, process)
        other_end.close()
        there.close()  # the worker alone holds it: the pipe ends when the worker does
        self._members[rank] = _Member(process, here, lifeline)

    def _wait(self) -> None:
        """Until a message comes in, a worker ends, or for a moment."""
        told = self._stopping  # before pipes are read: who has not begun now, never will
        waited_for = {}
        for rank, member in self._members.items():
            waited_for[member.pipe] = waited_for[member.process.sentinel] = rank
        ready = connection.wait(list(waited_for), LOOK)
        for rank in {waited_for[each] for each in ready}:
            self._hear(rank, self._members[rank])
        for member in self._members.values():
            member.press(told, quiet=not ready)

    def _hear(self, rank: int, member: "_Member") -> None:
        alive = member.process.is_alive()  # if not, all it had to say is in the pipe
        for kind, message in member.mail():
            if kind == "messages":
                self._inbox.extend((rank, each) for each in message)
            elif kind == "failed":
                self._failed(rank, member, message)
        if not alive:
            member.pipe.close()
            del self._members[rank]
            self._ended(rank, member)

    def _ended(self, rank: int, member: "_Member") -> None:
        code, told = member.process.exitcode, member.told
        if self._stopping or "failed" in told or (code == 0 and "finished" in told):
            return
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else "ended by itself"
        error = f"worker {rank} {how} (exit code {code})"
        if code >= 0 and not told:
            hint = UNGUARDED if hasattr(__main__, "__file__") else ""
            error = f"worker {rank} could not begin (exit code {code}).{hint}"
        elif self._restarts_left and "done" not in told:
            self._restarts_left -= 1
            self._start(rank)
            return
        self._failed(rank, member, WorkerError(error))

    def _failed(self, rank: int, member: "_Member", error: Exception) -> None:
        if "done" in member.told:
            warnings.warn(f"after its last message, {error}", RuntimeWarning, stacklevel=2)
        elif not self._stopping:
            self._error = error
            self.stop()


class _Member:
    """A worker, as its parent knows it."""

    def __init__(self, process: Any, pipe: Connection, lifeline: Connection) -> None:
        self.process, self.pipe, self.lifeline = process, pipe, lifeline
        self.told: set[str] = set()  # the kinds of its messages so far
        self._ends_by = math.inf  # when it is pressed
        self._closes = False  # its environments, and is interrupted no more

    def mail(self) -> Iterator[tuple[str, Any]]:
        """What has come in. Ends where a message breaks off, because its sender was killed."""
        with suppress(EOFError, OSError):
            while self.pipe.poll():
                kind, message = self.pipe.recv()
                self.told.add(kind)
                if kind == "done":
                    seconds = CLOSING if self._ends_by == math.inf else PATIENCE
                    self._closes, self._ends_by = True, time.monotonic() + seconds
                yield kind, message

    def ask_to_end(self) -> None:
        """It has some time from now on, if it had not less."""
        seconds = PATIENCE if self._closes else GRACE
        self._ends_by = min(self._ends_by, time.monotonic() + seconds)

    def press(self, told_to_end: bool, quiet: bool = True) -> None:
        """Interrupt it if its time is over; kill it if that did not help, and not while somebody
        still has something to say, who may be this one."""
        if told_to_end and not self.told:  # it has begun nothing
            self.process.kill()
        elif time.monotonic() >= self._ends_by and (quiet or not self._closes):
            (self.process.kill if self._closes else self.process.terminate)()
            self._closes, self._ends_by = True, time.monotonic() + PATIENCE


def _refuse_script_without_file() -> None:
    path = getattr(__main__, "__file__", None)
    if path is not None and __main__.__spec__ is None and not Path(path).exists():
        raise RuntimeError(
            f"each worker imports your script anew, and there is no file {path}, as when a script "
            "is read from stdin; save it as a file"
        )


def _work(
    rank: int,
    pipe: Connection,
    _: Connection,
    switches: Switches,
    body: Callable[[], Any],
    shared: Callable[[], Any],
) -> None:
    """What a worker's process does."""
    Team.refused = UNGUARDED_MODULE
    link = Link(rank, pipe, switches)
    link.answer_signals()
    threading.Thread(target=link.end_with_parent, daemon=True).start()
    _untie()
    torch.set_num_threads(1)
    keep_freed_memory()
    link.tell("began")
    if not link.stopped:
        _run(link, body, shared)
    _leave()


def _run(link: Link, body: Callable[[], Any], shared: Callable[[], Any]) -> None:
    try:
        work, tensors = body(), shared()
        Team.refused = NO_TEAM
        try:
            work(link, tensors)
        finally:
            link.flush()
        link.tell("finished")
    except SystemExit:
        if not link.interrupted:  # the body's own
            raise
    except FloatingPointError as error:
        link.tell("failed", FloatingPointError(str(error)))
    except Exception:  # noqa: BLE001  whatever it is, the parent is told
        said = f"worker {link.rank} failed:\n\n{traceback.format_exc()}"
        link.tell("failed", WorkerError(said))


def _leave() -> None:
    """End this process at once: Python would take torch apart first, which takes longer than many
    a rollout."""
    atexit._run_exitfuncs()
    for stream in sys.stdout, sys.stderr:
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(0)


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


def _tie(end: Connection, process: Any) -> None:
    """Let the kernel end another process with this one, which holds the pipe's other end: a signal
    says when that is closed. While a worker imports, it can look after nothing itself."""
    if sys.platform == "linux":
        fcntl.fcntl(end.fileno(), fcntl.F_SETOWN, process.pid)
        fcntl.fcntl(end.fileno(), fcntl.F_SETFL, os.O_ASYNC)


def _untie() -> None:
    """From now on this worker sees to its end itself, and closes its environments."""
    if sys.platform == "linux":
        signal.signal(signal.SIGIO, signal.SIG_IGN)


def _ask_to_end(members: dict[int, _Member], switches: Switches) -> None:
    switches.stop.fill_(1)
    for member in members.values():
        member.ask_to_end()


def _end(members: dict[int, _Member], switches: Switches, owner: int) -> None:
    """Ask all workers to end; interrupt, and at last kill, those that do not."""
    if os.getpid() != owner:  # a fork of the parent has no say
        return
    _ask_to_end(members, switches)
    left = list(members.values())
    try:
        for member in left:
            next(member.mail(), None)  # whether it has begun
            member.pipe.close()  # whoever waits to send is woken
        while left := [member for member in left if member.process.is_alive()]:
            if not connection.wait([member.process.sentinel for member in left], LOOK):
                for member in left:
                    member.press(told_to_end=True)
    finally:  # an impatient second interrupt comes here at once
        for member in members.values():
            member.process.kill()
        for member in members.values():
            member.process.join(1.0)
        members.clear()


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Start processes that no signal to the group reaches, not even while they import.

    The mask is inherited. In the parent a signal waits until the block ends.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    multiprocessing.resource_tracker.ensure_running()  # else its start would undo the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, FOR_THE_PARENT)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
