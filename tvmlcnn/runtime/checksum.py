"""Whether a compiled file is, byte for byte, what the compiler wrote.

A section of the file has four sums, each of what one of its readers is to see:

- the SHA-256 digest of the whole file, with this digest itself as zeros, for whoever asks;
- the CRC-32 of the manifest, for who reads that alone;
- the CRC-32 of all but the weights, before the file is loaded: code is known before it runs;
- a hash of all that is mapped for reading alone, weights among it, which the file's own
  ``runtime/c/intact.c`` computes where they lie when the first instance is opened.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import astuple, dataclass
from pathlib import Path

from tvmlcnn.errors import UserError

from .elf import ElfFile, read_elf

CHECKSUM_SECTION = ".tvmlcnn.checksum"
WEIGHTS_SECTION = ".tvmlcnn.weights"
_LAYOUT = struct.Struct("<32sIIQ")
SIZE = _LAYOUT.size
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Checksums:
    """What the section holds, in its order.

    Attributes
    ----------
    digest : bytes
        SHA-256 of the whole file, with these 32 bytes as zeros.
    manifest : int
        CRC-32 of the manifest.
    rest : int
        CRC-32 of the file without its weights and this section.
    mapped : int
        What ``runtime/c/intact.c`` computes.
    """

    digest: bytes
    manifest: int
    rest: int
    mapped: int

    def packed(self) -> bytes:
        """Return the section's bytes."""
        return _LAYOUT.pack(*astuple(self))


def of_manifest(text: bytes) -> int:
    """Return the CRC-32 of a manifest."""
    return zlib.crc32(text)


def of_rest(elf: ElfFile) -> int:
    """Return the CRC-32 of a file without its weights and its checksums."""
    total = 0
    apart = [elf.sections[name] for name in (CHECKSUM_SECTION, WEIGHTS_SECTION)]
    with open(elf.path, "rb") as file:
        for section in sorted(apart, key=lambda section: section.offset):
            while left := section.offset - file.tell():
                block = file.read(min(left, _BLOCK))
                if not block:  # somebody cut it meanwhile
                    return total
                total = zlib.crc32(block, total)
            file.seek(section.offset + section.size)
        while block := file.read(_BLOCK):
            total = zlib.crc32(block, total)
    return total


def of_file(elf: ElfFile) -> bytes:
    """Return the digest of a whole file.

    Parameters
    ----------
    elf : ElfFile
        Of a library with the section `CHECKSUM_SECTION`.
    """
    import hashlib  # it brings OpenSSL, 4 MB that loading a model has no use for

    start = elf.sections[CHECKSUM_SECTION].offset
    digest = hashlib.sha256()
    with open(elf.path, "rb") as file:
        digest.update(file.read(start))
        digest.update(bytes(len(file.read(digest.digest_size))))
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.digest()


def check_manifest(elf: ElfFile, text: bytes) -> None:
    """Raise a UserError where a file's manifest is not what the compiler wrote."""
    if _noted(elf).manifest != of_manifest(text):
        raise UserError(
            f"{elf.path} is damaged: its manifest was changed; copy or compile it again"
        )


def check_rest(elf: ElfFile) -> None:
    """Raise a UserError where code, tables or headers are not what the compiler wrote."""
    if _noted(elf).rest != of_rest(elf):
        raise UserError(f"{elf.path} is damaged: its code was changed; copy or compile it again")


def verify(path: str | Path) -> str:
    """Check that nothing of a compiled file has changed.

    Returns
    -------
    str
        The digest of the file, in hexadecimal.

    Raises
    ------
    UserError
        If a byte is another than the compiler wrote, or the file is no compiled model.
    """
    elf = read_elf(path)
    noted = _noted(elf).digest
    try:
        found = of_file(elf)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if found != noted:
        raise UserError(
            f"{path} is damaged: its checksum is {found.hex()[:16]}..., and should be "
            f"{noted.hex()[:16]}...; copy or compile it again"
        )
    return found.hex()


def _noted(elf: ElfFile) -> Checksums:
    section = elf.sections.get(CHECKSUM_SECTION)
    if section is None or section.size != SIZE:
        raise UserError(f"{elf.path} is damaged or no compiled model: it has no checksum")
    return Checksums(*_LAYOUT.unpack(elf.read(CHECKSUM_SECTION)))
