"""A compiled model as a Python callable."""

from __future__ import annotations

import ctypes
import tempfile
import threading
import types
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tvmlcnn.errors import UserError

from .checks import check_fits
from .elf import ElfFile
from .machine import logical_cpus, physical_cores
from .manifest import (
    PROGRAM,
    STEPWISE,
    Manifest,
    Program,
    TensorSpec,
    read_manifest,
)
from .mapped_weights import mapped_weights
from .native import load_runtime
from .outputs import Outputs
from .placement import placement
from .thread_pool import ThreadPool


def load(path: str | Path, threads: int | None = None) -> Model:
    """Load a compiled model.

    Parameters
    ----------
    path : str or Path
        A file that ``tvmlcnn compile`` wrote.
    threads : int, optional
        Threads that one call uses. The default is the number that the file was compiled for,
        else all physical cores of this machine.

    Raises
    ------
    UserError
        If the file is no compiled model, is damaged, or does not fit this machine, its processor
        or the installed TVM.
    """
    elf, manifest = read_manifest(path)
    check_fits(elf, manifest)
    available = logical_cpus()
    if threads is None:
        threads = min(manifest.json["threads"] or physical_cores(), available)
    if not 1 <= threads <= available:
        raise UserError(f"threads={threads}: this process has {available} CPUs")
    return Model(elf, manifest, threads)


class RecordedCall(NamedTuple):
    """A call that a running model made: the function's name, the function, its arguments."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class _Ready:
    """A program to be called: its function, room for its inputs, its weights."""

    program: Program
    run: Callable[..., Any]
    rooms: list[Any]
    weights: list[Any]


def _shapes(specs: Sequence[TensorSpec]) -> tuple[tuple[int, ...], ...]:
    return tuple(spec.shape for spec in specs)


def _given(array: np.ndarray) -> str:
    return f"{array.dtype} {'x'.join(map(str, array.shape)) or 'scalar'}"


class Model:
    """A loaded network; call it with numpy arrays.

    Calls from several threads are safe; they run one after another.

    Attributes
    ----------
    inputs, outputs : tuple of TensorSpec
        Name, shape and dtype of each; of the smallest, where the file takes several sizes.
    programs : tuple of Program
        One for each size of the inputs; a call takes that whose shapes fit.
    manifest : dict
        Everything that the file says of itself.
    threads : int
        Threads that a call uses.
    """

    def __init__(self, elf: ElfFile, manifest: Manifest, threads: int) -> None:
        self._ffi = load_runtime()
        self.inputs: tuple[TensorSpec, ...] = manifest.inputs
        self.outputs: tuple[TensorSpec, ...] = manifest.outputs
        self.programs = manifest.programs
        names = tuple(spec.name for spec in manifest.outputs)
        self._names = names if manifest.in_collection else None
        self.manifest: dict[str, Any] = manifest.json
        self.preprocessing = manifest.preprocessing
        self.labels = manifest.labels
        self.calls = manifest.calls
        self.threads = threads
        self._lock = threading.Lock()
        self._placement = placement(self._ffi, manifest.json["target"]["tvm"]["kind"])
        self._library, symbols = _loaded(self._ffi, elf.path)
        self._pool = ThreadPool(symbols, threads)
        self._machine = self._new_machine()
        self._weights: list[Any] = []
        if manifest.weights:
            arrays = mapped_weights(elf, manifest)
            self._weights = [self._placement.constant(array) for array in arrays]
        self._ready = {_shapes(each.inputs): self._readied(each) for each in self.programs}
        self._first = self._ready[_shapes(self.inputs)]

    def __call__(self, *inputs: np.ndarray) -> Any:
        """Run the network.

        Parameters
        ----------
        *inputs : numpy.ndarray
            One array for each of `inputs`, of its shape and dtype.

        Returns
        -------
        numpy.ndarray or Outputs
            One array where the torch module returns a tensor; of a collection the tensors in
            order, which can be had by name too.

        Raises
        ------
        UserError
            If the number of arrays, a shape or a dtype does not fit.
        """
        ready = self._first if len(self._ready) == 1 else self._chosen(inputs)
        with self.exclusively():
            results = ready.run(*self._arguments(ready, inputs))
            arrays = [self._placement.array(result) for result in results]
        return arrays[0] if self._names is None else Outputs(arrays, self._names)

    def arguments(self, *inputs: np.ndarray) -> list[Any]:
        """Return the arguments of `program` for a call, good until the next one.

        Raises
        ------
        UserError
            As a call does.
        """
        return self._arguments(self._first, inputs)

    def program(self, *arguments: Any) -> Any:
        """Run the program of the smallest inputs, whoever else is calling."""
        return self._first.run(*arguments)

    def _arguments(self, ready: _Ready, inputs: Sequence[np.ndarray]) -> list[Any]:
        specs = ready.program.inputs
        if len(inputs) != len(specs):
            raise UserError(f"the model takes {len(specs)} inputs, {len(inputs)} were given")
        arrays = [np.asarray(array) for array in inputs]
        for array, spec in zip(arrays, specs, strict=True):
            if array.shape != spec.shape or array.dtype != spec.dtype:
                raise UserError(f"the model takes {spec}; given was {_given(array)}")
        rooms = zip(arrays, ready.rooms, strict=True)
        return [*(self._placement.argument(*pair) for pair in rooms), *ready.weights]

    def _chosen(self, inputs: Sequence[np.ndarray]) -> _Ready:
        """Return the program whose shapes are those of the inputs."""
        shapes = tuple(np.shape(array) for array in inputs)
        if shapes not in self._ready:
            known = "; ".join(
                ", ".join("x".join(map(str, spec.shape)) for spec in program.inputs)
                for program in self.programs
            )
            given = ", ".join("x".join(map(str, shape)) or "scalar" for shape in shapes)
            raise UserError(f"the model takes inputs of shape {known}; given was {given}")
        return self._ready[shapes]

    def _readied(self, program: Program) -> _Ready:
        rooms = [self._placement.allocate(spec) for spec in program.inputs]
        weights = [self._weights[index] for index in program.weights]
        # A program without weights takes no tuple of them.
        held = [self._ffi.convert(weights)] if weights else []
        return _Ready(program, self._machine[program.name], rooms, held)

    def _new_machine(self) -> Any:
        """Return a new instance of TVM's virtual machine with the model's program."""
        machine = self._library["vm_load_executable"]()
        machine["vm_initialization"](*self._placement.devices)
        return machine

    def record(self, functions: Collection[str], arguments: Sequence[Any]) -> list[RecordedCall]:
        """Run the program of the smallest inputs once; return the calls of functions that it made.

        The tensors of the calls stay as they were; making them again, in order, does the work of
        the network without the machine between them.
        """
        recorded: list[RecordedCall] = []

        def note(function: Any, name: str, before: bool, result: Any, *arguments: Any) -> None:
            if before and name in functions:
                recorded.append(RecordedCall(name, function, arguments))

        with self.exclusively():
            machine = self._new_machine()  # one of its own: an instrument cannot be removed
            machine["set_instrument"](self._ffi.convert(note))
            machine[PROGRAM + STEPWISE](*arguments)
        return recorded

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Keep other threads from calling the model, and let this one use its threads."""
        with self._lock:
            self._pool.use()
            yield


def _loaded(ffi: types.ModuleType, path: Path) -> tuple[Any, ctypes.CDLL]:
    """Load a library, be it another one under a name that this process has loaded before.

    Return it as TVM's module, and as a library of C functions.

    The dynamic loader knows libraries by the names under which they were loaded, and would return
    the former one where a file was compiled again meanwhile.
    """
    with tempfile.TemporaryDirectory(prefix="tvmlcnn-load-") as folder:
        link = Path(folder) / "model.so"
        link.symlink_to(path.absolute())
        return ffi.load_module(str(link)), ctypes.CDLL(str(link))
