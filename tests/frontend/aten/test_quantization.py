"""Programs in which torch says what is quantized."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.ao.quantization.fx._decomposed
from torch import nn

import tvmlcnn

quantized = torch.ops.quantized_decomposed


class Layer(nn.Module):
    """A convolution of quantized numbers, whose result is quantized."""

    def __init__(self, dtype: torch.dtype = torch.uint8, zero: int = 100) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        weight = torch.randint(-127, 128, (24, 16, 3, 3), dtype=torch.int8, generator=generator)
        self.register_buffer("weight", weight)
        self.register_buffer("scales", torch.rand(24, generator=generator) * 1e-3 + 1e-3)
        self.register_buffer("zeros", torch.zeros(24, dtype=torch.int64))
        self.dtype, self.zero = dtype, zero

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        info = torch.iinfo(self.dtype)
        bounds = info.min, info.max, self.dtype
        x = quantized.quantize_per_tensor.default(x, 0.03, self.zero, *bounds)
        x = quantized.dequantize_per_tensor.default(x, 0.03, self.zero, *bounds)
        weight = quantized.dequantize_per_channel.default(
            self.weight, self.scales, self.zeros, 0, -127, 127, torch.int8
        )
        x = torch.relu(torch.conv2d(x, weight, padding=1))
        x = quantized.quantize_per_tensor.default(x, 0.05, 3, *bounds)
        return quantized.dequantize_per_tensor.default(x, 0.05, 3, *bounds)


@pytest.mark.parametrize(("dtype", "zero"), [(torch.uint8, 100), (torch.int8, -20)])
def test_a_program_computes_what_torch_does(dtype: torch.dtype, zero: int, tmp_path: Path) -> None:
    data = torch.randn(1, 16, 9, 11, generator=torch.Generator().manual_seed(1)) * 3
    layer = Layer(dtype, zero).eval()
    program, path = tmp_path / "net.pt2", tmp_path / "net.so"
    torch.export.save(torch.export.export(layer, (data,)), program)
    tvmlcnn.compile(str(program), output=path)
    (found,) = tvmlcnn.load(path)(data.numpy())
    steps = np.abs(found - layer(data).numpy()) / 0.05
    assert steps.max() < 1.01
    assert (steps > 0.5).mean() < 1e-3


def test_weights_stay_bytes(tmp_path: Path) -> None:
    path = tmp_path / "net.so"
    report = tvmlcnn.compile(Layer().eval(), input_shape=(1, 16, 9, 11), output=path, check=False)
    (weights,) = (w for w in report.manifest["weights"] if w["dtype"] == "int8")
    assert 24 * 16 * 9 <= np.prod(weights["shape"]) <= 32 * 16 * 9


def _matches(module: nn.Module, data: torch.Tensor, path: Path) -> list[str]:
    report = tvmlcnn.compile(module.eval(), input_shape=tuple(data.shape), output=path)
    found = tvmlcnn.load(path)(data.numpy())
    expected = module(data).detach().numpy()
    steps = np.abs(found - expected) / np.abs(expected).max()
    assert np.quantile(steps, 0.99) < 1e-5
    assert steps.max() < 1 / 50
    return [line for line in report.warnings if "float32" in line]


def test_codes_of_16_bits_are_computed_in_float32(tmp_path: Path) -> None:
    data = torch.randn(1, 16, 9, 11, generator=torch.Generator().manual_seed(1)) * 3
    (line,) = _matches(Layer(torch.int16), data, tmp_path / "net.so")
    assert line.startswith("computed in float32, as what is read is quantized to int16: conv2d, ")


class Dynamic(nn.Module):
    """A layer that reads numbers of one scale, chosen by what they are."""

    def __init__(self, symmetric: bool) -> None:
        super().__init__()
        names = "choose_qparams_symmetric" if symmetric else "choose_qparams"
        self.choose = getattr(quantized, names).tensor
        self.bounds = (-127, 127, torch.int8) if symmetric else (0, 255, torch.uint8)
        self.classes = nn.Linear(24, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        low, high, dtype = self.bounds
        scale, zero = self.choose(x, low, high, 2.0**-12, dtype)
        x = quantized.quantize_per_tensor.tensor(x, scale, zero, *self.bounds)
        x = quantized.dequantize_per_tensor.tensor(x, scale, zero, *self.bounds)
        return self.classes(x)


class ByToken(nn.Module):
    """A layer that reads numbers of a scale for each row, chosen by what they are."""

    def __init__(self, symmetric: bool) -> None:
        super().__init__()
        names = "choose_qparams_per_token" + ("" if symmetric else "_asymmetric")
        self.choose = getattr(quantized, names).default
        self.classes = nn.Linear(24, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale, zero = self.choose(x, torch.int8)
        x = quantized.quantize_per_token(x, scale, zero, -128, 127, torch.int8)
        x = quantized.dequantize_per_token(x, scale, zero, -128, 127, torch.int8, torch.float32)
        return self.classes(x)


class ByChannel(nn.Module):
    """A layer that reads numbers of a scale and a zero point for each column."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scales", torch.linspace(0.01, 0.03, 24))
        self.register_buffer("zeros", torch.arange(24) - 12)
        self.classes = nn.Linear(24, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        given = self.scales, self.zeros, 1, -128, 127, torch.int8
        codes = quantized.quantize_per_channel.default(x, *given)
        return self.classes(quantized.dequantize_per_channel.default(codes, *given))


@pytest.mark.parametrize(
    ("module", "how"),
    [
        (Dynamic(False), "with a scale that each inference computes"),
        (Dynamic(True), "with a scale that each inference computes"),
        (ByToken(False), "with several scales"),
        (ByToken(True), "with several scales"),
        (ByChannel(), "with several scales"),
    ],
    ids=["dynamic", "dynamic-symmetric", "token", "token-symmetric", "channel"],
)
def test_what_kernels_do_not_take_is_rounded_in_float32(
    module: nn.Module, how: str, tmp_path: Path
) -> None:
    data = torch.randn(7, 24, generator=torch.Generator().manual_seed(1)) * 2
    assert _matches(module, data, tmp_path / "net.so") == [
        f"computed in float32, as what is read is quantized {how}: classes"
    ]
