"""What is noted of each call of a kernel: which variables of the graph before became it."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

import re

import tvm
from scripted import filled, functions
from tvm.relax import transform
from tvm.script import ir as I
from tvm.script import relax as R

from tvmlcnn.passes import count_flops, group, kernel_calls, list_kernel_calls

LEFT, RIGHT = filled(16, 8), filled(16, 8) + 1


def with_layers(mod: tvm.IRModule) -> tvm.IRModule:
    """Call ``left__mm`` ``_left:mm``, as the import does, which is no name in TVMScript."""
    text = re.sub(r'"([a-z]+)__([a-z]+)"', r'"_\1:\2"', tvm.ir.save_json(mod))
    return tvm.ir.load_json(text)


def kernels(mod: tvm.IRModule) -> tvm.IRModule:
    """Return the module as it is before kernels are grouped."""
    return transform.AnnotateTIROpPattern()(transform.LegalizeOps()(count_flops(mod)))


def calls_of(mod: tvm.IRModule) -> list[dict[str, object]]:
    return kernel_calls(list_kernel_calls(transform.FuseTIR()(group(kernels(mod)))))


@I.ir_module
class Branches:
    """Two layers of one form; a transpose of no layer; an intermediate that is an output too."""

    @R.function
    def main(x: R.Tensor((4, 16), "float32")):
        with R.dataflow():
            left__mm = R.matmul(x, R.const(LEFT))
            left__relu = R.nn.relu(left__mm)
            right__mm = R.matmul(x, R.const(RIGHT))
            right__relu = R.nn.relu(right__mm)
            turned = R.permute_dims(right__relu)
            y = (left__relu, right__relu, turned)
            R.output(y)
        return y


def test_each_call_has_its_own_variables() -> None:
    """One function is called for both branches."""
    size = {"x": 4 * 16, "w": 16 * 8, "y": 4 * 8}
    product = {
        "function": "fused_matmul_relu",
        "flops": 2 * 4 * 16 * 8 + 4 * 8,
        "bytes": 4 * (size["x"] + size["w"] + size["y"]),
        "element": "float32",
    }
    assert calls_of(with_layers(Branches)) == [
        product | {"layers": ["left"], "bindings": ["_left:mm", "_left:relu"]},
        product | {"layers": ["right"], "bindings": ["_right:mm", "_right:relu"]},
        {
            "function": "transpose",
            "layers": [],
            "bindings": ["turned"],
            "flops": 0,
            "bytes": 4 * 2 * size["y"],
            "element": "float32",
        },
    ]


def test_a_tensor_that_is_read_twice_counts_once() -> None:
    @I.ir_module
    class Square:
        @R.function
        def main(x: R.Tensor((4, 16), "float32")):
            with R.dataflow():
                s = R.multiply(x, x)
                y = (s,)
                R.output(y)
            return y

    (call,) = calls_of(Square)
    assert (call["bindings"], call["flops"], call["bytes"]) == (["s"], 64, 4 * 2 * 64)


def test_equal_calls_are_told_apart_by_their_order() -> None:
    @I.ir_module
    class Twins:
        @R.function
        def main(x: R.Tensor((4, 16), "float32")):
            with R.dataflow():
                one__relu = R.nn.relu(x)
                two__relu = R.nn.relu(x)
                y = (one__relu, two__relu)
                R.output(y)
            return y

    assert [call["layers"] for call in calls_of(with_layers(Twins))] == [["one"], ["two"]]


def test_notes_change_nothing_else() -> None:
    before = kernels(Branches)
    grouped = group(before)
    tvm.ir.assert_structural_equal(functions(grouped), functions(transform.FuseOps()(before)))
    fused = transform.FuseTIR()(grouped)
    tvm.ir.assert_structural_equal(functions(list_kernel_calls(fused)), functions(fused))


def test_kernels_are_called_after_their_last_layer() -> None:
    main = group(kernels(with_layers(Branches)))["main"]
    names = [str(binding.var.name) for block in main.body.blocks for binding in block.bindings]
    assert names == ["_left", "_right", "_kernel", "_kernel.1"]
