"""Small layers of each kind, and their kernels, without a network around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tvm
from tvm import te, tirx
from tvm.tirx import PrimFunc

from tvmlcnn import schedules
from tvmlcnn.ops import Earlier, Formula, Parameter, Step, Window
from tvmlcnn.ops.resampling import interpolation
from tvmlcnn.schedules import (
    BatchedProduct,
    Concatenation,
    Convolution,
    Definition,
    DepthwisePointwise,
    Layer,
    Normalization,
    Plan,
    PointwiseDepthwise,
    Pool,
    Product,
    Reduction,
    Resample,
    Rows,
    Softmax,
)
from tvmlcnn.schedules.decisions import DEFAULTS, Policy
from tvmlcnn.targets import CODES, FLOAT16, FLOAT32, INT8, UINT8, Device, ElementType, Gpu

PLAIN = Window()
AROUND = Window(padding=(1, 1, 1, 1))


def conv(
    data: Sequence[int],
    weight: Sequence[int],
    window: Window = PLAIN,
    planes: int = 1,
    element: ElementType = FLOAT32,
    **more: Any,
) -> Convolution:
    """Return a convolution of maps, (planes * N, H, W, C), with an HWIO weight."""
    batch, height, width, _ = data
    if more.get("channels_first"):
        batch, _, height, width = data
    taps = zip((height, width), weight[:2], strict=True)
    padding = (window.padding[0] + window.padding[2], window.padding[1] + window.padding[3])
    sides = [(n + padding[i] - taps) // window.strides[i] + 1 for i, (n, taps) in enumerate(taps)]
    return Convolution(
        element,
        tuple(data),
        np.zeros(tuple(weight), np.int8 if element.name in CODES else element.stored),
        (batch // planes, *sides, weight[3]),
        window,
        **more,
    )


CLIPPED = Formula(
    (
        Step("relax.add", (Earlier(0), Parameter(0))),
        Step("relax.clip", (Earlier(1), 0.0, 6.0)),
    )
)
LAYERS: dict[str, Layer] = {
    "pointwise": conv((1, 14, 14, 32), (1, 1, 32, 48)),
    "3x3": conv((1, 28, 28, 64), (3, 3, 64, 64), AROUND),
    "3x3 small": conv((1, 7, 7, 128), (3, 3, 128, 128), AROUND),
    "3x3 by five": conv((1, 35, 35, 64), (3, 3, 64, 64), AROUND),
    "3x3 large": conv((1, 56, 56, 64), (3, 3, 64, 64), AROUND),
    "strided": conv((1, 28, 28, 64), (3, 3, 64, 64), Window((2, 2), (1, 1, 1, 1))),
    "first": conv((1, 3, 64, 64), (3, 3, 3, 32), Window((2, 2), (1, 1, 1, 1)), channels_first=True),
    "prologue": conv(
        (1, 14, 14, 64),
        (1, 1, 64, 128),
        prologue=("relax.multiply", "relax.add", "relax.nn.relu"),
    ),
    "planes": conv((2, 14, 14, 32), (1, 1, 64, 48), planes=2, reads=np.arange(64)),
    "table": conv((2, 14, 14, 32), (1, 1, 32, 48), planes=2, reads=np.arange(1, 64, 2)),
    "odd": conv((1, 14, 14, 32), (1, 1, 32, 29)),
    "depthwise": conv((1, 28, 28, 96), (3, 3, 1, 96), AROUND, groups=96),
    "depthwise odd": conv((1, 14, 14, 29), (3, 3, 1, 29), AROUND, groups=29),
    "grouped": conv((1, 14, 14, 120), (1, 1, 40, 120), groups=3),
    "diagonals": conv((1, 14, 14, 64), (3, 3, 4, 64), AROUND, groups=16),
    "halves": conv((1, 14, 14, 96), (1, 1, 96, 64), element=FLOAT16, sums="float32"),
    "bytes": conv((1, 14, 14, 32), (1, 1, 32, 48), element=UINT8),
    "signed bytes": conv((1, 14, 14, 32), (1, 1, 32, 48), element=INT8),
    "3x3 signed bytes": conv((1, 28, 28, 64), (3, 3, 64, 64), AROUND, element=INT8),
    "depthwise bytes": conv((1, 28, 28, 96), (3, 3, 1, 96), AROUND, element=UINT8, groups=96),
    "depthwise signed bytes": conv((1, 28, 28, 96), (3, 3, 1, 96), AROUND, element=INT8, groups=96),
    "product": Product(FLOAT32, (1, 256), np.zeros((256, 96), np.float32)),
    "pointwise and depthwise": PointwiseDepthwise(
        FLOAT32,
        (1, 112, 112, 8),
        np.zeros((8, 96), np.float32),
        CLIPPED,
        [np.zeros(96, np.float32)],
        np.zeros((3, 3, 96), np.float32),
        (1, 56, 56, 96),
        Window((2, 2), (1, 1, 1, 1)),
    ),
    "depthwise and pointwise": DepthwisePointwise(
        FLOAT32,
        (1, 14, 14, 384),
        np.zeros((3, 3, 384), np.float32),
        CLIPPED,
        [np.zeros(384, np.float32)],
        np.zeros((384, 96), np.float32),
        (1, 14, 14, 96),
        AROUND,
    ),
    "maximum": Pool(FLOAT32, "max", (1, 28, 28, 64), (3, 3), (2, 2), (1, 1, 1, 1)),
    "average": Pool(FLOAT32, "average", (1, 28, 28, 64), (2, 2), (2, 2), (0, 0, 0, 0)),
    "global average": Pool(FLOAT32, "global average", (1, 1, 1, 96), data=(1, 7, 7, 96)),
    "global average without axes": Pool(FLOAT32, "global average", (1, 96), data=(1, 7, 7, 96)),
    "concatenation": Concatenation(FLOAT32),
    "softmax of rows": Softmax(FLOAT32, (6, 21, 1), False),
    "softmax of columns": Softmax(FLOAT32, (2, 21, 64), True),
    "batched product": BatchedProduct(FLOAT32, (4, 49, 32), (4, 32, 49)),
    "bilinear": Resample(
        FLOAT32,
        (1, 14, 14, 64),
        (1, 2),
        tuple((taps.sources, taps.weights) for taps in [interpolation(14, 28, "linear")] * 2),
    ),
    "layer norm": Normalization(FLOAT32, (1, 196, 96), 2, 0, False, 1e-5),
    "group norm": Normalization(FLOAT32, (1, 14, 14, 64), 1, 8, True, 1e-5),
    "scan": Rows(FLOAT32, "tvmlcnn.scan", (("dtype", "float32"), ("kind", "sum"))),
    "sum": Reduction(FLOAT32, "sum", (4, 14, 15), 1, False),
}


def layers_for(device: Device) -> dict[str, Layer]:
    """Return the layers whose elements a device computes with."""
    return {name: layer for name, layer in LAYERS.items() if computes(device, layer)}


def computes(device: Device, layer: Layer) -> bool:
    """Tell whether a device computes with the elements of a layer."""
    if layer.element == FLOAT16:
        return isinstance(device, Gpu) and device.computes(FLOAT16)
    return layer.element == FLOAT32 or layer.element.name == device.codes


def kernel(layer: Layer, device: Device, policy: Policy = DEFAULTS) -> PrimFunc:
    """Return the scheduled kernel of a layer, and of a ReLU where it takes an epilogue."""
    plan = schedules.planned(layer, device, policy)
    assert plan.definition is not None
    definition = plan.definition()
    function = defined(layer, plan, definition)
    (result,) = schedules.schedule(
        tvm.IRModule({"main": function}), device, policy
    ).functions.values()
    return result


def defined(layer: Layer, plan: Plan, definition: Definition) -> PrimFunc:
    """Return the function of a plan, which is its attribute."""
    data, beside = _shapes(layer)
    names = ["weight", *(f"constant_{n}" for n in range(1, len(definition.constants)))]
    tensors = [
        *(
            te.placeholder(shape, layer.element.name, f"data_{n}" if n else "data")
            for n, shape in enumerate(data)
        ),
        *(
            te.placeholder(array.shape, str(array.dtype), name)
            for name, array in zip(names, definition.constants, strict=False)
        ),
        *(te.placeholder(shape, "float32", f"beside_{n}") for n, shape in enumerate(beside)),
    ]
    result = definition.define(*tensors)
    if definition.takes_epilogue:
        result = relu(result)
    results = result if isinstance(result, list) else [result]
    function = te.create_prim_func([*tensors, *results])
    return function.with_attr(schedules.ATTRIBUTE, schedules.to_text(plan))


def relu(tensor: te.Tensor) -> te.Tensor:
    zero = tirx.const(0, tensor.dtype)
    return te.compute(tensor.shape, lambda *place: tirx.max(tensor(*place), zero), name="relu")


def _shapes(layer: Layer) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Return the shapes of the data of a layer, and of what it takes beside its weights."""
    if isinstance(layer, Concatenation):
        return [(1, 14, 14, 16), (1, 14, 14, 24)], []
    if isinstance(layer, Softmax):
        return [layer.data], []
    if isinstance(layer, Rows):
        return [(2, 9, 4)], []
    if isinstance(layer, Pool):
        batch, *sides, channels = layer.shape
        if layer.kind == "global average":
            return [layer.data], []
        before = zip(
            sides, layer.strides, layer.size, layer.padding[:2], layer.padding[2:], strict=True
        )
        sides = [(n - 1) * stride + taps - low - high for n, stride, taps, low, high in before]
        return [(batch, *sides, channels)], []
    if isinstance(layer, BatchedProduct):
        return [layer.left, layer.right], []
    if isinstance(layer, Normalization):
        inner = layer.data[layer.lead :] if not layer.groups else layer.data[-1:]
        return [layer.data, inner, inner], []
    prologue = getattr(layer, "prologue", ())
    beside = [(1, 1, 1, layer.data[3]) for name in prologue if name != "relax.nn.relu"]
    return [layer.data], beside
