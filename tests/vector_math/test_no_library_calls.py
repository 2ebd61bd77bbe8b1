"""The code of kernels for each kind of machine: activations call no library."""

from __future__ import annotations

import re

import pytest
import torch
from networks import assembly
from torch import nn

from tvmlcnn.targets import DEVICES, Device
from tvmlcnn.targets.tvm_target import from_tvm

AVX512 = {"kind": "llvm", "mtriple": "x86_64-unknown-linux-gnu", "mcpu": "skylake-avx512"}
MACHINES: dict[str, Device] = {
    "avx2": DEVICES["x86"],
    "avx512": from_tvm(AVX512),
    "aarch64": DEVICES["rpi4"],
    "armv7": DEVICES["rpi2"],
}
_LIBM = "exp|expm1|exp2|log|log1p|log2|tanh|erf|pow|sin|cos|floor|ceil|round|rint|nearbyint|trunc"
CALL = re.compile(rf"\b(?:{_LIBM})f?\b(?!\w)")

ACTIVATIONS: list[nn.Module] = [
    nn.SiLU(), nn.GELU(), nn.GELU("tanh"), nn.Tanh(), nn.Sigmoid(), nn.Softplus(2, 3), nn.Mish(),
    nn.ELU(1.5), nn.CELU(1.5), nn.LogSigmoid(), nn.Hardswish(), nn.LeakyReLU(0.2),
]  # fmt: skip


class Several(nn.Module):
    """Each activation after a convolution, and alone."""

    def __init__(self) -> None:
        super().__init__()
        self.activations = nn.ModuleList(ACTIVATIONS)
        self.convolutions = nn.ModuleList([nn.Conv2d(16, 16, 1) for _ in ACTIVATIONS])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = zip(self.convolutions, self.activations, strict=True)
        after = [activation(convolution(x)) for convolution, activation in parts]
        return torch.stack([*after, *(activation(x) for activation in self.activations)])


SOFTMAX = nn.Sequential(nn.Conv2d(16, 21, 1), nn.Softmax(1), nn.LogSoftmax(-1))


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("net", [Several(), SOFTMAX], ids=["activations", "softmax"])
def test_no_call(machine: str, net: nn.Module) -> None:
    code = assembly(net, (1, 16, 9, 9), MACHINES[machine])
    operands = re.findall(r"^\s+(?:callq?|jmpq?|blx?|b)\s+(\S+)", code, re.MULTILINE)
    assert [name for name in operands if CALL.match(name.strip("*").partition("@")[0])] == []


@pytest.mark.parametrize("activation", [nn.GELU(), nn.Tanh(), nn.SiLU()])
def test_whole_vectors(activation: nn.Module) -> None:
    net = nn.Sequential(nn.Conv2d(16, 16, 1), activation)
    quotients = re.findall(r"vdivps.*", assembly(net, (1, 16, 9, 9), MACHINES["avx512"]))
    assert quotients
    assert all("zmm" in quotient for quotient in quotients)


def test_a_call_would_be_seen() -> None:
    code = assembly(nn.Sequential(nn.Conv2d(4, 4, 1), Arctangent()), (1, 4, 8, 8), DEVICES["x86"])
    assert re.search(r"call\w*\s+\*?\S*atanf", code)


class Arctangent(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.atan(x)
