"""Chapter 00: values as a message shows them, short enough to compare by eye."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

MOST_NUMBERS = 48  # of a tensor that is shown whole
WIDEST = 200  # characters of anything
LONGEST_ERROR = 300  # characters of an error's message
PLURALS = {"is": "are", "has": "have", "holds": "hold"}
AFTER_THE_NOUN = "of|where|that|in|from|after|afterwards|about|at|if|by|as|with|for|on"


def shown(value: Any, digits: int = 4) -> str:
    """A value on one line.

    >>> shown(torch.tensor([[1.0, 2.5], [1 / 3, float("nan")]]))
    '[[1, 2.5], [0.3333, nan]]'
    >>> shown((torch.tensor(True), 0.1 + 0.2, None))
    '(True, 0.3, None)'
    >>> shown(torch.zeros(20, 30))
    '[0, 0, 0, 0, 0, 0, …] of shape (20, 30)'
    """
    match value:
        case Tensor():
            return _tensor(value, digits)
        case np.ndarray() | np.generic():
            return _array(value, digits)
        case bool() | int() | None:
            return str(value)
        case float():
            return _number(value, digits)
        case tuple() if hasattr(value, "_fields"):
            inside = (
                f"{name}={shown(each, digits)}"
                for name, each in zip(value._fields, value, strict=True)
            )
            return _cut(f"{type(value).__name__}({', '.join(inside)})", 3 * WIDEST)
        case tuple():
            inside = (shown(each, digits) for each in value)
            return _cut(f"({', '.join(inside)}{',' * (len(value) == 1)})", 3 * WIDEST)
        case list():
            return _cut(f"[{', '.join(shown(each, digits) for each in value)}]", 3 * WIDEST)
        case Mapping():
            inside = (f"{key!r}: {shown(each, digits)}" for key, each in value.items())
            return _cut(f"{{{', '.join(inside)}}}", 3 * WIDEST)
        case nn.Module():
            return f"{type(value).__name__}(…)"
        case _ if callable(value) and hasattr(value, "__name__"):
            return str(value.__name__)
        case _:
            return _opaque(value)


def shown_apart(expected: Any, yours: Any) -> tuple[str, str]:
    """Both, with as many digits as it takes to see them differ.

    >>> shown_apart(torch.tensor(0.123456), torch.tensor(0.123457))
    ('0.123456', '0.123457')
    """
    for digits in 4, 6, 9, 12:
        texts = shown(expected, digits), shown(yours, digits)
        if texts[0] != texts[1]:
            return texts
    return shown(expected), shown(yours)


def assignments(values: Mapping[str, str], indent: str = "    ") -> str:
    """Names and shown values, a line each, aligned.

    >>> print(assignments({"rewards": "[1, 2]", "gamma": "0.5"}))
        rewards = [1, 2]
        gamma   = 0.5
    """
    width = max((len(name) for name in values), default=0)
    return "\n".join(f"{indent}{name:{width}} = {text}" for name, text in values.items())


def listed(words: list[str]) -> str:
    """Words as a sentence lists them.

    >>> listed(["`a`", "`b`", "`c`"])
    '`a`, `b` and `c`'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def first_word_capital(text: str) -> str:
    """A text as a sentence begins; a symbol or a name that it begins with stays as it is.

    >>> first_word_capital("the gradient"), first_word_capital("θ, as others see it")
    ('The gradient', 'θ, as others see it')
    """
    return f"{text[0].upper()}{text[1:]}" if re.match(r"[a-z]{2,}\b", text) else text


def is_plural(place: str) -> bool:
    """Whether a place of a result, such as "the gradients afterwards", is many.

    >>> [is_plural(each) for each in ("the flags of step 1", "what logits() gives", "the loss")]
    [True, False, False]
    """
    if re.match(r"(what|which|how|whether|that) ", place):
        return False
    head = re.split(rf",| (?:{AFTER_THE_NOUN})\b", place)[0]
    last = head.split(" ")[-1]
    return bool(re.fullmatch(r"[a-z]+s", last)) and not last.endswith(("ss", "us", "is", "as"))


def agreeing(place: str, text: str) -> str:
    """A place, and what is to be said of it, its verb in the plural if the place is many.

    >>> agreeing("the gradients afterwards", "has the wrong sign")
    'the gradients afterwards have the wrong sign'
    """
    verb, _, rest = text.partition(" ")
    plural = PLURALS.get(verb, verb) if is_plural(place) else verb
    return f"{place} {plural} {rest}"


def kind_of(value: Any) -> str:
    """What a value is, with its article, for a sentence.

    >>> kind_of([1.0]), kind_of(np.zeros(3)), kind_of(torch.zeros(3)), kind_of(len)
    ('a list', 'a NumPy array', 'a tensor', 'a function')
    """
    match value:
        case None:
            return "None"
        case Tensor():
            return "a tensor"
        case np.ndarray():
            return "a NumPy array"
        case bool() | np.bool_():
            return "a Python bool"
        case np.number():
            return "a NumPy number"
        case int():
            return "a Python int"
        case float():
            return "a Python float"
        case tuple() if hasattr(value, "_fields"):
            return f"a {type(value).__name__}"
        case str():
            return "a string"
        case type():
            return f"the class {value.__name__}"
        case _ if callable(value) and hasattr(value, "__name__"):
            return "a function"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def error_line(error: BaseException) -> str:
    """A learner's error on few lines.

    >>> error_line(KeyError("gamma"))
    "KeyError: 'gamma'"
    """
    lines = _without_addresses(str(error).strip()).split("\n")
    text = "\n  ".join(lines[:3])
    if len(text) > LONGEST_ERROR or len(lines) > 3:
        text = f"{text[:LONGEST_ERROR]} …"
    if "a leaf Variable that requires grad" in text:
        text += " It changes an argument in place; build a new tensor instead."
    if "Boolean value of Tensor with more than one value" in text:
        text += ". For one answer a number, use a mask or `torch.where` instead of `if`."
    if type(error) is NameError and "is not defined" in text:
        text += ". The check runs at once: what your code uses has to stand above it."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _tensor(tensor: Tensor, digits: int) -> str:
    tensor = tensor.detach()
    if tensor.numel() <= MOST_NUMBERS:
        empty = "" if tensor.numel() else f" of shape {tuple(tensor.shape)}"
        return _nested(tensor.tolist(), digits) + empty
    beginning = _nested(tensor.flatten()[:6].tolist(), digits)[:-1]
    return f"{beginning}, …] of shape {tuple(tensor.shape)}"


def _array(array: Any, digits: int) -> str:
    try:
        return _tensor(torch.as_tensor(np.asarray(array)), digits)
    except (TypeError, ValueError, RuntimeError):
        return _opaque(array)


def _nested(value: Any, digits: int) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_nested(each, digits) for each in value)}]"
    return _number(value, digits) if isinstance(value, float) else str(value)


def _number(value: float, digits: int) -> str:
    return f"{value + 0.0:.{digits}g}"  # + 0.0: no minus before a zero


def _opaque(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  a learner's __repr__ may raise anything
        text = f"<{type(value).__name__}>"
    return _cut(_without_addresses(" ".join(text.split())))


def _without_addresses(text: str) -> str:
    """The same on every machine."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)


def _cut(text: str, width: int = WIDEST) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
