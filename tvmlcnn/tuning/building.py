"""Kernels as libraries, built in processes of their own that a compiler's crash may end."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

import tvm

import tvmlcnn.exact_arithmetic  # noqa: F401  (kernels call what it tells TVM of)
from tvmlcnn.files import scratch
from tvmlcnn.package.kernel_code import write_code
from tvmlcnn.package.link import link
from tvmlcnn.package.lowering import lowered, machine_code
from tvmlcnn.runtime.machine import logical_cpus
from tvmlcnn.targets import Device, Gpu

from .gpu_program import gpu_functions, gpu_program, write_gpu_file
from .kernels import Kernel

_SECONDS = 120.0

_SERVER = f"{__package__}.build_server"
"""The module that it imports."""

_Build = Callable[[Path], None]
"""What builds a library where it is told to."""


class Builder:
    """Builds libraries for a device; to be used in a ``with`` block.

    Attributes
    ----------
    folder : Path
        Where they lie until the block ends.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._scratch = scratch("tvmlcnn-tune-")
        self.folder = self._scratch.__enter__()
        self._count = 0
        self._workers = logical_cpus()
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Builder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
        self._scratch.__exit__(kind, error, trace)

    def build(self, kernels: Sequence[Kernel], footprint: int) -> list[Path]:
        """Return libraries with kernels of a task, called ``k0``, ``k1``, ..., dealt out in turns.

        For a GPU it is one library, of a program that `gpu_program` makes.

        Parameters
        ----------
        kernels : sequence of Kernel
        footprint : int
            Bytes that a network passes through the caches between two calls of the kernel.

        Raises
        ------
        RuntimeError
            If a function cannot be built, ends the compiler, or keeps it busy for two minutes.
        """
        self._count += 1
        try:
            builds = _BUILDS[self._device.family](kernels, footprint, self._device, self._workers)
            return self._on_pool([(build, self._path(part)) for part, build in enumerate(builds)])
        except FutureTimeout as error:
            self._end()
            raise RuntimeError(f"the compiler took more than {_SECONDS:.0f} s") from error
        except BrokenProcessPool as error:
            self._end()
            raise RuntimeError("the compiler crashed") from error

    def _path(self, part: int) -> Path:
        return self.folder / f"{self._count}-{part}.so"

    def _on_pool(self, jobs: Sequence[tuple[_Build, Path]]) -> list[Path]:
        """Have libraries built, each in a process of its own; return where they are."""
        if self._pool is None:
            # Forked from one that has imported TVM, which takes two seconds a process else.
            context = get_context("forkserver")
            context.set_forkserver_preload([_SERVER])
            self._pool = ProcessPoolExecutor(
                self._workers, context, initializer=_prepare, initargs=(self.folder,)
            )
        deadline = time.monotonic() + _SECONDS
        waiting = [self._pool.submit(build, path) for build, path in jobs]
        for future in waiting:
            future.result(max(0.0, deadline - time.monotonic()))
        return [path for _, path in jobs]

    def _end(self) -> None:
        if self._pool is not None:
            for process in list((self._pool._processes or {}).values()):
                process.kill()
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def _prepare(folder: Path) -> None:
    """Let the process end with the one that asked for it, even a killed one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()


def _end_with_parent(folder: Path) -> None:
    parent = parent_process()
    assert parent
    parent.join()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def _build(text: str, device: Device, path: Path) -> None:
    """Build a library with the code that a compiled model would have, behind TVM's wrappers."""
    kernels = tvm.ir.load_json(text)
    with TemporaryDirectory(dir=path.parent) as folder:
        code = Path(folder) / "kernels.o"
        write_code(machine_code(kernels, lowered(kernels, device), device), code)
        link([code], path, exports="__[tT][vV][mM]*")


def _cpu_builds(
    kernels: Sequence[Kernel], footprint: int, device: Device, workers: int
) -> list[_Build]:
    parts = min(workers, len(kernels))
    named = [
        (f"k{i}", kernel.function.with_attr("global_symbol", f"k{i}"))
        for i, kernel in enumerate(kernels)
    ]
    texts = (tvm.ir.save_json(tvm.IRModule(dict(named[part::parts]))) for part in range(parts))
    return [partial(_build, text, device) for text in texts]


def _gpu_builds(kernels: Sequence[Kernel], footprint: int, gpu: Gpu, workers: int) -> list[_Build]:
    program = gpu_program(kernels, footprint, gpu)
    functions = [kernel.function for kernel in kernels]
    text = tvm.ir.save_json(gpu_functions(functions, program, footprint, gpu))
    return [partial(write_gpu_file, text, program, gpu)]


_BUILDS: dict[str, Callable[..., list[_Build]]] = {"cpu": _cpu_builds, "cuda": _gpu_builds}
"""What makes a device's libraries, each of which is built apart, by its family."""
