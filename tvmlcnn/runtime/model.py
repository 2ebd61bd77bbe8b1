"""A compiled model as a Python callable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tvmlcnn import notebook
from tvmlcnn.errors import UserError

from .checks import check_fits
from .checksum import check_rest
from .frames import chosen
from .instances import Instances
from .library import Library
from .machine import logical_cpus, physical_cores
from .manifest import Manifest, TensorSpec, read_manifest
from .outputs import Outputs
from .placement import Placement
from .tensors import check_tensors, described


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
        If the file is no compiled model, is damaged, or does not fit this machine or its
        processor.
    """
    elf, manifest = read_manifest(path)
    check_fits(elf, manifest)
    check_rest(elf)
    available = logical_cpus()
    if threads is None:
        threads = min(manifest.json["threads"] or physical_cores(), available)
    if not 1 <= threads <= available:
        raise UserError(f"threads={threads}: this process has {available} CPUs")
    library = Library(elf.path, manifest.resizes)
    check_tensors(library, manifest.programs)
    return Model(library, manifest, threads)


def _shapes(specs: Sequence[TensorSpec]) -> tuple[tuple[int, ...], ...]:
    return tuple(spec.shape for spec in specs)


def _forms(specs: Sequence[TensorSpec]) -> list[tuple[tuple[int, ...], np.dtype]]:
    return [(spec.shape, np.dtype(spec.dtype)) for spec in specs]


def _threads(count: int) -> str:
    return f"{count} thread" if count == 1 else f"{count} threads"


class Model:
    """A loaded network; call it with numpy arrays.

    Several threads may call it at the same time, and so may a process that was forked from one that
    has used it. A copy, and what pickle makes of it elsewhere, is loaded anew from the same path,
    for as many threads.

    Attributes
    ----------
    path : Path
        Where the file was loaded from, from the root.
    inputs, outputs : tuple of TensorSpec
        Name, shape and dtype of each; of the smallest, where the file takes several sizes.
    programs : tuple of Program
        One for each size of the inputs; a call takes that whose shapes fit.
    manifest : dict
        Everything that the file says of itself.
    frames : bool
        Whether the input is pictures as a camera gives them: bytes, (N, height, width, channels).
    resizes : bool
        Whether these may be of any size.
    threads : int
        Threads that a call uses.
    instances : Instances
        What calls run in.
    """

    def __init__(self, library: Library, manifest: Manifest, threads: int) -> None:
        self.path = library.path.absolute()
        self.inputs: tuple[TensorSpec, ...] = manifest.inputs
        self.outputs: tuple[TensorSpec, ...] = manifest.outputs
        self.programs = manifest.programs
        names = tuple(spec.name for spec in manifest.outputs)
        self._names = names if manifest.in_collection else None
        self.manifest: dict[str, Any] = manifest.json
        self.preprocessing = manifest.preprocessing
        self.labels = manifest.labels
        self.frames, self.resizes = manifest.frames, manifest.resizes
        self.calls = manifest.calls
        self.threads = threads
        self._numbers = {_shapes(each.inputs): n for n, each in enumerate(self.programs)}
        self._taken = [_forms(program.inputs) for program in self.programs]
        self._made = [_forms(program.outputs) for program in self.programs]
        self.instances = Instances(library, threads)

    def __reduce__(self) -> tuple[Any, ...]:
        return load, (self.path, self.threads)

    def __repr__(self) -> str:
        taken, made = (", ".join(map(str, specs)) for specs in (self.inputs, self.outputs))
        more = len(self.programs) - 1
        sizes = f", and {more} other size{'s' * (more > 1)}" if more else ""
        return (
            f"<tvmlcnn.Model {self.path.name}, {_threads(self.threads)}: {taken} -> {made}{sizes}>"
        )

    def _repr_html_(self) -> str:
        facts = [
            ("file", self.path),
            ("model", self.manifest["model"]),
            ("target", self.manifest["target"]["name"]),
            *(("input", spec) for spec in self.inputs),
            *(("output", spec) for spec in self.outputs),
            *([("sizes", len(self.programs))] if len(self.programs) > 1 else []),
            ("kernels", len(self.calls)),
            ("threads", self.threads),
        ]
        return notebook.table("tvmlcnn.Model", facts)

    def __call__(self, *inputs: np.ndarray) -> Any:
        """Run the network.

        Parameters
        ----------
        *inputs : numpy.ndarray
            One array for each of `inputs`, of its shape and dtype; where the model resizes frames,
            of any height and width.

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
        if self.resizes:
            number, frames = chosen(inputs, [program.inputs[0] for program in self.programs])
            results = self.rooms(number)
            self.instances.run_frames(number, frames, results)
        else:
            number = 0 if len(self.programs) == 1 else self._chosen(inputs)
            arrays = self.arguments(*inputs, program=number)
            results = self.rooms(number)
            self.instances.run(number, arrays, results)
        return results[0] if self._names is None else Outputs(results, self._names)

    def placement(self, height: int, width: int) -> Placement:
        """Return where a frame of so many pixels lies in the input of a model that resizes frames.

        `Placement.to_frame` brings a detector's boxes back to it.

        Raises
        ------
        UserError
            If the model resizes nothing.
        """
        if not self.resizes or self.preprocessing is None:
            raise UserError("the model takes no frames of any size")
        rows, columns = self.inputs[0].shape[1:3]
        return self.preprocessing.placement((height, width), (rows, columns))

    def arguments(self, *inputs: np.ndarray, program: int = 0) -> list[np.ndarray]:
        """Return the inputs of a call as arrays without gaps, which are copies where they had some.

        Raises
        ------
        UserError
            As a call does.
        """
        forms = self._taken[program]
        if len(inputs) != len(forms):
            raise UserError(f"the model takes {len(forms)} inputs, {len(inputs)} were given")
        arrays = []
        for number, (given, (shape, dtype)) in enumerate(zip(inputs, forms, strict=True)):
            array = np.asarray(given)
            if array.shape != shape or array.dtype != dtype:
                spec = self.programs[program].inputs[number]
                raise UserError(f"the model takes {spec}; given was {described(array)}")
            flags = array.flags
            whole = flags.c_contiguous and flags.aligned
            arrays.append(array if whole else np.array(array, order="C"))
        return arrays

    def rooms(self, program: int = 0) -> list[np.ndarray]:
        """Return new arrays for the outputs of a program."""
        return [np.empty(shape, dtype) for shape, dtype in self._made[program]]

    def _chosen(self, inputs: Sequence[np.ndarray]) -> int:
        """Return the number of the program whose shapes are those of the inputs."""
        shapes = tuple(np.shape(array) for array in inputs)
        if shapes not in self._numbers:
            known = "; ".join(
                ", ".join("x".join(map(str, spec.shape)) for spec in program.inputs)
                for program in self.programs
            )
            given = ", ".join("x".join(map(str, shape)) or "scalar" for shape in shapes)
            raise UserError(f"the model takes inputs of shape {known}; given was {given}")
        return self._numbers[shapes]
