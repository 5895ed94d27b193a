"""Beside the chapters: Ctrl-C, and what else asks the command line to end.

`timeout` and `docker stop` send SIGTERM, a terminal that is closed sends SIGHUP. They are answered
as Ctrl-C is: what was learned is kept. So it is where a pipe ends that nobody reads any more.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

# (There is no SIGHUP on Windows.)
ENDING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
SIGPIPE = 13  # (nor this one there)
ECHO = 1.0  # seconds within which SIGTERM may come twice: `timeout` sends it to process and group


class Interrupts:
    """While a training runs, the first signal is answered in a line, and stops it: what is under
    way is finished and kept. The next one ends the command at once. So does the first one while
    there is nothing to stop.

    A signal that was ignored before, as nohup and a script's background have it, stays ignored.
    """

    def __init__(self) -> None:
        self.signal = 0  # the first that came
        self._stop: Callable[[], None] | None = None
        self._came = 0.0
        self._before: dict[int, Any] = {}
        self._terminals: list[int] = []

    def __enter__(self) -> "Interrupts":
        self._terminals = [number for number in (1, 2) if os.isatty(number)]
        for number in ENDING:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, self._answer)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def stop(self, stop: Callable[[], None]) -> None:
        """From now on the first signal calls this."""
        self._stop = stop

    def _answer(self, number: int, _: FrameType | None) -> None:
        if number == getattr(signal, "SIGHUP", None):
            self._let_go_of_closed_terminals()
        now = time.monotonic()
        if self.signal == number != signal.SIGINT and now - self._came < ECHO:
            return
        if self.signal or self._stop is None:
            raise KeyboardInterrupt(number)
        self.signal, self._came = number, now
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        said = f"a3c-lib: {name}: stopping after this update; again to stop now"
        with suppress(OSError):
            os.write(2, f"\n{said}\n".encode())  # a print may be what is interrupted
        self._stop()

    def _let_go_of_closed_terminals(self) -> None:
        """Write nowhere from now on: each line would be an error, and nothing be kept."""
        _write_nowhere([number for number in self._terminals if not os.isatty(number)])

    def is_unread(self) -> bool:
        """Whether whoever read what is printed has gone. Then that counts as SIGPIPE, and what is
        printed from now on goes nowhere."""
        if not is_unread():
            return False
        self.signal = self.signal or SIGPIPE
        return True


def is_unread() -> bool:
    """Whether stdout is a pipe whose reader has gone, as `head` goes after ten lines. If so, what
    is printed from now on goes nowhere: each line would be an error again."""
    if not hasattr(select, "poll"):  # on Windows
        return False
    poll = select.poll()
    poll.register(1, select.POLLOUT)
    if not any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
        return False
    _write_nowhere([1])
    return True


def _write_nowhere(files: Iterable[int]) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in files:
        os.dup2(nowhere, number)
    os.close(nowhere)


def exit_code(error: KeyboardInterrupt) -> int:
    """Of a command that was interrupted: 128 + the signal's number, 130 for Ctrl-C."""
    number: int = error.args[0] if error.args else signal.SIGINT
    return 128 + number


def is_the_command() -> bool:
    """Whether this process began as `a3c-lib`, or as `python -m a3c_lib`, which imports the package
    before it runs anything of it."""
    words = sys.orig_argv
    module = words[words.index("-m") + 1 :][:1] if "-m" in words else []
    name = Path(sys.argv[0]).stem
    return name == "a3c-lib" or (name == "-m" and module == ["a3c_lib"])


def end_in_silence() -> None:
    """From now on Ctrl-C ends this process without a word. Importing torch takes a second or two;
    Python's own answer there is a traceback, of which no line is about what the user did."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt_again() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt again, if `end_in_silence` changed that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
