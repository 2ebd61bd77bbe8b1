"""What the compiler knows of a device."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True)
class Device:
    """One device that networks are compiled for.

    Schedules take their analytic defaults and the analyser its roofline from these figures.

    Attributes
    ----------
    name, summary : str
    tvm : dict
        TVM's own description of the target; with a key ``host`` for a GPU.
    machine : str
        Machine of the library that is linked: ``"x86_64"``, ``"aarch64"`` or ``"armv7l"``.
    cores : int
        Physical cores that one inference may use (of the host, for a GPU).
    vector_bits : int
        Width of a SIMD register.
    vector_registers : int
        SIMD registers that code can name.
    caches : tuple of int
        Bytes of the first level (data), second, ... as one core sees them.
    peak_gflops : float or None
        float32 of all cores, a multiply-add counted as two; from the data sheet.
    bandwidth_gbs : float or None
        Nominal bandwidth of the memory, 1e9 bytes a second; from the data sheet.
    gpu_code : tuple of str
        What the library holds for a GPU: ``"sm_87"`` is machine code, ``"compute_75"`` is PTX,
        which the driver compiles for a later GPU. Empty for a CPU.
    emulated_cpu : str or None
        QEMU's name of the core, where the result can be checked in emulation.
    """

    name: str
    summary: str
    tvm: dict[str, Any] = field(hash=False)
    machine: str
    cores: int
    vector_bits: int
    vector_registers: int
    caches: tuple[int, ...]
    peak_gflops: float | None = None
    bandwidth_gbs: float | None = None
    gpu_code: tuple[str, ...] = ()
    emulated_cpu: str | None = None

    @property
    def kind(self) -> str:
        """TVM's kind of target: ``"llvm"`` or ``"cuda"``."""
        return str(self.tvm["kind"])

    @property
    def lanes(self) -> int:
        """Number of float32 in a SIMD register."""
        return self.vector_bits // 32

    def with_cores(self, cores: int) -> Device:
        """Return the device as if it had ``cores`` cores."""
        tvm = dict(self.tvm)
        if self.kind == "llvm":
            tvm["num-cores"] = cores
        return replace(self, tvm=tvm, cores=cores)
