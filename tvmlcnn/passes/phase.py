"""A step of the way of a network through the compiler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import tvm


@dataclass(frozen=True)
class Phase:
    """One step: a name that a user sees, and a function from module to module."""

    name: str
    run: Callable[[tvm.IRModule], tvm.IRModule]
