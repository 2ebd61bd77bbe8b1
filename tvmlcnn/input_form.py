"""What a user says of a network's inputs: shapes, element types, and sizes that are left open."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tvmlcnn.errors import UserError

Shape = tuple[int, ...]

DTYPES = ("float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
# Each has its own program, which takes as long to compile as a file of its own.
_MOST_VARIANTS = 32
_SIZE = re.compile(r"(?P<first>\d+)(?:\.\.(?P<last>\d+)(?:/(?P<step>[1-9]\d*))?)?")


@dataclass(frozen=True)
class InputForm:
    """An input as it was given.

    Attributes
    ----------
    sizes : tuple of int or range
        A range where the file is to take each of several sizes.
    dtype : str or None
        One of `DTYPES`; None where nothing was said.
    """

    sizes: tuple[int | range, ...]
    dtype: str | None = None

    def shapes(self, chosen: dict[tuple[int, range], int]) -> Shape:
        """Return the shape for sizes that were chosen, by axis and range."""
        return tuple(
            chosen[axis, size] if isinstance(size, range) else size
            for axis, size in enumerate(self.sizes)
        )


def read(text: str) -> InputForm:
    """Read ``1x3x224x224``, ``1..8x3x224x224``, ``1x3x160..224/32x224`` or ``1x16:int64``.

    Raises
    ------
    UserError
        If it is none of these.
    """
    shape, _, dtype = text.partition(":")
    matches = [_SIZE.fullmatch(size) for size in shape.lower().replace(",", "x").split("x")]
    if not all(matches) or (dtype and dtype not in DTYPES):
        raise UserError(
            f"{text!r} is no shape; write 1x3x224x224, 1..8x3x224x224 for each of several sizes, "
            f"or 1x16:int64, of {', '.join(DTYPES)}",
            parameters=("input_shape",),
        )
    sizes: list[int | range] = []
    for match in matches:
        assert match is not None
        first, last, step = (int(part) if part else None for part in match.groups())
        assert first is not None
        sizes.append(first if last is None else range(first, last + 1, step or 1))
    return _checked(InputForm(tuple(sizes), dtype or None), text)


def forms(given: Any) -> tuple[InputForm, ...] | None:
    """Return the form of each input.

    Parameters
    ----------
    given : None, str, sequence of int or range, or a sequence of such
        See `read` for a text.

    Raises
    ------
    UserError
        If a size is no positive number, or a text no shape.
    """
    if given is None:
        return None
    if not isinstance(given, str | InputForm | Iterable):
        raise UserError(f"{given!r} is no input shape: sizes are integers, as (1, 3, 224, 224)")
    if isinstance(given, str | InputForm) or all(isinstance(n, int | range) for n in given):
        given = [given]
    for form in given:
        sizes = isinstance(form, Iterable) and all(isinstance(n, int | range) for n in form)
        if not isinstance(form, str | InputForm) and not sizes:
            raise UserError(f"{given!r} is no input shape: sizes are integers, as (1, 3, 224, 224)")
    found = tuple(
        form
        if isinstance(form, InputForm)
        else read(form)
        if isinstance(form, str)
        else _checked(
            InputForm(tuple(n if isinstance(n, range) else int(n) for n in form)), tuple(form)
        )
        for form in given
    )
    if not found:
        raise UserError("the input shape is empty")
    return found


def variants(given: Sequence[InputForm]) -> list[tuple[Shape, ...]]:
    """Return the shapes of all inputs for each choice of sizes that are left open, smallest first.

    A range that several inputs have at the same axis, as that of the batch, is one choice.

    Raises
    ------
    UserError
        If there are too many.
    """
    open_sizes = list(
        dict.fromkeys(
            (axis, size)
            for form in given
            for axis, size in enumerate(form.sizes)
            if isinstance(size, range)
        )
    )
    choices = itertools.product(*(size for _, size in open_sizes))
    count = 1
    for _, size in open_sizes:
        count *= len(size)
    if count > _MOST_VARIANTS:
        raise UserError(
            f"the input shapes leave {count} choices of sizes; at most {_MOST_VARIANTS} fit into a "
            "file: give a step, as 160..224/32",
            parameters=("input_shape",),
        )
    return [
        tuple(form.shapes(dict(zip(open_sizes, choice, strict=True))) for form in given)
        for choice in choices
    ]


def size_of(shape: Iterable[int]) -> str:
    """Return a shape as users write it."""
    return "x".join(map(str, shape)) or "scalar"


def _checked(form: InputForm, given: object) -> InputForm:
    numbers = [n for size in form.sizes for n in (size if isinstance(size, range) else [size])]
    if not form.sizes or any(isinstance(size, range) and not size for size in form.sizes):
        raise UserError(f"the input shape {given} has no sizes")
    if min(numbers) < 1:
        raise UserError(f"the input shape {given} has a size that is no positive number")
    return form
