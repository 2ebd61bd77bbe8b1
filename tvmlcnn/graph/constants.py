"""What expressions of Relax are, and constants as numpy arrays."""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax


def value_of(expr: relax.Expr) -> np.ndarray | None:
    """Return the array of a tensor constant, None for any other expression."""
    if isinstance(expr, tvm.ir.GenericConst) and hasattr(expr.value, "numpy"):
        return expr.value.numpy()
    return None


def constant(array: np.ndarray) -> relax.Expr:
    """Return a constant with a copy of the array."""
    # numpy gives what it makes contiguous an axis, where it had none.
    # TVM makes integers of 32 bits of those of 64 where it is not told the type.
    return relax.const(np.ascontiguousarray(array).reshape(array.shape), str(array.dtype))


def is_call_of(expr: relax.Expr, operator: str) -> bool:
    """Tell whether the expression calls the named operator."""
    return (
        isinstance(expr, relax.Call) and isinstance(expr.op, tvm.ir.Op) and expr.op.name == operator
    )


def is_tensor(expr: relax.Expr) -> bool:
    """Tell whether the expression is one tensor: no tuple, shape or attribute."""
    return isinstance(expr.ty, relax.TensorType)
