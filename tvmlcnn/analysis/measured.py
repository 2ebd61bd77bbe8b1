"""What ``tvmlcnn profile --json`` measured, as places on the roofline of an analysis."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvmlcnn.errors import UserError

from .totals import Row


@dataclass(frozen=True)
class Measured:
    """A kernel that was timed.

    Attributes
    ----------
    row : Row
        The layer of most multiply-adds that it computes.
    intensity : float
        Operations a byte of all its layers, after fusion.
    gflops : float
        1e9 operations a second, a multiply-add counted as two.
    """

    row: Row
    intensity: float
    gflops: float


def measured(rows: Sequence[Row], path: Path) -> list[Measured]:
    """Return the kernels of a profile that compute multiply-adds of the layers in ``rows``.

    Raises
    ------
    UserError
        If the file cannot be read, is no profile, or is of another network.
    """
    by_name = {row.layer.name: row for row in rows}
    found = []
    for names, us in _kernels(path):
        own = [by_name[name] for name in names if name in by_name]
        macs, traffic = sum(row.layer.macs for row in own), sum(row.traffic for row in own)
        if macs and traffic:
            largest = max(own, key=lambda row: row.layer.macs)
            found.append(Measured(largest, 2 * macs / traffic, 2 * macs / us / 1e3))
    if not found:
        raise UserError(f"{path} times no layer of this network", parameters=("profile",))
    return found


def _kernels(path: Path) -> list[tuple[list[str], float]]:
    """Return the layers and the microseconds of each kernel of a profile."""
    try:
        data = json.loads(path.read_bytes())
        return [_kernel(kernel) for kernel in data["kernels"]]
    except OSError as error:
        problem = f"cannot read {path}: {error.strerror}"
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError):
        problem = f"{path} is nothing that `tvmlcnn profile --json` printed"
    raise UserError(problem, parameters=("profile",))


def _kernel(data: Any) -> tuple[list[str], float]:
    us, names = float(data["us"]), data["layers"]
    if not 0 < us < math.inf or not all(isinstance(name, str) for name in names):
        raise ValueError(data)
    return list(names), us
