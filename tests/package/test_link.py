"""Linking with ziglang's lld, and what is said where it cannot."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tvmlcnn.errors import UserError
from tvmlcnn.package.elf_object import data_object
from tvmlcnn.package.link import link
from tvmlcnn.runtime.elf import read_elf

_NEEDED = 1  # DT_NEEDED of the dynamic section


def test_a_library_needs_no_other(tmp_path: Path) -> None:
    objects = []
    for name in ("first", "second"):
        objects.append(tmp_path / f"{name}.o")
        objects[-1].write_bytes(data_object("aarch64", {f".{name}": name.encode()}))
    link(objects, tmp_path / "lib.so")
    elf = read_elf(tmp_path / "lib.so")
    assert elf.read(".first") + elf.read(".second") == b"firstsecond"
    tags = [tag for tag, _ in struct.iter_unpack("<QQ", elf.read(".dynamic"))]
    assert tags
    assert _NEEDED not in tags


def test_objects_of_two_machines(tmp_path: Path) -> None:
    for name in ("x86_64", "aarch64"):
        (tmp_path / f"{name}.o").write_bytes(data_object(name, {f".{name}": b"1"}))
    with pytest.raises(RuntimeError, match=r"lld failed \(1\).*incompatible"):
        link(sorted(tmp_path.glob("*.o")), tmp_path / "lib.so")
    assert not (tmp_path / "lib.so").exists()


def test_without_ziglang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'tvmlcnn\[compile\]'"):
        link([], tmp_path / "lib.so")
