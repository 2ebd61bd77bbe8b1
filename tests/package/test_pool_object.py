"""The threads of a model as an object file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tvmlcnn.package.link import link
from tvmlcnn.package.pool_object import pool_object
from tvmlcnn.runtime.elf import MACHINES, read_elf


@pytest.mark.parametrize("machine", MACHINES)
def test_is_of_the_machine(machine: str, tmp_path: Path) -> None:
    link([pool_object(machine, tmp_path)], tmp_path / "pool.so")
    assert read_elf(tmp_path / "pool.so").machine == machine
    assert b"tvmlcnn_pool_open\0" in (tmp_path / "pool.so").read_bytes()


def test_needs_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    pool_object("x86_64", tmp_path)
    assert os.listdir(home) == []
