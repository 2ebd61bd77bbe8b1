"""Operators of our own that go through rows step by step, by loops that are written out.

``tvmlcnn.sort(data)``, ``tvmlcnn.scan(data)``, ``tvmlcnn.search(bounds, values)``,
``tvmlcnn.suppress(boxes, scores, order, ...)``, ``tvmlcnn.scatter(data, index, updates)``,
``tvmlcnn.grid_sample(data, grid)`` and ``tvmlcnn.roi_align(data, regions)`` compute what the
functions of these names in `tvmlcnn.ops` do. Their attributes are the arguments of
those, and the ``shapes`` and ``dtypes`` of the results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tvm
from tvm import relax

from . import operators

SORT = "tvmlcnn.sort"
SCAN = "tvmlcnn.scan"
SEARCH = "tvmlcnn.search"
SUPPRESS = "tvmlcnn.suppress"
SCATTER = "tvmlcnn.scatter"
GRID_SAMPLE = "tvmlcnn.grid_sample"
ROI_ALIGN = "tvmlcnn.roi_align"
OPERATORS = (SORT, SCAN, SEARCH, SUPPRESS, SCATTER, GRID_SAMPLE, ROI_ALIGN)

Result = tuple[Sequence[int], str]
"""Shape and element type."""


def _type(call: relax.Call, builder: relax.BlockBuilder) -> relax.Type:
    pairs = zip(call.attrs["shapes"], call.attrs["dtypes"], strict=True)
    types = [relax.TensorType([int(n) for n in shape], str(dtype)) for shape, dtype in pairs]
    return types[0] if len(types) == 1 else relax.TupleType(types)


for _name in OPERATORS:
    operators.register(_name, "Loops over rows.", _type)


def options_of(call: relax.Call) -> dict[str, Any]:
    """Return the arguments of the operator's function in `tvmlcnn.ops`, but the tensors."""
    found = {
        str(name): tuple(int(n) for n in value) if isinstance(value, tvm.ir.Array) else value
        for name, value in call.attrs.items()
        if name not in ("shapes", "dtypes")
    }
    return dict(sorted(found.items()))


def sort(data: relax.Expr, count: int, descending: bool) -> relax.Call:
    """Return a call of ``tvmlcnn.sort``: the first ``count`` of each row, and their places."""
    rows, _ = data.ty.shape
    shape = (int(rows), count)
    results = [(shape, str(data.ty.dtype)), (shape, "int64")]
    return _call(SORT, [data], results, count=count, descending=descending)


def scan(data: relax.Expr, kind: str, dtype: str) -> relax.Call:
    """Return a call of ``tvmlcnn.scan``: of the middle axis, and for an extreme its places."""
    shape = [int(n) for n in data.ty.shape]
    places: list[Result] = [(shape, "int64")] if kind in ("max", "min") else []
    return _call(SCAN, [data], [(shape, dtype), *places], kind=kind, dtype=dtype)


def search(bounds: relax.Expr, values: relax.Expr, right: bool, dtype: str) -> relax.Call:
    """Return a call of ``tvmlcnn.search``: where values belong in sorted rows."""
    shape = [int(n) for n in values.ty.shape]
    return _call(SEARCH, [bounds, values], [(shape, dtype)], right=right, dtype=dtype)


def suppress(
    boxes: relax.Expr,
    scores: relax.Expr,
    order: relax.Expr,
    classes: relax.Expr | None,
    threshold: float,
    least: float,
    count: int,
) -> relax.Call:
    """Return a call of ``tvmlcnn.suppress``: the boxes that are kept, and how many they are."""
    images = int(scores.ty.shape[0])
    results: list[Result] = [((images, count), "int64"), ((images, 1), "int64")]
    tensors = [boxes, scores, order] + ([] if classes is None else [classes])
    options = {"threshold": threshold, "least": least, "count": count}
    return _call(SUPPRESS, tensors, results, **options)


def scatter(
    data: relax.Expr,
    index: relax.Expr,
    updates: relax.Expr,
    axis: int,
    how: str,
    include_self: bool = True,
) -> relax.Call:
    """Return a call of ``tvmlcnn.scatter``: the data with updates at places of an axis."""
    results: list[Result] = [([int(n) for n in data.ty.shape], str(data.ty.dtype))]
    options = {"axis": axis, "how": how, "include_self": include_self}
    return _call(SCATTER, [data, index, updates], results, **options)


def grid_sample(
    data: relax.Expr, grid: relax.Expr, sizes: Sequence[int], mode: str, padding: str, align: bool
) -> relax.Call:
    """Return a call of ``tvmlcnn.grid_sample``: maps at points that a tensor says."""
    batch, _, channels = data.ty.shape
    shape = [int(batch), int(grid.ty.shape[1]), int(channels)]
    options = {"sizes": list(sizes), "mode": mode, "padding": padding, "align": align}
    return _call(GRID_SAMPLE, [data, grid], [(shape, str(data.ty.dtype))], **options)


def roi_align(
    data: relax.Expr,
    regions: relax.Expr,
    sizes: Sequence[int],
    scale: float,
    bins: Sequence[int],
    samples: int,
    aligned: bool,
) -> relax.Call:
    """Return a call of ``tvmlcnn.roi_align``: means of maps over the bins of regions."""
    shape = [int(regions.ty.shape[0]), bins[0] * bins[1], int(data.ty.shape[2])]
    options = {"sizes": list(sizes), "scale": scale, "bins": list(bins), "samples": samples}
    return _call(
        ROI_ALIGN, [data, regions], [(shape, str(data.ty.dtype))], aligned=aligned, **options
    )


def _call(
    name: str, arguments: Sequence[relax.Expr], results: Sequence[Result], **options: Any
) -> relax.Call:
    attrs = tvm.ir.make_node(
        "ir.DictAttrs",
        shapes=[list(shape) for shape, _ in results],
        dtypes=[dtype for _, dtype in results],
        **options,
    )
    return relax.Call(tvm.ir.Op.get(name), list(arguments), attrs)
