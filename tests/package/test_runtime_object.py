"""The runtime as object files of a machine, which need nothing but the C library."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tvmlcnn.package import c_library
from tvmlcnn.package.cpu_tables import cpu_tables
from tvmlcnn.package.elf_object import data_object
from tvmlcnn.package.flat_program import FlatProgram
from tvmlcnn.package.link import link
from tvmlcnn.package.program_source import program_source
from tvmlcnn.package.runtime_object import TRIPLES, runtime_objects
from tvmlcnn.runtime.checksum import CHECKSUM_SECTION
from tvmlcnn.runtime.elf import MACHINES, read_elf
from tvmlcnn.runtime.manifest import MANIFEST_SECTION, WEIGHTS_SECTION

PROGRAMS = [FlatProgram((), (), 0)]
_SECTIONS = (WEIGHTS_SECTION, MANIFEST_SECTION, CHECKSUM_SECTION)
SOURCE = program_source(cpu_tables(PROGRAMS, [], None, 0), PROGRAMS, [[]], [[]], [])
HEADER = Path(__file__).parents[2] / "tvmlcnn" / "runtime" / "c" / "tvmlcnn.h"


OF_FRAMES = {"tvmlcnn_run_frames", "tvmlcnn_place"}
OF_GPUS = {"tvmlcnn_gpu_times"}
FITTING = '#include "fitting.h"\nconst Fitting tvmlcnn_fitting = {0};\n'


@pytest.mark.parametrize("resizes", [False, True])
@pytest.mark.parametrize("machine", MACHINES)
def test_a_library_exports_its_functions_and_nothing_else(
    machine: str, resizes: bool, tmp_path: Path
) -> None:
    data = tmp_path / "data.o"
    data.write_bytes(data_object(machine, dict.fromkeys(_SECTIONS, b"")))
    source = SOURCE + FITTING * resizes
    objects = runtime_objects(machine, "cpu", source, tmp_path, resizes)
    called = {name for name in c_library.missing([*objects, data]) if name.startswith("__aeabi")}
    if called:  # divisions, which come from the compiler's own library
        objects.append(c_library.supply(called, TRIPLES[machine], tmp_path))
    link([*objects, data], tmp_path / "net.so")
    assert read_elf(tmp_path / "net.so").machine == machine
    text = subprocess.run(
        ["readelf", "--dyn-syms", "-W", tmp_path / "net.so"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rows = re.findall(r"(GLOBAL|WEAK)\s+\w+\s+(\w+) (\S+)", text)
    declared = re.findall(r"^TVMLCNN_API .*?(tvmlcnn_\w+)\(", HEADER.read_text(), re.MULTILINE)
    expected = set(declared) - OF_GPUS - (set() if resizes else OF_FRAMES)
    assert {name for _, where, name in rows if where != "UND"} == expected
    assert not [name for _, where, name in rows if where == "UND" and "@" in name]


def test_it_needs_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.write_text("no folder")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert runtime_objects("x86_64", "cpu", SOURCE, tmp_path)
