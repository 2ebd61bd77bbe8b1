"""Compiled models that are damaged, foreign or of another time are told apart before loading."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import tvmlcnn
from tvmlcnn.package.checksums import write_checksums
from tvmlcnn.package.elf_object import data_object
from tvmlcnn.package.link import link
from tvmlcnn.runtime import manifest_form, read_manifest
from tvmlcnn.runtime.checksum import CHECKSUM_SECTION, SIZE
from tvmlcnn.runtime.elf import read_elf
from tvmlcnn.runtime.manifest import FORMAT, MANIFEST_SECTION, WEIGHTS_SECTION, Manifest


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
        sections = {
            MANIFEST_SECTION: json.dumps(manifest.json | changes).encode(),
            WEIGHTS_SECTION: elf.read(WEIGHTS_SECTION),
            CHECKSUM_SECTION: bytes(SIZE),
        }
        (tmp_path / "data.o").write_bytes(data_object("x86_64", sections))
        link([tmp_path / "data.o"], tmp_path / "changed.so")
        write_checksums(tmp_path / "changed.so")
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
    more = {"shape": [1], "dtype": "float32", "offset": 1 << 30}
    assert "weights are missing" in message(with_manifest({"weights": [*weights, more]}))


NONSENSE: dict[str, list[Any]] = {
    "type": ["x", 5, None, True, [], {}, 1.5],
    "numbers": [float("inf"), float("nan"), -1, 0, 10**400, 1e300, 2**63],
    "nesting": [json.loads("[" * 400 + "]" * 400), {"kind": json.loads("[" * 90 + "]" * 90)}],
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_anywhere_in_a_manifest_is_said(
    kind: str, with_manifest: Make, small_file: Path
) -> None:
    """Whatever stands in the place of a value, the file is refused or loads: nothing is raised."""
    _, manifest = read_manifest(small_file)
    for changes in islice(_changed(manifest.json, NONSENSE[kind]), 0, None, 7):
        problem = manifest_form.problem(changes, 1 << 30)
        if problem is None:
            Manifest.from_json(changes)
        else:
            assert "\n" not in problem
    for name in ("inputs", "threads", "target", "check"):
        assert name in message(with_manifest({name: NONSENSE[kind][-1]}))


def _changed(value: Any, others: list[Any]) -> Iterator[Any]:
    """Yield a JSON value with another one in the place of each that it holds, and without each."""
    yield from others
    places: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
    for place in places:
        without = copy.copy(value)
        del without[place]
        yield without
        if isinstance(value[place], dict | list):
            inner = _changed(value[place], others)
        else:
            inner = iter(others)
        for each in inner:
            changed = copy.copy(value)
            changed[place] = each
            yield changed
