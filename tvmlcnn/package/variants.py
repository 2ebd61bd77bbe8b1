"""Several programs in one file: a network for each of several sizes of its inputs.

Kernels that are the same are there once, and so are equal weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tvm
import tvm_ffi
from tvm.tirx import PrimFunc

from tvmlcnn import passes

from .flat_program import FlatProgram, flatten
from .unaligned import unaligned


@dataclass(frozen=True)
class Variants:
    """Programs that share kernels and weights.

    Attributes
    ----------
    mod : tvm.IRModule
        The kernels.
    programs : list of FlatProgram
    arrays : list of numpy.ndarray
        All weights.
    calls : list of list of dict
        The calls of kernels of each program, as `tvmlcnn.passes.kernel_calls` has them.
    """

    mod: tvm.IRModule
    programs: list[FlatProgram]
    arrays: list[np.ndarray]
    calls: list[list[dict[str, Any]]]


def together(mods: Sequence[tvm.IRModule]) -> Variants:
    """Put modules that `tvmlcnn.pipeline` made into one."""
    kernels: dict[str, PrimFunc] = {}
    programs: list[FlatProgram] = []
    places: dict[tuple[str, tuple[int, ...], bytes], int] = {}
    arrays: list[np.ndarray] = []
    calls: list[list[dict[str, Any]]] = []
    for number, mod in enumerate(mods):
        taken = []
        for array in passes.weights_of(mod):
            key = (str(array.dtype), array.shape, array.tobytes())
            if key not in places:
                places[key] = len(arrays)
                arrays.append(array)
            taken.append(places[key])
        program = flatten(mod["main"], taken)
        names = _added(kernels, unaligned(_kernels(mod), program.calls), f"_{number}")
        renamed = tuple(replace(call, function=names[call.function]) for call in program.calls)
        programs.append(replace(program, calls=renamed))
        calls.append(
            [call | {"function": names[call["function"]]} for call in passes.kernel_calls(mod)]
        )
    functions = {tvm.ir.GlobalVar(name): kernel for name, kernel in kernels.items()}
    return Variants(tvm.IRModule(functions), programs, arrays, calls)


def _kernels(mod: tvm.IRModule) -> dict[str, PrimFunc]:
    return {v.name_hint: f for v, f in mod.functions.items() if isinstance(f, PrimFunc)}


def _added(kernels: dict[str, PrimFunc], more: dict[str, PrimFunc], suffix: str) -> dict[str, str]:
    """Add kernels to those that there are; return the new name of each."""
    names = {}
    for name, kernel in more.items():
        known = name in kernels
        same = known and tvm_ffi.structural_equal(kernels[name], _named(kernel, name))
        names[name] = name + suffix if known and not same else name
        kernels[names[name]] = _named(kernel, names[name])
    return names


def _named(kernel: PrimFunc, name: str) -> PrimFunc:
    return kernel.with_attr("global_symbol", name)
