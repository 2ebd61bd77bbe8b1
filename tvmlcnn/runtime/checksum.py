"""Whether a compiled file is, byte for byte, what the compiler wrote.

The section has the SHA-256 digest of the whole file, with this digest itself as zeros, and the
CRC-32 of the manifest alone. The first takes tens of times as long as loading; the second a
hundredth of it, and the manifest is what Python allocates arrays by.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from tvmlcnn.errors import UserError

from .elf import ElfFile, read_elf

CHECKSUM_SECTION = ".tvmlcnn.checksum"
SIZE = 32
"""Bytes of the digest of the file; that of the manifest follows."""
_BLOCK = 1 << 20


def of_manifest(text: bytes) -> bytes:
    """Return the CRC-32 of a manifest, as four bytes."""
    return zlib.crc32(text).to_bytes(4, "little")


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
        digest.update(bytes(len(file.read(SIZE))))
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.digest()


def check_manifest(elf: ElfFile, text: bytes) -> None:
    """Raise a UserError where a file's manifest is not what the compiler wrote."""
    if _noted(elf)[SIZE:] != of_manifest(text):
        raise UserError(
            f"{elf.path} is damaged: its manifest was changed; copy or compile it again"
        )


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
    noted = _noted(elf)[:SIZE]
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


def _noted(elf: ElfFile) -> bytes:
    section = elf.sections.get(CHECKSUM_SECTION)
    if section is None or section.size != SIZE + 4:
        raise UserError(f"{elf.path} is damaged or no compiled model: it has no checksum")
    return elf.read(CHECKSUM_SECTION)
