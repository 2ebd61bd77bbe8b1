"""Files for a GPU run by their own runtime: on the one of this machine, or on PoCL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import fake_gpu
import numpy as np
import pytest
from executed import no_gpu_runner
from torch import nn

import tvmlcnn
from tvmlcnn import frontend, pipeline
from tvmlcnn.package import cuda, model_file
from tvmlcnn.package.variants import Variants, together
from tvmlcnn.runtime.machine import machine
from tvmlcnn.runtime.nvidia import has_gpu
from tvmlcnn.targets import DEVICES, Device, Gpu
from tvmlcnn.targets.cuda_native import cuda_native


def gpu_here() -> Gpu:
    """Return this machine's GPU, or one that PoCL stands for; skip the test without both."""
    if has_gpu():
        return cuda_native()
    if no_gpu_runner():
        pytest.skip("no GPU, and no OpenCL driver for the CPU (Debian: pocl-opencl-icd)")
    gpu = replace(DEVICES["jetson-orin-nano"], machine=machine())
    assert isinstance(gpu, Gpu)
    return gpu


def compiler_here(device: Gpu) -> cuda.Compiler:
    """Return what compiles for `gpu_here`; PoCL takes no machine code."""
    return cuda.find_compiler(device.gpu_code) if has_gpu() else fake_gpu.NoCompiler()


def compiled(
    net: nn.Module,
    inputs: Sequence[list[np.ndarray]],
    device: Device,
    compiler: cuda.Compiler,
    folder: Path,
) -> tuple[Variants, Path]:
    """Return the programs of a network, one for each of some inputs, and its file."""
    graphs = [frontend.import_graph(net, each) for each in inputs]
    variants = together([pipeline.run(graph.mod, device) for graph in graphs])
    specs = [graph.inputs for graph in graphs], [graph.outputs for graph in graphs]
    parts = model_file.write_parts(variants, *specs, device, [], None, compiler, folder)
    model_file.link_library(parts, {}, folder / "net.so")
    return variants, folder / "net.so"


def compare(
    net: nn.Module,
    inputs: list[np.ndarray],
    variants: Variants,
    path: Path,
    program: int = 0,
    most: float = 1e-5,
    ways: int = 3,
) -> None:
    """Run a program of a file, and compare it with torch.

    Parameters
    ----------
    net, inputs, variants, path, program
    most : float
        The largest error over the output's range.
    ways : int
        As launches; then as a graph; then call by call.
    """
    found = _computed_here if has_gpu() else _computed_by_pocl
    results = found(inputs, variants, path, program, ways)
    expected = frontend.reference(net, inputs)
    assert len(results) == ways * len(expected)
    for result, wanted in zip(results, ways * list(expected), strict=True):
        assert result.dtype == wanted.dtype
        if wanted.dtype == np.float32:
            assert np.abs(result - wanted).max() <= most * np.ptp(wanted)
        else:
            np.testing.assert_array_equal(result, wanted)


def _computed_here(
    inputs: list[np.ndarray], variants: Variants, path: Path, program: int, ways: int
) -> list[np.ndarray]:
    model = tvmlcnn.load(path)
    results = (model(*inputs) for _ in range(ways))
    return [
        each for result in results for each in (result if isinstance(result, tuple) else (result,))
    ]


def _computed_by_pocl(
    inputs: list[np.ndarray], variants: Variants, path: Path, program: int, ways: int
) -> list[np.ndarray]:
    import pocl

    kernels, given, found = (
        path.with_name(name) for name in ("kernels.cl", "inputs.npz", "outputs.npz")
    )
    kernels.write_text(pocl.source(variants.mod, gpu_here()))
    np.savez(given, *inputs)
    driver = path.with_name("driver")
    if not driver.exists():
        driver.mkdir()
        fake_gpu.build_driver(driver)
    fake_gpu.run("package/run_on_pocl.py", driver, path, program, kernels, given, found, ways)
    with np.load(found) as loaded:
        return [loaded[f"arr_{n}"] for n in range(len(loaded.files))]
