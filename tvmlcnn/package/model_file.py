"""The one file of a compiled model: kernels, weights and manifest."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tvm.runtime import Executable

from tvmlcnn.files import write_whole
from tvmlcnn.runtime.manifest import MANIFEST_SECTION, WEIGHTS_SECTION
from tvmlcnn.targets import Device

from . import cuda
from .elf_object import ALIGNMENT, data_object
from .link import link
from .pool_object import pool_object


@dataclass(frozen=True)
class Parts:
    """What a library is linked from.

    Attributes
    ----------
    machine : str
        Machine of the library.
    objects : tuple of Path
        Object files with the kernels, TVM's program, and the threads.
    weights : Path
        Object file with the weights.
    layout : list of dict
        Shape, dtype and offset of each weight, for the manifest.
    """

    machine: str
    objects: tuple[Path, ...]
    weights: Path
    layout: list[dict[str, Any]]


def write_parts(
    executable: Executable,
    weights: list[np.ndarray],
    device: Device,
    gpu_compiler: cuda.Compiler | None,
    folder: Path,
) -> Parts:
    """Write the object files of a built module and its weights into ``folder``."""
    objects: list[Path] = []

    def collect(output: str, files: list[str], options: object = None) -> None:
        objects.extend(map(Path, files))

    collect.output_format = "so"  # type: ignore[attr-defined]
    pack = None if gpu_compiler is None else cuda.pack_imports(gpu_compiler, device.gpu_code)
    executable.export_library(
        str(folder / "kernels.so"),
        fcompile=collect,
        fpack_imports=pack,
        workspace_dir=str(folder),
    )
    blob, layout = bytearray(), []
    for array in weights:
        blob.extend(b"\0" * (-len(blob) % ALIGNMENT))
        layout.append({"shape": array.shape, "dtype": str(array.dtype), "offset": len(blob)})
        blob.extend(np.ascontiguousarray(array).tobytes())
    path = folder / "weights.o"
    path.write_bytes(data_object(device.machine, {WEIGHTS_SECTION: bytes(blob)}))
    objects.append(pool_object(device.machine, folder))
    return Parts(device.machine, tuple(objects), path, layout)


def link_library(parts: Parts, manifest: dict[str, Any], output: Path) -> None:
    """Link the parts and a manifest into a library."""
    text = json.dumps(manifest, ensure_ascii=False).encode()
    path = parts.weights.with_name("manifest.o")
    path.write_bytes(data_object(parts.machine, {MANIFEST_SECTION: text}))
    link([*parts.objects, parts.weights, path], output)


def publish(library: Path, output: Path) -> None:
    """Put a finished library in its place: whole, or, where that fails, not at all."""
    with open(library, "rb") as source:
        write_whole(output, lambda file: shutil.copyfileobj(source, file))
