"""CUDA without a GPU: machine code in the library, the right one, and kernels that are right."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import tvm
import tvm_ffi
from torch import nn

from tvmlcnn import frontend, passes, pipeline
from tvmlcnn.errors import UserError
from tvmlcnn.package import cuda
from tvmlcnn.package.cuda_image import architectures
from tvmlcnn.package.library_bin import LibraryBin, find_cuda_modules
from tvmlcnn.package.link import link
from tvmlcnn.runtime.elf import read_elf
from tvmlcnn.targets import DEVICES, Device

ANY_GPU = ("sm_75", "compute_75")
CODE = {"cuda": ANY_GPU, "jetson-orin-nano": ("sm_87",)}


def separable(channels: int, width: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(),
        nn.Conv2d(channels, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU6(),
    )


class Residual(nn.Module):
    """A squeeze-and-excitation block with a shortcut, and a channel shuffle after it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = separable(channels, channels)
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, 4, 1), nn.ReLU())
        self.excite = nn.Sequential(nn.Conv2d(4, channels, 1), nn.Hardsigmoid())
        self.shuffle = nn.ChannelShuffle(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.body(x)
        return self.shuffle(torch.cat([x + y * self.excite(self.squeeze(y)), x[:, :8]], 1))


def head(width: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)]


def stem() -> list[nn.Module]:
    return [nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish()]


NETS = {
    "separable": lambda: [*stem(), separable(16, 24, 2), nn.MaxPool2d(3, 2, 1), *head(24)],
    "residual": lambda: [*stem(), Residual(16), *head(24)],
    "grouped": lambda: [*stem(), nn.Conv2d(16, 32, 5, groups=4), *head(32), nn.Softmax(1)],
}


def network(name: str) -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(*NETS[name]())
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.get_buffer("running_mean"), 0, 0.1)
            nn.init.uniform_(module.get_buffer("running_var"), 0.5, 1.5)
    return net.eval()


def build(device: Device) -> Any:
    graph = frontend.import_graph(network("separable"), frontend.random_inputs([(1, 3, 32, 32)]))
    mod = pipeline.run(graph.mod, device)
    with cuda.kernels_as_source():
        return tvm.compile(mod, tvm.target.Target(device.tvm), relax_pipeline=None)


def export(executable: Any, path: Path, **options: Any) -> Path:
    def linker(output: str, files: list[str], options: object = None) -> None:
        link([Path(file) for file in files], Path(output))

    linker.output_format = "so"  # type: ignore[attr-defined]
    executable.export_library(str(path), fcompile=linker, **options)
    return path


def find_or_skip(code: tuple[str, ...]) -> cuda.Compiler:
    try:
        return cuda.find_compiler(code)
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=sorted(CODE))
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a device and its library."""
    code = CODE[request.param]
    compiler = find_or_skip(code)
    device = DEVICES[request.param]
    path = tmp_path_factory.mktemp("cuda") / f"{device.name}.so"
    pack = cuda.pack_imports(compiler, code)
    return device, export(build(device), path, fpack_imports=pack)


@pytest.fixture(scope="module")
def executable() -> Any:
    return build(DEVICES["cuda"])


@pytest.mark.long
def test_library_holds_machine_code_and_no_source(built: tuple[Device, Path]) -> None:
    device, path = built
    assert read_elf(path).machine == device.machine
    assert b"__global__" not in path.read_bytes()
    (module,) = find_cuda_modules(path.read_bytes())
    assert sorted(architectures(module.code)) == sorted(CODE[device.name])
    assert module.format == ("fatbin" if device.name == "cuda" else "cubin")
    kernels = cuda.check_library(path, CODE[device.name])
    assert "max_pool2d_kernel" in kernels
    for name in kernels:
        assert name.encode() in module.code


@pytest.mark.long
def test_library_of_another_architecture_is_refused(built: tuple[Device, Path]) -> None:
    with pytest.raises(RuntimeError, match="instead of"):
        cuda.check_library(built[1], ("sm_86",))


@pytest.mark.long
@pytest.mark.parametrize("built", ["cuda"], indirect=True)
def test_loading_hands_over_the_machine_code(built: tuple[Device, Path]) -> None:
    path = built[1]
    name = "ffi.Module.load_from_bytes.cuda"
    if tvm_ffi.get_global_func(name, allow_missing=True):
        pytest.skip("needs a process without a CUDA runtime")
    payloads = []

    def load(payload: bytes) -> Any:
        payloads.append(payload)
        return tvm_ffi.get_global_func("runtime.SourceModuleCreate")("", "cuda")

    tvm_ffi.register_global_func(name, load)
    try:
        tvm.runtime.load_module(str(path))
    finally:
        tvm_ffi.registry.remove_global_func(name)
    (module,) = find_cuda_modules(path.read_bytes())
    assert payloads == [module.serialize()]


# What TVM's CUDA runtime links to; every call answers that there is no device.
DRIVER = """
#define NO_DEVICE(name) int name(void) { return 100; }
NO_DEVICE(cuDeviceGetName) NO_DEVICE(cuFuncSetAttribute) NO_DEVICE(cuGetErrorName)
NO_DEVICE(cuGetErrorString) NO_DEVICE(cuLaunchKernelEx) NO_DEVICE(cuModuleGetFunction)
NO_DEVICE(cuModuleLoadData) NO_DEVICE(cuModuleUnload) NO_DEVICE(cuTensorMapEncodeTiled)
"""
WITH_DRIVER = """
import ctypes, sys
ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL)
import tvm, tvm_ffi
assert tvm_ffi.get_global_func("ffi.Module.create.cuda", allow_missing=True)
sys.path.insert(0, sys.argv[2])
import test_cuda
module = tvm.runtime.load_module(sys.argv[3])
while module.kind != "cuda":
    module = module.imports[0]
assert module.get_function("max_pool2d_kernel") is not None
executable = test_cuda.build(test_cuda.DEVICES["cuda"])
assert "__global__" in executable.mod.imports[0].imports[0].inspect_source("cuda")
"""


@pytest.mark.long
@pytest.mark.parametrize("built", ["cuda"], indirect=True)
def test_with_tvms_cuda_runtime(built: tuple[Device, Path], tmp_path: Path) -> None:
    """Where TVM has a driver, its runtime reads the library, and a build goes the same way."""
    path = built[1]
    try:
        ctypes.CDLL("libcudart.so.13")
    except OSError:
        pytest.skip("TVM's CUDA runtime needs libcudart.so.13")
    source, driver = tmp_path / "driver.c", tmp_path / "libcuda.so.1"
    source.write_text(DRIVER)
    zig = [sys.executable, "-m", "ziglang", "cc", "-shared", "-Wl,-soname,libcuda.so.1"]
    subprocess.run([*zig, "-o", str(driver), str(source)], check=True, capture_output=True)
    arguments = [str(driver), str(Path(__file__).parent), str(path)]
    # Nothing that compiles is in reach, so that TVM's own way would fail.
    environment = os.environ | {"PATH": str(tmp_path)}
    subprocess.run([sys.executable, "-c", WITH_DRIVER, *arguments], check=True, env=environment)


def test_source_is_refused(executable: Any, tmp_path: Path) -> None:
    path = export(executable, tmp_path / "source.so")
    with pytest.raises(RuntimeError, match="'cuda' for CUDA"):
        cuda.check_library(path, ANY_GPU)


def test_library_without_kernels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.so"
    path.write_bytes(b"\4" + bytes(7) + b"cuda" + bytes(64))
    with pytest.raises(RuntimeError, match="no CUDA kernels"):
        cuda.check_library(path, ANY_GPU)


def test_packed_modules_round_trip(executable: Any) -> None:
    pack = tvm_ffi.get_global_func("runtime.ModulePackImportsToTensor")
    packed = pack(executable.mod).numpy().tobytes()
    parsed = LibraryBin.parse(packed)
    assert parsed.serialize() == packed
    ((place, module),) = parsed.cuda_modules().items()
    assert module.serialize() == parsed.modules[place][1]
    assert "max_pool2d_kernel" in module.kernels


@pytest.mark.system
@pytest.mark.parametrize("name", sorted(NETS))
def test_schedules_compute_what_torch_does(name: str) -> None:
    pytest.importorskip("pyopencl")
    import pocl

    if pocl.missing():
        pytest.skip("no OpenCL driver for the CPU (Debian: pocl-opencl-icd)")
    module = network(name)
    inputs = frontend.random_inputs([(1, 3, 32, 32)])
    device = DEVICES["jetson-orin-nano"]
    intrinsics = "tvm.s_tir.tensor_intrin" in sys.modules
    mod = frontend.import_graph(module, inputs).mod
    with tvm.target.Target(device.tvm):
        for phase in passes.phases(device):
            mod = phase.run(mod)
            if phase.name == "schedule":
                break
    # Importing it takes half a minute.
    assert ("tvm.s_tir.tensor_intrin" in sys.modules) == intrinsics
    (result,) = pocl.network(mod)(*inputs)
    (expected,) = frontend.reference(module, inputs)
    assert np.abs(result - expected).max() <= 1e-5 * np.ptp(expected)
