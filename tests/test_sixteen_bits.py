"""Files that compute in sixteen bits: what they say, and what is said where none can be made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Cli, randomized
from sixteen_bits import HERE
from torch import nn

import tvmlcnn
from tvmlcnn.errors import UserError
from tvmlcnn.runtime import read_manifest


def net(scale: float = 1.0) -> nn.Module:
    """Return a small classifier; its activations are as large as the scale says."""
    layers = [nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU6()]
    layers += [nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.ReLU(), nn.Conv2d(16, 32, 1)]
    made = randomized(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    with torch.no_grad():
        made[5].weight.mul_(scale)
    return made


@pytest.mark.parametrize(
    "target",
    [*HERE, pytest.param("rpi5-float16", marks=pytest.mark.emulated("aarch64"))],
)
def test_a_file(target: str, tmp_path: Path) -> None:
    name, dtype = target.split("-")
    device = HERE[target][0].tvm if target in HERE else name
    path = tmp_path / "net.so"
    report = tvmlcnn.compile(net(), device, (1, 3, 32, 32), output=path, dtype=dtype)
    _, manifest = read_manifest(path)
    assert manifest.json["dtype"] == report.to_json()["dtype"] == dtype
    assert {spec.dtype for spec in (*manifest.inputs, *manifest.outputs)} == {"float32"}
    assert dtype in {weight.dtype for weight in manifest.weights} | {"bfloat16"}
    assert 0 < report.check["max_error"] < 0.02
    assert ("computed in", dtype) in report.facts()


@pytest.mark.skipif("sapphirerapids-float16" not in HERE, reason="no float16 here")
def test_what_is_beyond_the_range_is_told(tmp_path: Path) -> None:
    device = HERE["sapphirerapids-float16"][0].tvm
    with pytest.raises(UserError, match="too sensitive for float16, or goes beyond its range"):
        tvmlcnn.compile(
            net(1e5), device, (1, 3, 32, 32), output=tmp_path / "net.so", dtype="float16"
        )


@pytest.mark.parametrize(
    ("target", "dtype", "having"),
    [
        ("rpi4", "float16", "rpi4 does not compute in float16; what does: "),
        ("x86", "float16", "; native on x86 with AVX512-FP16"),
        ("x86", "bfloat16", "x86 does not compute in bfloat16; what does: native on x86 with"),
        ("cuda", "bfloat16", "cuda does not compute in bfloat16; what does: native on x86 with"),
        ("cuda", "tf32", "cuda does not compute in tf32; what does: a100; a10; l4; "),
        ("native", "tf32", " does not compute in tf32; what does: a100; a10; l4; "),
    ],
)
def test_targets_that_have_a_type_are_named(cli: Cli, target: str, dtype: str, having: str) -> None:
    error = cli("compile", "squeezenet1_1", "--target", target, "--dtype", dtype).error
    assert having in error
    assert "--dtype" in error


def test_tuning_knows_the_types(cli: Cli) -> None:
    tune = ["tune", "squeezenet1_1", "--target", "rpi5", "--dtype"]
    assert "rpi5 does not compute in bfloat16" in cli(*tune, "bfloat16").error
    assert "int8 needs inputs to be calibrated with" in cli(*tune, "int8").error
    assert "(did you mean float16" in cli(*tune, "flot16").error


def test_a_module_in_half_precision_is_computed_so_where_that_is_said(tmp_path: Path) -> None:
    """Without a type it is float32, and its weights are widened."""
    path = tmp_path / "net.so"
    report = tvmlcnn.compile(net().half(), input_shape=(1, 3, 32, 32), output=path)
    assert any("widened to float32" in text for text in report.warnings)
    assert report.to_json()["dtype"] == "float32"
    assert np.isfinite(report.check["max_error"])
