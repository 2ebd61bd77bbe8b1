"""Operators of our own in Relax: what the rewritten graph says that Relax has no words for.

``tvmlcnn.conv2d(data, weight, ...)``
    A convolution of channels-last data with a constant HWIO weight. Its attributes are those of a
    convolution; ``reads``: which physical channels the input channels of the weight are, in
    planes one after the other (empty means the first ones of a single plane);
    ``channels_first``: whether the data are NCHW after all; ``prologue``: the steps that are
    applied to the data first; and ``zero``: of codes, which are multiplied with integers and
    summed in int32, the one that stands for zero. The constants of the steps follow the weight.
``tvmlcnn.join(first, second, ...)``
    Tensors one after the other along the outermost axis. They are given places in one buffer, so
    that it copies nothing; see `tvmlcnn.passes.place_joins`.
``tvmlcnn.copy(data)``
    A tensor of its own with the same elements: what a network returns of its inputs and constants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tvm
from tvm import relax
from tvm.ir import Op, register_op_attr
from tvm.ir.op import _ffi_api

from tvmlcnn.targets import CODES, ELEMENT_TYPES

CONV2D = "tvmlcnn.conv2d"
JOIN = "tvmlcnn.join"
COPY = "tvmlcnn.copy"


def register(name: str, summary: str, infer: Callable[..., relax.Type]) -> None:
    """Register a pure operator; ``infer`` takes a call and a builder and returns its type."""
    _ffi_api.RegisterOp(name, summary)
    register_op_attr(name, "FInferType", infer)
    register_op_attr(name, "FPurity", True)
    # TVM warns of operators that it has no name for, wherever it prints one.
    register_op_attr(name, "TScriptPrinterName", name)


def _conv2d_type(call: relax.Call, builder: relax.BlockBuilder) -> relax.Type:
    return relax.TensorType([int(n) for n in call.attrs["shape"]], call.attrs["sums"])


def _join_type(call: relax.Call, builder: relax.BlockBuilder) -> relax.Type:
    shapes = [[int(n) for n in arg.ty.shape] for arg in call.args]
    return relax.TensorType(
        [sum(shape[0] for shape in shapes), *shapes[0][1:]], call.args[0].ty.dtype
    )


def _copy_type(call: relax.Call, builder: relax.BlockBuilder) -> relax.Type:
    return call.args[0].ty


register(COPY, "A tensor of its own.", _copy_type)
register(CONV2D, "Convolution of channels-last data.", _conv2d_type)
register(JOIN, "Tensors that lie one after the other.", _join_type)


def conv2d(
    data: relax.Expr,
    weight: relax.Expr,
    shape: Sequence[int],
    convolution: tvm.ir.Attrs,
    groups: int,
    reads: Iterable[int] = (),
    channels_first: bool = False,
    zero: int = 0,
) -> relax.Call:
    """Return a call of ``tvmlcnn.conv2d``.

    Parameters
    ----------
    data : relax.Expr
        Shape (planes * N, H, W, C).
    weight : relax.Expr
        Constant of shape (rows, columns, inner, outer).
    shape : sequence of int
        Of the result: (N, H', W', outer).
    convolution : tvm.ir.Attrs
        Attributes of the ``relax.nn.conv2d``, or ``tvmlcnn.integer_conv2d``, that it stands for.
    groups : int
    reads : iterable of int
    channels_first : bool
    zero : int
        Of data that are codes: the one that stands for zero.
    """
    attrs: dict[str, Any] = {
        name: [int(n) for n in getattr(convolution, name)]
        for name in ("strides", "padding", "dilation")
    }
    attrs |= {"shape": list(shape), "groups": groups, "reads": [int(n) for n in reads]}
    attrs |= {"channels_first": channels_first, "prologue": [], "zero": zero}
    dtype, known = str(data.ty.dtype), ELEMENT_TYPES | CODES
    usual = known[dtype].accumulator if dtype in known else dtype
    attrs["sums"] = str(getattr(convolution, "out_dtype", "") or usual)
    return relax.Call(Op.get(CONV2D), [data, weight], tvm.ir.make_node("ir.DictAttrs", **attrs))


def with_prologue(attrs: tvm.ir.Attrs, steps: Sequence[str]) -> tvm.ir.Attrs:
    """Return the attributes of a ``tvmlcnn.conv2d`` with the steps of its prologue."""
    return tvm.ir.make_node("ir.DictAttrs", **{**dict(attrs.items()), "prologue": list(steps)})


def join(parts: Sequence[relax.Expr]) -> relax.Call:
    """Return a call of ``tvmlcnn.join``."""
    return relax.Call(Op.get(JOIN), list(parts))


def copy(data: relax.Expr) -> relax.Call:
    """Return a call of ``tvmlcnn.copy``."""
    return relax.Call(Op.get(COPY), [data])
