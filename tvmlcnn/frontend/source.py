"""Where a network comes from: a zoo name, a Python factory, an exported program, a module."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tvmlcnn.errors import UserError, did_you_mean
from tvmlcnn.models import create, entries
from tvmlcnn.runtime.preprocessing import Preprocessing

from .own_module import for_inference, narrow_types, own_module
from .training_mode import traces_of_training
from .user_code import UserCode, first_line, stdout_to_stderr

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Network:
    """A torch module, and what is known of it.

    Attributes
    ----------
    name : str
        Short name, good for a file name.
    source : str
        What the user gave.
    module : torch.nn.Module
        In evaluation mode; ours alone, whatever was given.
    input_shapes : tuple of tuple of int
        One shape for each input.
    preprocessing : Preprocessing or None
        As the network's author says; None where nothing is said.
    labels : sequence of str, str or None
        Names of the classes, or the name of a label set that ships with the package.
    torchvision : str or None
        Enum member of torchvision with the network's ImageNet weights.
    random_weights : bool
        The weights are those that the zoo's constructor draws.
    notes : tuple of str
        What a user should know of how the module was taken.
    running : callable
        Returns a context in which the module's code may run: it finds the modules beside it, and
        what it prints goes to stderr.
    """

    name: str
    source: str
    module: torch.nn.Module
    input_shapes: tuple[Shape, ...]
    preprocessing: Preprocessing | None
    labels: Sequence[str] | str | None
    torchvision: str | None = None
    random_weights: bool = False
    notes: tuple[str, ...] = ()
    running: Callable[[], AbstractContextManager[None]] = stdout_to_stderr


def resolve(model: str | torch.nn.Module, input_shapes: Sequence[Shape] | None = None) -> Network:
    """Return the network that ``model`` stands for.

    Parameters
    ----------
    model : str or torch.nn.Module
        A zoo name with options, ``FILE.py:FACTORY``, ``package.module:FACTORY``, a ``.pt2`` file
        from ``torch.export.save``, or a module. A factory is a class or function that returns a
        module when it is called without arguments. A module may carry attributes
        ``preprocessing`` (a `Preprocessing`) and ``labels`` (a list of str).
    input_shapes : sequence of tuple of int, optional
        Shapes of the inputs; by default the zoo's or the exported program's, else 1x3x224x224.

    Raises
    ------
    UserError
        If there is no such model, or the factory fails or returns something else, or a module
        cannot be copied or is TorchScript.
    """
    default: tuple[Shape, ...] = ((1, 3, 224, 224),)
    if isinstance(model, torch.nn.Module):
        name = type(model).__name__
        return _described(name, name, own_module(model), input_shapes or default)
    if model.endswith(".pt2"):
        module, shapes = _load_exported(Path(model))
        return _described(Path(model).stem, model, module, input_shapes or shapes)
    if ":" in model:
        place, _, factory = model.rpartition(":")
        code = UserCode(place)
        module = _made(code, factory, model)
        return _described(factory, model, module, input_shapes or default, code.running)
    if model.endswith(".py"):
        raise UserError(f"name the class or function too: {model}:FACTORY")
    if model.partition("?")[0] not in entries() and Path(model).exists():
        raise UserError(f"{model} is no model; give a zoo name, FILE.py:FACTORY or a .pt2 file")
    zoo = create(model)
    return Network(
        re.sub(r"[^\w.-]+", "-", zoo.name),
        model,
        zoo.module.eval(),
        tuple(input_shapes or (zoo.input_shape,)),
        zoo.entry.preprocessing,
        zoo.entry.labels,
        zoo.entry.torchvision,
        random_weights=True,
    )


def shapes(
    given: Sequence[int] | Sequence[Sequence[int]] | None,
) -> tuple[Shape, ...] | None:
    """Return one shape an input, from a shape or a sequence of shapes.

    Raises
    ------
    UserError
        If a size is no positive number.
    """
    if given is None:
        return None
    nested: Sequence[Any] = [given] if all(isinstance(size, int) for size in given) else given
    found = tuple(tuple(int(size) for size in shape) for shape in nested)
    if not found or any(not shape or min(shape) < 1 for shape in found):
        raise UserError(f"the input shape {given} has a size that is no positive number")
    return found


def _described(
    name: str,
    source: str,
    module: torch.nn.Module,
    input_shapes: Sequence[Shape],
    running: Callable[[], AbstractContextManager[None]] = stdout_to_stderr,
) -> Network:
    """Return the network of a module that is not the zoo's."""
    preprocessing = getattr(module, "preprocessing", None)
    labels = getattr(module, "labels", None)
    module, notes = for_inference(module)
    return Network(
        name,
        source,
        module,
        tuple(tuple(shape) for shape in input_shapes),
        preprocessing if isinstance(preprocessing, Preprocessing) else None,
        [str(label) for label in labels] if isinstance(labels, (list, tuple)) else None,
        notes=notes,
        running=running,
    )


def _load_exported(path: Path) -> tuple[torch.nn.Module, tuple[Shape, ...]]:
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
    if not tensors or not all(isinstance(tensor, torch.Tensor) for tensor in tensors):
        raise UserError(f"{path}: only inputs that are tensors can be compiled")
    return module, tuple(tuple(tensor.shape) for tensor in tensors)


def _made(code: UserCode, factory: str, model: str) -> torch.nn.Module:
    """Return the module that a factory of the user's makes."""
    module = code.load()
    function = getattr(module, factory, None)
    if function is None:
        known = [name for name in vars(module) if callable(getattr(module, name))]
        raise UserError(f"{model}: there is no {factory!r}{did_you_mean(factory, known)}")
    if isinstance(function, torch.nn.Module):
        return function
    if not callable(function):
        raise UserError(f"{model}: {factory} is a {type(function).__name__}, no class or function")
    made = code.call(f"{model}: calling {factory}() raised", function)
    if not isinstance(made, torch.nn.Module):
        raise UserError(f"{model}: {factory}() returned {type(made).__name__}, no torch.nn.Module")
    return made
