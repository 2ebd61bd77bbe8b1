"""How many blocks a multiprocessor holds, by examples of NVIDIA's occupancy calculator."""

from __future__ import annotations

import pytest

from tvmlcnn.targets import DEVICES, Gpu, resident_blocks

GPUS = {name: device for name, device in DEVICES.items() if isinstance(device, Gpu)}


@pytest.mark.parametrize(
    ("target", "registers", "threads", "shared", "blocks"),
    [
        ("t4", 32, 256, 0, 4),  # 1024 threads
        ("t4", 128, 256, 0, 2),
        ("t4", 255, 256, 0, 1),
        ("t4", 32, 64, 33 * 1024, 1),
        ("jetson-orin-nano", 40, 256, 0, 6),  # 1536 threads
        ("jetson-orin-nano", 64, 256, 49152, 3),  # and a KiB for the system, of 164
        ("jetson-orin-nano", 16, 32, 0, 16),
        # Two warps in each of four parts, of five: eleven warps would fit in all of them together.
        ("jetson-orin-nano", 184, 64, 0, 4),
        ("jetson-orin-nano", 168, 64, 0, 6),
        ("h100", 64, 512, 0, 2),
        ("h100", 32, 128, 100 * 1024, 2),
        ("h100", 255, 512, 0, 0),
    ],
)
def test_blocks_that_fit(
    target: str, registers: int, threads: int, shared: int, blocks: int
) -> None:
    assert resident_blocks(threads, registers, shared, GPUS[target]) == blocks
