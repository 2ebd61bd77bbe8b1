"""Numbers of sixteen bits as kernels compute with them."""

from __future__ import annotations

from tvm.ir import Expr

from tvmlcnn.targets import CODES, FLOAT32, NARROW


def in_sums(value: Expr) -> Expr:
    """Return an element as it is added up: of sixteen bits, or a code, as float32."""
    shorter = str(value.ty.dtype) in NARROW | CODES
    return value.astype(FLOAT32.name) if shorter else value


def in_registers(value: Expr) -> Expr:
    """Return an element as it is computed with: of a type without arithmetic as float32."""
    dtype = str(value.ty.dtype)
    return value.astype(NARROW[dtype].accumulator) if dtype in NARROW else value


def as_type(value: Expr, dtype: str) -> Expr:
    """Return a number as an element of a type, rounded where that is shorter."""
    return value if str(value.ty.dtype) == str(dtype) else value.astype(str(dtype))
