"""Forms that quantized numbers are held in while a graph is built anew.

See `tvmlcnn.passes.integer_layers`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from tvm import relax

from tvmlcnn.targets import FLOAT32

from .constants import constant
from .quantized_operators import CODES, Code
from .rebuilding import Rebuilding


@dataclass(frozen=True)
class Codes:
    """A variable of the old function, as its codes.

    Attributes
    ----------
    expr : relax.Expr
        The codes, in the new function.
    code : Code
        How they stand for numbers.
    dtype : str
        What the variable itself holds: numbers of float32, or codes of a type.
    """

    expr: relax.Expr
    code: Code
    dtype: str


@dataclass(frozen=True)
class Weights:
    """A variable of the old function that holds constant weights: integers times scales.

    Attributes
    ----------
    integers, scales : numpy.ndarray
        Of the same rank.
    """

    integers: np.ndarray
    scales: np.ndarray


@dataclass(frozen=True)
class Sums:
    """A variable of the old function as sums of products of integers.

    It holds ``clip(sums * scales + bias + numbers of beside, low, high)``.

    Attributes
    ----------
    expr : relax.Expr
        The sums, int32, in the new function.
    scales, bias : numpy.ndarray
        Of float64, and of a shape that the sums' is broadcast with.
    sizes : numpy.ndarray
        As large as the sums can be.
    low, high : float
    beside : Codes, optional
        Of as many numbers, which are added.
    grouped : bool
        Whether they are of a convolution in groups.
    """

    expr: relax.Expr
    scales: np.ndarray
    bias: np.ndarray
    sizes: np.ndarray
    low: float = -math.inf
    high: float = math.inf
    beside: Codes | None = None
    grouped: bool = False

    @property
    def bounded(self) -> bool:
        """Whether it is clipped."""
        return not (math.isinf(self.low) and math.isinf(self.high))

    def most(self, factor: float) -> float:
        """Return how large what it holds, without its bounds, can be, times a factor."""
        added = 0.0
        if self.beside is not None:
            code = self.beside.code
            added = max(abs(bound - code.zero) for bound in CODES[code.dtype]) * code.scale
        own = float(np.max(self.sizes * self.scales + np.abs(self.bias), initial=0.0))
        return (own + added) * factor


@dataclass(frozen=True)
class Centred:
    """A variable of the old function that holds bytes less an integer for each channel.

    Attributes
    ----------
    expr : relax.Expr
        The bytes, uint8, NCHW, in the new function.
    zeros : numpy.ndarray
        The integers, of bytes too.
    """

    expr: relax.Expr
    zeros: np.ndarray


@dataclass(frozen=True)
class HardSigmoid:
    """A variable of the old function that holds ``clip(sums, 0, 6) / 6``; 3 is in the sums."""

    sums: Sums


@dataclass(frozen=True)
class HardSwish:
    """A variable of the old function that holds the hard swish of sums."""

    sums: Sums


Form = Codes | Weights | Sums | Centred | HardSigmoid | HardSwish
Graph = Rebuilding[Form]


def scaled(
    graph: Graph, var: relax.Var, form: Sums, factor: float = 1.0, zero: int = 0
) -> relax.Expr:
    """Emit what sums stand for, without its bounds, times a factor, plus a zero point."""
    wide = graph.emit(relax.op.astype(form.expr, FLOAT32.name), var)
    scales, bias, beside = form.scales * factor, form.bias * factor + zero, form.beside
    if beside is not None:
        bias = bias - beside.code.zero * beside.code.scale * factor
    result = graph.emit(relax.op.multiply(wide, constant(scales.astype(np.float32))), var)
    if bias.any():
        result = graph.emit(relax.op.add(result, constant(bias.astype(np.float32))), var)
    if beside is not None:
        steps = graph.emit(relax.op.astype(beside.expr, FLOAT32.name), var)
        step = relax.const(beside.code.scale * factor, FLOAT32.name)
        added = graph.emit(relax.op.multiply(steps, step), var)
        result = graph.emit(relax.op.add(result, added), var)
    return result


def lowered(graph: Graph, var: relax.Var, form: Form) -> relax.Expr:
    """Emit what a variable of the old function holds."""
    if isinstance(form, Weights):
        return constant((form.integers * form.scales).astype(np.float32))
    if isinstance(form, Centred):
        wide = graph.emit(relax.op.astype(form.expr, FLOAT32.name), var)
        zeros = form.zeros.reshape(1, -1, 1, 1).astype(np.float32)
        return graph.emit(relax.op.subtract(wide, constant(zeros)), var)
    if isinstance(form, HardSwish):
        gate = HardSigmoid(replace(form.sums, bias=form.sums.bias + 3))
        factors = scaled(graph, var, form.sums), lowered(graph, var, gate)
        return graph.emit(relax.op.multiply(*factors), var)
    if isinstance(form, HardSigmoid):
        clipped = graph.emit(relax.op.clip(scaled(graph, var, form.sums), 0.0, 6.0), var)
        return graph.emit(relax.op.divide(clipped, relax.const(6.0, FLOAT32.name)), var)
    if isinstance(form, Sums):
        result = scaled(graph, var, form)
        if form.bounded:
            result = graph.emit(relax.op.clip(result, form.low, form.high), var)
        return result
    if form.dtype == FLOAT32.name:
        wide = graph.emit(relax.op.astype(form.expr, FLOAT32.name), var)
        if form.code.zero:
            zero = relax.const(float(form.code.zero), FLOAT32.name)
            wide = graph.emit(relax.op.subtract(wide, zero), var)
        if form.code.scale == 1:
            return wide
        scale = relax.const(form.code.scale, FLOAT32.name)
        return graph.emit(relax.op.multiply(wide, scale), var)
    return of_type(graph, var, form, form.dtype).expr


def of_type(graph: Graph, var: relax.Var, form: Codes, dtype: str) -> Codes:
    """Emit codes of another type, which stand for the same numbers."""
    if form.code.dtype == dtype:
        return form
    code = form.code.of_type(dtype)
    wide = graph.emit(relax.op.astype(form.expr, "int32"), var)
    shift = relax.const(code.zero - form.code.zero, "int32")
    moved = graph.emit(relax.op.add(wide, shift), var)
    return replace(form, expr=graph.emit(relax.op.astype(moved, dtype), var), code=code)
