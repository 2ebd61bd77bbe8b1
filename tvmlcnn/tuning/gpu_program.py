"""Kernels of a task as one program for a GPU, that its own runtime runs and times.

Before each kernel the program brings the second cache into the state that a network leaves it in:
what else passes through it has passed, and the inputs have just been written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tvm
from tvm import te
from tvm.tirx import PrimFunc

from tvmlcnn.package import cuda, model_file
from tvmlcnn.package.flat_program import Base, Call, FlatProgram, Place
from tvmlcnn.package.memory_plan import Lifetime, plan_memory
from tvmlcnn.package.variants import Variants
from tvmlcnn.runtime.manifest import TensorSpec
from tvmlcnn.schedules import schedule
from tvmlcnn.targets import FLOAT32, Gpu

from .kernels import Kernel

_EVICT, _FRESH = "evict", "fresh"


@dataclass(frozen=True)
class GpuProgram:
    """A program that calls kernels ``k0``, ``k1``, ..., each as a network would.

    Attributes
    ----------
    flat : FlatProgram
    inputs, weights : list of numpy.ndarray
        What it is called with, and what its file holds.
    specs : list of TensorSpec
        Of the outputs: the results of the first kernel, of the second, ...
    timed : list of int
        The places of the kernels among the calls.
    """

    flat: FlatProgram
    inputs: list[np.ndarray]
    weights: list[np.ndarray]
    specs: list[TensorSpec]
    timed: list[int]

    @property
    def input_specs(self) -> list[TensorSpec]:
        """Shapes and types of the inputs."""
        return [
            TensorSpec(f"input_{n}", array.shape, str(array.dtype))
            for n, array in enumerate(self.inputs)
        ]

    def of_kernels(self, outputs: Sequence[np.ndarray], kernels: int) -> list[list[np.ndarray]]:
        """Return the results of each kernel."""
        each = len(outputs) // kernels
        return [list(outputs[n * each : (n + 1) * each]) for n in range(kernels)]


def gpu_program(kernels: Sequence[Kernel], footprint: int, gpu: Gpu) -> GpuProgram:
    """Return the program of some kernels of a task.

    Parameters
    ----------
    kernels : sequence of Kernel
        With as many results each.
    footprint : int
        Bytes that a network passes through the caches between two calls of the kernel.
    gpu : Gpu
    """
    inputs, weights = _Distinct(), _Distinct()
    for kernel in kernels:
        for index in kernel.inputs:
            inputs.of(kernel.arguments[index])
    passed = min(footprint, gpu.l2_bytes)
    sizes = (passed, *(array.nbytes for array in inputs.arrays))
    plan = plan_memory([Lifetime(size, 0, 0) for size in sizes])
    evict, *fresh = (Place(Base.WORKSPACE, 0, offset) for offset in plan.offsets)
    calls: list[Call] = []
    specs: list[TensorSpec] = []
    timed = []
    for number, kernel in enumerate(kernels):
        calls.append(Call(_EVICT, (evict,)))
        its = {index: inputs.of(kernel.arguments[index]) for index in kernel.inputs}
        for which in dict.fromkeys(its.values()):
            source = Place(Base.INPUT, which, 0)
            calls.append(Call(f"{_FRESH}_{which}", (source, fresh[which])))
        arguments = [
            fresh[its[index]] if index in its else Place(Base.WEIGHTS, weights.of(array), 0)
            for index, array in enumerate(kernel.arguments)
        ]
        for shape, dtype in kernel.results:
            arguments.append(Place(Base.OUTPUT, len(specs), 0))
            specs.append(TensorSpec(f"output_{len(specs)}", shape, dtype))
        timed.append(len(calls))
        calls.append(Call(f"k{number}", tuple(arguments)))
    flat = FlatProgram(tuple(calls), (), plan.size)
    return GpuProgram(flat, inputs.arrays, weights.arrays, specs, timed)


def gpu_functions(
    functions: Sequence[PrimFunc], program: GpuProgram, footprint: int, gpu: Gpu
) -> tvm.IRModule:
    """Return what a program calls: the kernels' functions, and what is done before each."""
    size = max(1, min(footprint, gpu.l2_bytes) // FLOAT32.bytes)
    before = {_EVICT: te.create_prim_func([te.compute((size,), lambda i: tvm.tirx.const(0.0))])}
    for number, array in enumerate(program.inputs):
        data = te.placeholder(array.shape, str(array.dtype))
        copy = te.compute(array.shape, partial(_element, data))
        before[f"{_FRESH}_{number}"] = te.create_prim_func([data, copy])
    named = {name: function.with_attr("global_symbol", name) for name, function in before.items()}
    kernels = {f"k{n}": f.with_attr("global_symbol", f"k{n}") for n, f in enumerate(functions)}
    return tvm.IRModule({**schedule(tvm.IRModule(named), gpu).functions, **_variables(kernels)})


def write_gpu_file(text: str, program: GpuProgram, gpu: Gpu, path: Path) -> None:
    """Compile a program's functions, which are JSON of TVM's, and link its file.

    Raises
    ------
    UserError
        If there is no compiler for the GPU here.
    RuntimeError
        If it does not take a kernel.
    """
    compiler = cuda.find_compiler(gpu.gpu_code)
    variants = Variants(tvm.ir.load_json(text), [program.flat], program.weights, [[]])
    with TemporaryDirectory(dir=path.parent) as folder:
        parts = model_file.write_parts(
            variants,
            [program.input_specs],
            [program.specs],
            gpu,
            [],
            None,
            compiler,
            Path(folder),
        )
        model_file.link_library(parts, {}, path)


def _variables(functions: dict[str, PrimFunc]) -> dict[tvm.ir.GlobalVar, PrimFunc]:
    return {tvm.ir.GlobalVar(name): function for name, function in functions.items()}


class _Distinct:
    """Arrays by their contents, each once."""

    def __init__(self) -> None:
        self.arrays: list[np.ndarray] = []
        self._numbers: dict[tuple[str, tuple[int, ...], bytes], int] = {}

    def of(self, array: np.ndarray) -> int:
        """Return the number of an array."""
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._numbers:
            self._numbers[key] = len(self.arrays)
            self.arrays.append(array)
        return self._numbers[key]


def _element(data: te.Tensor, *place: tvm.tirx.Var) -> tvm.tirx.Expr:
    return data(*place)
