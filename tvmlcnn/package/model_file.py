"""The one file of a compiled model: kernels, their program, the runtime, weights and manifest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tvmlcnn.files import write_whole
from tvmlcnn.runtime.checksum import CHECKSUM_SECTION, SIZE, WEIGHTS_SECTION
from tvmlcnn.runtime.manifest import MANIFEST_SECTION, TensorSpec
from tvmlcnn.targets import Device

from . import c_library, cuda
from .checksums import write_checksums
from .cpu_tables import cpu_tables
from .cuda_tables import cuda_tables
from .elf_object import ALIGNMENT, data_object
from .kernel_code import write_kernels
from .link import link
from .program_source import program_source
from .runtime_object import TRIPLES, runtime_objects
from .variants import Variants

# What the linker defines, by itself and from the manifest's object file.
_OF_LINKER = {
    *("_DYNAMIC", "__ehdr_start"),
    *("tvmlcnn_manifest_section", "tvmlcnn_manifest_section_end"),
    *("tvmlcnn_checksum_section", "tvmlcnn_checksum_section_end"),
}


@dataclass(frozen=True)
class Parts:
    """What a library is linked from.

    Attributes
    ----------
    machine : str
        Machine of the library.
    objects : tuple of Path
        Object files with the kernels, the program and the runtime.
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
    variants: Variants,
    inputs: Sequence[Sequence[TensorSpec]],
    outputs: Sequence[Sequence[TensorSpec]],
    device: Device,
    features: Sequence[str],
    threads: int | None,
    gpu_compiler: cuda.Compiler | None,
    folder: Path,
    fitting: str | None = None,
) -> Parts:
    """Write the object files of a network into ``folder``.

    Parameters
    ----------
    variants : Variants
    inputs, outputs : sequence of sequence of TensorSpec
        Of each program.
    device : Device
    features : sequence of str
        Linux's names of what the processor must have.
    threads : int, optional
        Threads that the file is compiled for.
    gpu_compiler : cuda.Compiler, optional
        Where the device is a GPU.
    folder : Path
    fitting : str, optional
        How frames of any size become the input; see `tvmlcnn.package.fitting_table`.
    """
    kernels = folder / "kernels-code.o"
    if gpu_compiler is None:
        scratch = write_kernels(variants.mod, device, kernels)
        tables = cpu_tables(variants.programs, features, threads, scratch)
    else:
        functions, image = cuda.compile_kernels(variants.mod, device, gpu_compiler)
        kernels.write_bytes(data_object(device.machine, {cuda.CUDA_SECTION: image}))
        tables = cuda_tables(variants.programs, functions, device.gpu_code, gpu_compiler)
    blob = bytearray()
    layout: list[dict[str, Any]] = []
    for array in variants.arrays:
        blob.extend(b"\0" * (-len(blob) % ALIGNMENT))
        layout.append({"shape": array.shape, "dtype": str(array.dtype), "offset": len(blob)})
        blob.extend(np.ascontiguousarray(array).tobytes())
    weights = folder / "weights.o"
    weights.write_bytes(data_object(device.machine, {WEIGHTS_SECTION: bytes(blob)}))
    offsets = [weight["offset"] for weight in layout]
    source = program_source(tables, variants.programs, inputs, outputs, offsets) + (fitting or "")
    resizes = fitting is not None
    runtime = runtime_objects(device.machine, device.family, source, folder, resizes)
    objects = [kernels, *runtime]
    if called := c_library.missing([*objects, weights]) - _OF_LINKER:
        objects.append(c_library.supply(called, TRIPLES[device.machine], folder))
    return Parts(device.machine, tuple(objects), weights, layout)


def link_library(parts: Parts, manifest: dict[str, Any], output: Path) -> None:
    """Link the parts and a manifest into a library with its checksums."""
    text = json.dumps(manifest, ensure_ascii=False).encode()
    path = parts.weights.with_name("manifest.o")
    sections = {MANIFEST_SECTION: text, CHECKSUM_SECTION: bytes(SIZE)}
    path.write_bytes(data_object(parts.machine, sections))
    link([*parts.objects, parts.weights, path], output)
    write_checksums(output)


def publish(library: Path, output: Path) -> None:
    """Put a finished library in its place: whole, or not at all."""
    with open(library, "rb") as source:
        write_whole(output, lambda file: shutil.copyfileobj(source, file))
