"""Where a network comes from: a zoo name, a Python factory, an exported program, a module."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tvmlcnn.errors import UserError, did_you_mean, first_line
from tvmlcnn.files import refuse_special
from tvmlcnn.input_form import InputForm, Shape, forms, variants
from tvmlcnn.models import create, entries
from tvmlcnn.runtime.preprocessing import Preprocessing

from .exported import Input, load_exported
from .own_module import for_inference, own_module
from .refusals import place_of
from .user_code import UserCode, running_code


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
    variants : tuple of tuple of Input
        Its inputs, for each choice of the sizes that were left open.
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
    takes_frames : bool
        Whether the input is pictures as a camera gives them; see `tvmlcnn.frontend.frames`.
    resizes : bool
        Whether the file is to resize them to what the module takes.
    """

    name: str
    source: str
    module: torch.nn.Module
    variants: tuple[tuple[Input, ...], ...]
    preprocessing: Preprocessing | None
    labels: Sequence[str] | str | None
    torchvision: str | None = None
    random_weights: bool = False
    notes: tuple[str, ...] = ()
    running: Callable[[], AbstractContextManager[None]] = running_code
    takes_frames: bool = False
    resizes: bool = False

    @property
    def inputs(self) -> tuple[Input, ...]:
        """Of the first variant."""
        return self.variants[0]

    @property
    def keywords(self) -> tuple[str, ...]:
        """The names of the last inputs, where ``forward`` takes them by name."""
        return tuple(one.keyword for one in self.inputs if one.keyword is not None)

    @property
    def input_shapes(self) -> tuple[Shape, ...]:
        """Of the first variant."""
        return tuple(one.shape for one in self.inputs)


def resolve(model: str | torch.nn.Module, input_shapes: Any = None, trust: bool = False) -> Network:
    """Return the network that ``model`` stands for.

    Parameters
    ----------
    model : str or torch.nn.Module
        A zoo name with options, ``FILE.py:FACTORY``, ``package.module:FACTORY``, a ``.pt2`` file
        from ``torch.export.save``, or a module. A factory is a class or function that returns a
        module when it is called without arguments. A module may carry attributes
        ``preprocessing`` (a `Preprocessing`) and ``labels`` (a list of str).
    input_shapes : optional
        Forms of the inputs, as `tvmlcnn.input_form.forms` takes them; by default the zoo's or the
        exported program's, else 1x3x224x224.
    trust : bool
        Whether code that is in a ``.pt2`` file may run.

    Raises
    ------
    UserError
        If the model is neither module nor text, there is no such model, or the factory fails or
        returns something else, or a module cannot be copied or is TorchScript, or a shape is none.
    """
    given = forms(input_shapes)
    default = (Input((1, 3, 224, 224)),)
    if isinstance(model, torch.nn.Module):
        name = type(model).__name__
        with running_code():
            module = own_module(model)
        return _described(name, name, module, _variants(given, default))
    if not isinstance(model, str):
        raise UserError(
            f"a model is a torch.nn.Module, or a text that names one, no {type(model).__name__}"
        )
    if model.endswith(".pt2"):
        refuse_special(model)
        module, inputs = load_exported(Path(model), given, trust)
        return _described(Path(model).stem, model, module, _variants(given, inputs))
    if ":" in model:
        place, _, factory = model.rpartition(":")
        code = UserCode(place)
        module = _made(code, factory, model)
        return _described(factory, model, module, _variants(given, default), code.running)
    if model.endswith(".py"):
        raise UserError(f"name the class or function too: {model}:FACTORY")
    if model.partition("?")[0] not in entries() and os.path.exists(model):
        raise UserError(f"{model} is no model; give a zoo name, FILE.py:FACTORY or a .pt2 file")
    zoo = create(model)
    return Network(
        re.sub(r"[^\w.-]+", "-", zoo.name),
        model,
        zoo.module.eval(),
        _variants(given, (Input(zoo.input_shape),)),
        zoo.entry.preprocessing,
        zoo.entry.labels,
        zoo.entry.torchvision,
        random_weights=True,
    )


def _variants(
    given: Sequence[InputForm] | None, known: tuple[Input, ...]
) -> tuple[tuple[Input, ...], ...]:
    """Return the inputs for each choice of sizes; what was given comes before what is known."""
    if given is None:
        return (known,)
    of_known = len(given) == len(known)
    result = []
    for chosen in variants(given):
        inputs = []
        for number, (form, shape) in enumerate(zip(given, chosen, strict=True)):
            one = known[number] if of_known else Input(shape)
            dtype = form.dtype or one.dtype
            example = one.example if (one.shape, one.dtype) == (shape, dtype) else None
            inputs.append(Input(shape, dtype, one.keyword, example))
        result.append(tuple(inputs))
    return tuple(result)


def _described(
    name: str,
    source: str,
    module: torch.nn.Module,
    inputs: tuple[tuple[Input, ...], ...],
    running: Callable[[], AbstractContextManager[None]] = running_code,
) -> Network:
    """Return the network of a module that is not the zoo's."""
    try:
        with running():
            preprocessing = getattr(module, "preprocessing", None)
            labels = _texts(getattr(module, "labels", None))
            module, notes = for_inference(module)
    except UserError:
        raise
    except Exception as error:  # whatever the user's properties and methods raise
        raise UserError(
            f"{source} cannot be made ready for inference{place_of(error)}: {first_line(error)}"
        ) from error
    return Network(
        name,
        source,
        module,
        inputs,
        preprocessing if isinstance(preprocessing, Preprocessing) else None,
        labels,
        notes=notes,
        running=running,
    )


def _texts(labels: object) -> list[str] | None:
    """Return the labels that a module has; None where they are no list.

    Raises
    ------
    UserError
        If one cannot be written, as half of a pair of UTF-16 cannot.
    """
    if not isinstance(labels, (list, tuple)):
        return None
    texts = [str(label) for label in labels]
    for number, text in enumerate(texts):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UserError(f"label {number} of the model is no text: {text!a}") from error
    return texts


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
