"""The least time that a device needs for each layer: the roofline model.

Williams, Waterman and Patterson 2009, "Roofline": an operation that moves bytes runs at the
peak of the cores or at the bandwidth of the memory times its operations a byte.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvmlcnn.errors import UserError
from tvmlcnn.targets import Device, devices

from .fusion import traffic
from .layer_graph import Graph


@dataclass(frozen=True)
class Limits:
    """What a device can do at most.

    Attributes
    ----------
    target : str
    peak_gflops : float
        1e9 operations a second of all cores, a multiply-add counted as two.
    bandwidth_gbs : float
        Of the memory, 1e9 bytes a second.
    dtype : str
        What the operations are in.
    """

    target: str
    peak_gflops: float
    bandwidth_gbs: float
    dtype: str = "float32"

    @property
    def unit(self) -> str:
        """Of the peak: operations on integers are none of floating point."""
        return "GOP/s" if self.dtype == "int8" else "GFLOP/s"

    @property
    def ridge(self) -> float:
        """Operations a byte from which on a layer is compute-bound."""
        return self.peak_gflops / self.bandwidth_gbs


@dataclass(frozen=True)
class Bound:
    """The least time of one layer, run by itself.

    Attributes
    ----------
    compute_us : float
        Microseconds of its multiply-adds at the peak.
    memory_us : float
        Microseconds of the bytes it moves at least (`fusion.traffic`) at the bandwidth.
    """

    compute_us: float
    memory_us: float

    @property
    def us(self) -> float:
        """The larger of the two: computing and moving overlap at best."""
        return max(self.compute_us, self.memory_us)

    @property
    def limit(self) -> str:
        """``"compute"``, ``"memory"``, or ``"fused"`` for a layer that costs nothing by itself."""
        if self.us == 0:
            return "fused"
        return "compute" if self.compute_us >= self.memory_us else "memory"


def limits_of(device: Device, dtype: str = "float32") -> Limits:
    """Return the limits of a device that computes in a type.

    Raises
    ------
    UserError
        If it has none: they are of data sheets, which a class of machines does not have. Or if
        it has no arithmetic of the type.
    """
    if device.peak_gflops is None or device.bandwidth_gbs is None:
        known = ", ".join(
            name for name, entry in devices().items() if entry.peak_gflops is not None
        )
        raise UserError(
            f"the target {device.name} has no figures of peak and bandwidth for a roofline; "
            f"use one that has: {known}"
        )
    gain = device.gain(dtype)
    if gain is None:
        able = [name for name, entry in devices().items() if entry.gain(dtype) is not None]
        raise UserError(
            f"the target {device.name} computes nothing in {dtype}; "
            f"targets that do: {', '.join(able) or 'none of ours'}",
            parameters=("dtype", "target"),
        )
    return Limits(device.name, gain * device.peak_gflops, device.bandwidth_gbs, dtype)


def bounds(graph: Graph, limits: Limits) -> tuple[Bound, ...]:
    """Return the bound of each layer, in order."""
    return tuple(
        Bound(
            2 * layer.macs / (limits.peak_gflops * 1e3),
            moved / (limits.bandwidth_gbs * 1e3),
        )
        for layer, moved in zip(graph.layers, traffic(graph), strict=True)
    )
