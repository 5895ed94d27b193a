"""Chapter 00: progress bar and live plot wrap a trainer, and hand its updates through.

    with train(model, make_env, config) as training:
        for update in track(training):
            ...

They end when the loop ends, for whatever reason, and close nothing: the trainer is yours. In a
notebook an interrupt ends them too, in a line, and what they handed through is kept. With
A3C_LIB_PROGRESS=off in the environment, as where the book is built, they leave out what differs
from run to run: the line of text, and all but the last figure.
"""

import math
import os
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Protocol, TypeVar

import matplotlib.pyplot as plt
from tqdm import tqdm  # type: ignore[import-untyped]

from a3c_lib.figures.drawing import STYLE
from a3c_lib.figures.pictures import Picture, bundle, describe
from a3c_lib.figures.plots import signals

WATCHED = ("episode_return", "entropy", "q")  # by those who do not say what
EVERY = 30.0  # seconds from one line to the next, where lines stay: in a file


class Reports(Protocol):
    """What a trainer reports, as far as it is looked at here."""

    @property
    def steps(self) -> int:
        """Environment steps so far."""

    @property
    def episode_return(self) -> float:
        """The mean return of the episodes that ended; NaN if none did."""


U = TypeVar("U", bound=Reports)


def track(updates: Iterable[U], total_steps: int | None = None) -> Iterator[U]:
    """Hand updates through and keep one line of text: steps, speed, time so far, time left, and the
    mean of the latest 20 returns that were reported. A file gets such a line every half minute.

    `total_steps` is the trainer's own if None. Raises ValueError if it has none.

    >>> from a3c_lib.reinforce import Config, TabularPolicy, train
    >>> with train(TabularPolicy(4, 2), "a3c_lib/Corridor-v0", Config(total_steps=99)) as training:
    ...     history = list(track(training))
    >>> history[-1].steps >= 99
    True
    """
    return _tracked(updates, _total(updates, total_steps))


def live_plot(
    updates: Iterable[U],
    total_steps: int | None = None,
    *,
    names: Sequence[str] | None = None,
    every: float = 2.0,
    title: str = "",
) -> Iterator[U]:
    """Hand updates through and, in a notebook, draw their signals `names` every so many seconds.

    It is one figure, drawn over, and the last state of it stays. Outside a notebook nothing is
    drawn: plots.signals(list(training)) draws a run that has ended. `total_steps` as in `track`.
    `names` are attributes of the updates; if None, those of episode_return, entropy and q that the
    first update has. Raises ValueError there if one is none of its attributes.
    """
    if not every > 0:
        raise ValueError(f"every is a number of seconds, above 0; got {every}")
    return _plotted(updates, _total(updates, total_steps), names, every, title)


def _tracked(updates: Iterable[U], total: int) -> Iterator[U]:
    first = getattr(updates, "steps", 0)  # a resumed trainer begins later
    live = _in_notebook() or sys.stdout.isatty()
    bar = tqdm(
        file=_Line() if _in_notebook() else sys.stdout if live else _Log(),
        total=total,
        initial=min(first, total),
        desc=_count(first, total),
        bar_format="{desc} |{bar:10}| {rate_noinv_fmt}, {elapsed} gone, {remaining} left{postfix}",
        ascii=" -#",
        unit=" steps",
        unit_scale=True,
        smoothing=0.05,
        mininterval=0.5 if live else EVERY,
        maxinterval=math.inf,  # no thread that watches
        miniters=1,
        disable=_is_off(),
    )
    returns: deque[float] = deque(maxlen=20)
    with _interruptible(), closing(bar):
        for update in updates:
            if not math.isnan(update.episode_return):
                returns.append(update.episode_return)
                bar.postfix = f"return {sum(returns) / len(returns):.3g}"
            bar.set_description_str(_count(update.steps, total), refresh=False)
            bar.update(min(update.steps, total) - bar.n)
            yield update


@contextmanager
def _interruptible() -> Iterator[None]:
    """In a notebook the stop button ends the updates, not the cell: `history = list(track(…))` has
    what was learned until then, and no traceback shows what stands in the package."""
    try:
        yield
    except KeyboardInterrupt:
        if not _in_notebook():
            raise
        print("Stopped here. What was learned until now is kept, and the cell goes on with it.")


def _plotted(
    updates: Iterable[U], total: int, names: Sequence[str] | None, every: float, title: str
) -> Iterator[U]:
    if not _in_notebook():
        for update in updates:  # `yield from` would close the trainer when the loop is left
            yield update
        return
    history: list[U] = []
    drawn: list[str] = []
    place = _Place()
    due = math.inf if _is_off() else time.monotonic() + every
    with _interruptible():
        try:
            for update in updates:
                drawn = drawn or _names(names, update)
                history.append(update)
                if time.monotonic() > due:
                    place.show(_picture(history, total, drawn, title))
                    due = time.monotonic() + every
                yield update
        finally:
            if history:
                place.show(_picture(history, total, drawn, title))


def _names(names: Sequence[str] | None, update: Reports) -> list[str]:
    """Which signals are drawn, looked at before anything is learned in vain."""
    chosen = list(names or [name for name in WATCHED if hasattr(update, name)])
    if missing := [name for name in chosen if not hasattr(update, name)]:
        raise ValueError(f"names are attributes of the updates; these have none of {missing}")
    return chosen


def _picture(history: Sequence[U], total: int, names: Sequence[str], title: str) -> dict[str, str]:
    """The figure as a notebook takes it: by kind of data."""
    with plt.rc_context(STYLE):
        # Not a figure of pyplot's, of which a notebook shows a second copy at the end of the cell.
        figure = Picture(figsize=(3.75 * len(names), 2.6))
        panels = list(figure.subplots(1, len(names), squeeze=False)[0])
        signals(history, names=names, window=total / 20, title=title, panels=panels)
        for ax in panels:
            ax.set_xlim(0, max(total, history[-1].steps))
        said = f"{title or 'Training'}: {', '.join(names)} after {_count(history[-1].steps, total)}"
        describe(figure, f"{said} steps")
        return bundle(figure)


class _Place:
    """A place in a notebook's output: what is shown there replaces what was."""

    def __init__(self) -> None:
        self.id: str | None = None

    def show(self, data: dict[str, str]) -> None:
        from IPython.display import display, update_display

        if self.id is None:
            self.id = display(data, raw=True, display_id=True).display_id  # type: ignore[no-untyped-call]
        else:
            update_display(data, raw=True, display_id=self.id)  # type: ignore[no-untyped-call]


class _Log:
    """For a file, which cannot be overwritten: every state is a line, and there when it is read."""

    def write(self, text: str) -> None:
        if line := text.strip():
            print(line, flush=True)

    def flush(self) -> None:
        """Nothing is held back."""


class _Line:
    """A file of one line for tqdm in a notebook. On stdout each state of the line would be stored,
    and only some readers of notebooks know that a carriage return overwrites."""

    def __init__(self) -> None:
        self.place = _Place()

    def write(self, text: str) -> None:
        if line := text.strip():
            self.place.show({"text/plain": line})

    def flush(self) -> None:
        """Nothing is held back."""


def _total(updates: Iterable[U], total_steps: int | None) -> int:
    total = getattr(updates, "total_steps", None) if total_steps is None else total_steps
    if total is None:
        kind = type(updates).__name__
        raise ValueError(f"total_steps is needed: the {kind} does not say how many steps it takes")
    if total < 1:
        raise ValueError(f"total_steps is at least 1; got {total}")
    return int(total)


def _count(steps: int, total: int) -> str:
    return f"{steps:,} of {total:,}"


def _in_notebook() -> bool:
    """Whether a notebook's kernel runs this; a plain script has not even imported IPython."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def _is_off() -> bool:
    return os.environ.get("A3C_LIB_PROGRESS") == "off"
