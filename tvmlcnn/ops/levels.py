"""Long reductions in levels: of parts, of these parts' results, and so on.

A sum of n numbers, one by one, is off by up to n roundings, and for equal numbers by about n / 4 of
them; in levels it is off by those of the levels' sizes added up (N. J. Higham, "The Accuracy of
Floating Point Summation", SIAM J. Sci. Comput. 14, 1993, section 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tvm import te, tirx
from tvm.ir import Expr

# Steps of a level: two and three levels of equal numbers stay below 1e-6 of their sum in float32.
_LONGEST = 24
_LONGEST_OF_PRODUCTS = 1024
# Of the only level, which 7x7 pixels are to be: 8e-7.
_LONGEST_ALONE = 49


def levels_of(steps: int) -> tuple[int, ...]:
    """Return the steps of each level, the innermost first; their product is no less than ``steps``.

    It is ``steps`` where sizes near the root divide it.
    """
    if steps <= _LONGEST_ALONE:
        return (steps,)
    return _levels(steps, math.ceil(math.log(steps) / math.log(_LONGEST) - 1e-9))


def _levels(steps: int, count: int) -> tuple[int, ...]:
    if count == 1:
        return (steps,)
    root = max(2, round(steps ** (1 / count)))
    near = sorted(range(root // 2 + 1, 2 * root), key=lambda size: abs(size - root))
    size = next((size for size in near if steps % size == 0), root)
    return (size, *_levels(-(-steps // size), count - 1))


def levels_of_products(steps: int) -> tuple[int, ...]:
    """Return the levels of a sum of products, whose tiles stay in registers for the first one.

    Writing a tile down costs as much as some tens of its steps.
    """
    if steps <= _LONGEST_OF_PRODUCTS:
        return (steps,)
    near = range(_LONGEST_OF_PRODUCTS // 2, _LONGEST_OF_PRODUCTS // 4, -1)
    size = next((size for size in near if steps % size == 0), near[0])
    return (size, *levels_of(-(-steps // size)))


def longest_part(steps: int, most: int) -> int:
    """Return how many steps, at most so many, each part of a sum has; they are equal if they can.

    Of a sum that is not divided by any from half of the most on, the last part is shorter.
    """
    if steps <= most:
        return steps
    whole = (size for size in range(most, most // 2, -1) if steps % size == 0)
    return next(whole, -(-steps // -(-steps // most)))


def within(value: Expr, step: Expr, steps: int, sizes: Sequence[int] | None = None) -> Expr:
    """Return a term of a sum of so many steps, which is nothing past the end of uneven levels."""
    if math.prod(sizes or levels_of(steps)) == steps:
        return value
    return tirx.if_then_else(step < steps, value, tirx.const(0.0, value.ty.dtype))


def in_levels(
    name: str,
    last: str,
    reduce: Callable[..., Expr],
    term: Callable[[Sequence[Expr], Expr, Sequence[Expr]], Expr],
    outer: Sequence[int],
    steps: int,
    inner: Sequence[int],
    sizes: Sequence[int] | None = None,
) -> te.Tensor:
    """Return a reduction over steps, of shape (outer, inner).

    Parameters
    ----------
    name, last : str
        The stages are called ``name_blocks``, ``name_blocks_1`` and so on, and the last one
        ``last``; of a single level there is only that.
    reduce : callable
        As ``te.sum``.
    term : callable
        Takes places of the outer axes, a step, and places of the inner axes; returns what is
        reduced. A step may be past the end, for which it returns what changes nothing: in a sum
        by `within`.
    outer, inner : sequence of int
        Axes before and after that of the steps, at least one after it.
    steps : int
    sizes : sequence of int, optional
        Of the levels, by default those of `levels_of`.
    """
    lead, sizes = len(outer), sizes or levels_of(steps)

    def stage(level: int, before: te.Tensor | None) -> te.Tensor:
        size, final = sizes[level], level == len(sizes) - 1
        parts = [] if final else [math.prod(sizes[level + 1 :])]
        step = te.reduce_axis((0, size), "step")

        def element(*place: tirx.Var) -> Expr:
            row, part, rest = place[:lead], place[lead : -len(inner)], place[-len(inner) :]
            at = part[0] * size + step if part else step
            value = term(row, at, rest) if before is None else before(*row, at, *rest)
            return reduce(value, axis=step)

        called = last if final else f"{name}_blocks" + (f"_{level}" if level else "")
        return te.compute((*outer, *parts, *inner), element, name=called)

    result = stage(0, None)
    for level in range(1, len(sizes)):
        result = stage(level, result)
    return result
