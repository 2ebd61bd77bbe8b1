"""Products of quantized numbers with each other, as of squeeze-and-excitation's scales.

A product of two codes less their zeros is an integer, exactly, and what it stands for counted in
the product of their scales. ARM multiplies it by a fraction of 31 bits and rounds, by one
instruction (Arm, "Architecture Reference Manual", SQRDMULH): what codes are made of then.
"""

from __future__ import annotations

import numpy as np
from tvm import relax

from tvmlcnn.targets import FLOAT32, INT8

from .code_operators import FACTOR_BITS, product_of_codes, scaled_codes
from .quantized_forms import Codes, Graph, Sums, of_type
from .quantized_operators import CODES, Code
from .sums_as_bits import fit

# Codes less their zero take nine bits. What ARM multiplies of 16 bits it widens at once.
_CENTRED = "int16"


def multiply(graph: Graph, var: relax.Var, call: relax.Call) -> Sums | None:
    """Take the product of the numbers of two tensors of codes."""
    factors = [graph.form(argument) for argument in call.args]
    codes = [form for form in factors if isinstance(form, Codes) and form.dtype == FLOAT32.name]
    if len(codes) < len(factors):
        return None
    codes = [of_type(graph, var, form, INT8.name) for form in codes]
    product = graph.emit(product_of_codes(*(_centred(graph, var, form) for form in codes)), var)
    flat = (1,) * len(call.ty.shape)
    sizes = [max(abs(end - form.code.zero) for end in CODES[INT8.name]) for form in codes]
    return Sums(
        product,
        np.full(flat, codes[0].code.scale * codes[1].code.scale),
        np.zeros(flat),
        np.full(flat, float(sizes[0] * sizes[1])),
    )


def codes_of(
    graph: Graph, var: relax.Var, form: Sums, code: Code, bounds: tuple[int, int]
) -> relax.Expr | None:
    """Emit the codes, int8, of integers that are scaled alike; None where these are too large.

    Parameters
    ----------
    graph : Graph
    var : relax.Var
    form : Sums
    code : Code
    bounds : tuple of int
        The least and the greatest code.
    """
    if form.scales.size > 1 or form.bias.any() or not fit(form, code):
        return None
    factor = round(form.scales.item() / code.scale * 2**FACTOR_BITS)
    if factor >= 2**FACTOR_BITS:
        return None
    return graph.emit(scaled_codes(form.expr, factor, code.zero, *bounds), var)


def _centred(graph: Graph, var: relax.Var, form: Codes) -> relax.Var:
    """Emit codes less their zero."""
    narrow = graph.emit(relax.op.astype(form.expr, _CENTRED), var)
    if form.code.zero:
        zero = relax.const(form.code.zero, _CENTRED)
        narrow = graph.emit(relax.op.subtract(narrow, zero), var)
    return narrow
