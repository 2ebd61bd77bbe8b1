"""Which CUDA compiler is taken, what it makes, and what is said where there is none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tvmlcnn.errors import UserError
from tvmlcnn.package import cuda, cuda_compiler, nvrtc
from tvmlcnn.package.cuda_image import architectures

ANY_GPU = ("sm_75", "compute_75")
SOURCE = """
#include <math_constants.h>
#ifdef __CUDACC_RTC__
#include <cuda/std/cstdint>
#endif
extern "C" __global__ void twice(float* x) { x[threadIdx.x] *= 2; }
"""


@pytest.mark.parametrize("name", ["nvcc", "nvrtc"])
@pytest.mark.parametrize("code", [("sm_87",), ANY_GPU], ids="+".join)
def test_compilers(name: str, code: tuple[str, ...]) -> None:
    compilers = cuda_compiler.available(fatbin=len(code) > 1)
    compiler = next((one for one in compilers if one.name == name), None)
    if compiler is None:
        pytest.skip(f"no {name} here")
    form, binary = compiler.compile(SOURCE, code)
    assert form == ("cubin" if len(code) == 1 else "fatbin")
    assert sorted(architectures(binary)) == sorted(code)
    assert b"twice" in binary
    with pytest.raises(RuntimeError, match="undefined"):
        compiler.compile('extern "C" __global__ void f(int* x) { *x = y; }', code)


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Hide every compiler; return a folder that is on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for variable in ("CUDA_HOME", "CUDA_PATH", "NVCC_CCBIN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(cuda_compiler.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setitem(sys.modules, "cuda", None)
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    return tmp_path


def install(folder: Path, program: str, text: str = "exit 0") -> Path:
    path = folder / program
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


NVCC = """
case $1 in
--version) echo 'Cuda compilation tools, release 13.0, V13.0.88';;
--list-gpu-code) echo sm_75; echo sm_87; echo sm_120;;
esac
"""


def test_no_compiler(nothing_installed: Path) -> None:
    install(nothing_installed, "nvcc", NVCC)  # of no use without a preprocessor
    with pytest.raises(UserError) as raised:
        cuda.find_compiler(("sm_87",))
    message = str(raised.value)
    assert "pip install 'tvmlcnn[cuda]'" in message
    assert "nvcc" in message
    assert "\n" not in message


def test_nvcc_is_found(nothing_installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(nothing_installed, "gcc")
    home = nothing_installed / "cuda"
    (home / "bin").mkdir(parents=True)
    path = install(home / "bin", "nvcc", NVCC)
    with pytest.raises(UserError):
        cuda.find_compiler(("sm_87",))
    monkeypatch.setenv("CUDA_HOME", str(home))
    expected = cuda.Compiler("nvcc", "13.0", (75, 87, 120), path)
    assert cuda.find_compiler(("sm_87",)) == expected
    assert str(expected) == "nvcc 13.0"


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("sm_53", "CUDA 12 could: pip install 'cuda-bindings==12.9.*' 'cuda-toolkit["),
        ("sm_130", "install a CUDA that knows it"),
        ("ampere", "it is written like 'sm_87'"),
    ],
)
def test_architecture_that_no_compiler_makes(
    nothing_installed: Path, code: str, advice: str
) -> None:
    install(nothing_installed, "gcc")
    install(nothing_installed, "nvcc", NVCC)
    with pytest.raises(UserError, match=code) as raised:
        cuda.find_compiler((code,))
    assert advice in str(raised.value)


def test_the_next_compiler_is_asked(
    nothing_installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(nothing_installed, "gcc")
    install(nothing_installed, "nvcc", NVCC)
    monkeypatch.setattr(nvrtc, "inspect", lambda fatbin: ("12.9", (53, 75)))
    assert cuda.find_compiler(("sm_53",)).name == "nvrtc"
    assert cuda.find_compiler(("sm_87",)).name == "nvcc"
