"""Two or four numbers as the codes next to them, by the instructions of a GPU.

PTX ISA, "cvt.pack": from sm_72 on, two integers of 32 bits become bytes without a comparison: past
the bounds of their type, its least or greatest. Behind conversions of numbers ptxas makes one
instruction of both from sm_80 on.
"""

from __future__ import annotations

import tvm
from tvm import tirx
from tvm.ir import Expr
from tvm.tirx import Cast

from tvmlcnn.targets import UINT8

from .mapped import mapped
from .narrow_codes import number_of
from .vectors import lanes_of, scalar_of

_NAME = "tvmlcnn_codes_{lanes}"
_WORDS = {2: "uint16", 4: "uint32"}
# The first of the numbers is in the lowest bits.
_PAIR = """
__device__ __forceinline__ unsigned short tvmlcnn_codes_2(float2 numbers) {
  int a = __float2int_rn(numbers.x), b = __float2int_rn(numbers.y);
#if __CUDA_ARCH__ >= 720
  unsigned codes;
  asm("cvt.pack.sat.u8.s32.b32 %0, %2, %1, 0;" : "=r"(codes) : "r"(a), "r"(b));
  return codes;
#else
  return min(max(a, 0), 255) | min(max(b, 0), 255) << 8;
#endif
}
"""
_FOUR = """
__device__ __forceinline__ unsigned tvmlcnn_codes_4(float4 numbers) {
  int a = __float2int_rn(numbers.x), b = __float2int_rn(numbers.y);
  int c = __float2int_rn(numbers.z), d = __float2int_rn(numbers.w);
#if __CUDA_ARCH__ >= 720
  unsigned codes;
  asm("{ .reg .b32 high; cvt.pack.sat.u8.s32.b32 high, %4, %3, 0; "
      "cvt.pack.sat.u8.s32.b32 %0, %2, %1, high; }"
      : "=r"(codes) : "r"(a), "r"(b), "r"(c), "r"(d));
  return codes;
#else
  return min(max(a, 0), 255) | min(max(b, 0), 255) << 8 | min(max(c, 0), 255) << 16 |
         min(max(d, 0), 255) << 24;
#endif
}
"""
_SOURCES = {2: _PAIR, 4: _FOUR}


def with_packed_codes(kernels: tvm.IRModule) -> tvm.IRModule:
    """Return kernels of a GPU that call a function for several codes at a time.

    Parameters
    ----------
    kernels : tvm.IRModule
        Lowered, split from their host functions.
    """
    return mapped(kernels, [(Cast, _packed)])


def packing(source: str) -> str:
    """Return the CUDA C++ of what `with_packed_codes` has a program call."""
    called = [n for n in _SOURCES if _NAME.format(lanes=n) + "(" in source]
    return "".join(_SOURCES[n] for n in called)


def _packed(value: Cast) -> Expr:
    """Return several codes from their function, another value as it is."""
    lanes = lanes_of(value)
    if scalar_of(value) != UINT8.name or lanes not in _WORDS:
        return value
    number = number_of(value, UINT8.name)
    if number is None:
        return value
    codes = tirx.call_pure_extern(_WORDS[lanes], _NAME.format(lanes=lanes), number)
    return tirx.reinterpret(f"{UINT8.name}x{lanes}", codes)
