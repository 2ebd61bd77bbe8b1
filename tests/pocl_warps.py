"""The instruction ``mma`` of a warp, for kernels of a GPU that PoCL runs.

The CUDA C++ around it is run as it is; of the instruction itself, lanes hand each other the
registers that they give to it, by local memory, and each computes its sums from the elements where
the PTX ISA has them ("Matrix fragments for mma.m16n8k8" and "mma.m16n8k16").
"""

from __future__ import annotations

import re

_CALL = re.compile(r"\btvmlcnn_mma_\w+\(")
_KERNEL = re.compile(r"__kernel void (\w+)\([^)]*\) \{")
_ASM = re.compile(r"asm\(\"(mma[^ ]+) \"(.*?)\);", re.DOTALL)
_OPERAND = re.compile(r"\"(\+f|\+r|r)\"\(((?:[^()]|\[[^\]]*\])+)\)")
# Threads of a block at most, and registers that one gives to an instruction.
_THREADS, _REGISTERS = 256, 6
_GIVEN = "given_to_warp"
_PRELUDE = """
#define threadIdx_x get_local_id(0)
#define memcpy(to, from, bytes) \\
  for (int at = 0; at < bytes / 4; ++at) ((uint*)(to))[at] = ((const uint*)(from))[at]
float float16_of(uint registers, int half_) {
  ushort bits = registers >> 16 * half_;
  return *(_Float16*)&bits;
}
"""
# A lane's elements of the factors, by their numbers i in the tables: the row of an element of the
# left one is lane / 4 for i < 2 and 4 <= i < 6, else 8 more; its step is lane % 4 * 2 + i % 2, and
# 8 more from i = 4 on. The step of an element of the right one is that too, 8 more from i = 2 on,
# its column is lane / 4. Registers hold two elements each, the first in their lower half. Sums i
# are of row lane / 4, from i = 2 on of 8 more, and of column lane % 4 * 2 + i % 2.
_MULTIPLY = """
void {name}(__local uint* {given}, {registers}, float* d0, float* d1, float* d2, float* d3) {{
  int thread = get_local_id(0), lane = thread % 32, first = thread - lane;
  uint own[{count}] = {{{own}}};
  for (int i = 0; i < {count}; ++i) {given}[thread * {most} + i] = own[i];
  barrier(CLK_LOCAL_MEM_FENCE);
  float* sums[4] = {{d0, d1, d2, d3}};
  for (int i = 0; i < 4; ++i) {{
    int row = lane / 4 + (i >= 2 ? 8 : 0), column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < {steps}; ++k) {{
      int left = first + row % 8 * 4 + k % 8 / 2, right = first + column * 4 + k % 8 / 2;
      int a = (row >= 8 ? 2 : 0) + (k >= 8 ? 4 : 0) + k % 2, b = (k >= 8 ? 2 : 0) + k % 2;
      *sums[i] += float16_of({given}[left * {most} + a / 2], a % 2) *
                  float16_of({given}[right * {most} + {lefts} + b / 2], b % 2);
    }}
  }}
  barrier(CLK_LOCAL_MEM_FENCE);
}}
"""
# By the instruction: steps, registers of the left and of the right factor.
_INSTRUCTIONS = {
    "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32": (8, 2, 1),
    "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32": (16, 4, 2),
}


def with_warps(source: str, capability: int) -> str:
    """Return a program with what it calls of warps, if it does.

    Parameters
    ----------
    source : str
        OpenCL C.
    capability : int
        Of the GPU that the kernels are for, times ten.
    """
    from tvmlcnn.package.tensor_cores import products_of_warps

    if not _CALL.search(source):
        return source
    room = f"\n  __local uint {_GIVEN}[{_THREADS * _REGISTERS}];"
    done, at = [], 0
    for kernel in _KERNEL.finditer(source):
        end = source.index("\n}\n", kernel.end())
        body = source[kernel.end() : end]
        if _CALL.search(body):
            body = room + _CALL.sub(lambda call: f"{call[0]}{_GIVEN}, ", body)
        done += [source[at : kernel.end()], body]
        at = end
    instructions = "".join(map(_instruction, _INSTRUCTIONS))
    functions = _functions(products_of_warps(source))
    head = f"#define __CUDA_ARCH__ {10 * capability}\n{_PRELUDE}{instructions}{functions}\n"
    return head + "".join([*done, source[at:]])


def _name(instruction: str) -> str:
    return instruction.replace(".", "_")


def _instruction(instruction: str) -> str:
    steps, lefts, rights = _INSTRUCTIONS[instruction]
    names = [f"a{i}" for i in range(lefts)] + [f"b{i}" for i in range(rights)]
    return _MULTIPLY.format(
        name=_name(instruction),
        given=_GIVEN,
        registers=", ".join(f"uint {name}" for name in names),
        own=", ".join(names),
        count=len(names),
        most=_REGISTERS,
        steps=steps,
        lefts=lefts,
    )


def _functions(source: str) -> str:
    """Return CUDA C++ as OpenCL C: of ``asm`` calls of the functions above."""

    def call(found: re.Match[str]) -> str:
        operands = _OPERAND.findall(found[2])
        given = [text for kind, text in operands if kind == "r"]
        sums = [f"&{text}" for kind, text in operands if kind != "r"]
        return f"{_name(found[1])}({', '.join([_GIVEN, *given, *sums])});"

    text = source.replace("__device__ __forceinline__", "").replace("threadIdx.x", "threadIdx_x")
    text = _CALL.sub(lambda found: f"{found[0]}__local uint* {_GIVEN}, ", text)
    return _ASM.sub(call, text)
