"""Hard swish of sums, whose codes are made of as few operations as can be.

``x * clip(x + 3, 0, 6) / 6`` (Howard et al., "Searching for MobileNetV3", 2019, section 5.2) in
steps of ``scale`` is ``u * clip(u + k, 0, 2 * k)``, where ``u`` is ``x`` over the root of ``6 *
scale``, and ``k`` is 3 over it.
"""

from __future__ import annotations

import math

import numpy as np
from tvm import relax

from tvmlcnn.targets import FLOAT32
from tvmlcnn.vector_math.expressions import ROUNDER

from .code_operators import low_codes
from .constants import value_of
from .quantized_forms import Graph, HardSigmoid, HardSwish, Sums, scaled
from .quantized_operators import Code
from .sums_as_bits import fit, numbers_by_bits

_SLOPE = 1.5
"""The steepest of a hard swish, at 3."""


def divide(graph: Graph, var: relax.Var, call: relax.Call) -> HardSigmoid | None:
    """Take the last step of a hard sigmoid of sums."""
    form, divisor = graph.form(call.args[0]), value_of(call.args[1])
    if not isinstance(form, Sums) or (form.low, form.high) != (0, 6) or form.beside is not None:
        return None
    return HardSigmoid(form) if divisor is not None and (divisor == 6).all() else None


def multiply(graph: Graph, var: relax.Var, call: relax.Call) -> HardSwish | None:
    """Take the product of sums and their own hard sigmoid."""
    left, right = map(graph.form, call.args)
    sums, gate = (right, left) if isinstance(left, HardSigmoid) else (left, right)
    if not isinstance(sums, Sums) or not isinstance(gate, HardSigmoid) or sums.bounded:
        return None
    same = sums.expr.same_as(gate.sums.expr) and np.array_equal(sums.scales, gate.sums.scales)
    return HardSwish(sums) if same and np.allclose(sums.bias + 3, gate.sums.bias) else None


def codes_of(
    graph: Graph, var: relax.Var, form: HardSwish, code: Code, bounds: tuple[int, int]
) -> relax.Expr | None:
    """Emit the codes, int8, within bounds; None where the numbers are too large before these."""
    sums = form.sums
    if not fit(sums, code):
        return None
    root = math.sqrt(6 * code.scale)
    # The hard swish of a number is at most as much off as that is, times its steepest slope.
    number = numbers_by_bits(graph, var, sums, 1 / root, root / 6 / _SLOPE)
    if number is None:
        number = scaled(graph, var, sums, 1 / root)
    moved = graph.emit(relax.op.add(number, relax.const(3 / root, FLOAT32.name)), var)
    gate = graph.emit(relax.op.clip(moved, 0.0, 6 / root), var)
    product = graph.emit(relax.op.multiply(number, gate), var)
    steps = graph.emit(relax.op.add(product, relax.const(ROUNDER + code.zero, FLOAT32.name)), var)
    return graph.emit(low_codes(steps, *bounds), var)
