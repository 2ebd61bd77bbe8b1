"""Modules in TVMScript: our own operators in them, and what a pass makes of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tvm
from tvm import relax
from tvm.ir import Op, make_node


def conv2d(
    data: relax.Expr,
    weight: np.ndarray,
    *parameters: np.ndarray,
    shape: Sequence[int],
    strides: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0, 0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
    reads: Sequence[int] = (),
    channels_first: bool = False,
    prologue: Sequence[str] = (),
    zero: int = 0,
    sums: str = "float32",
) -> relax.Call:
    """Write ``tvmlcnn.conv2d`` with an HWIO weight, and what its prologue takes."""
    lists = {"shape": shape, "strides": strides, "padding": padding, "dilation": dilation}
    lists |= {"reads": reads, "prologue": prologue}
    attrs = {name: list(values) for name, values in lists.items()}
    attrs |= {"groups": groups, "channels_first": channels_first, "zero": zero}
    attrs["sums"] = sums
    constants = [relax.const(np.ascontiguousarray(array)) for array in (weight, *parameters)]
    return relax.Call(
        Op.get("tvmlcnn.conv2d"), [data, *constants], make_node("ir.DictAttrs", **attrs)
    )


def join(*parts: relax.Expr) -> relax.Call:
    """Write ``tvmlcnn.join``."""
    return relax.Call(Op.get("tvmlcnn.join"), list(parts))


def assert_becomes(
    rewrite: Callable[[tvm.IRModule], tvm.IRModule], before: tvm.IRModule, after: tvm.IRModule
) -> None:
    """Assert what a pass makes of a module: operators, attributes, shapes, values of constants."""
    tvm.ir.assert_structural_equal(rewrite(before), after)


def functions(mod: tvm.IRModule) -> tvm.IRModule:
    """Return a module without what passes note of it for later ones."""
    return tvm.IRModule(mod.functions)


def hwio(weight: np.ndarray) -> np.ndarray:
    """Return a weight of torch's order, OIHW, as channels-last convolutions take it."""
    return weight.transpose(2, 3, 1, 0)


def filled(*shape: int) -> np.ndarray:
    """Return an array whose elements all differ, and are exact in float32 and in halves of it."""
    return np.arange(1, 1 + np.prod(shape), dtype="float32").reshape(shape) / 8
