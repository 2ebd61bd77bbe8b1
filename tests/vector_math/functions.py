"""Vector functions, compiled for this machine, and the exact values of theirs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import tvm
from tvm import te
from tvm.ir import Expr
from tvm.s_tir import Schedule

LANES = 16

SPECIAL = np.array(
    [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e-45, -1e-45, 1e-40, 1.2e-38, 3.4e38, -3.4e38],
    np.float32,
)


def computed(
    function: Callable[[Expr], Expr], x: np.ndarray, target: str = "haswell"
) -> np.ndarray:
    """Return what a function of an element makes of an array, by vectors."""
    filled = np.resize(x, -(-len(x) // LANES) * LANES)
    library = tvm.compile(
        vectorized(function, len(filled)), tvm.target.Target({"kind": "llvm", "mcpu": target})
    )
    out = tvm.runtime.tensor(np.full_like(filled, 7))
    library["main"](tvm.runtime.tensor(filled), out)
    return out.numpy()[: len(x)]


def vectorized(function: Callable[[Expr], Expr], size: int) -> tvm.IRModule:
    """Return the kernel, a loop over vectors."""
    data = te.placeholder((size,), "float32", "data")
    result = te.compute((size,), lambda i: function(data(i)), name="result")
    sch = Schedule(te.create_prim_func([data, result]))
    (loop,) = sch.get_loops(sch.get_sblock("result"))
    _, lanes = sch.split(loop, [None, LANES])
    sch.vectorize(lanes)
    return sch.mod


def exact(function: Callable[[torch.Tensor], torch.Tensor], x: np.ndarray) -> np.ndarray:
    """Return the values of a function of torch's in float64."""
    return function(torch.from_numpy(x.astype(np.float64))).numpy()
