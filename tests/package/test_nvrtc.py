"""NVRTC where its parts are missing or refuse; `test_cuda_compiler` compiles with a real one."""

from __future__ import annotations

import ctypes
import sys
import types
from dataclasses import dataclass
from typing import Any

import pytest

from tvmlcnn.package import nvrtc


@dataclass(frozen=True)
class Status:
    """As the bindings have it: 0 is success."""

    value: int
    name: str


OK, FAILED = Status(0, "NVRTC_SUCCESS"), Status(7, "NVRTC_ERROR")


@pytest.fixture
def bindings(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Bindings of an NVRTC 13.0 for two architectures, with headers; a test takes parts away."""
    modules = {
        name: types.ModuleType(name)
        for name in ("cuda", "cuda.bindings", "cuda.bindings.nvrtc", "cuda.pathfinder")
    }
    modules["cuda.bindings.nvfatbin"] = types.ModuleType("cuda.bindings.nvfatbin")
    parts: dict[str, Any] = {
        "nvrtc": modules["cuda.bindings.nvrtc"],
        "nvfatbin": modules["cuda.bindings.nvfatbin"],
        "pathfinder": modules["cuda.pathfinder"],
    }
    modules["cuda.bindings"].nvrtc = parts["nvrtc"]  # type: ignore[attr-defined]
    modules["cuda.bindings"].nvfatbin = parts["nvfatbin"]  # type: ignore[attr-defined]
    parts["nvrtc"].nvrtcVersion = lambda: (OK, 13, 0)
    parts["nvrtc"].nvrtcGetSupportedArchs = lambda: (OK, [75, 87])
    parts["nvfatbin"].version = lambda: (13, 0)
    parts["pathfinder"].find_nvidia_header_directory = lambda library: f"/headers/{library}"
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return parts


def test_what_it_is(bindings: dict[str, Any]) -> None:
    assert nvrtc.inspect(fatbin=True) == ("13.0", (75, 87))


def test_without_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda", None)
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    assert nvrtc.inspect(fatbin=False) is None


def test_fatbins_take_nvfatbin(bindings: dict[str, Any]) -> None:
    def missing() -> None:
        raise RuntimeError("libnvfatbin.so not found")

    bindings["nvfatbin"].version = missing
    assert nvrtc.inspect(fatbin=True) is None
    assert nvrtc.inspect(fatbin=False) == ("13.0", (75, 87))


def test_without_headers(bindings: dict[str, Any]) -> None:
    bindings["pathfinder"].find_nvidia_header_directory = lambda library: None
    assert nvrtc.inspect(fatbin=False) is None


def test_a_call_that_fails(bindings: dict[str, Any]) -> None:
    bindings["nvrtc"].nvrtcVersion = lambda: (FAILED, 0, 0)
    assert nvrtc.inspect(fatbin=False) is None

    def create(*arguments: object) -> tuple[Status, None]:
        return FAILED, None

    bindings["nvrtc"].nvrtcCreateProgram = create
    with pytest.raises(RuntimeError, match="create failed: NVRTC_ERROR"):
        nvrtc.compile_cuda("", ("sm_87",), "cubin")


def test_a_program_that_does_not_compile(bindings: dict[str, Any]) -> None:
    """What the compiler says is told, and the program is let go."""
    log, options, destroyed = b"kernels.cu(1): error", [], []

    def compile_program(program: str, count: int, given: list[bytes]) -> tuple[Status]:
        options.extend(given)
        return (FAILED,)

    def get_log(program: str, buffer: bytes) -> tuple[Status]:
        ctypes.memmove(buffer, log, len(log))
        return (OK,)

    fake = bindings["nvrtc"]
    fake.nvrtcCreateProgram = lambda *arguments: (OK, "program")
    fake.nvrtcCompileProgram = compile_program
    fake.nvrtcGetProgramLogSize = lambda program: (OK, len(log))
    fake.nvrtcGetProgramLog = get_log
    fake.nvrtcDestroyProgram = lambda program: (destroyed.append(program), (OK,))[1]
    with pytest.raises(RuntimeError, match=r"NVRTC failed: kernels.cu\(1\): error"):
        nvrtc.compile_cuda("?", ("sm_87",), "cubin")
    assert destroyed == ["program"]
    assert b"-arch=sm_87" in options
    assert b"-I/headers/cccl" in options
