"""Reading named sections of an ELF file without loading it.

Source: System V ABI, chapter 4 (object files); only what is needed to find a section.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from tvmlcnn.errors import UserError

# e_machine, word size in bits
MACHINES = {"x86_64": (62, 64), "aarch64": (183, 64), "armv7l": (40, 32)}
_NOBITS = 8  # the type of a section that lies in memory alone
_NAMES = {key: name for name, key in MACHINES.items()}
_HEADER = {
    32: struct.Struct("<16xHHIIIIIHHHHHH"),
    64: struct.Struct("<16xHHIQQQIHHHHHH"),
}
_SECTION = {32: struct.Struct("<IIIIIIIIII"), 64: struct.Struct("<IIQQQQIIQQ")}


@dataclass(frozen=True)
class Section:
    """Where a section lies in its file, in bytes."""

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
    """

    path: Path
    machine: str
    sections: dict[str, Section]

    def read(self, name: str) -> bytes:
        """Return the bytes of a section."""
        section = self.sections[name]
        with open(self.path, "rb") as file:
            file.seek(section.offset)
            return file.read(section.size)


def read_elf(path: str | Path) -> ElfFile:
    """Read the headers of a shared library of any machine.

    Raises
    ------
    UserError
        If the file cannot be read, is no ELF shared library, or is cut short.
    """
    path = Path(path)
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
            machine, table, entry_size, count, names = header[1], header[5], *header[10:13]
            # The section headers come last, so that any cut loses them.
            if table == 0 or table + entry_size * count > total or names >= count:
                raise UserError(f"{path} is cut short ({total} bytes); copy or compile it again")
            file.seek(table)
            raw = file.read(entry_size * count)
            entries = [_SECTION[bits].unpack_from(raw, i * entry_size) for i in range(count)]
            if any(each[1] != _NOBITS and each[4] + each[5] > total for each in entries):
                raise ValueError("a section ends after the file")
            file.seek(entries[names][4])
            strings = file.read(entries[names][5])
        sections = {}
        for entry in entries:
            name = strings[entry[0] : strings.index(b"\0", entry[0])].decode("ascii", "replace")
            sections[name] = Section(entry[4], entry[5])
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except UserError:
        raise
    except (struct.error, ValueError, OverflowError) as error:
        raise UserError(
            f"{path} is damaged: its section headers are broken; copy or compile it again"
        ) from error
    return ElfFile(path, _NAMES.get((machine, bits), str(machine)), sections)
