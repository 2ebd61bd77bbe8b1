"""Loading weights into a module, refusing whatever does not fit."""

from __future__ import annotations

import argparse
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch.nn.parameter import is_lazy

from tvmlcnn.errors import UserError, reason_of
from tvmlcnn.files import refuse_special

from .checkpoint import Reading, distinct, is_counter, is_plain, readings, some
from .source import Network
from .unpacked import unpacks_to_more

# Plain data that training programs keep beside the weights: options, and numpy's numbers, under
# the names that numpy 2 and 1 pickle. Making one runs no code but its own class's.
_SCALAR = np.float32(0).__reduce__()[0]
_PLAIN = [
    argparse.Namespace,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8", "?")),
    _SCALAR,
    (_SCALAR, "numpy.core.multiarray.scalar"),
]


def load_weights(network: Network, source: str | Path) -> list[str]:
    """Load a checkpoint, a safetensors file or torchvision's weights into the network.

    ``"imagenet"`` stands for the weights that torchvision has for the network; torchvision must
    be installed, and downloads them when they are first used. A checkpoint of a training program
    is taken where one way to read it fits all names and shapes (see `checkpoint`); where its
    weights and their moving average both fit, the latter is taken, which is what the program
    evaluates. Pickled code is never executed.

    Returns
    -------
    list of str
        What a user should know of how the file was read; nothing for a plain state dict.

    Raises
    ------
    UserError
        If the file is missing or no state dict, its names, shapes or types are not the module's,
        or several ways to read it fit; the message names them.
    """
    module = network.module
    wanted = module.state_dict()
    content = _torchvision_s(network) if source == "imagenet" else _read(Path(source))
    reading = _chosen(readings(content, wanted), wanted, source)
    values = {key: reading.state.get(key, wanted[key]) for key in wanted}
    # A counter of training may have any form; inference does not read it.
    try:
        module.load_state_dict(
            {key: wanted[key] if is_counter(key) else value for key, value in values.items()}
        )
    except Exception as error:  # what the module's own hooks raise
        raise UserError(f"the model does not take {source}: {_reason(error)}") from error
    said = [str(reading)] if str(reading) else []
    said += [f"leaving out {some(list(reading.left))}"] if reading.left else []
    said += _converted(values, wanted)
    return [f"weights: {'; '.join(said)}"] if said else []


def without_numbers(module: torch.nn.Module) -> list[str]:
    """Return a warning where weights, or what normalization has counted, are no numbers (NaN).

    Raises
    ------
    UserError
        If some have no values at all.
    """
    held = [*module.named_parameters(), *module.named_buffers()]
    empty = [name for name, tensor in held if is_lazy(tensor) or tensor.is_meta]
    if empty:
        raise UserError(
            f"there are no values in {some(empty)}: make the module on the CPU, and call what is "
            "lazy in it once"
        )
    lost = [
        name
        for name, tensor in held
        if is_plain(tensor)
        if (tensor.is_floating_point() or tensor.is_complex()) and tensor.isnan().any()
    ]
    return [f"what is no number (NaN) is in {some(lost)}"] if lost else []


def _chosen(
    found: list[Reading], wanted: Mapping[str, torch.Tensor], source: str | Path
) -> Reading:
    """Return the reading that fits, or say why there is none, or which there are."""
    if not found:
        raise UserError(f"{source} holds no state dict; save model.state_dict()")
    fitting = distinct([reading for reading in found if not reading.unfit(wanted)], wanted)
    averaged = [reading for reading in fitting if reading.averaged]
    if len(averaged or fitting) == 1:
        return (averaged or fitting)[0]
    if fitting:
        ways = " or ".join(str(reading) or "as it is" for reading in averaged or fitting)
        raise UserError(
            f"{source} can be read in several ways that fit: {ways}; save the state dict that is "
            "meant by itself"
        )
    nearest = max(found, key=lambda reading: reading.nearness(wanted))
    how = f", read {nearest}" if str(nearest) else ""
    raise UserError(f"{source} does not fit the model{how}: {'; '.join(nearest.unfit(wanted))}")


def _converted(values: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> list[str]:
    """Return which element types of weights change when they are loaded."""
    changes = {
        (value.dtype, wanted[key].dtype)
        for key, value in values.items()
        if value.dtype != wanted[key].dtype and not is_counter(key)
    }
    return [
        f"{_type(given)} {'widened' if given.itemsize < to.itemsize else 'rounded'} to {_type(to)}"
        for given, to in sorted(changes, key=str)
    ]


def _type(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _torchvision_s(network: Network) -> dict[str, torch.Tensor]:
    if network.torchvision is None:
        raise UserError(f"torchvision has no ImageNet weights of {network.name}; give a file")
    try:
        from torchvision.models import get_weight
    except (ImportError, RuntimeError) as error:  # the latter where it was built for another torch
        raise UserError(
            "loading the weights 'imagenet' needs torchvision, which cannot be imported "
            f"({_reason(error)}): pip install torchvision",
            parameters=("weights",),
        ) from error
    try:
        return dict(get_weight(network.torchvision).get_state_dict(progress=True, check_hash=True))
    except OSError as error:  # urllib's and the disk's
        raise UserError(f"cannot download {network.torchvision}: {_reason(error)}") from error


def _read(path: Path) -> object:
    refuse_special(path)
    if not path.is_file():
        raise UserError(f"no such weights file: {path}")
    with path.open("rb") as file:
        if unpacks_to_more(file):
            raise UserError(f"{path} unpacks to more than its own size; save model.state_dict()")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: object = load_file(path)
        else:
            with torch.serialization.safe_globals(_PLAIN), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of how old the file's format is
                content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} was refused: it holds more than tensors, and loading it could run code; "
            "save model.state_dict() instead"
        ) from error
    except ImportError as error:
        raise UserError("safetensors is missing: pip install 'tvmlcnn[compile]'") from error
    except Exception as error:  # torch and safetensors raise many types for a broken file
        raise UserError(f"{path} is no weights file that can be read: {_reason(error)}") from error
    return content


def _reason(error: Exception) -> str:
    if isinstance(error, (EOFError, zipfile.BadZipFile)):
        return "it is cut short"
    return reason_of(error)
