"""The protocol of a rule: it owns its kernel, from the plan to the schedule.

When operators are legalized each rule of a family is asked in order whether a layer is its own. A
plan defines the kernel; it says what the schedule will need to know, and travels as an attribute
of the kernel's function until element-wise operators are fused to it. Then the same rule lays the
function out. What no plan was made for is laid out by the first rule that takes it, at last by the
last rule, which takes everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from tvm import te
from tvm.s_tir import Schedule
from tvm.tirx import PrimFunc

from tvmlcnn.targets import ElementType

from .decisions import Decisions
from .layer import Layer

RESIDENT = "tvmlcnn.resident"
"""An annotation of a function's root: how many blocks a GPU's multiprocessor is to hold at once."""
SPREAD = "tvmlcnn.spread"
"""An annotation of a function's root: blocks that compute for long, so that each of a GPU's
multiprocessors is to take as many."""


@dataclass(frozen=True)
class Definition:
    """How a kernel computes its layer.

    Attributes
    ----------
    define : callable
        Takes the layer's data, the constants, then what the graph gives beside the data; returns
        a tensor. TE.
    constants : sequence of numpy.ndarray
        Weights as the kernel reads them.
    name : str
        A hint for the function's name.
    takes_epilogue : bool
        Whether element-wise operators after the layer are to become a part of the kernel.
    """

    define: Callable[..., te.Tensor]
    constants: Sequence[np.ndarray] = ()
    name: str = "convolution"
    takes_epilogue: bool = True


@dataclass(frozen=True)
class Plan:
    """What a rule makes of a layer.

    Attributes
    ----------
    rule : str
        Its name.
    element : ElementType
        What the kernel computes in.
    workload : str
        What it computes, for records of tuning; empty where its function tells.
    layout : object
        A frozen dataclass of the rule's own: what its schedule has to know.
    pays : bool
        Whether it is to be taken by default; where it is not, a record or a search may ask for it.
    definition : callable, optional
        Returns the kernel's definition, when it is wanted; None leaves it to TVM.
    """

    rule: str
    element: ElementType
    workload: str
    layout: Any
    pays: bool = True
    definition: Callable[[], Definition] | None = field(default=None, compare=False)


class Plans(Protocol):
    """Plans a kernel for a layer, or returns None where that is none of the rule's."""

    def __call__(self, layer: Layer, device: Any, decisions: Decisions) -> Plan | None:
        """Return the plan, or None; ``device`` is of the family that the rule is for."""


class Schedules(Protocol):
    """Lays out the function of a plan, with what was fused to it."""

    def __call__(self, sch: Schedule, plan: Plan, device: Any, decisions: Decisions) -> Schedule:
        """Return the schedule: the given one, or another one of the same function."""


@dataclass(frozen=True)
class Rule:
    """A named way to make one kind of kernel.

    Attributes
    ----------
    name : str
        What reports and records call it.
    version : int
        Of its decisions: to be raised when the rule reads them in another way.
    layout : type
        The dataclass of its plans' layouts.
    plan, schedule : callable
    takes : callable, optional
        Tells whether the rule lays out a function that no plan was made for; the last rule of a
        family takes those that no other does.
    permutes : bool
        Whether what follows the sums may permute their channels.
    """

    name: str
    version: int
    layout: type
    plan: Plans
    schedule: Schedules
    takes: Callable[[PrimFunc], bool] | None = None
    permutes: bool = False
