"""The weights of a compiled model, where they lie in its file."""

from __future__ import annotations

import mmap
from collections.abc import Iterator

import numpy as np

from .elf import ElfFile
from .manifest import WEIGHTS_SECTION, Manifest


def mapped_weights(elf: ElfFile, manifest: Manifest) -> Iterator[np.ndarray]:
    """Yield the weights as arrays that lie in the mapped file."""
    section = elf.sections[WEIGHTS_SECTION]
    skip = section.offset % mmap.ALLOCATIONGRANULARITY
    with open(elf.path, "rb") as file:
        # Copy on write, since DLPack has no read-only tensors; nothing writes here.
        mapped = mmap.mmap(
            file.fileno(),
            section.size + skip,
            access=mmap.ACCESS_COPY,
            offset=section.offset - skip,
        )
    for weight in manifest.weights:
        yield np.ndarray(weight.shape, weight.dtype, mapped, skip + weight.offset)
