"""The table of networks: a decorated constructor registers a name, here or in another package."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, get_type_hints
from urllib.parse import parse_qsl

import torch

from tvmlcnn import plugins
from tvmlcnn.errors import UserError, did_you_mean
from tvmlcnn.runtime.preprocessing import Preprocessing

IMAGENET = Preprocessing()


@dataclass(frozen=True)
class Entry:
    """One network of the zoo.

    Attributes
    ----------
    name : str
        Name of the constructor.
    constructor : callable
        Returns the module; its keyword arguments are the options of the name.
    source : str
        The paper: authors, year, arXiv number.
    input_shape : tuple of int
        Shape of the input, NCHW.
    top1 : float or None
        Published top-1 accuracy on ImageNet in percent, single crop, of the constructor's
        defaults; where the paper prints none, that of the released weights.
    preprocessing : Preprocessing
    labels : str or None
        Name of the label set of the outputs (``"imagenet"``), None where no set ships with the
        package or the outputs are no classes.
    torchvision : str or None
        Enum member with the weights, as ``"MobileNet_V2_Weights.IMAGENET1K_V1"``.
    """

    name: str
    constructor: Callable[..., torch.nn.Module]
    source: str
    input_shape: tuple[int, ...]
    top1: float | None
    preprocessing: Preprocessing
    labels: str | None
    torchvision: str | None

    @property
    def arguments(self) -> dict[str, Any]:
        """Names and defaults of the constructor's arguments."""
        return {p.name: p.default for p in inspect.signature(self.constructor).parameters.values()}

    @property
    def options(self) -> dict[str, Any]:
        """Names and defaults of the options of the name: the arguments, and ``resolution``."""
        # A constructor whose weights depend on the resolution has it as an argument of its own.
        return {**self.arguments, "resolution": self.input_shape[-1]}


@dataclass(frozen=True)
class ZooModel:
    """A network built from its name: the module, its input shape and its entry."""

    name: str
    module: torch.nn.Module
    input_shape: tuple[int, ...]
    entry: Entry


_entries: dict[str, Entry] = {}


def register(
    *,
    source: str,
    input_shape: tuple[int, ...] = (1, 3, 224, 224),
    top1: float | None = None,
    preprocessing: Preprocessing = IMAGENET,
    labels: str | None = "imagenet",
    torchvision: str | None = None,
) -> Callable[[Callable[..., torch.nn.Module]], Callable[..., torch.nn.Module]]:
    """Register the decorated constructor under its own name; a name given twice raises.

    It is plain torch: the analyser calls it with the device ``meta``, where weights have no values.
    A package adds its networks by an entry point with the module that registers them::

        [project.entry-points."tvmlcnn.models"]
        mynets = "mynets.zoo"

    Parameters
    ----------
    source, input_shape, top1, preprocessing, labels, torchvision
        See `Entry`.

    Raises
    ------
    ValueError
        If there is a network of the name.
    """

    def add(constructor: Callable[..., torch.nn.Module]) -> Callable[..., torch.nn.Module]:
        name = constructor.__name__
        if name in _entries:
            former = _entries[name].constructor.__module__
            raise ValueError(f"the network {name!r} is registered twice, first by {former}")
        _entries[name] = Entry(
            name, constructor, source, input_shape, top1, preprocessing, labels, torchvision
        )
        return constructor

    return add


def entries() -> Mapping[str, Entry]:
    """Return all networks by name, with those of other packages.

    Raises
    ------
    UserError
        If another package's networks cannot be registered.
    """
    for _ in plugins.load(plugins.MODELS):
        pass  # its import has registered them
    return MappingProxyType(_entries)


def names() -> list[str]:
    """Return the registered names, sorted."""
    return sorted(entries())


def create(name: str) -> ZooModel:
    """Build a network from its name and options.

    Parameters
    ----------
    name : str
        A registered name, with options as in a URL: ``"mobilenet_v2?width=0.5&resolution=160"``.
        ``resolution`` sets height and width of any network's input; the other options are the
        keyword arguments of its constructor.

    Raises
    ------
    UserError
        If the name or an option is unknown (the nearest are offered), or a value does not fit.
    """
    base, _, query = name.partition("?")
    known = entries()
    entry = known.get(base)
    if entry is None:
        raise UserError(
            f"no model {base!r} in the zoo{did_you_mean(base, known)}; `tvmlcnn models` lists it"
        )
    types = {"resolution": int} | get_type_hints(entry.constructor)
    options = list(entry.options)
    given: dict[str, Any] = {}
    for option, text in parse_qsl(query, keep_blank_values=True):
        if option not in options:
            raise UserError(
                f"{base} has no option {option!r}{did_you_mean(option, options)}; "
                f"it has {', '.join(options)}"
            )
        if option in given:
            raise UserError(f"{name}: the option {option!r} is given twice; give it once")
        given[option] = _value(option, text, types[option])
    input_shape = entry.input_shape
    if "resolution" in given:
        input_shape = (*input_shape[:2], given["resolution"], given["resolution"])
    try:
        module = entry.constructor(**{k: v for k, v in given.items() if k in entry.arguments})
    except ValueError as error:
        raise UserError(f"{name}: {error}") from error
    if "resolution" in given and not _fits(module, input_shape):
        raise UserError(f"{base} does not take a resolution of {input_shape[2]}; try a larger one")
    return ZooModel(name, module, input_shape, entry)


def _fits(module: torch.nn.Module, input_shape: tuple[int, ...]) -> bool:
    """Tell whether the shapes work out, from the first layer to the last, computing nothing."""
    state = {name: value.to("meta") for name, value in module.state_dict().items()}
    training = module.training
    try:
        torch.func.functional_call(module.eval(), state, torch.empty(input_shape, device="meta"))
    except RuntimeError:
        return False
    finally:
        module.train(training)
    return True


def _value(option: str, text: str, kind: type) -> Any:
    """Read the text of an option as its annotated type."""
    if kind is bool:
        words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        if text.lower() in words:
            return words[text.lower()]
    else:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is not None and (kind is str or value > 0):
            return value
    raise UserError(f"option {option}={text!r} is no {kind.__name__} that a network can have")
