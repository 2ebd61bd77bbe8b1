"""Where a network comes from: a zoo name, a Python factory, an exported program, a module."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tvmlcnn.errors import UserError, did_you_mean
from tvmlcnn.models import create, entries
from tvmlcnn.runtime.preprocessing import Preprocessing

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
        In evaluation mode.
    input_shapes : tuple of tuple of int
        One shape for each input.
    preprocessing : Preprocessing or None
        As the network's author says; None where nothing is said.
    labels : sequence of str, str or None
        Names of the classes, or the name of a label set that ships with the package.
    torchvision : str or None
        Enum member of torchvision with the network's ImageNet weights.
    """

    name: str
    source: str
    module: torch.nn.Module
    input_shapes: tuple[Shape, ...]
    preprocessing: Preprocessing | None
    labels: Sequence[str] | str | None
    torchvision: str | None = None


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
        If there is no such model, or the factory fails or returns something else.
    """
    default: tuple[Shape, ...] = ((1, 3, 224, 224),)
    if isinstance(model, torch.nn.Module):
        name = type(model).__name__
        return _described(name, name, model, input_shapes or default)
    if model.endswith(".pt2"):
        module, shapes = _load_exported(Path(model))
        return _described(Path(model).stem, model, module, input_shapes or shapes)
    if ":" in model:
        place, _, factory = model.rpartition(":")
        module = _call_factory(_import(place), factory, model)
        return _described(factory, model, module, input_shapes or default)
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
    name: str, source: str, module: torch.nn.Module, input_shapes: Sequence[Shape]
) -> Network:
    """Return the network of a module that is not the zoo's."""
    preprocessing = getattr(module, "preprocessing", None)
    labels = getattr(module, "labels", None)
    if not isinstance(module, torch.fx.GraphModule):  # an exported program has its mode fixed
        module = module.eval()
    return Network(
        name,
        source,
        module,
        tuple(tuple(shape) for shape in input_shapes),
        preprocessing if isinstance(preprocessing, Preprocessing) else None,
        [str(label) for label in labels] if isinstance(labels, (list, tuple)) else None,
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
            f"{path} is no program of torch.export.save: {_first_line(error)}"
        ) from error
    tensors = [*arguments, *keywords.values()]
    if not tensors or not all(isinstance(tensor, torch.Tensor) for tensor in tensors):
        raise UserError(f"{path}: only inputs that are tensors can be compiled")
    return module, tuple(tuple(tensor.shape) for tensor in tensors)


def _import(place: str) -> types.ModuleType:
    """Import a file or a module of the user's; it finds its neighbours as a script would."""
    path = Path(place)
    if path.suffix == ".py" and not path.is_file():
        raise UserError(f"no such file: {place}")
    folder = str(path.parent.absolute()) if path.suffix == ".py" else str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        if path.suffix != ".py":
            return importlib.import_module(place)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        return module
    except Exception as error:  # whatever the user's code raises
        raise UserError(f"cannot import {place}: {_first_line(error)}") from error


def _call_factory(module: types.ModuleType, factory: str, model: str) -> torch.nn.Module:
    function = getattr(module, factory, None)
    if function is None:
        known = [name for name in vars(module) if callable(getattr(module, name))]
        raise UserError(f"{model}: there is no {factory!r}{did_you_mean(factory, known)}")
    if isinstance(function, torch.nn.Module):
        return function
    if not callable(function):
        raise UserError(f"{model}: {factory} is a {type(function).__name__}, no class or function")
    try:
        made = function()
    except Exception as error:  # whatever the user's code raises
        raise UserError(f"{model}: calling {factory}() raised {_first_line(error)}") from error
    if not isinstance(made, torch.nn.Module):
        raise UserError(f"{model}: {factory}() returned {type(made).__name__}, no torch.nn.Module")
    return made


def _first_line(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
