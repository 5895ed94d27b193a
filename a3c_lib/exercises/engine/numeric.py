"""Chapter 00: do two tensors agree, and if not, what does one remind of the other?"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from a3c_lib.exercises.engine.showing import agreeing

Claims = Mapping[str, int]  # a sentence → how many different numbers of the case bear it out
ASKED_OF = {
    "nan": "a logarithm of 0, a division by 0, the root of a negative number",
    "infinite": "a logarithm of 0, a division by 0",
}


class Tolerance(NamedTuple):
    """Numbers agree within atol + rtol · |expected|; NaN agrees with NaN."""

    rtol: float
    atol: float

    def where(self, expected: Tensor, yours: Tensor) -> Tensor:
        """Where they agree.   (…), (…) → (…)"""
        a, b = _double(expected), _double(yours)
        if not (expected.is_floating_point() or expected.is_complex()):
            return a == b  # what counts is exact
        return torch.isclose(b, a, self.rtol, self.atol, equal_nan=True)

    def agree(self, expected: Tensor, yours: Tensor) -> bool:
        """Whether two tensors are equal, within what is allowed."""
        return expected.shape == yours.shape and bool(self.where(expected, yours).all())

    def is_zero(self, tensor: Tensor) -> bool:
        """Whether a tensor is 0 everywhere, within what is allowed."""
        return self.agree(torch.zeros_like(tensor), tensor)


def remark_on_shape(place: str, expected: Tensor, yours: Tensor) -> str:
    """A sentence if the shapes differ, else nothing.

    >>> remark_on_shape("the result", torch.zeros(3), torch.zeros(3, 1))
    'the result has shape (3, 1), expected is (3,). The difference of the two would silently \
broadcast to (3, 3).'
    """
    if expected.shape == yours.shape:
        return ""
    shapes = f"has shape {tuple(yours.shape)}, expected is {tuple(expected.shape)}."
    remark = agreeing(place, shapes)
    if yours.dim() == 0 and expected.numel() > 1:
        return f"{remark} Is there a sum or a mean too many?"
    try:
        both = torch.broadcast_shapes(expected.shape, yours.shape)
    except RuntimeError:
        return remark
    if both not in (expected.shape, yours.shape):
        return f"{remark} The difference of the two would silently broadcast to {tuple(both)}."
    return remark


def claims_on_shape(expected: Tensor, yours: Tensor) -> Claims:
    """The question whether a sum is missing, or whether two shapes broadcast, if the result has an
    axis twice."""
    if expected.dim() == 0:
        return {"Is a sum or a mean missing?": yours.numel()}
    larger = expected.numel() > 1 and yours.numel() > expected.numel()
    if not larger or not set(yours.shape) <= {1, *expected.shape}:
        return {}
    return {"Did two shapes broadcast on the way, such as (T, 1) and (T,)?": yours.numel()}


def remark_on_kind(place: str, expected: Tensor, yours: Tensor) -> str:
    """A sentence if one holds integers, say, and the other floats. How precise they are does not
    matter: float64 is as good as float32. Bytes are integers, too; but where bytes are expected,
    other integers are not.

    >>> remark_on_kind("the result", torch.tensor(1.0), torch.tensor(1))
    'the result holds integers; floats are expected: integers cut fractions off.'
    """
    wanted, kind = _kind(expected), _kind(yours)
    if wanted == kind or (wanted, kind) == ("integers", "bytes"):
        return ""
    reason = {
        "bytes": "whole numbers from 0 to 255, in an eighth of the memory",
        "floats": "integers cut fractions off" if kind == "integers" else "numbers to compute with",
        "integers": "they count, or index",
        "bools": "`~`, `&` and indexing mean something else for numbers",
    }.get(wanted, "another kind of number")
    return agreeing(place, f"holds {kind}; {wanted} are expected: {reason}.")


def remark_on_numbers(place: str, expected: Tensor, yours: Tensor, tolerance: Tolerance) -> str:
    """A sentence if the numbers differ, with the place if there are many.

    >>> remark_on_numbers("the result", torch.ones(2), torch.zeros(2), Tolerance(1e-4, 1e-5))
    'the result is not right yet.'
    """
    agree = tolerance.where(expected, yours)
    if agree.all():
        return ""
    a, b = _double(expected), _double(yours)
    for what, wrong in ("nan", b.isnan() & ~a.isnan()), ("infinite", b.isinf() & ~a.isinf()):
        if wrong.any():
            return agreeing(place, f"is {what}{_at(wrong)}: {ASKED_OF[what]}?")
    return agreeing(place, f"is not right yet{_at(~agree)}.")


def claims_on_numbers(place: str, expected: Tensor, yours: Tensor, tolerance: Tolerance) -> Claims:
    """What wrong numbers remind of.

    A single number, or a few equal ones, may remind of anything.

    >>> a, tolerance = torch.tensor([1.0, 2.0, 4.0]), Tolerance(1e-4, 1e-5)
    >>> for b in a.flip(0), -a, a / 4, a.roll(1), a + 3, a * torch.tensor([1, 1, 9]):
    ...     print(next(iter(claims_on_numbers("the result", a, b, tolerance))))
    the result holds the right numbers in reverse order.
    the result has the wrong sign.
    the result is 0.25 times what it should be, everywhere.
    the result has each number one place too late.
    the result is 3 too large, everywhere.
    the result is right but for its last row.
    """
    a, b = _double(expected), _double(yours)
    if (
        a.is_complex()
        or (expected.dtype == torch.bool and not a.dim())
        or not bool((b.isfinite() | ~a.isfinite()).all())
    ):
        return {}
    evidence = len(a[a != 0].unique())
    found = (claim(a, b, tolerance) for claim in (_sign, _order, _place, _factor, _offset, _row))
    return {f"{agreeing(place, text)}.": evidence for text in found if text}


def _sign(a: Tensor, b: Tensor, tolerance: Tolerance) -> str:
    return "has the wrong sign" if tolerance.agree(a, -b) else ""


def _order(a: Tensor, b: Tensor, tolerance: Tolerance) -> str:
    if a.dim() and len(a) > 1 and tolerance.agree(a, b.flip(0)):
        return "holds the right numbers in reverse order"
    return ""


def _place(a: Tensor, b: Tensor, tolerance: Tolerance) -> str:
    if a.dim() == 0 or len(a) < 3 or tolerance.agree(a[1:], a[:-1]):
        return ""
    if tolerance.agree(a[1:], b[:-1]):
        return "has each number one place too early"
    return "has each number one place too late" if tolerance.agree(a[:-1], b[1:]) else ""


def _factor(a: Tensor, b: Tensor, tolerance: Tolerance) -> str:
    if tolerance.is_zero(b):
        return "is 0 everywhere"
    factor = float((a * b).sum() / (a * a).sum())
    return f"is {factor:.4g} times what it should be, everywhere" * tolerance.agree(factor * a, b)


def _offset(a: Tensor, b: Tensor, tolerance: Tolerance) -> str:
    offset = float((b - a).mean())
    if a.numel() < 2 or not tolerance.agree(a + offset, b):
        return ""
    return f"is {abs(offset):.4g} too {'large' if offset > 0 else 'small'}, everywhere"


def _row(a: Tensor, b: Tensor, tolerance: Tolerance) -> str:
    """The first or the last row, of at least three."""
    if a.dim() == 0 or len(a) < 3:
        return ""
    for name, others in ("last", slice(0, -1)), ("first", slice(1, None)):
        if tolerance.agree(a[others], b[others]):
            return f"is right but for its {name} row"
    return ""


def _at(wrong: Tensor) -> str:
    """Where, if the tensor is too large to be compared by eye."""
    if wrong.numel() <= 12:
        return ""
    first = tuple(int(i) for i in wrong.nonzero()[0])
    return f", in {int(wrong.sum())} of {wrong.numel()} places, first at {list(first)}"


def _kind(tensor: Tensor) -> str:
    if tensor.dtype == torch.bool:
        return "bools"
    if tensor.is_complex():
        return "complex numbers"
    if tensor.dtype == torch.uint8:
        return "bytes"
    return "floats" if tensor.is_floating_point() else "integers"


def _double(tensor: Tensor) -> Tensor:
    return tensor.detach().to(torch.complex128 if tensor.is_complex() else torch.float64)
