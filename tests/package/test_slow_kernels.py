"""Which kernels are named as slow."""

from __future__ import annotations

from typing import Any

import numpy as np

from tvmlcnn.package.slow_kernels import slow_kernels
from tvmlcnn.targets import DEVICES
from tvmlcnn.targets.x86 import X86, with_wide_vectors

# 64 GFLOP/s of a core at the least clock; with AVX-512 and VNNI four times as much of codes.
WIDE = with_wide_vectors(X86, vnni=True)


def call(name: str, flops: int, size: int, element: str = "float32") -> dict[str, Any]:
    noted = {"function": f"k_{name}", "layers": [name], "flops": flops, "bytes": size}
    return noted | {"element": element}


def test_far_from_the_roofline_and_a_good_part_of_the_time() -> None:
    calls = [call("good", 100_000_000, 1000), call("bad", 1_000_000, 1000), call("few", 0, 1000)]
    # 1563 us and 16 us at least.
    found = slow_kernels(calls, np.array([2000.0, 500.0, 15.0]), X86)
    assert len(found) == 1
    assert found[0].startswith("bad takes 20% of the time, at 3% of")


def test_moving_much_takes_its_time() -> None:
    assert slow_kernels([call("moves", 0, 8_000_000)], np.array([1500.0]), X86) == []


def test_the_slowest_first_and_not_too_many() -> None:
    calls = [call(str(number), 0, 1) for number in range(5)]
    found = slow_kernels(calls, np.array([100.0, 300.0, 200.0, 90.0, 80.0]), X86)
    assert [line.split()[0] for line in found] == ["1", "2", "0"]


def test_codes_are_held_to_the_peak_of_codes() -> None:
    # 128 GFLOP/s of float32 are 1000 us, four times as many of codes 250.
    times = np.array([5000.0])
    assert slow_kernels([call("float", 128_000_000, 1)], times, WIDE) == []
    (line,) = slow_kernels([call("codes", 128_000_000, 1, "uint8")], times, WIDE)
    assert line.startswith("codes takes 100% of the time, at 5% of")


def test_what_is_not_known_of_a_device_is_not_held_against_a_kernel() -> None:
    assert slow_kernels([call("any", 0, 1)], np.array([5000.0]), DEVICES["cuda"]) == []
