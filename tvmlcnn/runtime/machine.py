"""What machine this is: its instruction set, features, cores and caches."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from pathlib import Path

from .elf import MACHINES

_CPUS = Path("/sys/devices/system/cpu")
# getauxval(3) and the kernel's uapi/asm/hwcap.h; read instead of /proc/cpuinfo because user-mode
# emulators answer it for the machine that they emulate.
_AT_HWCAP, _AT_HWCAP2 = 16, 26
_HWCAPS: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "aarch64": ({"asimd": 1, "fphp": 9, "asimdhp": 10, "asimddp": 20, "sve": 22}, {"i8mm": 13}),
    "armv7l": ({"neon": 12, "vfpv4": 16}, {}),
}


def machine() -> str:
    """Return ``"x86_64"``, ``"aarch64"`` or ``"armv7l"``, or what else the kernel says."""
    name = platform.machine()
    # A 32-bit process on a 64-bit kernel, as Raspberry Pi OS (32-bit) has it.
    if name in ("aarch64", "armv8l", "armv6l") and ctypes.sizeof(ctypes.c_void_p) == 4:
        return "armv7l"
    return name


def emulated() -> bool:
    """Tell whether a user-mode emulator, such as QEMU's, runs this process.

    Emulators answer ``/proc/self/exe`` for the program that they run; the thread's own entry still
    names the emulator, a program of another machine.
    """
    if machine() not in MACHINES:
        return False
    try:
        with open("/proc/thread-self/exe", "rb") as file:
            header = file.read(20)
        (number,) = struct.unpack_from("<H", header, 18)
    except (OSError, struct.error):
        return False
    return (number, 32 * header[4]) != MACHINES[machine()]


def model() -> str:
    """Return the name of the board or the processor, as it is printed on it; empty if unknown."""
    if emulated():
        return f"emulated {os.environ.get('QEMU_CPU', machine())}"
    for path in ("/proc/device-tree/model", "/proc/cpuinfo"):
        try:
            lines = Path(path).read_text(errors="replace").splitlines()
        except OSError:
            continue
        if path.endswith("model"):
            return lines[0].strip("\0 ")
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return ""


def cpu_features() -> frozenset[str]:
    """Return the features of the processor under the names that Linux gives them."""
    here = machine()
    if here == "x86_64":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                return frozenset(line.partition(":")[2].split())
    if here in _HWCAPS:
        getauxval = ctypes.CDLL(None).getauxval
        getauxval.restype, getauxval.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
        words = zip((_AT_HWCAP, _AT_HWCAP2), _HWCAPS[here], strict=True)
        return frozenset(
            name for key, bits in words for name, bit in bits.items() if getauxval(key) >> bit & 1
        )
    return frozenset()


def logical_cpus() -> int:
    """Return the number of CPUs that this process may run on."""
    return len(os.sched_getaffinity(0))


def physical_cores() -> int:
    """Return the number of physical cores that this process may run on, at least 1."""
    cores = set()
    for cpu in os.sched_getaffinity(0):
        topology = _CPUS / f"cpu{cpu}" / "topology"
        try:
            package = (topology / "physical_package_id").read_text()
            cores.add((package, (topology / "core_id").read_text()))
        except OSError:
            cores.add((str(cpu), ""))
    return len(cores)


def cache_bytes() -> tuple[int, ...]:
    """Return the bytes of each level of data cache of the first CPU; empty where unknown."""
    levels = {}
    for index in sorted((_CPUS / "cpu0" / "cache").glob("index*")):
        try:
            if (index / "type").read_text().strip() != "Instruction":
                size = (index / "size").read_text().strip()
                levels[int((index / "level").read_text())] = int(size.rstrip("K")) * 1024
        except (OSError, ValueError):
            continue
    return tuple(levels[level] for level in sorted(levels))
