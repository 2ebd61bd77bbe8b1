"""The largest and the smallest of several elements, infinities among them.

TVM's own begin with the lowest and the highest number there is, which a row of infinities would be
mistaken for.
"""

from __future__ import annotations

import math

from tvm import tirx
from tvm.ir import Expr


def _first(sign: int, dtype: str) -> Expr:
    if "float" in dtype:
        return tirx.const(sign * math.inf, dtype)
    return tirx.max_value(dtype) if sign > 0 else tirx.min_value(dtype)


largest = tirx.comm_reducer(
    lambda a, b: tirx.max(a, b), lambda dtype: _first(-1, str(dtype)), name="largest"
)
"""As ``te.max``."""
smallest = tirx.comm_reducer(
    lambda a, b: tirx.min(a, b), lambda dtype: _first(1, str(dtype)), name="smallest"
)
"""As ``te.min``."""
