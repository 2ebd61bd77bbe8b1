"""A file that has changed by a bit is told from what the compiler wrote."""

from __future__ import annotations

import contextlib
import ctypes
import random
from pathlib import Path

import pytest
from conftest import Cli

import tvmlcnn
from tvmlcnn.runtime import checksum, read_manifest
from tvmlcnn.runtime.elf import read_elf
from tvmlcnn.runtime.manifest import MANIFEST_SECTION, WEIGHTS_SECTION


def flipped(file: Path, bit: int, copy: Path) -> Path:
    content = bytearray(file.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    copy.unlink(missing_ok=True)  # a library that is loaded may lie there
    copy.write_bytes(content)
    return copy


def test_what_was_written_holds(small_file: Path, small_arm_file: Path, cli: Cli) -> None:
    for file in (small_file, small_arm_file):
        assert (
            f"checksum       holds: sha256 {checksum.verify(file)}"
            in cli("inspect", file, "--verify").out
        )
    assert "checksum" not in cli("inspect", small_file).out


def test_a_flipped_bit_is_found_wherever_it_is(small_file: Path, tmp_path: Path) -> None:
    """In headers, code, weights, manifest, the checksum itself and what fills gaps."""
    random_ = random.Random(0)
    elf = read_elf(small_file)
    bits = [random_.randrange(small_file.stat().st_size * 8) for _ in range(300)]
    for name in (".text", WEIGHTS_SECTION, MANIFEST_SECTION, checksum.CHECKSUM_SECTION):
        section = elf.sections[name]
        begin, end = section.offset * 8, (section.offset + section.size) * 8
        bits += [random_.randrange(begin, end) for _ in range(50)]
    bits += range(64 * 8)  # the header
    for bit in bits:
        with pytest.raises(tvmlcnn.UserError):
            checksum.verify(flipped(small_file, bit, tmp_path / "flipped.so"))


def test_inspect_says_it_in_a_line(small_file: Path, tmp_path: Path, cli: Cli) -> None:
    offset = read_elf(small_file).sections[WEIGHTS_SECTION].offset
    path = flipped(small_file, offset * 8 + 3, tmp_path / "flipped.so")
    assert "flipped.so is damaged: its checksum is" in cli("inspect", path, "--verify").error
    assert cli("inspect", path).code == 0


def test_a_changed_manifest_is_not_loaded(small_file: Path, tmp_path: Path) -> None:
    """The text stays JSON, and would have another class for an answer."""
    section = read_elf(small_file).sections[MANIFEST_SECTION]
    text = read_elf(small_file).read(MANIFEST_SECTION)
    bit = (section.offset + text.index(b'"float32"') + 6) * 8
    path = flipped(small_file, bit, tmp_path / "flipped.so")
    with pytest.raises(tvmlcnn.UserError, match="manifest was changed"):
        read_manifest(path)
    with pytest.raises(tvmlcnn.UserError, match="manifest was changed"):
        tvmlcnn.load(path)


def test_damaged_code_and_weights_are_not_run(small_file: Path, tmp_path: Path) -> None:
    """Of code before anything of the file runs; of weights before the first kernel does."""
    random_ = random.Random(2)
    sections = read_elf(small_file).sections
    for name, said in (
        (".text", "its code was changed"),
        (WEIGHTS_SECTION, "not what was compiled"),
    ):
        section = sections[name]
        for _ in range(20):
            bit = random_.randrange(section.offset * 8, (section.offset + section.size) * 8)
            with pytest.raises(tvmlcnn.UserError, match=f"flipped.so.* is damaged: .*{said}"):
                tvmlcnn.load(flipped(small_file, bit, tmp_path / "flipped.so"))


def test_a_program_in_c_is_told_of_damage(small_file: Path, tmp_path: Path) -> None:
    """The file itself tells it, of two signs too, which a sum would not."""
    section = read_elf(small_file).sections[WEIGHTS_SECTION]
    content = bytearray(small_file.read_bytes())
    for at in (7, 7 + 8 * 1024):
        content[section.offset + at] ^= 0x80
    (tmp_path / "flipped.so").write_bytes(content)
    for path, status in ((small_file, 0), (tmp_path / "flipped.so", 7)):
        library, instance = ctypes.CDLL(str(path)), ctypes.c_void_p()
        assert library.tvmlcnn_open(None, ctypes.byref(instance)) == status
        library.tvmlcnn_close(instance)


def test_every_mistake_in_headers_is_the_users(small_file: Path, tmp_path: Path) -> None:
    """Loading a file with a flipped bit in its section headers raises nothing else."""
    random_ = random.Random(1)
    content = small_file.read_bytes()
    start = int.from_bytes(content[40:48], "little")
    for _ in range(300):
        bit = random_.randrange(start * 8, len(content) * 8)
        path = flipped(small_file, bit, tmp_path / "flipped.so")
        with contextlib.suppress(tvmlcnn.UserError):
            read_manifest(path)
