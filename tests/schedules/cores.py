"""The CPUs that rules are tested for."""

from __future__ import annotations

from dataclasses import replace

from tvmlcnn.targets import DEVICES, FLOAT32, Core, Cpu

CPUS = sorted(name for name, device in DEVICES.items() if isinstance(device, Cpu))


def cpu(name: str) -> Cpu:
    device = DEVICES[name]
    assert isinstance(device, Cpu)
    return device


def core_of(name: str) -> Core:
    return cpu(name).core(FLOAT32)


def by_lane(device: Cpu) -> Cpu:
    """Return a device whose kernels load values so: on any machine they are as right."""
    arithmetic = tuple(
        replace(each, multiply_add=replace(each.multiply_add, by_lane=True), load=0.2)
        if each.element == FLOAT32
        else each
        for each in device.arithmetic
    )
    return replace(device, arithmetic=arithmetic)
