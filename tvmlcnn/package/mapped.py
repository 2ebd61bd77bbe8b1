"""Kernels with some of their expressions replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tvm
import tvm_ffi
from tvm.ir import Expr
from tvm.tirx import PrimFunc

Change = tuple[type, Callable[..., Expr]]
"""A type of expressions, and what becomes of each, when what it is made of has been replaced."""


def mapped(kernels: tvm.IRModule, changes: Sequence[Change]) -> tvm.IRModule:
    """Return kernels with expressions replaced, and what is no kernel as it is."""
    functions = {
        variable: function.with_body(tvm_ffi.structural_map(function.body, changes))
        if isinstance(function, PrimFunc)
        else function
        for variable, function in kernels.functions.items()
    }
    return tvm.IRModule(functions, attrs=kernels.attrs)
