"""Chapter 00: settings say what they may be, and each is checked before anything begins.

A field's annotation names its kind and its range, `t_max: Count = 20`. One call in `__post_init__`
checks all fields of a dataclass.
"""

import math
import sys
from dataclasses import fields
from inspect import get_annotations
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import numpy as np


class Range(NamedTuple):
    """Which numbers a setting may be. They are finite, unless it says otherwise."""

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    finite: bool = True

    def refusal(self, number: Any) -> str | None:
        """What a number would have to be; None if it is that. NaN is no number."""
        if self.least is not None and not number >= self.least:
            return f"at least {self.least}"
        if self.above is not None and not number > self.above:
            return "positive" if self.above == 0 else f"above {self.above}"
        if self.most is not None and not number <= self.most:
            return f"at most {self.most}"
        if self.below is not None and not number < self.below:
            return f"below {self.below}"
        if not (abs(number) <= sys.float_info.max or (number == math.inf and not self.finite)):
            return "finite"
        return None


Count = Annotated[int, Range(least=1, most=2**62)]
NotNegativeCount = Annotated[int, Range(least=0, most=2**62)]
Seed = Annotated[int, Range(least=0, most=2**63 - 1)]
NumEnvs = Annotated[int, Range(least=1, most=1_000_000)]  # no machine holds more
NumWorkers = Annotated[int, Range(least=1, most=1000)]  # each takes some 200 MB
Width = Annotated[int, Range(least=1, most=2**31 - 1)]  # of a layer
Fraction = Annotated[float, Range(least=0, most=1)]
ProperFraction = Annotated[float, Range(least=0, below=1)]
Positive = Annotated[float, Range(above=0)]
NotNegative = Annotated[float, Range(least=0)]
Limit = Annotated[float, Range(above=0, finite=False)]  # infinite: there is none


def check_settings(settings: Any) -> None:
    """Check every field of a dataclass against its annotation.

    Whole numbers may be numpy's; truth values are no numbers. Annotations that are texts, and kinds
    that are not known here, are not looked at. Raises ValueError, with the field's name, what it
    may be and what it is.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Plan:
    ...     t_max: Count = 20
    ...     lock: bool = False
    ...     def __post_init__(self): check_settings(self)
    >>> Plan(t_max=2.5)
    Traceback (most recent call last):
    ...
    ValueError: t_max is a whole number; got 2.5
    >>> Plan(lock="no")
    Traceback (most recent call last):
    ...
    ValueError: lock is True or False; got 'no'
    """
    kinds: dict[str, Any] = {}
    for base in reversed(type(settings).__mro__):
        kinds |= get_annotations(base)
    for field in fields(settings):
        check_setting(field.name, getattr(settings, field.name), kinds[field.name])


def check_setting(name: str, value: Any, kind: Any) -> None:
    """Raise ValueError if a value is not of a kind, such as `Count` or `tuple[Width, ...]`.

    >>> check_setting("hidden", (64, 0), tuple[Width, ...])
    Traceback (most recent call last):
    ...
    ValueError: hidden are whole numbers, each at least 1; got (64, 0)
    """
    refusal = _refusal(value, kind)
    if refusal:
        are = "are" if get_origin(kind) is tuple else "is"
        raise ValueError(f"{name} {are} {refusal}; got {_shown(value)}")


WORDS = {
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    bool: ("True or False", "True or False"),
    str: ("a text", "texts"),
    NoneType: ("None", "None"),
}
KINDS: dict[Any, Any] = {
    int: Integral,
    float: Real,
    bool: (bool, np.bool_),
    str: str,
    NoneType: NoneType,
}


def _refusal(value: Any, kind: Any) -> str | None:
    """What a value would have to be; None if it is that."""
    parts = get_args(kind)
    if get_origin(kind) is Annotated:
        in_range = (part.refusal(value) for part in parts[1:] if isinstance(part, Range))
        return _refusal(value, parts[0]) or next(filter(None, in_range), None)
    if get_origin(kind) is Literal:
        said = any(type(value) is type(part) and value == part for part in parts)
        return None if said else _list_of(parts)
    if get_origin(kind) in (Union, UnionType):
        refusals = [_refusal(value, part) for part in parts]
        return None if None in refusals else " or ".join(filter(None, refusals))
    if get_origin(kind) is tuple and parts[1:] == (...,):
        return _refusal_of_each(value, parts[0])
    if kind in KINDS and not _is(value, kind):
        return WORDS[kind][0]
    return None


def _refusal_of_each(values: Any, kind: Any) -> str | None:
    plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if plain not in KINDS:
        return None
    if not isinstance(values, list | tuple) or not all(_is(each, plain) for each in values):
        return WORDS[plain][1]
    refusals = filter(None, (_refusal(each, kind) for each in values))
    return next((f"{WORDS[plain][1]}, each {refusal}" for refusal in refusals), None)


def _is(value: Any, kind: Any) -> bool:
    truth = isinstance(value, bool | np.bool_)
    return isinstance(value, KINDS[kind]) and (kind is bool or not truth)


def _list_of(parts: tuple[Any, ...]) -> str:
    *first, last = map(repr, parts)
    return f"{', '.join(first)} or {last}" if first else last


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]} …"
