"""The CUDA C++ of products of several steps: by a warp's tensor cores, and of bytes by a thread.

PTX ISA, "mma": of float16, 8 steps an instruction from sm_75 on and 16 from sm_80 on; of bytes 16,
and 32, the former for eight rows alone; of TF32 8, from sm_80 on, of what "cvt.rna.tf32" rounds.
"dp4a": four steps of bytes, from sm_61 on. In which order the registers of a lane hold steps is
`tvmlcnn.schedules.cuda.warp_products`'s to say: any is right that both factors have.
"""

from __future__ import annotations

from tvmlcnn.ops.tensor_product import DOT, LANE, MULTIPLY

_LANE = f"""
__device__ __forceinline__ int {LANE}() {{ return threadIdx.x % 32; }}
"""
# The sums of two rows; 16 bytes each of these rows and of a column.
_HEAD = """
__device__ __forceinline__ void {name}({sums}* top, {sums}* bottom, const void* above,
                                       const void* below, const void* beside) {{
  unsigned a[4], b[4], c[4];
  memcpy(a, above, 16);
  memcpy(b, below, 16);
  memcpy(c, beside, 16);
"""
_FLOAT16 = """
#pragma unroll
#if __CUDA_ARCH__ >= 800
  for (int i = 0; i < 4; i += 2)
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{{%0, %1, %2, %3}}, {{%4, %5, %6, %7}}, {{%8, %9}}, {{%0, %1, %2, %3}};"
        : "+f"(top[0]), "+f"(top[1]), "+f"(bottom[0]), "+f"(bottom[1])
        : "r"(a[i]), "r"(b[i]), "r"(a[i + 1]), "r"(b[i + 1]), "r"(c[i]), "r"(c[i + 1]));
#else
  for (int i = 0; i < 4; ++i)
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
        "{{%0, %1, %2, %3}}, {{%4, %5}}, {{%6}}, {{%0, %1, %2, %3}};"
        : "+f"(top[0]), "+f"(top[1]), "+f"(bottom[0]), "+f"(bottom[1])
        : "r"(a[i]), "r"(b[i]), "r"(c[i]));
#endif
}}
"""
_UINT8 = """
#pragma unroll
#if __CUDA_ARCH__ >= 800
  for (int i = 0; i < 4; i += 2)
    asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 "
        "{{%0, %1, %2, %3}}, {{%4, %5, %6, %7}}, {{%8, %9}}, {{%0, %1, %2, %3}};"
        : "+r"(top[0]), "+r"(top[1]), "+r"(bottom[0]), "+r"(bottom[1])
        : "r"(a[i]), "r"(b[i]), "r"(a[i + 1]), "r"(b[i + 1]), "r"(c[i]), "r"(c[i + 1]));
#else
  for (int i = 0; i < 4; ++i) {{
    asm("mma.sync.aligned.m8n8k16.row.col.s32.u8.s8.s32 "
        "{{%0, %1}}, {{%2}}, {{%3}}, {{%0, %1}};"
        : "+r"(top[0]), "+r"(top[1]) : "r"(a[i]), "r"(c[i]));
    asm("mma.sync.aligned.m8n8k16.row.col.s32.u8.s8.s32 "
        "{{%0, %1}}, {{%2}}, {{%3}}, {{%0, %1}};"
        : "+r"(bottom[0]), "+r"(bottom[1]) : "r"(b[i]), "r"(c[i]));
  }}
#endif
}}
"""
# Weights are rounded when the network is compiled.
_TF32 = """
#pragma unroll
  for (int i = 0; i < 4; ++i) {{
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(a[i]) : "r"(a[i]));
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(b[i]) : "r"(b[i]));
  }}
#pragma unroll
  for (int i = 0; i < 4; i += 2)
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
        "{{%0, %1, %2, %3}}, {{%4, %5, %6, %7}}, {{%8, %9}}, {{%0, %1, %2, %3}};"
        : "+f"(top[0]), "+f"(top[1]), "+f"(bottom[0]), "+f"(bottom[1])
        : "r"(a[i]), "r"(b[i]), "r"(a[i + 1]), "r"(b[i + 1]), "r"(c[i]), "r"(c[i + 1]));
}}
"""
_PRODUCTS = {"float16": ("float", _FLOAT16), "uint8": ("int", _UINT8), "tf32": ("float", _TF32)}
# Of 16 bytes of a row and of a column.
_DOT = f"""
__device__ __forceinline__ void {DOT.format(element="uint8")}(int* sum, const void* row,
                                                  const void* column) {{
  unsigned a[4], b[4];
  memcpy(a, row, 16);
  memcpy(b, column, 16);
#pragma unroll
  for (int i = 0; i < 4; ++i)
    asm("dp4a.u32.s32 %0, %1, %2, %0;" : "+r"(sum[0]) : "r"(a[i]), "r"(b[i]));
}}
"""


def products_of_steps(source: str) -> str:
    """Return the CUDA C++ of the products that a program calls."""
    found = []
    for element, (sums, body) in _PRODUCTS.items():
        name = MULTIPLY.format(element=element)
        if name + "(" in source:
            found.append((_HEAD + body).format(name=name, sums=sums))
    if DOT.format(element="uint8") + "(" in source:
        found.append(_DOT)
    return "".join([_LANE, *found] if found else [])
