"""What calls of a GPU's functions launch, for what runs their kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from tvmlcnn.package.launches import GpuFunction, Launch

Place: TypeAlias = tuple[str, int]
"""The name of an array, and an offset in it, in bytes."""
Calls: TypeAlias = Sequence[tuple[str, Sequence[Place]]]
"""Names of functions, and their tensors."""


def launches_of(
    functions: Mapping[str, GpuFunction], calls: Calls
) -> tuple[list[tuple[Launch, list[Place]]], dict[str, np.ndarray]]:
    """Return the launches of calls, each with its tensors, and arrays for those in between."""
    launches: list[tuple[Launch, list[Place]]] = []
    scratch: dict[str, np.ndarray] = {}
    for number, (name, tensors) in enumerate(calls):
        rooms = {
            f"scratch_{number}_{n}": np.zeros(size, np.uint8)
            for n, size in enumerate(functions[name].scratch)
        }
        places = [*tensors, *((room, 0) for room in rooms)]
        launches += [
            (launch, [places[tensor] for tensor in launch.tensors])
            for launch in functions[name].launches
        ]
        scratch |= rooms
    return launches, scratch
