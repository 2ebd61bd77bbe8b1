"""Programs that ``torch.export.save`` wrote."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from tvmlcnn.errors import UserError, first_line
from tvmlcnn.input_form import DTYPES, InputForm, Shape

from .own_module import narrow_types
from .pt2 import MayRunError, checked_archive
from .training_mode import traces_of_training

# It logs, with a traceback, why it does not read a file, and raises an error that says nothing.
_TALKATIVE = ("torch.export", "torch._export.serde.serialize")


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
    path: Path, given: Sequence[InputForm] | None, trust: bool = False
) -> tuple[torch.nn.Module, tuple[Input, ...]]:
    """Return the module of a program that ``torch.export.save`` wrote, and its inputs.

    Parameters
    ----------
    path : Path
    given : sequence of InputForm, optional
        What the user said of the inputs.
    trust : bool
        Whether code that is in the file may run.

    Raises
    ------
    UserError
        If there is no such file, it is no exported program, holds what may run, was exported in
        training mode or in half precision, takes what is no tensor, or leaves a size open that the
        user did not say.
    """
    if not path.is_file():
        raise UserError(f"{path} is no file" if path.exists() else f"no such file: {path}")
    logged: list[BaseException] = []
    try:
        with _heard(logged):
            file = io.BytesIO(path.read_bytes()) if trust else checked_archive(path)
            program = torch.export.load(file)
            arguments, keywords = program.example_inputs or ((), {})
            module = program.module()
    except MayRunError as refused:
        raise UserError(
            f"{path} {refused}; set trust where you know who made the file, and code in it may run",
            parameters=("trust",),
        ) from refused
    except Exception as error:  # torch raises many types for a file that is no archive
        cause = logged[-1] if logged and isinstance(error, RuntimeError) else error
        raise UserError(
            f"{path} is no program of torch.export.save: {first_line(cause)}"
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


@contextmanager
def _heard(logged: list[BaseException]) -> Iterator[None]:
    """Collect the exceptions that torch logs, and have it say nothing else."""
    listener = logging.Handler(logging.WARNING)
    listener.emit = lambda record: logged.extend(  # type: ignore[method-assign]
        [record.exc_info[1]] if record.exc_info and record.exc_info[1] else []
    )
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    former = [(logger.handlers, logger.propagate) for logger in loggers]
    try:
        for logger in loggers:
            logger.handlers, logger.propagate = [listener], False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own deprecations
            yield
    finally:
        for logger, before in zip(loggers, former, strict=True):
            logger.handlers, logger.propagate = before


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
