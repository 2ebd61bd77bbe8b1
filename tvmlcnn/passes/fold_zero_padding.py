"""Let convolutions and pools pad their maps themselves, instead of reading a padded copy.

Padding that is not the same on both sides, as TensorFlow's "same" is for steps of two, comes as an
operator of its own before the layer. The kernels pad each side as they are told, without a copy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from tvmlcnn.graph.attributes import changed, ints
from tvmlcnn.graph.constants import is_call_of


def _convolution(call: relax.Call, before: list[int], after: list[int], value: float) -> bool:
    return value == 0 and call.attrs.data_layout.startswith("NC")


def _inside(call: relax.Call, before: list[int], after: list[int]) -> bool:
    """Tell whether each window of a pool still overlaps the map."""
    sides = zip(before, after, ints(call.attrs.pool_size), strict=True)
    return call.attrs.layout.startswith("NC") and all(max(a, b) < taps for a, b, taps in sides)


def _average(call: relax.Call, before: list[int], after: list[int], value: float) -> bool:
    """Tell so of a mean: one that does not count padding of its own would not count this."""
    counted = call.attrs.count_include_pad or not any(ints(call.attrs.padding))
    return value == 0 and counted and _inside(call, before, after)


def _maximum(call: relax.Call, before: list[int], after: list[int], value: float) -> bool:
    return value == float("-inf") and _inside(call, before, after)


_FITS: dict[str, Callable[[relax.Call, list[int], list[int], float], bool]] = {
    f"relax.nn.{name}{rank}d": fits
    for rank in (1, 2, 3)
    for name, fits in (("conv", _convolution), ("avg_pool", _average), ("max_pool", _maximum))
}
"""Whether a layer may take a padding, before and after each axis of its maps, and a value."""


def fold_zero_padding(mod: tvm.IRModule) -> tvm.IRModule:
    """Move constant padding of maps into the attributes of what reads it."""
    fold = _Fold(mod)
    fold.builder_.update_func(mod.get_global_var("main"), fold.visit_expr(mod["main"]))
    return relax.transform.DeadCodeElimination()(fold.builder_.finalize())


@mutator
class _Fold(PyExprMutator):
    def visit_call_(self, call: relax.Call) -> relax.Expr:
        call = self.visit_expr_post_order(call)
        fits = _FITS.get(call.op.name) if isinstance(call.op, tvm.ir.Op) else None
        data = call.args[0] if fits else None
        pad = self.lookup_binding(data) if isinstance(data, relax.Var) else data
        if fits is None or pad is None or not is_call_of(pad, "relax.nn.pad"):
            return call
        widths = ints(pad.attrs.pad_width)
        before, after = widths[4::2], widths[5::2]
        constant = pad.attrs.pad_mode == "constant" and not any(widths[:4]) and min(widths) >= 0
        own = ints(call.attrs.padding)
        rank = len(before)
        before = [a + b for a, b in zip(before, own[:rank], strict=True)]
        after = [a + b for a, b in zip(after, own[rank:], strict=True)]
        if not constant or not fits(call, before, after, float(pad.attrs.pad_value)):
            return call
        attrs: dict[str, Any] = {"padding": before + after}
        if "avg_pool" in call.op.name:
            attrs["count_include_pad"] = True
        return relax.Call(call.op, [pad.args[0], *call.args[1:]], changed(call.attrs, **attrs))
