"""Programs in which torch says what is quantized."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.ao.quantization.fx._decomposed
from torch import nn

import tvmlcnn
from tvmlcnn.errors import UserError

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


def test_codes_of_other_types_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="int16"):
        tvmlcnn.compile(
            Layer(torch.int16).eval(), input_shape=(1, 16, 9, 11), output=tmp_path / "net.so"
        )
