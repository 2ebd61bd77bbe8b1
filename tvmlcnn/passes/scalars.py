"""Element-wise operators of Relax on one element, for kernels that apply them to registers."""

from __future__ import annotations

import math
from collections.abc import Callable

from tvm import relax, tirx
from tvm.ir import Expr


def _clip(call: relax.Call, value: Expr, *_: Expr) -> Expr:
    low, high = (float(bound.value) for bound in call.args[1:])
    if math.isfinite(low):
        value = tirx.max(value, tirx.const(low, "float32"))
    return tirx.min(value, tirx.const(high, "float32")) if math.isfinite(high) else value


def _relu(call: relax.Call, value: Expr) -> Expr:
    return tirx.max(value, tirx.const(0.0, "float32"))


SCALARS: dict[str, Callable[..., Expr]] = {
    "relax.add": lambda call, left, right: left + right,
    "relax.subtract": lambda call, left, right: left - right,
    "relax.multiply": lambda call, left, right: left * right,
    "relax.divide": lambda call, left, right: left / right,
    "relax.maximum": lambda call, left, right: tirx.max(left, right),
    "relax.minimum": lambda call, left, right: tirx.min(left, right),
    "relax.clip": _clip,
    "relax.nn.relu": _relu,
}
"""By name: takes the call, and the elements that its tensors have at one place."""
