"""Programs that ``torch.export.save`` wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from tvmlcnn.errors import UserError, first_line
from tvmlcnn.input_form import DTYPES, InputForm, Shape

from .own_module import narrow_types
from .training_mode import traces_of_training


@dataclass(frozen=True)
class Input:
    """An input of a network.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
    keyword : str or None
        The name by which ``forward`` takes it; None where it takes it by its place.
    example : numpy.ndarray or None
        A value of that shape that came with the network.
    """

    shape: Shape
    dtype: str = "float32"
    keyword: str | None = None
    example: np.ndarray | None = field(default=None, compare=False)


def load_exported(
    path: Path, given: Sequence[InputForm] | None
) -> tuple[torch.nn.Module, tuple[Input, ...]]:
    """Return the module of a program that ``torch.export.save`` wrote, and its inputs.

    Parameters
    ----------
    path : Path
    given : sequence of InputForm, optional
        What the user said of the inputs.

    Raises
    ------
    UserError
        If there is no such file, it is no exported program, was exported in training mode or in
        half precision, takes what is no tensor, or leaves a size open that the user did not say.
    """
    if not path.exists():
        raise UserError(f"no such file: {path}")
    try:
        program = torch.export.load(path)
        arguments, keywords = program.example_inputs or ((), {})
        module = program.module()
    except Exception as error:  # torch raises many types for a file that is no archive
        raise UserError(
            f"{path} is no program of torch.export.save: {first_line(error)}"
        ) from error
    training = traces_of_training(program)
    if training:
        raise UserError(
            f"{path} was exported in training mode ({' and '.join(training)}); call model.eval() "
            "and export it again"
        )
    narrow = narrow_types(program.state_dict.values())
    if narrow:
        raise UserError(
            f"{path} was exported in {' and '.join(narrow)}; call model.float() and export it again"
        )
    tensors = [*arguments, *keywords.values()]
    names = [None] * len(arguments) + list(keywords)
    if not tensors or not all(isinstance(tensor, torch.Tensor) for tensor in tensors):
        raise UserError(f"{path}: only inputs that are tensors can be compiled")
    if given is None:
        _check_sizes_are_known(path, program)
    for tensor in tensors:
        if str(tensor.dtype).removeprefix("torch.") not in DTYPES:
            raise UserError(f"{path}: inputs of {tensor.dtype} cannot be compiled")
    return module, tuple(
        Input(tuple(array.shape), str(array.dtype), name, array)
        for array, name in zip((t.detach().numpy() for t in tensors), names, strict=True)
    )


def _check_sizes_are_known(path: Path, program: torch.export.ExportedProgram) -> None:
    """Refuse to take the sizes of the example for those that the program leaves open."""
    wanted = set(program.graph_signature.user_inputs)
    for node in program.graph.nodes:
        if node.op != "placeholder" or node.name not in wanted:
            continue
        sizes = getattr(node.meta.get("val"), "shape", ())
        for axis, size in enumerate(sizes):
            if isinstance(size, torch.SymInt):
                raise UserError(
                    f"{path}: axis {axis} of the input {node.name!r} may have any size; give "
                    "its shape, as 1x3x224x224, or several, as 1..8x3x224x224",
                    parameters=("input_shape",),
                )
