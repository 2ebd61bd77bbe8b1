"""The one file: weights where the manifest says, the manifest as it was, whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lowered import SCALE, SHIFT, X86, expected, lowered

import tvmlcnn
from tvmlcnn.package import model_file
from tvmlcnn.package.elf_object import ALIGNMENT
from tvmlcnn.package.variants import together
from tvmlcnn.runtime.elf import read_elf
from tvmlcnn.runtime.library import Instance, Library
from tvmlcnn.runtime.manifest import MANIFEST_SECTION, WEIGHTS_SECTION, TensorSpec


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> model_file.Parts:
    spec = [[TensorSpec(name, (2, 4), "float32")] for name in ("x", "y")]
    folder = tmp_path_factory.mktemp("parts")
    return model_file.write_parts(
        together([lowered()]), spec[:1], spec[1:], X86, [], None, None, folder
    )


def test_weights_lie_where_the_layout_says(parts: model_file.Parts, tmp_path: Path) -> None:
    model_file.link_library(parts, {}, tmp_path / "net.so")
    content = read_elf(tmp_path / "net.so").read(WEIGHTS_SECTION)
    found = []
    for entry in parts.layout:
        assert entry["offset"] % ALIGNMENT == 0
        array = np.frombuffer(content, entry["dtype"], np.prod(entry["shape"]), entry["offset"])
        found.append(array.reshape(entry["shape"]))
    for array, written in zip(found, (SCALE, SHIFT), strict=True):
        np.testing.assert_array_equal(array, written)


def test_the_manifest_can_be_written_again(parts: model_file.Parts, tmp_path: Path) -> None:
    """As the compiler does when the numeric check is done."""
    path = tmp_path / "net.so"
    for manifest in ({"labels": ["Schnüffler", "犬"]}, {"labels": [], "check": 1e-7}):
        model_file.link_library(parts, manifest, path)
        elf = read_elf(path)
        assert json.loads(elf.read(MANIFEST_SECTION)) == manifest
        assert elf.machine == parts.machine == "x86_64"


def test_a_file_is_put_in_its_place(parts: model_file.Parts, tmp_path: Path) -> None:
    source, target = tmp_path / "linked.so", tmp_path / "net.so"
    model_file.link_library(parts, {}, source)
    target.write_bytes(b"the old file")
    model_file.publish(source, target)
    assert target.read_bytes() == source.read_bytes()
    assert sorted(tmp_path.glob("*.so")) == [source, target]


def test_full_disk_keeps_the_old_file(
    parts: model_file.Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "linked.so", tmp_path / "net.so"
    model_file.link_library(parts, {}, source)
    target.write_bytes(b"the old file")

    def full(source: object, file: Any) -> None:
        file.write(b"some bytes")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(tvmlcnn.UserError, match=r"cannot write .*: No space left on device"):
        model_file.publish(source, target)
    assert target.read_bytes() == b"the old file"
    assert sorted(tmp_path.glob("*.so")) == [source, target]


def test_a_linked_file_computes_the_network(parts: model_file.Parts, tmp_path: Path) -> None:
    path = tmp_path / "net.so"
    model_file.link_library(parts, {}, path)
    x = np.random.default_rng(0).standard_normal((2, 4), dtype=np.float32)
    y = np.zeros_like(x)
    Instance(Library(path), 1).run(0, [x], [y])
    np.testing.assert_allclose(y, expected(x), rtol=1e-6)
