"""Definitions of layers that TVM has none of, for whichever rule takes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tvm import te

from tvmlcnn import ops
from tvmlcnn.targets import Device

from .depthwise_definition import depthwise_definition
from .layer import Convolution, Layer, Resample, Rows
from .plain_convolution import plain_convolution
from .rule import Definition

_ROWS: dict[str, Callable[..., te.Tensor]] = {
    "tvmlcnn.sort": ops.sort,
    "tvmlcnn.scan": ops.scan,
    "tvmlcnn.search": ops.search,
    "tvmlcnn.suppress": ops.suppress,
    "tvmlcnn.scatter": ops.scatter,
    "tvmlcnn.grid_sample": ops.grid_sample,
    "tvmlcnn.roi_align": ops.roi_align,
}
"""Definitions of layers of rows, by the name of the operator."""


def definition_of(layer: Layer, device: Device) -> Definition | None:
    """Return the definition of a layer, or None where TVM has one."""
    if isinstance(layer, Convolution):
        if layer.is_depthwise:
            return depthwise_definition(layer)
        return plain_convolution(layer, ops.Tile(1, 1, layer.shape[3] // layer.groups))
    if isinstance(layer, Resample):
        tables = [array for pair in layer.tables for array in pair]
        return Definition(partial(ops.resample, axes=layer.axes), tables, name="resample")
    if isinstance(layer, Rows):
        define = partial(_ROWS[layer.operator], **dict(layer.options), gpu=bool(device.gpu_code))
        name = layer.operator.rpartition(".")[2]
        return Definition(define, name=name, takes_epilogue=False)
    return None
