"""The loop nests that rules make, as files that show in a review what a change does to them."""

from __future__ import annotations

from pathlib import Path

import pytest
import tvm
from golden import Golden
from layers_of_each_kind import LAYERS, kernel, relu
from loop_nest import loop_nest
from tvm import te, topi
from tvm.tirx import PrimFunc

from tvmlcnn.schedules import schedule
from tvmlcnn.targets import DEVICES
from tvmlcnn.tuning.kernels import RULE, Fixed

FOLDER = Path(__file__).parent / "golden"
BOTH = ("x86", "rpi4")
CASES: dict[str, dict[str, tuple[str, ...]]] = {
    "winograd": {
        "3x3 large": BOTH,
        "3x3": ("x86", "cuda", "jetson-orin-nano"),
        "3x3 by five": ("rpi4",),
        "strided": ("rpi4",),
        "3x3 signed bytes": ("rpi4",),
    },
    "strassen": {"pointwise": BOTH, "prologue": ("rpi4",)},
    "dense": {
        "pointwise": (*BOTH, "rpi2"),
        "strided": BOTH,
        "first": BOTH,
        "prologue": BOTH,
        "table": ("x86",),
        "product": ("x86",),
        "bytes": ("x86",),
        "signed bytes": ("rpi4", "rpi5"),
    },
    "depthwise": {"depthwise": (*BOTH, "rpi2", "cuda"), "depthwise bytes": ("x86", "cuda")},
    "few_channels": {"first": ("cuda",)},
    "depthwise_pairs": {"depthwise signed bytes": ("rpi4",)},
    "depthwise_products": {"depthwise signed bytes": ("rpi5",)},
    "pointwise_depthwise": {"pointwise and depthwise": (*BOTH, "cuda")},
    "depthwise_pointwise": {"depthwise and pointwise": ("h100", "jetson-orin-nano")},
    "grouped": {"grouped": BOTH, "diagonals": BOTH},
    "pooling": {"maximum": (*BOTH, "cuda"), "global average": (*BOTH, "cuda")},
    "batched_product": {"batched product": BOTH},
    "resample": {"bilinear": (*BOTH, "cuda")},
    "normalization": {"layer norm": BOTH, "group norm": BOTH},
    "reduction": {"sum": BOTH},
    "default": {"odd": BOTH, "concatenation": BOTH, "softmax": BOTH},
    "implicit_gemm": {
        "pointwise": ("cuda", "jetson-orin-nano"),
        "first": ("cuda",),
        "prologue": ("cuda",),
        "table": ("cuda",),
    },
    "row_product": {"product": ("cuda",)},
    "tensor_gemm": {"halves": ("cuda", "jetson-orin-nano"), "bytes": ("jetson-orin-nano",)},
    "dot_gemm": {"bytes": ("jetson-xavier-nx",)},
    "softmax": {"softmax of columns": ("cuda",)},
    "elementwise": {"concatenation": ("cuda",), "transpose": ("cuda",)},
    "dlight": {"convolution": ("cuda",), "softmax": ("cuda",)},
}
"""Targets by the rule and the layer, or the function that no plan is made for."""


def _softmax() -> PrimFunc:
    data = te.placeholder((4, 100), "float32", "data")
    return te.create_prim_func([data, topi.nn.softmax(data)])


def _convolution() -> PrimFunc:
    data = te.placeholder((1, 32, 14, 14), "float32", "data")
    weight = te.placeholder((48, 32, 3, 3), "float32", "weight")
    return te.create_prim_func([data, weight, relu(topi.nn.conv2d_nchw(data, weight, 1, 1, 1))])


def _transpose() -> PrimFunc:
    data = te.placeholder((1, 32, 14, 70), "float32", "data")
    return te.create_prim_func([data, relu(topi.transpose(data, (0, 2, 3, 1)))])


FUNCTIONS = {"softmax": _softmax, "convolution": _convolution, "transpose": _transpose}


def _name(rule: str, case: str, target: str) -> str:
    return f"{rule}-{case.replace(' ', '_')}-{target}.txt"


ALL = [
    (rule, case, target)
    for rule, cases in CASES.items()
    for case, targets in cases.items()
    for target in targets
]


@pytest.mark.parametrize(("rule", "case", "target"), ALL)
def test_loop_nest(rule: str, case: str, target: str, golden: Golden) -> None:
    device = DEVICES[target]
    if case in LAYERS:
        made = kernel(LAYERS[case], device, Fixed({RULE: rule}))
    else:
        module = schedule(tvm.IRModule({"main": FUNCTIONS[case]()}), device)
        made = module["main"]
    assert made.attrs["tvmlcnn.rule"] == rule
    golden.check(FOLDER / _name(rule, case, target), loop_nest(made))


def test_each_file_has_its_test(golden: Golden) -> None:
    golden.check_names(FOLDER, (_name(*case) for case in ALL))
