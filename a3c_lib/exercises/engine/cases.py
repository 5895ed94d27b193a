"""Chapter 00: what an exercise is made of: a reference, cases, typical mistakes, hints."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Answer = Callable[..., Any]  # a function or a class: the learner's, the reference, or a wrong one


class Case:
    """Arguments on which answers are compared.

    A tensor among them that requires a gradient, also within a tuple, a dict or a module, asks for
    gradients too: those of every result with respect to it are compared.

    With `probe`, answers are not called but handed over: what `probe(answer, *args, **kwargs)`
    returns is compared. That is how classes are checked, and protocols of several calls.

    >>> Case("two steps", [1.0, 2.0], gamma=0.5)
    Case('two steps')
    """

    def __init__(
        self, label: str, /, *args: Any, probe: Callable[..., Any] | None = None, **kwargs: Any
    ) -> None:
        self.label = label  # reads well after "in the case"
        self.args = args
        self.kwargs = kwargs
        self.probe = probe

    def __repr__(self) -> str:
        return f"Case({self.label!r})"


@dataclass(frozen=True)
class Wrong:
    """A mistake that somebody would make, and what to tell them. The function's name names it."""

    function: Answer
    hint: str  # what is wrong with it and what to look at, in whole sentences

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.__name__


@dataclass(frozen=True, kw_only=True, repr=False)
class Exercise:
    """One exercise. `cases` builds them afresh for every check, under a fixed seed."""

    id: str  # chapter.number
    title: str
    reference: Answer
    cases: Callable[[], Sequence[Case]]
    wrong: tuple[Wrong, ...] = ()
    hints: tuple[str, ...] = ()  # from weak to strong
    start: Answer | None = None  # a bug hunt: the code that runs and is wrong
    minutes: int = 5  # of a reader who has read the chapter so far
    difficulty: int = 1  # 1, 2 or 3
    rtol: float = 1e-4  # numbers agree within atol + rtol · |expected|
    atol: float = 1e-5

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d+\.\d+", self.id):
            raise ValueError(f"an exercise's id is CHAPTER.NUMBER, such as 2.1; got {self.id!r}")

    def __repr__(self) -> str:
        return f"Exercise({self.id!r})"

    @property
    def chapter(self) -> int:
        """The number before the point of its id."""
        return int(self.id.split(".")[0])

    @property
    def effort(self) -> str:
        """Minutes and difficulty, as a page shows them: "10 min, ●●○"."""
        return f"{self.minutes} min, {'●' * self.difficulty}{'○' * (3 - self.difficulty)}"
