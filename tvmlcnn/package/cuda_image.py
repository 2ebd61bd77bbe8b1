"""What the GPU code of a file is: which architectures, as machine code or as PTX.

Sources: the ELF header for cubins (EM_CUDA; the place of the architecture changed with version 8
of its ABI, in CUDA 13); for fatbins, whose layout is not published, what ``cuobjdump`` lists.
"""

from __future__ import annotations

import struct

_EM_CUDA = 190
_FATBIN_MAGIC = 0xBA55ED50
_PTX, _CUBIN = 1, 2
# kind, version, size of this header, size of what follows it, four fields, architecture
_ENTRY = struct.Struct("<H2xIQ12xI")


def architectures(code: bytes) -> tuple[str, ...]:
    """Return what a cubin or a fatbin holds: ``"sm_87"`` for machine code, ``"compute_75"`` PTX.

    Raises
    ------
    ValueError
        If ``code`` is neither, as source and bare PTX are not.
    """
    if code[:4] == b"\x7fELF" and len(code) > 64:
        machine, flags = struct.unpack_from("<18xH28xI", code)
        if machine == _EM_CUDA:
            version = flags >> 8 if code[8] >= 8 else flags
            return (f"sm_{version & 0xFF}",)
    if len(code) > 16 and struct.unpack_from("<I", code) == (_FATBIN_MAGIC,):
        return tuple(_fatbin(code))
    raise ValueError(f"neither a cubin nor a fatbin: it begins with {code[:16]!r}")


def _fatbin(code: bytes) -> list[str]:
    header, size = struct.unpack_from("<6xHQ", code)
    found, at, end = [], header, header + size
    while at + _ENTRY.size <= min(end, len(code)):
        kind, entry_header, entry_size, arch = _ENTRY.unpack_from(code, at)
        if kind in (_PTX, _CUBIN):
            found.append(f"{'sm' if kind == _CUBIN else 'compute'}_{arch}")
        at += max(entry_header, _ENTRY.size) + entry_size
    if not at == end == len(code):
        raise ValueError(f"a fatbin of {end} bytes whose entries end at {at}, in {len(code)} bytes")
    return found
