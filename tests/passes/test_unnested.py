"""Chains of operators that are written out at each use: kernels that compile in seconds."""

from __future__ import annotations

import pytest
import tvm
from tvm import relax, te, tirx

from tvmlcnn.graph.constants import is_call_of
from tvmlcnn.graph.variables import bindings
from tvmlcnn.passes.unnested import _depth, _loads, unnested


def chain(length: int, every: int = 0) -> tvm.IRModule:
    """Return sines of sines; after each ``every`` of them the input is added."""

    def sine(x: te.Tensor) -> te.Tensor:
        return te.compute(x.shape, lambda i: tirx.sin(x[i]), "sine")

    def add(x: te.Tensor, y: te.Tensor) -> te.Tensor:
        return te.compute(x.shape, lambda i: x[i] + y[i], "add")

    builder = relax.BlockBuilder()
    data = relax.Var("data", relax.TensorType([16], "float32"))
    with builder.function("main", [data]):
        with builder.dataflow():
            value = data
            for number in range(length):
                value = builder.emit_te(sine, value)
                if every and number % every == every - 1:
                    value = builder.emit_te(add, value, data)
            result = builder.emit_output(value)
        builder.emit_func_output(result)
    return relax.transform.AnnotateTIROpPattern()(builder.get())


@pytest.mark.parametrize("every", [0, 1, 2])
@pytest.mark.parametrize("length", [1, 3, 4, 9, 300])
def test_no_kernel_has_more_than_three(length: int, every: int) -> None:
    mod = relax.transform.FuseOps()(unnested(chain(length, every)))
    mod = relax.transform.FuseTIR()(mod)
    counts = [
        _depth(mod[binding.value.args[0]])
        for binding in bindings(mod["main"])
        if is_call_of(binding.value, "relax.call_tir")
    ]
    assert sum(counts) == length
    assert max(counts) <= 3
    assert len(counts) <= 1 + length // 2


def halves(length: int) -> tvm.IRModule:
    """Return joins of what is computed of the halves of a join: each is twice as long as before."""

    def sum_and_product(x: te.Tensor) -> te.Tensor:
        return te.compute(
            x.shape,
            lambda i: tirx.if_then_else(i < 8, x[i] + x[i + 8], x[i - 8] * x[i]),
            "sum_and_product",
        )

    builder = relax.BlockBuilder()
    data = relax.Var("data", relax.TensorType([16], "float32"))
    with builder.function("main", [data]):
        with builder.dataflow():
            value = data
            for _ in range(length):
                value = builder.emit_te(sum_and_product, value)
            result = builder.emit_output(value)
        builder.emit_func_output(result)
    return relax.transform.AnnotateTIROpPattern()(builder.get())


@pytest.mark.parametrize(("length", "count"), [(2, 1), (3, 2), (30, 20)])
def test_no_kernel_is_written_out_too_often(length: int, count: int) -> None:
    mod = relax.transform.FuseOps()(unnested(halves(length)))
    mod = relax.transform.FuseTIR()(mod)
    kernels = [
        mod[binding.value.args[0]]
        for binding in bindings(mod["main"])
        if is_call_of(binding.value, "relax.call_tir")
    ]
    assert max(load for kernel in kernels for load in _loads(kernel)) <= 32
    assert len(kernels) == count


def test_short_chains_stay() -> None:
    mod = chain(3)
    assert unnested(mod).same_as(mod)
