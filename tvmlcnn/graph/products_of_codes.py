"""Products of quantized numbers with each other, as of squeeze-and-excitation's scales.

A product of two codes less their zeros is an integer, exactly, and what it stands for counted in
the product of their scales: a sum of one product, of which codes are made as of all sums.
"""

from __future__ import annotations

import numpy as np
from tvm import relax

from tvmlcnn.targets import FLOAT32, INT8

from .quantized_forms import Codes, Graph, Sums, of_type
from .quantized_operators import CODES

# Codes less their zero take nine bits. What ARM multiplies of 16 bits it widens at once.
_CENTRED = "int16"


def multiply(graph: Graph, var: relax.Var, call: relax.Call) -> Sums | None:
    """Take the product of the numbers of two tensors of codes."""
    factors = [graph.form(argument) for argument in call.args]
    codes = [form for form in factors if isinstance(form, Codes) and form.dtype == FLOAT32.name]
    if len(codes) < len(factors):
        return None
    codes = [of_type(graph, var, form, INT8.name) for form in codes]
    product = graph.emit(relax.op.multiply(*(_centred(graph, var, form) for form in codes)), var)
    flat = (1,) * len(call.ty.shape)
    sizes = [max(abs(end - form.code.zero) for end in CODES[INT8.name]) for form in codes]
    return Sums(
        product,
        np.full(flat, codes[0].code.scale * codes[1].code.scale),
        np.zeros(flat),
        np.full(flat, float(sizes[0] * sizes[1])),
    )


def _centred(graph: Graph, var: relax.Var, form: Codes) -> relax.Var:
    """Emit codes less their zero, int32."""
    narrow = graph.emit(relax.op.astype(form.expr, _CENTRED), var)
    if form.code.zero:
        zero = relax.const(form.code.zero, _CENTRED)
        narrow = graph.emit(relax.op.subtract(narrow, zero), var)
    return graph.emit(relax.op.astype(narrow, INT8.accumulator), var)
