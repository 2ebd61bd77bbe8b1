"""The processor that the libraries of this process see: one with what the target may use.

A library chooses its kernels by what CPUID says. Where a target lacks what this machine has, the
comparison would be of processors, so CPUID is answered by ``cpuid.c``, the same for all libraries.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

from tvmlcnn.runtime.machine import cpu_features, machine
from tvmlcnn.targets import Device

from .native_code import library

_AMX = {
    # Intel's Software Developer's Manual, volume 2A, CPUID: leaf and subleaf, and bits of eax,
    # ebx, ecx and edx.
    (7, 0): (0, 0, 0, 1 << 22 | 1 << 24 | 1 << 25),
    (7, 1): (1 << 21, 0, 0, 1 << 8),
    (0x1D, 0): (0xFFFFFFFF,) * 4,
    (0x1D, 1): (0xFFFFFFFF,) * 4,
    (0x1E, 0): (0xFFFFFFFF,) * 4,
}
_ABOVE_AVX2 = {
    (7, 0): (
        0,
        1 << 16 | 1 << 17 | 1 << 21 | 1 << 26 | 1 << 27 | 1 << 28 | 1 << 30 | 1 << 31,
        1 << 1 | 1 << 6 | 1 << 11 | 1 << 12 | 1 << 14,
        1 << 2 | 1 << 3 | 1 << 8 | 1 << 23,
    ),
    (7, 1): (1 << 4 | 1 << 5 | 1 << 23, 0, 0, 1 << 4 | 1 << 5 | 1 << 10 | 1 << 19),
}
_AVX2_REGISTERS = 16
"""Vector registers that code can name before AVX-512."""


@dataclass(frozen=True)
class Shown:
    """What libraries see.

    Attributes
    ----------
    text : str
        In words.
    is_less : bool
        Whether something is hidden from them.
    """

    text: str
    is_less: bool


class _Hidden(ctypes.Structure):
    _fields_ = (
        ("leaf", ctypes.c_uint),
        ("subleaf", ctypes.c_uint),
        ("bits", ctypes.c_uint * 4),
    )


def show(device: Device, work: Path) -> Shown:
    """Hide from libraries, which must not have looked yet, what a target may not use.

    Of x86 that is AMX, which devices at the edge have not, and for a target with the registers
    of AVX2 all vector instructions that came after it. Where this processor has none of it,
    nothing is done.

    Parameters
    ----------
    device : Device
    work : Path
        Folder for the compiled handler.
    """
    if machine() != "x86_64" or device.machine != "x86_64":
        return Shown("as it is", False)
    features = cpu_features()
    hidden, text = _AMX, "without AMX"
    extra = [name for name in features if name.startswith("amx")]
    if getattr(device, "vector_registers", 0) <= _AVX2_REGISTERS:
        hidden, text = _both(_AMX, _ABOVE_AVX2), "with AVX2 and FMA, nothing later"
        extra += [name for name in features if name.startswith(("avx512", "avx_"))]
    if not extra:
        return Shown("as it is", False)
    try:
        code = library("cpuid", work)
    except (RuntimeError, OSError) as error:
        return Shown(f"as it is, with {', '.join(sorted(extra))}: {error}", False)
    entries = [_Hidden(*place, (ctypes.c_uint * 4)(*bits)) for place, bits in hidden.items()]
    if code.hide((_Hidden * len(entries))(*entries), len(entries)):
        return Shown(
            f"as it is, with {', '.join(sorted(extra))}: its CPUID cannot be intercepted", False
        )
    return Shown(text, True)


def was_used(work: Path) -> bool:
    """Tell whether some code of this process asked Linux for AMX, without which it has none."""
    return bool(library("cpuid", work).uses_amx())


def _both(
    one: dict[tuple[int, int], tuple[int, ...]], other: dict[tuple[int, int], tuple[int, ...]]
) -> dict[tuple[int, int], tuple[int, ...]]:
    """Return the bits of two tables."""
    none = (0, 0, 0, 0)
    return {
        place: tuple(
            a | b for a, b in zip(one.get(place, none), other.get(place, none), strict=True)
        )
        for place in one | other
    }
