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


# A comparison with NaN is false, and TVM's max and min return their second operand then.


def _relu(value: Scalar) -> Scalar:
    from tvm import tirx

    return tirx.max(tirx.const(0.0, value.ty.dtype), value)


def _clip(value: Scalar, low: float, high: float) -> Scalar:
    from tvm import tirx

    if math.isfinite(low):
        value = tirx.max(tirx.const(low, value.ty.dtype), value)
    return tirx.min(tirx.const(high, value.ty.dtype), value) if math.isfinite(high) else value


def _exact(name: str) -> Callable[..., Scalar]:
    """Return the function of that name in `tvmlcnn.exact_arithmetic`."""

    def apply(left: Scalar, right: Scalar) -> Scalar:
        from tvmlcnn import exact_arithmetic

        return getattr(exact_arithmetic, name)(left, right)

    return apply


def _rsqrt(value: Scalar) -> Scalar:
    from tvm import tirx

    return tirx.const(1.0, value.ty.dtype) / tirx.sqrt(value)


def _intrinsic(name: str) -> Callable[..., Scalar]:
    """Return the intrinsic of TVM's of that name."""

    def apply(value: Scalar) -> Scalar:
        from tvm import tirx

        return getattr(tirx, name)(value)

    return apply


def _activation(name: str) -> Callable[..., Scalar]:
    """Return the function of that name in `tvmlcnn.activations`."""

    def apply(*operands: Scalar) -> Scalar:
        from tvmlcnn import activations

        return getattr(activations, name)(*operands)

    return apply


@dataclass(frozen=True)
class Elementwise:
    """One operator.

    Attributes
    ----------
    relax : str
        Its name in Relax, without ``relax.``; with ``tvmlcnn.`` where Relax has none, and it is
        registered by `tvmlcnn.graph`; empty where the import takes it apart.
    aten : str
        Its name in ATen, without the underscore of the in-place form; empty where it has none.
    te : callable, optional
        Takes an element of each tensor, constants as floats; returns an element of the result.
        With it the operator may move into a kernel's epilogue; without, TVM defines its kernel.
    operands : int
        Tensors that it takes.
    attributes : tuple of str
        Names of its numbers; ``te`` takes their values after the elements.
    prologue : bool
        Whether it may move into the prologue of the convolution after it.
    flops : int
        Floating point operations of an element.
    """

    relax: str
    aten: str
    te: Callable[..., Scalar] | None = None
    operands: int = 1
    attributes: tuple[str, ...] = ()
    prologue: bool = False
    flops: int = 1


OPERATORS: tuple[Elementwise, ...] = (
    Elementwise("add", "add", lambda left, right: left + right, 2, prologue=True),
    Elementwise("subtract", "sub", _exact("subtract"), 2),
    Elementwise("multiply", "mul", _exact("multiply"), 2, prologue=True),
    Elementwise("divide", "div", _exact("divide"), 2),
    Elementwise("maximum", "maximum", _exact("maximum"), 2),
    Elementwise("minimum", "minimum", _exact("minimum"), 2),
    Elementwise("clip", "clamp", _clip),
    Elementwise("nn.relu", "relu", _relu, prologue=True),
    Elementwise("nn.relu6", "relu6", lambda value: _clip(value, 0, 6)),
    Elementwise("nn.leakyrelu", "leaky_relu", _activation("leaky_relu"), attributes=("alpha",)),
    Elementwise("nn.silu", "silu", _activation("silu")),
    Elementwise("nn.gelu", "gelu", _activation("gelu")),
    Elementwise("nn.gelu_tanh", "gelu", _activation("gelu_tanh")),
    Elementwise(
        "nn.softplus", "softplus", _activation("softplus"), attributes=("beta", "threshold")
    ),
    Elementwise("nn.selu", "selu", _activation("selu")),
    Elementwise("tvmlcnn.elu", "elu", _activation("elu"), attributes=("alpha",)),
    Elementwise("tvmlcnn.celu", "celu", _activation("celu"), attributes=("alpha",)),
    Elementwise("tvmlcnn.mish", "mish", _activation("mish")),
    Elementwise("tvmlcnn.log_sigmoid", "log_sigmoid", _activation("log_sigmoid")),
    Elementwise("abs", "abs", _intrinsic("abs")),
    Elementwise("exp", "exp", _intrinsic("exp")),
    Elementwise("tvmlcnn.expm1", "expm1", _activation("expm1")),
    Elementwise("log", "log", _intrinsic("log")),
    Elementwise("tvmlcnn.log1p", "log1p", _intrinsic("log1p")),
    Elementwise("erf", "erf", _intrinsic("erf")),
    Elementwise("sin", "sin", _intrinsic("sin")),
    Elementwise("cos", "cos", _intrinsic("cos")),
    Elementwise("negative", "neg", lambda value: -value),
    Elementwise("power", "pow", _activation("power"), 2),
    Elementwise("round", "round", _intrinsic("nearbyint")),
    Elementwise("rsqrt", "rsqrt", _rsqrt),
    Elementwise("sigmoid", "sigmoid", _activation("sigmoid")),
    Elementwise("sqrt", "sqrt", _intrinsic("sqrt")),
    Elementwise("square", "square", lambda value: value * value),
    Elementwise("tanh", "tanh", _intrinsic("tanh")),
    Elementwise("astype", "to", flops=0),
    Elementwise("tvmlcnn.to_codes", ""),
    Elementwise("tvmlcnn.number_of_bits", "", flops=0),
    Elementwise("tvmlcnn.low_codes", ""),
    Elementwise("tvmlcnn.product_of_codes", "", operands=2),
    Elementwise("tvmlcnn.scaled_codes", ""),
    Elementwise("", "hardswish"),
    Elementwise("", "prelu", operands=2),
    Elementwise("", "fill"),
    Elementwise("where", "where", operands=3),
    Elementwise("less", "lt", operands=2),
    Elementwise("less_equal", "le", operands=2),
    Elementwise("greater", "gt", operands=2),
    Elementwise("greater_equal", "ge", operands=2),
    Elementwise("equal", "eq", operands=2),
    Elementwise("not_equal", "ne", operands=2),
    Elementwise("logical_and", "logical_and", operands=2),
    Elementwise("logical_or", "logical_or", operands=2),
    Elementwise("logical_not", "logical_not"),
    Elementwise("", "masked_fill", operands=2),
)

OURS = "tvmlcnn."
BY_RELAX: dict[str, Elementwise] = {
    operator.relax if operator.relax.startswith(OURS) else f"relax.{operator.relax}": operator
    for operator in OPERATORS
    if operator.relax
}
"""By the whole name in Relax."""
BY_ATEN: dict[str, Elementwise] = {
    operator.aten: operator for operator in OPERATORS if operator.aten
}
"""By the name in ATen."""
