"""Chapter 00: what an exercise is made of: a reference, cases, mistakes, properties, hints."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal

Answer = Callable[..., Any]  # a function or a class: the learner's, the reference, or a wrong one
Edit = Mapping[str, str]  # passages of an exercise's form → what somebody writes in their place
Change = Callable[[SimpleNamespace], Mapping[str, Any]]  # a case's arguments → those that change
Where = Callable[[SimpleNamespace], Any]  # … → a mask of the result's numbers, of any shape


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
    """A mistake that somebody would make, and what to tell them.

    Written as an edit of the exercise's form, it is tried alone and together with every other edit;
    written as a function or a class, alone. `also` are further spellings: an answer that makes the
    mistake does in every case what one of them does.

    >>> Wrong({"gamma * R": "R"}, "Nothing is discounted.").name
    'gamma * R → R'
    """

    mistake: Answer | Edit
    hint: str  # what is wrong with it and what to look at, in whole sentences
    also: tuple[Answer | Edit, ...] = ()

    @property
    def spellings(self) -> tuple[Answer | Edit, ...]:
        """All that count as this mistake."""
        return self.mistake, *self.also

    @property
    def name(self) -> str:
        """The function's name, or the edit."""
        if isinstance(self.mistake, Mapping):
            edits = (f"{old} → {new or 'nothing'}" for old, new in self.mistake.items())
            return " ".join("; ".join(edits).split())
        return self.mistake.__name__


@dataclass(frozen=True)
class Property:
    """A way in which answers respond to a change, and the reference does not.

    `change` gets a case's arguments by their names, and returns those that are changed; nothing
    where it has no meaning. `where` says, from the arguments, of which of the result's numbers in a
    row `heeds` speaks; of all, if it is left out. `ignores`, `heeds` and `scales` make properties.
    """

    remark: str  # on an answer of which it is true, in whole sentences
    change: Change
    kind: Literal["ignores", "heeds", "scales"]
    by: float = 1.0
    where: Where | None = None


def ignores(remark: str, change: Change) -> Property:
    """What should change with it stays as it is.

    >>> ignores("γ has no effect.", lambda given: {"gamma": given.gamma / 2}).kind
    'ignores'
    """
    return Property(remark, change, "ignores")


def heeds(remark: str, change: Change, where: Where | None = None) -> Property:
    """Something changes where nothing of the reference's does.

    Name the places with `where` if the remark speaks of some only: "what comes after an end" is
    not to be said of an answer that is one row late.

    >>> heeds("The target is moved.", lambda given: {"target": given.target + 1}).kind
    'heeds'
    """
    return Property(remark, change, "heeds", where=where)


def scales(remark: str, change: Change, by: float = 2.0) -> Property:
    """What should become `by` times as large does not.

    >>> scales("Something is added.", lambda given: {"rewards": 2 * given.rewards}).by
    2.0
    """
    return Property(remark, change, "scales", by)


@dataclass(frozen=True, kw_only=True, repr=False)
class Exercise:
    """One exercise. `cases` builds them afresh for every check, under a fixed seed."""

    id: str  # chapter.number
    title: str
    reference: Answer
    cases: Callable[[], Sequence[Case]]
    form: Answer | None = None  # the right answer as a learner writes it, which edits edit
    wrong: tuple[Wrong, ...] = ()
    properties: tuple[Property, ...] = ()
    hints: tuple[str, ...] = ()  # from weak to strong
    praise: str = ""  # a line for whoever has solved it
    without: tuple[str, ...] = ()  # functions that the text forbids: the answer is to test them
    start: Answer | None = None  # a bug hunt: the code that runs and is wrong
    parts: tuple[str, ...] = ()  # names for a tuple's values; of a named one, the order to look in
    minutes: int = 5  # of a reader who has read the chapter so far
    difficulty: int = 1  # 1, 2 or 3
    rtol: float = 1e-4  # numbers agree within atol + rtol · |expected|
    atol: float = 1e-5

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d+\.\d+", self.id):
            raise ValueError(f"an exercise's id is CHAPTER.NUMBER, such as 2.1; got {self.id!r}")
        if self.difficulty not in (1, 2, 3):
            raise ValueError(f"difficulty is 1, 2 or 3; got {self.difficulty}")

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
