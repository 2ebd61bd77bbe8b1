"""Compiled models that are damaged, foreign or of another time are told apart before loading."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tvmlcnn
from tvmlcnn.package.elf_object import data_object
from tvmlcnn.package.link import link
from tvmlcnn.runtime import read_manifest
from tvmlcnn.runtime.checksum import CHECKSUM_SECTION, SIZE, of_manifest
from tvmlcnn.runtime.elf import read_elf
from tvmlcnn.runtime.manifest import FORMAT, MANIFEST_SECTION, WEIGHTS_SECTION


def message(path: Path) -> str:
    with pytest.raises(tvmlcnn.UserError) as caught:
        tvmlcnn.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_arm_file_is_read_here(small_arm_file: Path) -> None:
    elf, manifest = read_manifest(small_arm_file)
    assert elf.machine == "aarch64"
    assert manifest.inputs[0].shape == (1, 3, 32, 32)


def test_another_machine(small_arm_file: Path) -> None:
    assert "compiled for aarch64 (target arm), this machine is x86_64" in message(small_arm_file)


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.999])
def test_truncated(kept: float, small_file: Path, tmp_path: Path) -> None:
    content = small_file.read_bytes()
    cut = tmp_path / "cut.so"
    cut.write_bytes(content[: int(len(content) * kept)])
    assert "cut short" in message(cut)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x7fELF", b"\x7fELF" + b"\xff" * 100])
def test_not_a_library(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.so"
    path.write_bytes(content)
    assert "no compiled model" in message(path)


def test_a_library_of_others(tmp_path: Path) -> None:
    (tmp_path / "data.o").write_bytes(data_object("x86_64", {".other": b"1"}))
    link([tmp_path / "data.o"], tmp_path / "other.so")
    assert "not one that tvmlcnn compiled" in message(tmp_path / "other.so")


def test_missing_and_folder(tmp_path: Path) -> None:
    assert "No such file" in message(tmp_path / "none.so")
    assert "directory" in message(tmp_path)


@pytest.fixture
def with_manifest(small_file: Path, tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Make a library that has another manifest, and the weights, of the small network."""
    elf, manifest = read_manifest(small_file)

    def make(changes: dict[str, Any]) -> Path:
        text = json.dumps(manifest.json | changes).encode()
        sections = {
            MANIFEST_SECTION: text,
            WEIGHTS_SECTION: elf.read(WEIGHTS_SECTION),
            CHECKSUM_SECTION: bytes(SIZE) + of_manifest(text),
        }
        (tmp_path / "data.o").write_bytes(data_object("x86_64", sections))
        link([tmp_path / "data.o"], tmp_path / "changed.so")
        return tmp_path / "changed.so"

    return make


Make = Callable[[dict[str, Any]], Path]


def test_newer_format(with_manifest: Make) -> None:
    text = message(with_manifest({"format": FORMAT + 1}))
    assert "newer file format" in text
    assert "update tvmlcnn" in text


def test_damaged_manifest(small_file: Path, tmp_path: Path) -> None:
    content = bytearray(small_file.read_bytes())
    section = read_elf(small_file).sections[MANIFEST_SECTION]
    content[section.offset : section.offset + 8] = b"\0" * 8
    (tmp_path / "damaged.so").write_bytes(content)
    assert "manifest cannot be read" in message(tmp_path / "damaged.so")


def test_processor_lacks_a_feature(with_manifest: Make, small_file: Path) -> None:
    target = read_manifest(small_file)[1].json["target"]
    path = with_manifest({"target": target | {"features": ["avx2", "avx9000"]}})
    assert "needs avx9000, which this processor lacks" in message(path)


def test_weights_are_missing(with_manifest: Make, small_file: Path) -> None:
    weights = read_manifest(small_file)[1].json["weights"]
    path = with_manifest({"weights": [*weights, {"shape": [1], "dtype": "float32", "offset": 1e9}]})
    assert "weights are missing" in message(path)
