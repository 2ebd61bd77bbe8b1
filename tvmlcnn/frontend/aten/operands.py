"""The operands of what takes two, in one type."""

from __future__ import annotations

from tvm import relax

from .emitter import Call, Emitter, Value, shape_of


def operands(emit: Emitter, call: Call, dtype: str) -> tuple[Value, Value]:
    """Return both operands in a type; what was expanded to the other one's shape as it was."""
    left, right = call.self, call.other
    if isinstance(left, relax.Expr) and isinstance(right, relax.Expr):
        if shape_of(left) == call.shape_:
            right = emit.unexpanded(right, call.shape_)
        elif shape_of(right) == call.shape_:
            left = emit.unexpanded(left, call.shape_)
    return emit.cast(left, dtype), emit.cast(right, dtype)
