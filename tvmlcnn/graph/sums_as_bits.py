"""Codes of sums, by the bits of numbers: on ARM that takes half as many instructions.

A sum ``n`` of 22 bits that begins with the bits of ``1.5 * 2**23`` is, as float32, that number plus
``n``, with no conversion. Its product with a scale, plus a constant that again holds ``1.5 *
2**23``, has steps of one: the fused multiply-add rounds it to the next code, halves to even, which
the lowest 16 bits of the number are (H. S. Warren, "Hacker's Delight", 2nd edition, section 17-1).

Numbers that large have no room for the fraction of a bias. What the sums begin with is free to be a
few more, which the constant takes away again: for each channel a beginning is searched, and a scale
next to the one wanted, that leave the constant next to an integer. Where sums become no codes yet
but numbers, as for a hard swish, it has to be next to one of float32.
"""

from __future__ import annotations

import numpy as np
from tvm import relax

from tvmlcnn.targets import INT8
from tvmlcnn.vector_math.expressions import ROUNDER, ROUNDER_BITS

from .code_operators import low_codes, number_of_bits
from .constants import constant
from .quantized_forms import Graph, Sums
from .quantized_operators import Code

# From half as much more than the rounder, to as much less, its steps are one (IEEE 754).
_MOST = 2**22
# Beginnings that are tried, in steps of the codes more and less than none, and neighbours of a
# scale among the numbers of float32, 16 of which move the largest of 256 codes by 2**-12 of a step.
# Few are enough for nearly all scales; the others are near a ratio of small integers.
_TRIED = ((1, 4), (8, 16))
# What all sums of a layer may begin with together, and neighbours of a scale that are tried then.
# Each leaves another fraction of the constant's last place: of beginnings up to 2**19 this one
# spreads the fractions most evenly.
_SHARED, _NEIGHBOURS = 64739, 32
# Of a step of the codes, by which constants may be off on average: so many numbers then get another
# code; and one of them.
_OFF, _WORST = 2**-11, 2**-7
# As large as codes may be before they are clipped.
_LARGEST_CODE = 2**15 - 1


def fit(form: Sums, code: Code) -> bool:
    """Tell whether codes are made of sums alone, and fit 16 bits before they are clipped."""
    return form.beside is None and form.most(1 / code.scale) + abs(code.zero) < _LARGEST_CODE


def codes_by_bits(
    graph: Graph, var: relax.Var, form: Sums, code: Code, bounds: tuple[int, int]
) -> relax.Expr | None:
    """Emit the codes of sums; None where the numbers are too large, or a constant too far off.

    Parameters
    ----------
    graph : Graph
    var : relax.Var
    form : Sums
    code : Code
        int8.
    bounds : tuple of int
        The least and the greatest code.
    """
    # Depthwise sums are few steps each: registers for three numbers of a channel are not free.
    if form.grouped or not fit(form, code):
        return None
    found = beginnings(form.scales / code.scale, form.bias / code.scale + code.zero)
    if found is None or np.max(form.sizes + np.abs(found[0]), initial=0) >= _MOST:
        return None
    first, scales, constants = found
    begun = constant((first + ROUNDER_BITS).astype(np.int32))
    steps = _scaled(graph, var, form, begun, scales, constants)
    return graph.emit(low_codes(steps, *bounds), var)


def numbers_by_bits(
    graph: Graph, var: relax.Var, form: Sums, factor: float, step: float
) -> relax.Expr | None:
    """Emit what sums stand for, without bounds, times a factor; None as of `codes_by_bits`.

    All sums begin alike, for which one register serves: only neighbours of the scales are tried.

    Parameters
    ----------
    graph : Graph
    var : relax.Var
    form : Sums
    factor : float
    step : float
        How much of the result is a step of the codes that are made of it.
    """
    if form.beside is not None or form.grouped:
        return None
    if np.max(form.sizes, initial=0) + _SHARED >= _MOST:
        return None
    single, biases = (form.scales * factor).astype(np.float32)[..., None], form.bias * factor
    near = (single.view(np.int32) + _around(_NEIGHBOURS)).view(np.float32)
    wanted = biases[..., None] - near.astype(np.float64) * (ROUNDER + _SHARED)
    off = np.abs(wanted - wanted.astype(np.float32)) / step
    best = np.argmin(off, axis=-1)[..., None]
    if not _are_close(np.take_along_axis(off, best, -1)):
        return None
    scales, constants = (np.take_along_axis(n, best, -1)[..., 0] for n in (near, wanted))
    begun = relax.const(ROUNDER_BITS + _SHARED, INT8.accumulator)
    return _scaled(graph, var, form, begun, scales, constants.astype(np.float32))


def _scaled(
    graph: Graph,
    var: relax.Var,
    form: Sums,
    begun: relax.Expr,
    scales: np.ndarray,
    constants: np.ndarray,
) -> relax.Var:
    """Emit sums, with what they begin with, as numbers, times scales, plus constants."""
    whole = graph.emit(relax.op.add(form.expr, begun), var)
    number = graph.emit(number_of_bits(whole), var)
    product = graph.emit(relax.op.multiply(number, constant(scales)), var)
    return graph.emit(relax.op.add(product, constant(constants)), var)


def beginnings(
    scales: np.ndarray, biases: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return what sums begin with, what they are multiplied with, and what is added.

    Parameters
    ----------
    scales, biases : numpy.ndarray
        Of float64, in steps of the codes; of one shape.

    Returns
    -------
    tuple of numpy.ndarray, or None
        int64, float32 and float32; None where no beginning leaves a constant next to an integer.
    """
    first, single = np.zeros(scales.shape, np.int64), scales.astype(np.float32)
    constants, offs = np.zeros_like(single), np.zeros(scales.shape)
    for place in np.ndindex(scales.shape):
        for steps, neighbours in _TRIED:
            tried = _around(int(min(steps / scales[place], _MOST / 16)))
            near = (single[place].view(np.int32) + _around(neighbours)).view(np.float32)
            wanted = biases[place] - np.outer(near.astype(np.float64), tried + ROUNDER)
            off = np.abs(wanted - np.rint(wanted))
            best = np.unravel_index(np.argmin(off), off.shape)
            if off[best] <= _OFF:
                break
        first[place], single[place] = tried[best[1]], near[best[0]]
        constants[place], offs[place] = np.rint(wanted[best]) + ROUNDER, off[best]
    return (first, single, constants) if _are_close(offs) else None


def _are_close(offs: np.ndarray) -> bool:
    return bool(offs.mean() <= _OFF and offs.max(initial=0) <= _WORST)


def _around(most: int) -> np.ndarray:
    """Return integers of int32 up to so many more and less than none, the nearest first."""
    more = np.arange(1, most + 1, dtype=np.int32)
    return np.concatenate([[np.int32(0)], np.stack([more, -more], 1).reshape(-1)])
