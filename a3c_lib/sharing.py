"""Chapter 05: what processes share, and how it reaches them.

Tensors in shared memory are seen by all; everything else is copied. Whatever is shared has no name
in the file system, so that nothing stays there, however the processes end.
"""

import io
import multiprocessing
import os
import re
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import cloudpickle
import torch
from torch import Tensor
from torch.multiprocessing.reductions import reduce_tensor
from torch.storage import TypedStorage

NO_ROOM = (
    "there is too little shared memory for processes (/dev/shm); give the machine more (docker: "
    "--shm-size 1g), or train in one process: a2c, or a3c with the schedule round-robin"
)


class NoRoomError(RuntimeError):
    """There is too little shared memory. Says what to do."""


@contextmanager
def in_shared_memory() -> Iterator[None]:
    """Around, or as a decorator of, what moves tensors there. Raises NoRoomError if they do not
    fit, and leaves nothing of the one that did not."""
    try:
        yield
    except RuntimeError as error:
        file = re.search(r"file </(torch_\w+)>", str(error))
        if file is None:
            raise
        Path("/dev/shm", file[1]).unlink(missing_ok=True)  # torch leaves it there
        raise NoRoomError(f"{NO_ROOM} ({error})") from error


class Parcel:
    """Something on its way into a worker, where it is opened by a call."""

    def __init__(self, thing: Any, share: bool = False) -> None:
        self.thing, self.share = thing, share

    def __reduce__(self) -> tuple[Any, ...]:
        """As the process starts: only then can its memory be shared.

        Raises TypeError if there is no copy of the thing.
        """
        parcel = io.BytesIO()
        try:
            _Pickler(parcel, self.share).dump(self.thing)
        except Exception as error:
            raise TypeError(
                f"workers get a copy of the environment's maker, the network and the functions; "
                f"one of these cannot be copied into another process: {error}"
            ) from error
        return partial, (cloudpickle.loads, parcel.getvalue())


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """By value what other processes cannot import, and as itself what is in shared memory: with
    `share` every tensor."""

    known = ForkingPickler(io.BytesIO()).dispatch_table  # torch's and multiprocessing's reducers

    def __init__(self, file: io.BytesIO, share: bool) -> None:
        super().__init__(file)
        self.share = share

    def reducer_override(self, thing: Any) -> Any:
        """How to pickle a thing, or NotImplemented: in the usual way."""
        if isinstance(thing, Tensor | TypedStorage) and not (self.share or _is_shared(thing)):
            return super().reducer_override(thing)
        if isinstance(thing, Tensor):
            return reduce_tensor(thing)
        reduce = self.known.get(type(thing))
        return reduce(thing) if reduce else super().reducer_override(thing)


def _is_shared(thing: Tensor | TypedStorage) -> bool:
    """Whether it is in memory that processes share. (A GPU's is not meant, though it could be.)"""
    if isinstance(thing, Tensor):
        return thing.layout is torch.strided and thing.device.type == "cpu" and thing.is_shared()
    return thing._untyped_storage.is_shared()  # its own is_shared() warns


class Tokens:
    """A semaphore that processes share: as many bytes in a pipe as it was released more often than
    acquired. With one token to begin with, it is a lock: `with tokens: ...`.

    multiprocessing's have names in the file system, and stay there if a whole group of processes is
    killed. A pipe ends with those who hold it.

    >>> tokens = Tokens(1)
    >>> tokens.acquire(), tokens.acquire(timeout=0.0)
    (True, False)
    >>> tokens.release()
    >>> tokens.acquire()
    True
    """

    def __init__(self, value: int = 0) -> None:
        self._out, self._in = connection.Pipe(duplex=False)
        for _ in range(value):
            self.release()

    def release(self) -> None:
        """Put a token in."""
        os.write(self._in.fileno(), b"-")

    def acquire(self, timeout: float | None = None) -> bool:
        """Take a token out, waiting for it, so many seconds at most if only one process takes.   →
        whether there was one"""
        if timeout is not None:
            poll = select.poll()
            poll.register(self._out.fileno(), select.POLLIN)
            if not poll.poll(1000 * timeout):
                return False
        return bool(os.read(self._out.fileno(), 1))

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def semaphore(value: int = 0) -> Any:
    """A semaphore that processes share, of which nothing stays however they end."""
    if sys.platform == "win32":  # where multiprocessing's ends with those who hold it
        return multiprocessing.get_context("spawn").Semaphore(value)
    return Tokens(value)
