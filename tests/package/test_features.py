"""Which features of a processor a target's code may use, by the names that Linux gives them."""

from __future__ import annotations

import pytest

from tvmlcnn.package.features import required_features
from tvmlcnn.targets import DEVICES, resolve


@pytest.mark.parametrize(
    ("target", "features"),
    [
        ("x86", ["avx", "avx2", "bmi2", "f16c", "fma"]),
        ("rpi2", ["neon", "vfpv4"]),
        ("rpi3", ["asimd"]),
        ("rpi4", ["asimd"]),
        ("rpi5", ["asimd", "asimddp", "asimdhp"]),
        ("rpi-zero2", ["asimd"]),
        ("orangepi5", ["asimd", "asimddp", "asimdhp"]),
        ("android-arm64", ["asimd", "asimddp", "asimdhp"]),
        ("aws-graviton3", ["asimd", "asimddp", "asimdhp", "i8mm", "sve"]),
    ],
)
def test_devices(target: str, features: list[str]) -> None:
    device = DEVICES[target]
    assert required_features(device.tvm, device.machine) == features


def test_features_that_are_asked_for() -> None:
    device = resolve({"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mattr": ["+avx512f"]})
    assert "avx512f" in required_features(device.tvm, device.machine)
    plain = resolve({"kind": "llvm", "mtriple": "x86_64-linux-gnu"})
    assert required_features(plain.tvm, plain.machine) == []
