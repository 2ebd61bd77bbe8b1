"""From pooling operators to our own workloads, where the data are channels-last."""

from __future__ import annotations

from functools import partial

from tvm import relax

from tvmlcnn import ops

from .workload import Workload


def _pool2d(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
    attrs, data = call.attrs, call.args[0]
    window, strides, padding, dilation = (
        [int(n) for n in values]
        for values in (attrs.pool_size, attrs.strides, attrs.padding, attrs.dilation)
    )
    size = [int(n) for n in call.ty.shape][1:3]
    # Each window overlaps the map where it starts in it or its padding before, as torch has it.
    overlap = all(before < taps for before, taps in zip(padding[:2], window, strict=True))
    if attrs.layout != "NHWC" or dilation != [1, 1] or not overlap:
        return call.op.get_attr("FLegalize")(builder, call)
    define = partial(ops.max_pool, size=size, window=window, strides=strides, padding=padding)
    if call.op.name == "relax.nn.avg_pool2d":
        define = partial(
            ops.average_pool, **define.keywords, count_include_pad=bool(attrs.count_include_pad)
        )
    return Workload(define, [data], "pool").call(builder)


def _global(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
    data = call.args[0]
    shape, out = [int(n) for n in data.ty.shape], [int(n) for n in call.ty.shape]
    axes = getattr(call.attrs, "axis", None)
    whole = (
        axes is not None and sorted(int(a) % len(shape) for a in axes) == [1, 2]
        if call.op.name == "relax.mean"
        else call.attrs.layout == "NHWC" and out[1:3] == [1, 1]
    )
    if len(shape) != 4 or not whole or data.ty.dtype != "float32":
        return call.op.get_attr("FLegalize")(builder, call)
    define = partial(ops.global_average, keep=len(out) == 4)
    return Workload(define, [data], "pool").call(builder)


POOLING = {
    "relax.nn.max_pool2d": _pool2d,
    "relax.nn.avg_pool2d": _pool2d,
    "relax.nn.adaptive_avg_pool2d": _global,
    "relax.mean": _global,
}
