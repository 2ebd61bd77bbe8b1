"""Kernels as C functions of their tensors' addresses, which call nothing of TVM's libraries."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tvm
from executed import call_of
from kernel_library import aligned
from tvm import tirx
from tvm.script import ir as I
from tvm.script import tirx as T

from tvmlcnn.package.kernel_code import generate, write_kernels
from tvmlcnn.targets import DEVICES

X86 = DEVICES["x86"].with_cores(2)
SLOTS = {
    "__TVMBackendParallelLaunch",
    "__TVMBackendAllocWorkspace",
    "__TVMBackendFreeWorkspace",
}


@I.ir_module
class Allocating:
    @T.prim_func
    def reverse(x: T.Buffer((4096,), "float32"), y: T.Buffer((4096,), "float32")):
        a = T.alloc_buffer((4096,), "float32")
        b = T.alloc_buffer((4096,), "float64")
        for i in range(4096):
            a[i] = x[i] * T.float32(2)
        for i in range(4096):
            b[i] = T.Cast("float64", a[4095 - i])
        for j in T.parallel(4):
            c = T.alloc_buffer((1024,), "float32")
            for i in range(1024):
                c[i] = T.Cast("float32", b[j * 1024 + i])
            for k in range(2):
                d = T.alloc_buffer((520,), "int8")
                for i in range(520):
                    d[i] = T.int8(1)
                for i in range(512):
                    y[j * 1024 + k * 512 + i] = c[k * 512 + i] + T.Cast("float32", d[i])


@I.ir_module
class Plain:
    @T.prim_func
    def mixed(
        x: T.Buffer((3, 5), "float32"),
        n: T.Buffer((5,), "int64"),
        m: T.Buffer((), "bool"),
        y: T.Buffer((3, 5), "float32"),
    ):
        for i, j in T.grid(3, 5):
            y[i, j] = T.Select(m[()], x[i, j] + T.Cast("float32", n[j]), T.float32(0))


def test_a_kernel_takes_addresses(tmp_path: Path) -> None:
    x = aligned(np.random.default_rng(0).standard_normal((3, 5), dtype=np.float32))
    n, y = aligned(np.arange(5)), aligned(np.zeros((3, 5), np.float32))
    call = call_of(*generate(Plain, X86))
    for flag in (True, False):
        assert call("mixed", x, n, np.array(flag), y) == 0
        np.testing.assert_array_equal(y, x + n.astype(np.float32) if flag else 0 * x)


def test_allocations_inside_and_outside_of_loops() -> None:
    """All are counted, each at a cache line, though those of a loop are had one after the other."""
    code, scratch = generate(Allocating, X86)
    assert scratch == 4096 * 4 + 4096 * 8 + 1024 * 4 + (520 + 56)
    x, y = aligned(np.arange(4096, dtype=np.float32)), aligned(np.zeros(4096, np.float32))
    assert call_of(code, scratch)("reverse", x, y) == 0
    np.testing.assert_array_equal(y, 2 * x[::-1] + 1)


def test_parallel_loops_in_each_other_are_refused() -> None:
    @I.ir_module
    class Nested:
        @T.prim_func
        def copy(x: T.Buffer((16,), "float32"), y: T.Buffer((16,), "float32")):
            for i in T.parallel(4):
                for j in T.parallel(4):
                    y[i * 4 + j] = x[i * 4 + j]

    with pytest.raises(tvm.error.InternalError, match="Nested parallel"):
        generate(Nested, X86)


@pytest.mark.parametrize("target", ["x86", "rpi2", "rpi4"])
def test_an_object_file_needs_three_slots(target: str, tmp_path: Path) -> None:
    device = DEVICES[target].with_cores(2)
    path = tmp_path / "kernels.o"
    mod = tvm.IRModule({**Allocating.functions, **Plain.functions})
    assert write_kernels(mod, device, path) == generate(mod, device)[1]
    text = subprocess.run(["readelf", "-sW", path], capture_output=True, text=True, check=True)
    rows = re.findall(r"(LOCAL|GLOBAL|WEAK)\s+\w+\s+(\w+) (\S+)", text.stdout)
    functions = {name for binding, where, name in rows if where != "UND" and binding == "GLOBAL"}
    assert {"kernel_reverse", "kernel_mixed"} <= functions
    undefined = {name for _, where, name in rows if where == "UND"}
    assert not {name for name in undefined if "TVM" in name} - SLOTS
    assert not [name for name in functions if "TVM" in name and name not in SLOTS]


def test_kernels_keep_what_they_know_of_their_tensors() -> None:
    """That they do not overlap, and how they are aligned: else loops would not be vectors."""
    (code, _) = generate(Allocating, X86)
    ir = code.inspect_source("ll")
    assert "noalias" in ir
    assert "align 64" in ir
    assert isinstance(Allocating["reverse"], tirx.PrimFunc)
