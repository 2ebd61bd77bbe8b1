"""CUDA without a GPU: machine code in the library, the right one, and kernels that are right."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import fake_gpu
import numpy as np
import pytest
import torch
import tvm
from on_gpu import compare, compiled, compiler_here, gpu_here
from torch import nn
from tvm.script import tirx as T

from tvmlcnn import frontend
from tvmlcnn.errors import UserError
from tvmlcnn.package import cuda
from tvmlcnn.package.cuda_image import architectures
from tvmlcnn.package.elf_object import data_object
from tvmlcnn.package.launches import GpuFunction, Launch
from tvmlcnn.package.link import link
from tvmlcnn.runtime.elf import read_elf
from tvmlcnn.runtime.machine import machine
from tvmlcnn.targets import DEVICES

CODE = {"cuda": ("sm_75", "compute_75"), "jetson-orin-nano": ("sm_87",)}


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


def images(count: int) -> list[np.ndarray]:
    return frontend.random_inputs([(count, 3, 32, 32)])


def head(width: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)]


def stem() -> list[nn.Module]:
    return [nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish()]


NETS = {
    "separable": lambda: [*stem(), separable(16, 24, 2), nn.MaxPool2d(3, 2, 1), *head(24)],
    "residual": lambda: [*stem(), Residual(16), *head(24)],
    "pointwise groups": lambda: [*stem(), nn.Conv2d(16, 24, 1, groups=8), nn.Softplus(), *head(24)],
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


class Several(nn.Module):
    """Outputs that are inputs, weights, parts of each other; loops of our own; other types."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(*stem(), nn.GroupNorm(4, 16), nn.Flatten(), nn.Linear(4096, 12))
        self.scale = nn.Parameter(torch.linspace(0, 1, 7))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = self.net(x)
        ordered, places = torch.sort(y, 1)
        return y, ordered, places, torch.cumsum(x, 3), self.scale, x, y.view(3, 4), y > 0


class Split(nn.Module):
    """ShuffleNet's channel shuffle, and parts of what is shuffled as outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.body = nn.Sequential(*stem()), separable(16, 16)
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = self.stem(x)
        return self.shuffle(torch.cat([y, self.body(y)], 1)).chunk(2, 1)


NETS |= {"several": lambda: [Several()], "split": lambda: [Split()]}


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(CODE))
def test_library_holds_machine_code_and_no_source(name: str, tmp_path: Path) -> None:
    code, device = CODE[name], DEVICES[name]
    try:
        compiler = cuda.find_compiler(code)
    except UserError as error:
        pytest.skip(str(error))
    variants, path = compiled(network("separable"), [images(1)], device, compiler, tmp_path)
    elf = read_elf(path)
    assert elf.machine == device.machine
    assert b"__global__" not in path.read_bytes()
    image = elf.read(cuda.CUDA_SECTION)
    assert sorted(architectures(image)) == sorted(code)
    for program in variants.programs:
        for call in program.calls:
            assert f"{call.function}_kernel".encode() in image
    cuda.check_library(path, code)
    with pytest.raises(RuntimeError, match="instead of"):
        cuda.check_library(path, ("sm_86",))


def library(folder: Path, **sections: bytes) -> Path:
    """Link a library with some data."""
    data = {f".tvmlcnn.{name}": content for name, content in sections.items()}
    (folder / "data.o").write_bytes(data_object("x86_64", data))
    link([folder / "data.o"], folder / "lib.so")
    return folder / "lib.so"


def test_source_is_refused(tmp_path: Path) -> None:
    path = library(tmp_path, cuda=b"__global__ void f() {}")
    with pytest.raises(RuntimeError, match="neither a cubin nor a fatbin"):
        cuda.check_library(path, CODE["cuda"])


def test_library_without_kernels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no CUDA kernels"):
        cuda.check_library(library(tmp_path, weights=b"1234"), CODE["cuda"])


@T.prim_func(s_tir=True)
def two_steps(x: T.Buffer((64,), "float32"), y: T.Buffer((64,), "float32")):
    T.func_attr({"global_symbol": "two_steps", "tirx.noalias": True})
    between = T.sblock_alloc_buffer((64,), "float32")
    for i in T.thread_binding(4, thread="blockIdx.x"):
        for j in T.thread_binding(16, thread="threadIdx.y"):
            with T.sblock("between"):
                n = T.axis.spatial(64, i * 16 + j)
                between[n] = x[n] * T.float32(2)
    for i in T.thread_binding(2, thread="blockIdx.z"):
        for j in T.thread_binding(32, thread="threadIdx.x"):
            with T.sblock("y"):
                n = T.axis.spatial(64, i * 32 + j)
                y[n] = between[63 - n]


def test_a_function_of_several_launches() -> None:
    """Tensors between them are counted after the parameters."""
    functions, source = cuda.cuda_source(tvm.IRModule({"two_steps": two_steps}), DEVICES["cuda"])
    assert functions == {
        "two_steps": GpuFunction(
            (
                Launch("two_steps_kernel", (2, 0), (4, 1, 1), (1, 16, 1), 0, True),
                Launch("two_steps_kernel_1", (2, 1), (1, 1, 2), (32, 1, 1), 0, True),
            ),
            (256,),
        )
    }
    assert "two_steps_kernel_1(" in source


@T.prim_func(s_tir=True)
def shared(x: T.Buffer((64,), "float32"), y: T.Buffer((64,), "float32")):
    T.func_attr({"global_symbol": "shared", "tirx.noalias": True})
    for i in T.thread_binding(64, thread="threadIdx.x"):
        with T.sblock("root"):
            n = T.axis.spatial(64, i)
            kept = T.sblock_alloc_buffer((64,), "float32", scope="shared.dyn")
            with T.sblock("kept"):
                kept[n] = x[n]
            with T.sblock("y"):
                y[n] = kept[n]


class Functions(nn.Module):
    """What TVM's code generator needs a rule for each of."""

    NAMES = (
        *("exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "erf", "erfc"),
        *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "atanh"),
        *("floor", "ceil", "round", "trunc", "sign", "abs", "square", "sigmoid", "isnan", "isinf"),
    )
    ACTIVATIONS = ("softplus", "logsigmoid", "mish", "gelu", "silu", "elu", "celu", "selu", "tanh")

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = [getattr(torch, name)(x) for name in self.NAMES]
        found += [getattr(nn.functional, name)(x) for name in self.ACTIVATIONS]
        return *found, torch.fmod(x, 0.7), torch.atan2(x, x + 1), x.abs() ** 1.7


def test_functions_have_a_form_on_gpus(tmp_path: Path) -> None:
    """Their source is generated; what an operator lacks a rule for is refused there."""
    here = replace(DEVICES["jetson-orin-nano"], machine=machine())
    compiled(Functions(), [images(1)], here, fake_gpu.NoCompiler(), tmp_path)


def test_dynamic_shared_memory() -> None:
    functions, _ = cuda.cuda_source(tvm.IRModule({"shared": shared}), DEVICES["cuda"])
    (launch,) = functions["shared"].launches
    assert launch == Launch("shared_kernel", (0, 1), (1, 1, 1), (64, 1, 1), 256, True)


@pytest.mark.system
@pytest.mark.parametrize("name", sorted(NETS))
def test_files_compute_what_torch_does(name: str, tmp_path: Path) -> None:
    """A file is run by its own runtime, on the driver of the tests, whose launches PoCL does."""
    here = gpu_here()
    intrinsics = "tvm.s_tir.tensor_intrin" in sys.modules
    net = network(name)
    variants, path = compiled(net, [images(1)], here, compiler_here(here), tmp_path)
    # Importing it takes half a minute.
    assert ("tvm.s_tir.tensor_intrin" in sys.modules) == intrinsics
    compare(net, images(1), variants, path)


@pytest.mark.system
def test_each_size_of_the_inputs(tmp_path: Path) -> None:
    here = gpu_here()
    net = nn.Sequential(*stem(), *head(16)).eval()
    sizes = [images(1), images(3)]
    variants, path = compiled(net, sizes, here, compiler_here(here), tmp_path)
    for program, batch in enumerate((1, 3)):
        compare(net, images(batch), variants, path, program)
