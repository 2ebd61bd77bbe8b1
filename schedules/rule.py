"""What a schedule rule is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tvm.s_tir import Schedule
from tvm.tirx import PrimFunc

from tvmlcnn.targets import Device

from .decisions import Policy


class Apply(Protocol):
    """Schedule a function, or return None where it is none of the rule's."""

    def __call__(self, function: PrimFunc, device: Device, policy: Policy) -> Schedule | None:
        """Return the schedule, or None."""


@dataclass(frozen=True)
class Rule:
    """A named way to schedule one kind of kernel.

    Attributes
    ----------
    name : str
        What reports and records call it.
    apply : callable
        Takes a TensorIR function, the device, and what decides; returns the function's schedule,
        or None where it is not one that the rule is for.
    """

    name: str
    apply: Apply
