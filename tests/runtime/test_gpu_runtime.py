"""The runtime of a file for a GPU, on a driver that checks what it is told."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import fake_gpu
import pytest
from gpu_cases import CASES

from tvmlcnn.package.c_library import FUNCTIONS, OPTIONAL, undefined
from tvmlcnn.package.runtime_object import SOURCES
from tvmlcnn.runtime.c import FOLDER
from tvmlcnn.runtime.elf import read_elf

SCRIPT = "runtime/gpu_cases.py"
_NEEDED, _WEAK = 1, 2  # DT_NEEDED, STB_WEAK


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_gpu.build_file(tmp_path_factory.mktemp("file"))


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_gpu.build_driver(tmp_path_factory.mktemp("driver"))


@pytest.mark.parametrize("case", CASES)
def test_with_a_driver(case: str, file: Path, driver: Path) -> None:
    fake_gpu.run(SCRIPT, driver, case, file)


def test_an_older_driver(file: Path, tmp_path: Path) -> None:
    driver = fake_gpu.build_driver(tmp_path, "-DWITHOUT_GRAPHS")
    fake_gpu.run(SCRIPT, driver, "without_graphs", file)


def test_no_driver(file: Path, tmp_path: Path) -> None:
    (tmp_path / "libcuda.so.1").write_text("no library")
    fake_gpu.run(SCRIPT, tmp_path, "no_driver", file)


@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_under_sanitizers(sanitizer: str, file: Path, tmp_path: Path) -> None:
    """Each function of the driver may fail: nothing is left, of the GPU and of the host."""
    fake_gpu.build_driver(tmp_path)
    sources = [FOLDER / name for name in SOURCES["cuda"] if name != "intact.c"]
    harness = Path(__file__).parent / "c" / "gpu_test.c"
    tables = [file.with_name("program.c"), file.with_name("data.o")]
    flags = [f"-fsanitize={sanitizer}", "-fPIC", "-lpthread", "-ldl", "-Wl,-z,noexecstack"]
    fake_gpu.build_with_gcc(tmp_path / "test", harness, *sources, *tables, *flags)
    environment = os.environ | {"LD_LIBRARY_PATH": str(tmp_path)}
    done = subprocess.run(
        [tmp_path / "test"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_file_needs_no_library(file: Path) -> None:
    """The driver is opened when it is needed, by functions that are only wished for."""
    elf = read_elf(file)
    loader = {"dlerror", "dlopen", "dlsym"}
    assert loader <= undefined(file, ".dynsym", ".dynstr") <= FUNCTIONS | OPTIONAL
    assert _NEEDED not in [tag for tag, _ in struct.iter_unpack("<QQ", elf.read(".dynamic"))]
    names = elf.read(".dynstr")
    for name, info, *_ in struct.iter_unpack("<IBBHQQ", elf.read(".dynsym")):
        if names[name : names.index(b"\0", name)].decode() in loader:
            assert info >> 4 == _WEAK
