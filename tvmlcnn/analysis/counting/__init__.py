"""What a compiled file runs, counted in emulation, and the cycles of a model of its core.

``emulation`` runs a program under QEMU with ``plugin.c``, which says how often each block of its
code ran; ``profile`` reads that, section by section; ``instructions`` says what the code is, and
``cycles`` what a model of the core takes for it, LLVM's (llvm-mca) or that of ``cortex_a7``.
``figures`` add up, ``kernels`` are those of a compiled file.
"""

from .emulation import counted
from .figures import Figures, added, figures
from .kernels import CountedFile, count_file
from .machines import CORES, Core, core

__all__ = [
    "CORES",
    "Core",
    "CountedFile",
    "Figures",
    "added",
    "core",
    "count_file",
    "counted",
    "figures",
]
