"""The checksums of a linked file, by which its readers tell that nothing of it has changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tvmlcnn.runtime.checksum import CHECKSUM_SECTION, Checksums, of_file, of_manifest, of_rest
from tvmlcnn.runtime.elf import ElfFile, read_elf
from tvmlcnn.runtime.manifest import MANIFEST_SECTION

# As runtime/c/intact.c has them, which computes the same of what is mapped into memory.
_LANES, _TURN, _FACTOR = 512, 29, 0x9E3779B97F4A7C15
_LOAD, _WRITABLE = 1, 2  # PT_LOAD, PF_W


def write_checksums(library: Path) -> None:
    """Write the checksums of a linked library into the section that it has for them."""
    elf = read_elf(library)
    manifest = of_manifest(elf.read(MANIFEST_SECTION))
    sums = Checksums(bytes(32), manifest, of_rest(elf), of_mapped(elf))
    with open(library, "r+b") as file:
        for _ in range(2):  # the digest of the whole file is of the other sums too
            file.seek(elf.sections[CHECKSUM_SECTION].offset)
            file.write(sums.packed())
            file.flush()
            sums = replace(sums, digest=of_file(elf))


def of_mapped(elf: ElfFile) -> int:
    """Return the hash of what a loader maps for reading alone, as ``intact.c`` computes it."""
    content, checksums = elf.path.read_bytes(), elf.sections[CHECKSUM_SECTION]
    lanes = np.zeros(_LANES, np.uint64)
    for segment in elf.segments:
        if segment.kind != _LOAD or segment.flags & _WRITABLE:
            continue
        begin, end = segment.offset, segment.offset + segment.size
        if begin <= checksums.offset < end:
            _add_piece(lanes, content[begin : checksums.offset])
            begin = checksums.offset + checksums.size
        _add_piece(lanes, content[begin:end])
    found = np.zeros(1, np.uint64)
    for lane in lanes:
        _mix(found, np.array([lane]))
    return int(found[0])


def _add_piece(lanes: np.ndarray, piece: bytes) -> None:
    """Mix the words of a piece into the lanes; what is no whole block is filled with zeros."""
    filled = piece + bytes(-len(piece) % lanes.nbytes)
    for block in np.frombuffer(filled, "<u8").reshape(-1, _LANES):
        _mix(lanes, block)


def _mix(lanes: np.ndarray, words: np.ndarray) -> None:
    lanes ^= words
    lanes[:] = lanes << np.uint64(_TURN) | lanes >> np.uint64(64 - _TURN)
    lanes *= np.uint64(_FACTOR)
