"""What a session finds on the board: TVM functions that a client calls by name."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tvmlcnn.errors import UserError
from tvmlcnn.runtime import latency, load, machine
from tvmlcnn.runtime.library import Instance, Library
from tvmlcnn.runtime.nvidia import find_gpu_apart
from tvmlcnn.runtime.tensors import programs_of

from . import caches, protocol
from .tvm_runtime import load_runtime, tvm_version

_ROUNDS = 10  # of a program on a GPU, between two looks at the clock


def facts() -> dict[str, Any]:
    """Return what this machine is, for a client to choose by and to print."""
    emulated = machine.emulated()
    gpu = None if emulated else find_gpu_apart()
    return {
        "machine": machine.machine(),
        "model": machine.model(),
        "emulated": emulated,
        "features": sorted(machine.cpu_features()),
        "cores": machine.physical_cores(),
        "caches": () if emulated else machine.cache_bytes(),  # an emulator shows its host's
        "tvm": tvm_version(),
        "gpu": None if gpu is None else {"name": gpu.name, "capability": gpu.capability},
    }


def register(folder: Path) -> None:
    """Register the functions for a session whose files lie in ``folder``."""
    ffi = load_runtime()

    def upload(name: str, content: bytes) -> str:
        try:
            (folder / name).parent.mkdir()
            (folder / name).write_bytes(content)
        except OSError as error:
            raise UserError(
                f"cannot store {Path(name).name} ({len(content) / 1e6:.1f} MB) in {folder.parent}: "
                f"{error.strerror}; make room there"
            ) from error
        return "{}"

    def run(name: str, inputs: bytes, threads: int) -> bytes:
        with np.load(io.BytesIO(inputs)) as arrays:
            result = load(folder / name, threads or None)(*(arrays[key] for key in arrays.files))
        file = io.BytesIO()
        np.savez(file, *(result if isinstance(result, tuple) else (result,)))
        return file.getvalue()

    def bench(name: str, threads: int, seconds: float) -> str:
        return json.dumps(asdict(latency.measure(load(folder / name, threads or None), seconds)))

    def gpu_times(name: str, inputs: bytes, calls: int, seconds: float) -> bytes:
        with np.load(io.BytesIO(inputs)) as arrays:
            given = [arrays[key] for key in arrays.files]
        library = Library(folder / name)
        instance = Instance(library, 1)
        ((_, specs),) = programs_of(library)
        outputs = [np.empty(spec.shape, spec.dtype) for spec in specs]
        instance.run(0, given, outputs)
        instance.gpu_times(0, given, calls, _ROUNDS)  # until the clocks are up
        times: list[np.ndarray] = []
        end = time.perf_counter() + seconds
        while not times or time.perf_counter() < end:
            times.append(instance.gpu_times(0, given, calls, _ROUNDS))
        file = io.BytesIO()
        np.savez(file, np.concatenate(times), *outputs)
        return file.getvalue()

    def load_module(name: str) -> Any:
        return ffi.load_module(str(folder / name))

    caches.register()
    # The name under which TVM's client asks for it.
    ffi.register_global_func("tvm.rpc.server.load_module", load_module, override=True)
    for function in (upload, run, bench, gpu_times):
        name = protocol.function(function.__name__)
        ffi.register_global_func(name, _answering(function, folder), override=True)


def _answering(function: Callable[..., str | bytes], folder: Path) -> Callable[..., str | bytes]:
    """Return the function with a user's mistake as its result: no traceback crosses the wire.

    Messages name a file as its user does, without the folder where it lies now.
    """
    sent = re.compile(rf"{re.escape(str(folder))}/[0-9a-f]+/")

    def answer(*arguments: Any) -> str | bytes:
        try:
            return function(*arguments)
        except UserError as error:
            return json.dumps({"error": sent.sub("", str(error))})

    return answer
