"""A wheel carries the shipped records and the licence."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT
from making import record

from tvmlcnn.records import Store

_PROGRAM = """
import json, sys
import tvmlcnn
from tvmlcnn.records import Key, Library
record = Library.of().find(Key(*json.loads(sys.argv[1])))
print(json.dumps([tvmlcnn.__file__, record and record.decisions, "tvm" in sys.modules]))
"""


@pytest.mark.fetches  # setuptools, to build with
def test_a_wheel_carries_records(tmp_path: Path) -> None:
    # From a copy: setuptools leaves its build folder in the source, and packs what lies there.
    source = tmp_path / "source"
    source.mkdir()
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("tvmlcnn", "schedules", "targets"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shipped = record(target="x86")
    Store(source / "schedules" / "records").add(shipped)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, source]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert "tvmlcnn/schedules/records/x86/records.jsonl" in names
        (licence,) = (name for name in names if name.endswith(".dist-info/licenses/LICENSE"))
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
        archive.extractall(tmp_path / "installed")
    environment = os.environ | {
        "PYTHONPATH": str(tmp_path / "installed"),
        "XDG_DATA_HOME": str(tmp_path / "none"),
    }
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(shipped.key)],
        env=environment,
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    file, decisions, imports_tvm = json.loads(done.stdout)
    assert Path(file).is_relative_to(tmp_path / "installed")
    assert decisions == shipped.decisions
    assert not imports_tvm
