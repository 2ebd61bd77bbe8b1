"""The CUDA C++ of products of windows of codes, four rows of a kernel at a time.

PTX ISA, "prmt": any four of the eight bytes of two registers; "dp4a": the sum of four products.
"""

from __future__ import annotations

import re

_CALL = re.compile(r"\btvmlcnn_taps_(\d+)x(\d+)\(")
# Of four rows, each with a byte of each of four channels: the bytes of each channel. Of fewer rows
# any bytes follow; of weights they are zeros, so that it does not matter which.
_TURNED = """
__device__ __forceinline__ void tvmlcnn_turned(unsigned* turned, const void* first, int apart,
                                               int rows, bool zeros) {
  const unsigned char* from = (const unsigned char*)first;
  unsigned row[4] = {0, 0, 0, 0};
#pragma unroll
  for (int i = 0; i < 4; ++i)
    if (i < rows) memcpy(&row[i], from + i * apart, 4);
  unsigned low = __byte_perm(row[0], row[1], 0x5140), high = __byte_perm(row[0], row[1], 0x7362);
  if (rows == 1 && !zeros) {
    for (int i = 0; i < 4; ++i) turned[i] = row[0] >> 8 * i;
  } else if (rows == 3 && !zeros) {
    turned[0] = __byte_perm(low, row[2], 0x4410);
    turned[1] = __byte_perm(low, row[2], 0x5532);
    turned[2] = __byte_perm(high, row[2], 0x6610);
    turned[3] = __byte_perm(high, row[2], 0x7732);
  } else {
    unsigned lower = __byte_perm(row[2], row[3], 0x5140);
    unsigned higher = __byte_perm(row[2], row[3], 0x7362);
    turned[0] = __byte_perm(low, lower, 0x5410);
    turned[1] = __byte_perm(low, lower, 0x7632);
    turned[2] = __byte_perm(high, higher, 0x5410);
    turned[3] = __byte_perm(high, higher, 0x7632);
  }
}
"""
_TAPS = """
__device__ __forceinline__ void tvmlcnn_taps_{rows}x{columns}(
    int* sums, const unsigned char* codes, int row, int column, const signed char* weights,
    int weights_row, int weights_column) {{
#pragma unroll
  for (int first = 0; first < {rows}; first += 4)
#pragma unroll
    for (int tap = 0; tap < {columns}; ++tap) {{
      unsigned left[4], right[4];
      tvmlcnn_turned(left, codes + first * row + tap * column, row, {rows} - first, false);
      tvmlcnn_turned(right, weights + first * weights_row + tap * weights_column, weights_row,
                     {rows} - first, true);
#pragma unroll
      for (int i = 0; i < 4; ++i)
        asm("dp4a.u32.s32 %0, %1, %2, %0;" : "+r"(sums[i]) : "r"(left[i]), "r"(right[i]));
    }}
}}
"""


def products_of_taps(source: str) -> str:
    """Return the CUDA C++ of the products of windows that a program calls."""
    kernels = sorted(set(_CALL.findall(source)))
    functions = [_TAPS.format(rows=rows, columns=columns) for rows, columns in kernels]
    return "".join([_TURNED, *functions] if functions else [])
