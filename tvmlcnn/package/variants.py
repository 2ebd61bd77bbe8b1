"""Several programs in one module: a network for each of several sizes of its inputs.

Kernels that are the same are there once, and so are equal weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tvm
import tvm_ffi
from tvm import relax
from tvm.relax.expr import _update_type
from tvm.relax.expr_functor import PyExprMutator, mutator
from tvm.tirx import PrimFunc

from tvmlcnn import passes
from tvmlcnn.runtime.manifest import PROGRAM

_SYMBOL = "global_symbol"


@dataclass(frozen=True)
class Variants:
    """Programs that share kernels and weights.

    Attributes
    ----------
    mod : tvm.IRModule
        The programs ``main``, ``main_1`` and so on, and the kernels.
    arrays : list of numpy.ndarray
        All weights.
    weights : list of list of int
        Which of them each program takes, in order.
    calls : list of list of dict
        The calls of kernels of each program, as `tvmlcnn.passes.kernel_calls` has them.
    """

    mod: tvm.IRModule
    arrays: list[np.ndarray]
    weights: list[list[int]]
    calls: list[list[dict[str, Any]]]


def together(mods: Sequence[tvm.IRModule]) -> Variants:
    """Put modules that `tvmlcnn.pipeline` made into one."""
    kernels: dict[str, PrimFunc] = {}
    variables: dict[str, tvm.ir.GlobalVar] = {}
    programs: dict[tvm.ir.GlobalVar, relax.Function] = {}
    places: dict[tuple[str, tuple[int, ...], bytes], int] = {}
    arrays: list[np.ndarray] = []
    weights: list[list[int]] = []
    calls: list[list[dict[str, Any]]] = []
    for number, mod in enumerate(mods):
        names = _added(kernels, mod, f"_{number}")
        program = PROGRAM if not number else f"{PROGRAM}_{number}"
        renamed = {}
        for old, new in names.items():
            if new not in variables:
                variables[new] = _called(mod.get_global_var(old), new)
            renamed[old] = variables[new]
        main = _Renamed(renamed).visit_expr(mod[PROGRAM])
        variable = _called(mod.get_global_var(PROGRAM), program)
        programs[variable] = main.with_attr(_SYMBOL, program)
        taken = []
        for array in passes.weights_of(mod):
            key = (str(array.dtype), array.shape, array.tobytes())
            if key not in places:
                places[key] = len(arrays)
                arrays.append(array)
            taken.append(places[key])
        weights.append(taken)
        calls.append(
            [call | {"function": names[call["function"]]} for call in passes.kernel_calls(mod)]
        )
    functions = programs | {variables[name]: kernel for name, kernel in kernels.items()}
    mod = tvm.IRModule(functions, attrs=passes.without_weights(mods[0]).attrs)
    return Variants(mod, arrays, weights, calls)


def _added(kernels: dict[str, PrimFunc], mod: tvm.IRModule, suffix: str) -> dict[str, str]:
    """Add the kernels of a module to those that there are; return the new name of each."""
    names = {}
    for variable, function in mod.functions.items():
        if not isinstance(function, PrimFunc):
            continue
        name = variable.name_hint
        if name in kernels and not tvm_ffi.structural_equal(kernels[name], function):
            name += suffix
            function = function.with_attr(_SYMBOL, name)
        kernels[name] = function
        names[variable.name_hint] = name
    return names


def _called(variable: tvm.ir.GlobalVar, name: str) -> tvm.ir.GlobalVar:
    """Return a variable of the same type by a name."""
    if variable.name_hint == name:
        return variable
    result = tvm.ir.GlobalVar(name)
    _update_type(result, variable.ty)
    return result


@mutator
class _Renamed(PyExprMutator):
    """Puts other global variables in the places of those that have a name."""

    def __init__(self, variables: dict[str, tvm.ir.GlobalVar]) -> None:
        super().__init__()
        self.variables = variables

    def visit_global_var_(self, variable: tvm.ir.GlobalVar) -> tvm.ir.GlobalVar:
        return self.variables.get(variable.name_hint, variable)
