"""What tuning samples for a GPU computes what the untuned kernel does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_gpu
import numpy as np
import pytest
import tuned
import tvm
from conftest import randomized
from executed import gpu_runner, no_gpu_runner, no_pocl
from torch import nn

from tvmlcnn.package.model_file import link_library, write_parts
from tvmlcnn.package.variants import Variants
from tvmlcnn.runtime.machine import machine
from tvmlcnn.schedules import why_given_up
from tvmlcnn.targets import DEVICES, Gpu
from tvmlcnn.tuning.gpu_program import gpu_functions, gpu_program
from tvmlcnn.tuning.kernels import RULE, Fixed, Kernel, fitting, scheduled
from tvmlcnn.tuning.measuring import error_of
from tvmlcnn.tuning.search import Search, TemplateSpace
from tvmlcnn.tuning.space import spaces
from tvmlcnn.tuning.tasks import Task

ORIN = DEVICES["jetson-orin-nano"]
assert isinstance(ORIN, Gpu)
SAMPLES = 4


def conv(inner: int, outer: int, size: int = 1, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, size, stride, size // 2, groups=groups)


# Of each rule with decisions: what it is tuned for, and the decisions.
NETS: dict[str, tuple[nn.Module, tuple[int, ...], str, set[str]]] = {
    "pointwise": (nn.Sequential(conv(24, 48), nn.ReLU6()), (1, 24, 9, 7), "conv2d", {"tile"}),
    "3x3": (conv(12, 48, 3, 2), (1, 12, 15, 15), "conv2d", {"tile"}),
    "first": (nn.Sequential(conv(3, 16, 3, 2), nn.ReLU()), (1, 3, 32, 32), "conv2d", {"tile"}),
    "matmul": (nn.Linear(64, 96), (1, 64), "matmul", {RULE}),
    "depthwise": (
        conv(48, 48, 3, groups=48),
        (1, 48, 14, 14),
        "groups 48",
        {"tile", "block"},
    ),
    "windows": (nn.MaxPool2d(3, 2, 1), (1, 32, 15, 15), "max pool", {"channels", "block"}),
    "whole maps": (
        nn.Sequential(conv(16, 32), nn.AdaptiveAvgPool2d(1)),
        (1, 16, 14, 14),
        "global average pool",
        {"parts"},
    ),
    "resize": (
        nn.Sequential(conv(16, 64), nn.Upsample(scale_factor=2, mode="bilinear")),
        (1, 16, 7, 7),
        "resample",
        {"threads"},
    ),
    "pair": (
        nn.Sequential(conv(16, 96), nn.ReLU6(), conv(96, 96, 3, 2, groups=96)),
        (1, 16, 112, 112),
        "depthwise",
        {"bands"},
    ),
}


def wanted(name: str) -> Task:
    net, shape, text, _ = NETS[name]
    tasks = tuned.tasks_of(randomized(net), shape, ORIN)
    (task, *_) = (task for task in tasks if text in task.workload)
    return task


def sampled(task: Task, count: int) -> list[dict[str, Any]]:
    search = Search(TemplateSpace(task, ORIN, 1), ORIN, 8, 1)
    return [candidate.decisions for candidate in search.propose(count)]


def computed(kernel: Kernel, gpu: Gpu) -> list[np.ndarray]:
    function = kernel.function.with_attr("global_symbol", "main")
    room = [np.full(shape, np.nan, dtype) for shape, dtype in kernel.results]
    tensors = [*map(np.ascontiguousarray, kernel.arguments), *room]
    arrays = {str(number): tensor for number, tensor in enumerate(tensors)}
    calls = [("main", [(name, 0) for name in arrays])]
    gpu_runner().run(tvm.IRModule({"main": function}), gpu, calls, arrays)
    return room


@pytest.mark.parametrize("name", NETS)
def test_decisions_of_each_rule(name: str) -> None:
    """They travel through JSON; the first of each is the untuned kernel's."""
    task = wanted(name)
    found = spaces(task, ORIN)
    assert NETS[name][3] <= {decision for options in found for decision in options}
    assert any(len(options) > 1 for space in found for options in space.values())
    untuned = {decision: options[0] for decision, options in found[0].items()}
    default = scheduled(task, ORIN).function
    same = scheduled(task, ORIN, Fixed(json.loads(json.dumps(untuned)))).function
    tvm.ir.assert_structural_equal(default, same)
    for decisions in sampled(task, SAMPLES):
        measured = scheduled(task, ORIN, Fixed(decisions)).function
        recorded = json.loads(json.dumps(fitting(task, ORIN, decisions)))
        tvm.ir.assert_structural_equal(measured, scheduled(task, ORIN, Fixed(recorded)).function)


@pytest.mark.long
@pytest.mark.skipif(no_gpu_runner(), reason="no GPU, and no OpenCL driver for the CPU")
@pytest.mark.parametrize("name", NETS)
def test_each_sample_computes_what_the_untuned_kernel_does(name: str) -> None:
    task = wanted(name)
    expected = computed(scheduled(task, ORIN), ORIN)
    samples = sampled(task, SAMPLES)
    assert samples
    for decisions in samples:
        kernel = scheduled(task, ORIN, Fixed(decisions))
        assert why_given_up(kernel.function) is None
        assert error_of(computed(kernel, ORIN), expected) < 1e-5, decisions


@pytest.mark.long
@pytest.mark.skipif(no_pocl(), reason="no OpenCL driver for the CPU")
def test_a_program_of_kernels(tmp_path: Path) -> None:
    """Its outputs are those of each kernel, with what is done to the caches between them."""
    import pocl

    gpu = replace(ORIN, machine=machine())
    task = wanted("depthwise")
    chosen = [{}, *sampled(task, 2)]
    kernels = [scheduled(task, gpu, Fixed(decisions)) for decisions in chosen]
    program = gpu_program(kernels, 1 << 16, gpu)
    mod = gpu_functions([kernel.function for kernel in kernels], program, 1 << 16, gpu)
    assert [call.function for call in program.flat.calls] == [
        name for n in range(3) for name in ("evict", "fresh_0", f"k{n}")
    ]
    assert [program.flat.calls[place].function for place in program.timed] == ["k0", "k1", "k2"]
    variants = Variants(mod, [program.flat], program.weights, [[]])
    parts = write_parts(
        *(variants, [program.input_specs], [program.specs], gpu, [], None),
        *(fake_gpu.NoCompiler(), tmp_path),
    )
    link_library(parts, {}, tmp_path / "kernels.so")
    source, given, found = (tmp_path / name for name in ("kernels.cl", "in.npz", "out.npz"))
    source.write_text(pocl.source(mod, gpu))
    np.savez(given, *program.inputs)
    (tmp_path / "driver").mkdir()
    driver = fake_gpu.build_driver(tmp_path / "driver")
    script = "package/run_on_pocl.py"
    fake_gpu.run(script, driver, tmp_path / "kernels.so", 0, source, given, found, 2)
    with np.load(found) as loaded:
        outputs = [loaded[name] for name in loaded.files]
    expected = computed(kernels[0], gpu)
    for each in (outputs[:3], outputs[3:]):  # as launches, then as a graph
        for result in program.of_kernels(each, 3):
            assert error_of(result, expected) < 1e-5
