"""The table of element-wise operators: all that the package knows of one stands here.

It serves the rewriting to channels-last tensors, prologues and epilogues of kernels, the counting
of operations, and the analyser. TVM is imported where an element is written, not before.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Scalar = Any
"""An element: an expression of TVM's, or a float."""


def _maximum(left: Scalar, right: Scalar) -> Scalar:
    from tvm import tirx

    return tirx.max(left, right)


def _minimum(left: Scalar, right: Scalar) -> Scalar:
    from tvm import tirx

    return tirx.min(left, right)


def _relu(value: Scalar) -> Scalar:
    from tvm import tirx

    return tirx.max(value, tirx.const(0.0, value.ty.dtype))


def _clip(value: Scalar, low: float, high: float) -> Scalar:
    from tvm import tirx

    if math.isfinite(low):
        value = tirx.max(value, tirx.const(low, value.ty.dtype))
    return tirx.min(value, tirx.const(high, value.ty.dtype)) if math.isfinite(high) else value


@dataclass(frozen=True)
class Elementwise:
    """One operator.

    Attributes
    ----------
    relax : str
        Its name in Relax, without ``relax.``; empty where the import takes it apart.
    aten : str
        Its name in ATen, without the underscore of the in-place form.
    te : callable, optional
        Takes an element of each tensor, constants as floats; returns an element of the result.
        With it the operator may move into a kernel's epilogue; without, TVM defines its kernel.
    operands : int
        Tensors that it takes.
    prologue : bool
        Whether it may move into the prologue of the convolution after it.
    flops : int
        Floating point operations of an element.
    """

    relax: str
    aten: str
    te: Callable[..., Scalar] | None = None
    operands: int = 1
    prologue: bool = False
    flops: int = 1


OPERATORS: tuple[Elementwise, ...] = (
    Elementwise("add", "add", lambda left, right: left + right, 2, prologue=True),
    Elementwise("subtract", "sub", lambda left, right: left - right, 2),
    Elementwise("multiply", "mul", lambda left, right: left * right, 2, prologue=True),
    Elementwise("divide", "div", lambda left, right: left / right, 2),
    Elementwise("maximum", "maximum", _maximum, 2),
    Elementwise("minimum", "minimum", _minimum, 2),
    Elementwise("clip", "clamp", _clip),
    Elementwise("nn.relu", "relu", _relu, prologue=True),
    Elementwise("nn.relu6", "relu6"),
    Elementwise("nn.leakyrelu", "leaky_relu"),
    Elementwise("nn.silu", "silu"),
    Elementwise("nn.gelu", "gelu"),
    Elementwise("nn.gelu_tanh", "gelu"),
    Elementwise("nn.softplus", "softplus"),
    Elementwise("nn.selu", "selu"),
    Elementwise("abs", "abs"),
    Elementwise("exp", "exp"),
    Elementwise("log", "log"),
    Elementwise("negative", "neg"),
    Elementwise("power", "pow", operands=2),
    Elementwise("rsqrt", "rsqrt"),
    Elementwise("sigmoid", "sigmoid"),
    Elementwise("sqrt", "sqrt"),
    Elementwise("square", "square"),
    Elementwise("tanh", "tanh"),
    Elementwise("astype", "to", flops=0),
    Elementwise("", "hardswish"),
    Elementwise("", "prelu", operands=2),
    Elementwise("", "fill"),
    Elementwise("", "where", operands=3),
    Elementwise("", "masked_fill", operands=2),
)

BY_RELAX: dict[str, Elementwise] = {
    f"relax.{operator.relax}": operator for operator in OPERATORS if operator.relax
}
"""By the whole name in Relax."""
BY_ATEN: dict[str, Elementwise] = {operator.aten: operator for operator in OPERATORS}
"""By the name in ATen."""
