"""The CUDA C++ of products that a warp's tensor cores compute.

PTX ISA, "mma": of float16, 8 steps an instruction from sm_75 on and 16 from sm_80 on. In which
order the registers of a lane hold steps is `tvmlcnn.schedules.cuda.warp_products`'s to say: any is
right that both factors have.
"""

from __future__ import annotations

from tvmlcnn.schedules.cuda.warp_products import LANE, MULTIPLY

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
_PRODUCTS = {"float16": ("float", _FLOAT16)}


def products_of_warps(source: str) -> str:
    """Return the CUDA C++ of the products that a program calls."""
    found = []
    for element, (sums, body) in _PRODUCTS.items():
        name = MULTIPLY.format(element=element)
        if name + "(" in source:
            found.append((_HEAD + body).format(name=name, sums=sums))
    return "".join([_LANE, *found] if found else [])
