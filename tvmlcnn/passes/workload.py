"""A call of one of our workloads, and what records of tuning call it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from tvm import relax, te

from tvmlcnn import ops

from .constants import value_of

_OUT_ELEMENTWISE_FUSABLE = 4  # TVM's OpPatternKind of a convolution


@dataclass(frozen=True)
class Workload:
    """The TE definition of a kernel, its tensors, and a name for it."""

    define: Callable[..., te.Tensor]
    arguments: list[relax.Expr]
    name: str = "convolution"

    def call(self, builder: relax.BlockBuilder) -> relax.Call:
        """Return the call of the TensorIR function; element-wise kernels after it may join it."""
        return builder.call_te(
            self.define,
            *self.arguments,
            primfunc_name_hint=self.name,
            primfunc_attrs={"op_pattern": _OUT_ELEMENTWISE_FUSABLE},
        )


def convolution_name(call: relax.Call) -> str:
    """Return what a call of ``tvmlcnn.conv2d`` computes, for records of tuning.

    All that a kernel depends on but what is fused after it, and the values of the weights.
    """
    attrs, weight = call.attrs, value_of(call.args[1])
    assert weight is not None, "only convolutions with constant weights become this operator"
    parts = [
        "conv2d",
        _sizes(call.args[0].ty.shape),
        "->",
        _sizes(attrs["shape"]),
        "kernel",
        _sizes(weight.shape),
    ]
    for key, usual in (("strides", "1x1"), ("padding", "0x0x0x0"), ("dilation", "1x1")):
        if _sizes(attrs[key]) != usual:
            parts += [key, _sizes(attrs[key])]
    if int(attrs["groups"]) > 1:
        parts += ["groups", str(int(attrs["groups"]))]
    if len(attrs["reads"]):
        reads = np.array([int(n) for n in attrs["reads"]], np.int64)
        plain = np.array_equal(reads, np.arange(len(reads)))
        parts.append("planes" if plain else "table")
    if attrs["channels_first"]:
        parts.append("nchw")
    if len(attrs["prologue"]):
        parts += ["prologue", ",".join(str(step) for step in attrs["prologue"])]
    return " ".join(parts)


def window_of(call: relax.Call) -> ops.Window:
    """Return how a call of ``tvmlcnn.conv2d`` walks over its input."""
    names = ("strides", "padding", "dilation")
    return ops.Window(*(tuple(int(n) for n in call.attrs[name]) for name in names))


def product_name(shape: Sequence[int], weight: Sequence[int]) -> str:
    """Return what a product of data of ``shape`` with a matrix of weights computes."""
    return f"matmul {_sizes(shape)} {_sizes(weight)}"


def _sizes(numbers: Iterable[int]) -> str:
    return "x".join(str(int(n)) for n in numbers)
