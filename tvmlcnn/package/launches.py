"""What a function for a GPU launches, read out of its lowered host function."""

from __future__ import annotations

import math
from dataclasses import dataclass

import tvm
from tvm import tirx

from .kernel_code import wrapped

_AXES = ("blockIdx.x", "blockIdx.y", "blockIdx.z", "threadIdx.x", "threadIdx.y", "threadIdx.z")
_SHARED = "tirx.use_dyn_shared_memory"


@dataclass(frozen=True)
class Launch:
    """A launch of a CUDA kernel.

    Attributes
    ----------
    kernel : str
        Its name in the GPU's code.
    tensors : tuple of int
        What it takes, in its order: a parameter of the function, or, counted after those, a scratch
        tensor.
    grid, block : tuple of int
        Blocks and their threads: x, y, z.
    shared : int
        Bytes of dynamic shared memory.
    early : bool
        Whether it may be launched while the kernel before it runs; see `early_launches`.
    """

    kernel: str
    tensors: tuple[int, ...]
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared: int
    early: bool


@dataclass(frozen=True)
class GpuFunction:
    """A function of a network's program on a GPU.

    Attributes
    ----------
    launches : tuple of Launch
        One after the other.
    scratch : tuple of int
        Bytes of the tensors that lie in the GPU's memory between them.
    """

    launches: tuple[Launch, ...]
    scratch: tuple[int, ...]


def gpu_function(host: tirx.PrimFunc, spread: bool = False) -> GpuFunction:
    """Return what a host function does, as TVM's ``MakePackedAPI`` leaves it.

    Parameters
    ----------
    host : PrimFunc
    spread : bool
        Whether its first kernel is not to be launched early; others add up what that has summed.

    Raises
    ------
    RuntimeError
        If it does something else than to launch kernels one after the other.
    """
    _, tensors, work = wrapped(host.body)
    reader = _Reader([tensor.buffer for tensor in tensors], spread)
    reader.read(work)
    return GpuFunction(tuple(reader.launches), tuple(reader.scratch))


class _Reader:
    def __init__(self, parameters: list[tvm.ir.Var], spread: bool) -> None:
        self._spread = spread
        self._parameters = len(parameters)
        self._tensors = {variable: index for index, variable in enumerate(parameters)}
        self.launches: list[Launch] = []
        self.scratch: list[int] = []

    def read(self, stmt: tirx.Stmt) -> None:
        if isinstance(stmt, tirx.SeqStmt):
            for each in stmt.seq:
                self.read(each)
        elif isinstance(stmt, tirx.AttrStmt):
            self.read(stmt.body)
        elif isinstance(stmt, tirx.DeclBuffer):
            self._tensors[stmt.buffer] = self._tensor(stmt.data)
        elif isinstance(stmt, tirx.AllocBuffer):
            buffer = stmt.buffer
            self._tensors[buffer] = self._parameters + len(self.scratch)
            size = tvm.DataType(str(buffer.dtype)).itemsize
            self.scratch.append(math.prod(map(int, buffer.shape)) * size)
        elif isinstance(stmt, tirx.Evaluate) and _is_launch(stmt.value):
            self.launches.append(self._launch(stmt.value))
        else:
            raise RuntimeError(f"a host function does something that is no launch: {stmt}")

    def _tensor(self, data: tvm.ir.Expr) -> int:
        """Return the number of the tensor that an address is the beginning of."""
        return self._tensors[data.args[0]]

    def _launch(self, call: tvm.ir.Call) -> Launch:
        tags = [str(tag) for tag in call.attrs.launch_params]
        name, *arguments = call.args
        tensors, values = arguments[: -len(tags)], [int(n) for n in arguments[-len(tags) :]]
        extents = dict.fromkeys(_AXES, 1) | {_SHARED: 0}
        for tag, value in zip(tags, values, strict=True):
            if tag not in extents:
                raise RuntimeError(f"{name.value} is launched with {tag}, which is not known")
            extents[tag] = value
        x, y, z, *block, shared = extents.values()
        places = tuple(map(self._tensor, tensors))
        threads = block[0], block[1], block[2]
        early = bool(self.launches) or not self._spread
        return Launch(str(name.value), places, (x, y, z), threads, shared, early)


def _is_launch(value: tvm.ir.Expr) -> bool:
    return isinstance(value, tvm.ir.Call) and value.op == tvm.ir.Op.get("tirx.call_ffi_kernel")
