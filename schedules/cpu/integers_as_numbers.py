"""Sums of products of codes in float32, which holds integers up to 2**24 exactly.

Where no instruction multiplies codes as they are, those that do it in 16 bits take two at a time,
and an addition, after the codes of two taps were brought together. A multiply-add of float32 takes
a tap as it lies, and what follows the sums, which is float32, need not convert them.
"""

from __future__ import annotations

from typing import Any

import tvm_ffi
from tvm.ir import Expr, TensorLoad
from tvm.s_tir import SBlock, Schedule
from tvm.s_tir.schedule import SBlockRV
from tvm.tirx import Add, Cast

from tvmlcnn.targets import CODES, FLOAT32, INT8, Core

from ..layer import Convolution

# A code times a weight, and as much again for what codes of zero add.
_LARGEST = 2 * 255 * 128
# The significand of float32 has so many bits (IEEE 754).
_EXACT = 2**24


def as_numbers(layer: Convolution, core: Core) -> bool:
    """Tell whether a depthwise convolution multiplies its codes as numbers of float32."""
    rows, columns = layer.weight.shape[:2]
    widened = core.arithmetic.multiply_add.widened == "int16"
    return layer.element.name in CODES and widened and rows * columns * _LARGEST < _EXACT


def without_integers(sch: Schedule, main: SBlockRV, output: SBlockRV) -> None:
    """Have an epilogue take sums as they are, where it would make integers and numbers of them.

    Parameters
    ----------
    sch : Schedule
    main, output : SBlockRV
        The sums, and what reads them.
    """
    sums, old = sch.get(main).writes[0].source, sch.get(output)

    def held(expr: Expr) -> bool:
        if isinstance(expr, Add):
            return held(expr.a) or held(expr.b)
        return isinstance(expr, TensorLoad) and expr.source.same_as(sums)

    def shorter(cast: Cast) -> Any:
        inner = cast.value
        twice = str(cast.ty.dtype) == FLOAT32.name and isinstance(inner, Cast)
        if twice and str(inner.ty.dtype) == INT8.accumulator and held(inner.value):
            return inner.value
        return cast

    body = tvm_ffi.structural_map(old.body, [(Cast, shorter)])
    new = SBlock(
        old.iter_vars, old.reads, old.writes, old.name_hint, body, old.init,
        annotations=old.annotations,
    )  # fmt: skip
    sch.state.replace(sch.get_sref(output), new, {old: new})
