"""Data in an object file of any machine: it survives linking, aligned, under its own symbol."""

from __future__ import annotations

import ctypes
import struct
from pathlib import Path

import pytest

from tvmlcnn.package.elf_object import ALIGNMENT, data_object
from tvmlcnn.package.link import link
from tvmlcnn.package.zig import run_zig
from tvmlcnn.runtime.elf import MACHINES, read_elf
from tvmlcnn.runtime.machine import machine

# An entry of a symbol table by the bits of a word, and where in it the size is.
_SYMBOL, _SIZE = {32: "<IIIBBH", 64: "<IBBHQQ"}, {32: 2, 64: 5}
CONTENTS = {".tvmlcnn.a": b"x" * 1000, ".tvmlcnn.b": bytes(range(256)) * 64, ".empty": b""}


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_sections_survive_linking(name: str, tmp_path: Path) -> None:
    (tmp_path / "data.o").write_bytes(data_object(name, CONTENTS))
    link([tmp_path / "data.o"], tmp_path / "lib.so")
    elf = read_elf(tmp_path / "lib.so")
    assert elf.machine == name
    for section, content in CONTENTS.items():
        assert elf.read(section) == content
        assert elf.sections[section].offset % ALIGNMENT == 0


def test_programs_find_data_by_its_symbols(tmp_path: Path) -> None:
    """Dots are no part of a name in C; in memory the data are aligned as in the file."""
    (tmp_path / "data.o").write_bytes(data_object(machine(), CONTENTS))
    lines = []
    for section in CONTENTS:
        symbol = section.lstrip(".").replace(".", "_") + "_section"
        lines += [
            f"extern const char {symbol}[], {symbol}_end[];",
            f"const char *tvmlcnn_{symbol}(void) {{ return {symbol}; }}",
            f"const char *tvmlcnn_{symbol}_end(void) {{ return {symbol}_end; }}",
        ]
    (tmp_path / "code.c").write_text("\n".join(lines))
    code = ["cc", "-fPIC", "-c", str(tmp_path / "code.c"), "-o", str(tmp_path / "code.o")]
    run_zig(code)
    link([tmp_path / "code.o", tmp_path / "data.o"], tmp_path / "lib.so")
    library = ctypes.CDLL(str(tmp_path / "lib.so"))
    for section, content in CONTENTS.items():
        ends = []
        for end in ("", "_end"):
            symbol = section.lstrip(".").replace(".", "_") + "_section" + end
            assert not hasattr(library, symbol)
            function = getattr(library, f"tvmlcnn_{symbol}")
            function.restype = ctypes.c_void_p
            ends.append(function())
        assert ctypes.string_at(ends[0], ends[1] - ends[0]) == content
        assert ends[0] % ALIGNMENT == 0


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_an_object_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    """Its header says what it is: a relocatable file, of hard floats where there are soft ones."""
    content = data_object(name, CONTENTS)
    wide = MACHINES[name][1] == 64
    assert content[4] == (2 if wide else 1)
    assert int.from_bytes(content[16:18], "little") == 1
    flags = content[48:52] if wide else content[36:40]
    assert int.from_bytes(flags, "little") == (0x05000400 if name == "armv7l" else 0)
    (tmp_path / "data.o").write_bytes(content)
    elf = read_elf(tmp_path / "data.o")
    assert {section: elf.read(section) for section in CONTENTS} == CONTENTS
    assert all(elf.sections[section].offset % ALIGNMENT == 0 for section in CONTENTS)
    _, *symbols = struct.iter_unpack(_SYMBOL[64 if wide else 32], elf.read(".symtab"))
    sizes = [symbol[_SIZE[64 if wide else 32]] for symbol in symbols]
    assert sizes == [1000, 0, 64 * 256, 0, 0, 0]  # where each begins, and where it ends
