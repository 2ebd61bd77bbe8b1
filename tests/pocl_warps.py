"""The instructions ``mma`` of a warp and ``dp4a``, for kernels of a GPU that PoCL runs.

The CUDA C++ around it is run as it is; of the instruction itself, lanes hand each other the
registers that they give to it, by local memory, and each computes its sums from the elements where
the PTX ISA has them ("Matrix fragments for mma.m16n8k8", "mma.m16n8k16", "mma.m8n8k16" and
"mma.m16n8k32"). Of TF32 it takes the upper 19 bits of a register.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CALL = re.compile(r"\btvmlcnn_mma_\w+\(")
_KERNEL = re.compile(r"__kernel void (\w+)\([^)]*\) \{")
_DOT = re.compile(r"\btvmlcnn_(?:dot|taps)_")
_ASM = re.compile(r"asm\(\"((?:mma|dp4a|cvt)[^ ]+) ?[^\"]*\"(.*?)\);", re.DOTALL)
_OPERAND = re.compile(r"\"(\+f|\+r|=r|r)\"\(((?:[^()]|\[[^\]]*\])+)\)")
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
float tf32_of(uint register_, int part) { return as_float(register_ & ~0x1fffu); }
void cvt_rna_tf32_f32(uint number, uint* rounded) { *rounded = (number + 0x1000u) & ~0x1fffu; }
int uint8_of(uint register_, int byte) { return register_ >> 8 * byte & 255; }
int int8_of(uint register_, int byte) { return (char)(register_ >> 8 * byte); }
uint __byte_perm(uint low, uint high, uint chosen) {
  ulong both = (ulong)high << 32 | low;
  uint found = 0;
  for (int byte = 0; byte < 4; ++byte)
    found |= (uint)(both >> 8 * (chosen >> 4 * byte & 7) & 255) << 8 * byte;
  return found;
}
void dp4a_u32_s32(uint left, uint right, int* sum) {
  for (int byte = 0; byte < 4; ++byte) *sum += uint8_of(left, byte) * int8_of(right, byte);
}
"""
# A register holds so many elements of the factors, the first one in its lowest bits. Of the left
# factor a lane gives those of row lane / 4, and of 8 more where the instruction has 16 rows, at
# steps lane % 4 * each and the next ones, then the same further on by 4 * each steps; of the right
# one those of column lane / 4 at the same steps. Sums i are of row lane / 4, from i = 2 on of 8
# more, and of column lane % 4 * 2 + i % 2.
_MULTIPLY = """
void {name}(__local uint* {given}, {registers}, {outputs}) {{
  int thread = get_local_id(0), lane = thread % 32, first = thread - lane;
  uint own[{count}] = {{{own}}};
  for (int i = 0; i < {count}; ++i) {given}[thread * {most} + i] = own[i];
  barrier(CLK_LOCAL_MEM_FENCE);
  {sum}* sums[{sums}] = {{{results}}};
  for (int i = 0; i < {sums}; ++i) {{
    int row = lane / 4 + (i >= 2 ? 8 : 0), column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < {steps}; ++k) {{
      int there = k % {around} / {each}, further = k / {around}, part = k % {each};
      int left = first + row % 8 * 4 + there, right = first + column * 4 + there;
      *sums[i] += {left_of}({given}[left * {most} + row / 8 + {rows} * further], part) *
                  {right_of}({given}[right * {most} + {lefts} + further], part);
    }}
  }}
  barrier(CLK_LOCAL_MEM_FENCE);
}}
"""


@dataclass(frozen=True)
class _Instruction:
    """Of a warp: its steps, halves of rows, elements of a register, and types in OpenCL C."""

    steps: int
    rows: int
    each: int
    sums: str
    left: str
    right: str


_INSTRUCTIONS = {
    "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32": _Instruction(
        8, 2, 2, "float", "float16_of", "float16_of"
    ),
    "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32": _Instruction(
        16, 2, 2, "float", "float16_of", "float16_of"
    ),
    "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32": _Instruction(
        8, 2, 1, "float", "tf32_of", "tf32_of"
    ),
    "mma.sync.aligned.m8n8k16.row.col.s32.u8.s8.s32": _Instruction(
        16, 1, 4, "int", "uint8_of", "int8_of"
    ),
    "mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32": _Instruction(
        32, 2, 4, "int", "uint8_of", "int8_of"
    ),
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
    from tvmlcnn.package.tap_products import products_of_taps
    from tvmlcnn.package.tensor_cores import products_of_steps

    if not _CALL.search(source) and not _DOT.search(source):
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
    functions = _functions(products_of_steps(source) + products_of_taps(source))
    head = f"#define __CUDA_ARCH__ {10 * capability}\n{_PRELUDE}{instructions}{functions}\n"
    return head + "".join([*done, source[at:]])


def _name(instruction: str) -> str:
    return instruction.replace(".", "_")


def _instruction(instruction: str) -> str:
    form = _INSTRUCTIONS[instruction]
    around = 4 * form.each
    lefts, rights = form.rows * form.steps // around, form.steps // around
    names = [f"a{i}" for i in range(lefts)] + [f"b{i}" for i in range(rights)]
    results = [f"d{i}" for i in range(2 * form.rows)]
    return _MULTIPLY.format(
        name=_name(instruction),
        given=_GIVEN,
        registers=", ".join(f"uint {name}" for name in names),
        outputs=", ".join(f"{form.sums}* {name}" for name in results),
        own=", ".join(names),
        results=", ".join(results),
        count=len(names),
        most=_REGISTERS,
        steps=form.steps,
        rows=form.rows,
        each=form.each,
        around=around,
        lefts=lefts,
        sum=form.sums,
        sums=len(results),
        left_of=form.left,
        right_of=form.right,
    )


def _functions(source: str) -> str:
    """Return CUDA C++ as OpenCL C: of ``asm`` calls of the functions above."""

    def call(found: re.Match[str]) -> str:
        operands = _OPERAND.findall(found[2])
        given = [text for kind, text in operands if kind == "r"]
        sums = [f"&{text}" for kind, text in operands if kind != "r"]
        room = [_GIVEN] if found[1] in _INSTRUCTIONS else []
        return f"{_name(found[1])}({', '.join([*room, *given, *sums])});"

    text = source.replace("__device__ __forceinline__", "").replace("threadIdx.x", "threadIdx_x")
    text = _CALL.sub(lambda found: f"{found[0]}__local uint* {_GIVEN}, ", text)
    return _ASM.sub(call, text)
