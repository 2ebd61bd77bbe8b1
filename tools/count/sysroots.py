"""What an emulated program sees of a core: ``/proc/cpuinfo`` and ``/sys/devices/system/cpu``.

Frameworks choose kernels by them, and in emulation they are the host's; ONNX Runtime crashes on an
x86's. Parts, revisions and features are those that the boards of the comments print; caches are of
`tvmlcnn.targets`' sources.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tvmlcnn import emulator
from tvmlcnn.analysis.counting import Core

_ARMV8 = "fp asimd evtstrm crc32 cpuid"
_ARMV7 = "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm"
_ARM = 0x41  # implementer


@dataclass(frozen=True)
class _Identity:
    """What a core says of itself: Arm's numbers, Linux's features, KiB of caches, MHz."""

    part: int
    variant: int
    revision: int
    features: str
    caches: tuple[int, ...]
    """Of instructions, of data, second, third."""
    mhz: int
    architecture: int = 8


_IDENTITIES = {
    "cortex-a7": _Identity(0xC07, 0, 5, _ARMV7, (32, 32, 512), 900, 7),  # BCM2836
    "cortex-a53": _Identity(0xD03, 0, 4, _ARMV8, (32, 32, 512), 1200),  # BCM2837
    "cortex-a72": _Identity(0xD08, 0, 3, _ARMV8, (48, 32, 1024), 1500),  # BCM2711
    "cortex-a76": _Identity(  # BCM2712
        0xD0B,
        4,
        1,
        f"{_ARMV8} aes pmull sha1 sha2 atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp",
        (64, 64, 512, 2048),
        2400,
    ),
}
_CORES = 4
_OWN_SECOND_CACHE = {"cortex-a76"}


def sysroot(core: Core, folder: Path) -> Path:
    """Make a sysroot in a folder: the emulator's, with what a core says of itself; return it."""
    root = folder / f"root-{core.emulated}"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for entry in (emulator.home(core.machine) / "sysroot").iterdir():
        (root / entry.name).symlink_to(entry)
    files = _proc(_IDENTITIES[core.emulated]) | _sys(core.emulated)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


def _proc(its: _Identity) -> dict[str, str]:
    lines = [
        "BogoMIPS\t: 108.00",
        f"Features\t: {its.features}",
        f"CPU implementer\t: {_ARM:#x}",
        f"CPU architecture: {its.architecture}",
        f"CPU variant\t: {its.variant:#x}",
        f"CPU part\t: {its.part:#05x}",
        f"CPU revision\t: {its.revision}",
    ]
    cpus = [f"processor\t: {n}\n" + "\n".join(lines) + "\n" for n in range(_CORES)]
    return {"proc/cpuinfo": "\n".join(cpus)}


def _sys(name: str) -> dict[str, str]:
    its, top, all_cpus = _IDENTITIES[name], "sys/devices/system/cpu", f"0-{_CORES - 1}"
    midr = _ARM << 24 | its.variant << 20 | 0xF << 16 | its.part << 4 | its.revision
    files = {f"{top}/{key}": all_cpus for key in ("possible", "present", "online")}
    files[f"{top}/kernel_max"] = str(_CORES - 1)
    for n in range(_CORES):
        cpu = f"{top}/cpu{n}"
        files |= {
            f"{cpu}/online": "1",
            f"{cpu}/cpufreq/cpuinfo_max_freq": str(its.mhz * 1000),
            f"{cpu}/cpufreq/cpuinfo_min_freq": "600000",
            f"{cpu}/cpufreq/scaling_cur_freq": str(its.mhz * 1000),
            f"{cpu}/topology/physical_package_id": "0",
            f"{cpu}/topology/core_id": str(n),
            f"{cpu}/topology/cluster_cpus_list": all_cpus,
            f"{cpu}/topology/core_siblings_list": all_cpus,
            f"{cpu}/topology/package_cpus_list": all_cpus,
            f"{cpu}/topology/core_cpus_list": str(n),
            f"{cpu}/topology/thread_siblings_list": str(n),
            f"{cpu}/regs/identification/midr_el1": f"{midr:#018x}",
        }
        kinds = ("Instruction", "Data", "Unified", "Unified")
        levels = (1, 1, 2, 3)
        for index, (level, kind, size) in enumerate(zip(levels, kinds, its.caches, strict=False)):
            own = level == 1 or (level == 2 and name in _OWN_SECOND_CACHE)
            ways = 2 if level == 1 else 16
            cache = f"{cpu}/cache/index{index}"
            files |= {
                f"{cache}/level": str(level),
                f"{cache}/type": kind,
                f"{cache}/size": f"{size}K",
                f"{cache}/coherency_line_size": "64",
                f"{cache}/shared_cpu_list": str(n) if own else all_cpus,
                f"{cache}/ways_of_associativity": str(ways),
                f"{cache}/number_of_sets": str(size * 1024 // 64 // ways),
            }
    return files
