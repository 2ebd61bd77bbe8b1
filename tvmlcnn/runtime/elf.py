"""Reading an ELF file's sections and segments without loading it, whoever wrote it.

All that the headers say is held against the file's size and against each other before it is used.
Source: System V ABI, chapters 4 (object files) and 5 (program headers).
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tvmlcnn.errors import UserError
from tvmlcnn.files import refuse_special

# e_machine, word size in bits
MACHINES = {"x86_64": (62, 64), "aarch64": (183, 64), "armv7l": (40, 32)}
OURS = ".tvmlcnn."
"""What the names of the sections begin with that tvmlcnn writes."""
_NONE, _STRINGS, _NOBITS = 0, 3, 8  # types of sections; the last lies in memory alone
_NAMES = {key: name for name, key in MACHINES.items()}
_HEADER = {
    32: struct.Struct("<16xHHIIIIIHHHHHH"),
    64: struct.Struct("<16xHHIQQQIHHHHHH"),
}
_SECTION = {32: struct.Struct("<IIIIIIIIII"), 64: struct.Struct("<IIQQQQIIQQ")}
_SEGMENT = {32: struct.Struct("<IIIIIIII"), 64: struct.Struct("<IIQQQQQQ")}


@dataclass(frozen=True)
class Section:
    """Where a section lies, in bytes: in its file, and in memory from the library's beginning."""

    offset: int
    size: int
    address: int


@dataclass(frozen=True)
class Segment:
    """What a loader maps into memory: ELF's kind and flags, and where it lies in its file."""

    kind: int
    flags: int
    offset: int
    size: int


@dataclass(frozen=True)
class ElfFile:
    """A shared library as its headers describe it.

    Attributes
    ----------
    path : Path
    machine : str
        ``"x86_64"``, ``"aarch64"``, ``"armv7l"``, or ELF's number of another machine.
    sections : dict of str to Section
        None ends after the file, and no two have bytes in common.
    segments : tuple of Segment
        None ends after the file.
    """

    path: Path
    machine: str
    sections: dict[str, Section]
    segments: tuple[Segment, ...]

    def read(self, name: str) -> bytes:
        """Return the bytes of a section."""
        section = self.sections[name]
        with open(self.path, "rb") as file:
            file.seek(section.offset)
            return file.read(section.size)


def read_elf(path: str | Path) -> ElfFile:
    """Read the headers of a shared library or object file of any machine.

    Raises
    ------
    UserError
        If the file cannot be read, is no ELF file, or is cut short, or if its headers are not those
        of any linker.
    """
    path = Path(path)
    refuse_special(path)
    try:
        with open(path, "rb") as file:
            total = os.fstat(file.fileno()).st_size
            start = file.read(64)
            if start[:4] != b"\x7fELF":
                raise UserError(f"{path} is no compiled model: it is not an ELF shared library")
            if len(start) < 64 or start[4] not in (1, 2) or start[5] != 1:
                raise UserError(f"{path} is no compiled model: its ELF header is broken")
            bits = 32 if start[4] == 1 else 64
            header = _HEADER[bits].unpack_from(start)
            machine, segments, table = header[1], header[4], header[5]
            segment_size, segment_count, entry_size, count, names = header[8:]
            # The section headers come last, so that any cut loses them.
            if table == 0 or table + entry_size * count > total or names >= count:
                raise UserError(f"{path} is cut short ({total} bytes); copy or compile it again")
            entries = _table(file, table, entry_size, count, _SECTION[bits])
            programs = _table(file, segments, segment_size, segment_count, _SEGMENT[bits])
            sections = _sections(file, entries, names, total)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except UserError:
        raise
    except (struct.error, ValueError, OverflowError) as error:
        raise UserError(
            f"{path} is damaged: its headers are broken; copy or compile it again"
        ) from error
    # p_flags stands elsewhere in files of 32 bits.
    flags, offset, size = (1, 2, 5) if bits == 64 else (6, 1, 4)
    return ElfFile(
        path,
        _NAMES.get((machine, bits), str(machine)),
        sections,
        tuple(Segment(each[0], each[flags], each[offset], each[size]) for each in programs),
    )


def _table(
    file: BinaryIO, start: int, entry_size: int, count: int, layout: struct.Struct
) -> list[tuple[int, ...]]:
    """Return the entries of a table of headers."""
    if count and entry_size != layout.size:
        raise ValueError("entries of another size")
    file.seek(start)
    content = file.read(layout.size * count)
    if len(content) != layout.size * count:
        raise ValueError("a table ends after the file")
    return list(layout.iter_unpack(content))


def _sections(
    file: BinaryIO, entries: list[tuple[int, ...]], names: int, total: int
) -> dict[str, Section]:
    """Return the sections by their names."""
    end = 0
    for start, size in sorted(
        (entry[4], entry[5]) for entry in entries if entry[1] not in (_NONE, _NOBITS) and entry[5]
    ):
        if start < end or start + size > total:
            raise ValueError("a section lies in another or ends after the file")
        end = start + size
    if entries[names][1] != _STRINGS:
        raise ValueError("the names are no names")
    file.seek(entries[names][4])
    strings = file.read(entries[names][5])
    sections: dict[str, Section] = {}
    for entry in entries:
        name = strings[entry[0] : strings.index(b"\0", entry[0])].decode("ascii", "replace")
        if name in sections and name.startswith(OURS):
            raise ValueError("two sections of one name")
        sections[name] = Section(entry[4], 0 if entry[1] == _NOBITS else entry[5], entry[3])
    return sections
