"""The CPUs that rules are tested for."""

from __future__ import annotations

from tvmlcnn.targets import DEVICES, FLOAT32, Core, Cpu

CPUS = sorted(name for name, device in DEVICES.items() if isinstance(device, Cpu))


def cpu(name: str) -> Cpu:
    device = DEVICES[name]
    assert isinstance(device, Cpu)
    return device


def core_of(name: str) -> Core:
    return cpu(name).core(FLOAT32)
