"""The figures of a compiled file: of each of its kernels, and of all that a run does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tvmlcnn.runtime.manifest import KernelCall, read_manifest

from .emulation import counted
from .figures import Figures, added, figures
from .machines import Core, core


@dataclass(frozen=True)
class CountedFile:
    """A run of a compiled file, of its first program and on one thread.

    Attributes
    ----------
    core : Core
    kernels : tuple of (KernelCall, Figures)
        In the order in which they run.
    outside : Figures
        Everything else: checking the inputs, making arrays for the outputs, calling the program
        from Python.
    """

    core: Core
    kernels: tuple[tuple[KernelCall, Figures], ...]
    outside: Figures

    @property
    def total(self) -> Figures:
        """The whole run."""
        return added([self.outside, *(figures for _, figures in self.kernels)])


def count_file(path: Path) -> CountedFile:
    """Run a compiled file in emulation of the core that it is for, and count.

    Raises
    ------
    UserError
        If the file is none of ours, or for a core that there is no model of, or what emulates or
        models it is not installed.
    """
    _, manifest = read_manifest(path)
    its_core = core(manifest.json["target"]["tvm"].get("mcpu"))
    sections = counted(its_core, ["-m", "tvmlcnn.runtime.run_counted", path.absolute()])
    parts = figures([section.runs for section in sections], its_core.machine, its_core.model)
    before, *each, after = parts
    kernels = tuple(zip(manifest.calls, each, strict=True))
    return CountedFile(its_core, kernels, added([before, after]))
