"""Codes and bytes in the CUDA C++ of kernels: packed by instructions, and signed as TVM means."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from codes import convolution, module
from tvm import relax

from tvmlcnn import pipeline
from tvmlcnn.graph import quantized_operators as quantized
from tvmlcnn.graph.quantized_operators import Code
from tvmlcnn.package.cuda import cuda_source
from tvmlcnn.package.variants import together
from tvmlcnn.package.vectors_of_bytes import with_vectors_of_bytes
from tvmlcnn.targets import DEVICES


@pytest.mark.parametrize(("groups", "lanes"), [(1, 2), (64, 4)])
def test_sums_become_several_codes_at_a_time(groups: int, lanes: int) -> None:
    code = Code(0.5, 3, "uint8")
    weight = np.ones((64, 64 // groups, 3, 3), np.int8)

    def graph(emit, given) -> relax.Expr:  # type: ignore[no-untyped-def]
        sums = emit(convolution(weight, code, padding=1, groups=groups)(emit, given))
        return quantized.quantize(sums, Code(0.25, 9, "uint8"))

    device = DEVICES["jetson-orin-nano"]
    mod = pipeline.run(module((1, 64, 14, 14), "uint8", graph), device)
    source = cuda_source(together([mod]).mod, device)[1]
    kernel = source[source.index('extern "C" __global__') :]
    assert f"tvmlcnn_codes_{lanes}(" in kernel
    assert "nearbyint" not in kernel
    assert "cvt.pack.sat.u8.s32.b32" in source


def test_bytes_are_in_the_order_of_memory(tmp_path: Path) -> None:
    """What stands for a vector of sixteen bytes is what memory has of them."""
    made = "make_uint4(" + ", ".join(f"(uchar){n + 100}" for n in range(16)) + ")"
    signed = "make_int2(" + ", ".join(f"(signed char){-n - 1}" for n in range(8)) + ")"
    source = f"{made}; {signed};"
    functions = with_vectors_of_bytes(source).removesuffix(source)
    program = f"""
struct uint4 {{ unsigned x, y, z, w; }};
struct int2 {{ int x, y; }};
typedef unsigned char uchar;
#define __device__
#define __forceinline__ inline
static uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {{ return {{x, y, z, w}}; }}
static int2 make_int2(int x, int y) {{ return {{x, y}}; }}
{functions}
extern "C" void fill(uint4* to, int2* signs) {{ *to = {made}; *signs = {signed}; }}
"""
    (tmp_path / "vectors.cpp").write_text(program)
    library, gcc = tmp_path / "vectors.so", shutil.which("g++")
    if gcc is None:
        pytest.skip("no g++")
    shared = [gcc, "-shared", "-fPIC", "-o", str(library), str(tmp_path / "vectors.cpp")]
    subprocess.run(shared, check=True)
    found, signs = np.zeros(16, np.uint8), np.zeros(8, np.int8)
    ctypes.CDLL(str(library)).fill(
        ctypes.c_void_p(found.ctypes.data), ctypes.c_void_p(signs.ctypes.data)
    )
    np.testing.assert_array_equal(found, np.arange(100, 116))
    np.testing.assert_array_equal(signs, -np.arange(1, 9))


def test_an_element_has_its_sign_on_every_host() -> None:
    """A plain ``char`` has none where the host is an ARM."""
    assert with_vectors_of_bytes("x = ((char)(v >> 8));") == "x = ((signed char)(v >> 8));"
