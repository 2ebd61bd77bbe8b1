"""Loading a state dict into a module, refusing whatever does not fit."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch

from tvmlcnn.errors import UserError

from .source import Network

_SHOWN = 4


def load_weights(network: Network, source: str | Path) -> None:
    """Load a torch state dict, a safetensors file or torchvision's weights into the network.

    ``"imagenet"`` stands for the weights that torchvision has for the network; torchvision must
    be installed, and downloads them when they are first used. A checkpoint that keeps its state
    dict under ``state_dict`` is unwrapped, and so is the prefix ``module.`` that data-parallel
    training leaves. Pickled code is never executed.

    Raises
    ------
    UserError
        If the file is missing or no state dict, or its keys or shapes are not the module's; the
        message names them.
    """
    module = network.module
    state = _torchvision_s(network) if source == "imagenet" else _read(Path(source))
    wanted = module.state_dict()
    if all(key.startswith("module.") for key in state) and not wanted.keys() & state.keys():
        state = {key.removeprefix("module."): value for key, value in state.items()}
    # Counters of training; inference does not read them and older checkpoints lack them.
    optional = {key for key in wanted if key.endswith("num_batches_tracked")}
    missing = [key for key in wanted if key not in state and key not in optional]
    extra = [key for key in state if key not in wanted]
    misshapen = [
        f"{key} is {_size(state[key])}, the model's is {_size(wanted[key])}"
        for key in wanted
        if key in state and state[key].shape != wanted[key].shape
    ]
    problems = [
        f"{what} {_some(found)}"
        for what, found in (("missing", missing), ("extra", extra), ("misshapen:", misshapen))
        if found
    ]
    if problems:
        raise UserError(f"{source} does not fit the model: {'; '.join(problems)}")
    module.load_state_dict({key: state.get(key, wanted[key]) for key in wanted})


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


def _read(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise UserError(f"no such weights file: {path}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: object = load_file(path)
        else:
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
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in content.items()
    ):
        raise UserError(f"{path} holds no state dict; save model.state_dict()")
    return dict(content)


def _reason(error: Exception) -> str:
    if isinstance(error, (EOFError, zipfile.BadZipFile)):
        return "it is cut short"
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _some(items: list[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more


def _size(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
