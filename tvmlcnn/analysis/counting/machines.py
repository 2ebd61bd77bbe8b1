"""The machines whose code can be counted, and the cores that are modelled."""

from __future__ import annotations

from dataclasses import dataclass

from tvmlcnn.errors import UserError


@dataclass(frozen=True)
class Machine:
    """How a machine's programs are emulated and its code is read.

    Attributes
    ----------
    qemu : str
        QEMU's program.
    turn, mark : int
        Linux's numbers of the system calls getppid and clock_gettime.
    triple : str
        LLVM's name of the instruction set.
    features : str
        What LLVM is told that the cores have: every extension that is read.
    """

    qemu: str
    turn: int
    mark: int
    triple: str
    features: str


MACHINES = {
    "aarch64": Machine("qemu-aarch64", 173, 113, "aarch64-linux-gnu", "+all"),
    # glibc asks for times of 64 bits: clock_gettime64.
    "armv7l": Machine("qemu-arm", 64, 403, "armv7-linux-gnueabihf", "+neon,+vfp4"),
}

THUMB = "thumbv7-linux-gnueabihf"
"""The other instruction set of ``armv7l``."""


@dataclass(frozen=True)
class Core:
    """A core: its machine, and whose model stands for it.

    Attributes
    ----------
    machine : str
        Key of `MACHINES`.
    emulated : str
        QEMU's name of it, or of one that has its instructions.
    model : str
        The core whose figures are taken, by LLVM's name.
    """

    machine: str
    emulated: str
    model: str


# LLVM's model of an A53 is older than llvm-mca's way with cores that run in order: its nearest
# relative stands for it, an A55. A Neoverse N1 is a server's A76, to which LLVM itself gives an
# A57's figures. For a Cortex-A7 see `cortex_a7`.
CORES = {
    "cortex-a7": Core("armv7l", "cortex-a7", "cortex-a7"),
    "cortex-a53": Core("aarch64", "cortex-a53", "cortex-a55"),
    "cortex-a72": Core("aarch64", "cortex-a72", "cortex-a72"),
    "cortex-a55": Core("aarch64", "cortex-a76", "cortex-a55"),
    "cortex-a76": Core("aarch64", "cortex-a76", "neoverse-n1"),
    "neoverse-v1": Core("aarch64", "max", "neoverse-v1"),
}
"""By LLVM's name of the core that code is compiled for."""


def core(processor: str | None) -> Core:
    """Return the core that LLVM calls so.

    Raises
    ------
    UserError
        If there is no model of it.
    """
    if processor in CORES:
        return CORES[processor]
    raise UserError(
        f"there is no model of {processor or 'the processor'}; there are of {', '.join(CORES)}"
    )
