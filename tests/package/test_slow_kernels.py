"""Which kernels are named as slow."""

from __future__ import annotations

from typing import Any

import numpy as np

from tvmlcnn.package.slow_kernels import slow_kernels

GFLOPS = 64.0


def call(name: str, flops: int, size: int) -> dict[str, Any]:
    return {"function": f"k_{name}", "layers": [name], "flops": flops, "bytes": size}


def test_far_from_the_roofline_and_a_good_part_of_the_time() -> None:
    calls = [call("good", 100_000_000, 1000), call("bad", 1_000_000, 1000), call("few", 0, 1000)]
    # 1563 us and 16 us at least.
    found = slow_kernels(calls, np.array([2000.0, 500.0, 15.0]), GFLOPS)
    assert len(found) == 1
    assert found[0].startswith("bad takes 20% of the time, at 3% of")


def test_moving_much_takes_its_time() -> None:
    assert slow_kernels([call("moves", 0, 8_000_000)], np.array([1500.0]), GFLOPS) == []


def test_the_slowest_first_and_not_too_many() -> None:
    calls = [call(str(number), 0, 1) for number in range(5)]
    found = slow_kernels(calls, np.array([100.0, 300.0, 200.0, 90.0, 80.0]), GFLOPS)
    assert [line.split()[0] for line in found] == ["1", "2", "0"]
