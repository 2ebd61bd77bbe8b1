"""Writing an ELF object file that carries data in sections of its own.

The linker puts it into the library beside the kernels. Source: System V ABI, chapter 4.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from tvmlcnn.runtime.elf import MACHINES

# Weights start at a cache line, and so do the vectors that kernels load from them.
ALIGNMENT = 64
_PROGBITS, _SYMTAB, _STRTAB, _ALLOC = 1, 2, 3, 2
_GLOBAL_OBJECT = 1 << 4 | 1
_HIDDEN = 2  # visibility: seen in the library alone
# The version 5 ABI with hard float; the linker refuses to mix it with soft float.
_FLAGS = {"armv7l": 0x05000400}


def data_object(machine: str, sections: Mapping[str, bytes]) -> bytes:
    """Return a relocatable object file with read-only data.

    Parameters
    ----------
    machine : str
        ``"x86_64"``, ``"aarch64"`` or ``"armv7l"``.
    sections : mapping of str to bytes
        Contents by section name. Each begins at a multiple of `ALIGNMENT`. Hidden symbols mark
        its beginning and its end: ``.a.b`` lies from ``a_b_section`` to ``a_b_section_end``.
    """
    number, bits = MACHINES[machine]
    wide = bits == 64
    names = ["", *sections, ".symtab", ".strtab", ".shstrtab"]
    name_table, name_offsets = _strings(names)
    symbols = []
    for index, (name, data) in enumerate(sections.items(), start=1):
        symbol = name.lstrip(".").replace(".", "_") + "_section"
        symbols += [(symbol, index, 0, len(data)), (f"{symbol}_end", index, len(data), 0)]
    symbol_table, symbol_offsets = _strings(["", *(symbol for symbol, *_ in symbols)])
    symbol_entries = b"\0" * (24 if wide else 16)
    for symbol, index, value, size in symbols:
        start = symbol_offsets[symbol]
        symbol_entries += (
            struct.pack("<IBBHQQ", start, _GLOBAL_OBJECT, _HIDDEN, index, value, size)
            if wide
            else struct.pack("<IIIBBH", start, value, size, _GLOBAL_OBJECT, _HIDDEN, index)
        )

    body = bytearray(64 if wide else 52)
    headers = [_section_header(wide)]

    def add(name: str, kind: int, data: bytes, **rest: int) -> None:
        body.extend(b"\0" * (-len(body) % ALIGNMENT))
        headers.append(
            _section_header(wide, name_offsets[name], kind, len(body), len(data), **rest)
        )
        body.extend(data)

    for name, data in sections.items():
        add(name, _PROGBITS, data, flags=_ALLOC, align=ALIGNMENT)
    entry = 24 if wide else 16
    add(".symtab", _SYMTAB, symbol_entries, link=len(sections) + 2, info=1, align=8, entry=entry)
    add(".strtab", _STRTAB, symbol_table)
    add(".shstrtab", _STRTAB, name_table)
    body.extend(b"\0" * (-len(body) % 8))
    table = len(body)
    body.extend(b"".join(headers))
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + b"\0" * 9
    header = struct.pack(
        "<HHIQQQIHHHHHH" if wide else "<HHIIIIIHHHHHH",
        *(1, number, 1, 0, 0, table, _FLAGS.get(machine, 0)),
        *(64 if wide else 52, 0, 0, 64 if wide else 40, len(headers), len(headers) - 1),
    )
    body[: len(ident + header)] = ident + header
    return bytes(body)


def _strings(names: list[str]) -> tuple[bytes, dict[str, int]]:
    """Return a string table and the offset of each name in it."""
    table, offsets = b"", {}
    for name in names:
        offsets[name] = len(table)
        table += name.encode("ascii") + b"\0"
    return table, offsets


def _section_header(
    wide: bool,
    name: int = 0,
    kind: int = 0,
    offset: int = 0,
    size: int = 0,
    *,
    flags: int = 0,
    link: int = 0,
    info: int = 0,
    align: int = 1,
    entry: int = 0,
) -> bytes:
    layout = "<IIQQQQIIQQ" if wide else "<IIIIIIIIII"
    return struct.pack(layout, name, kind, flags, 0, offset, size, link, info, align, entry)
