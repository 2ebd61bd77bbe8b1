"""A module of our own to work on: the caller's stays as it is."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable

import torch

from tvmlcnn.errors import UserError, first_line

_NARROW = (torch.float16, torch.bfloat16)


def own_module(module: torch.nn.Module) -> torch.nn.Module:
    """Return a copy of a module that a caller goes on using.

    Raises
    ------
    UserError
        If it cannot be copied.
    """
    # What hooks compute, as those of the older weight norm do, torch does not copy by itself.
    computed = {
        id(value): value.detach().clone()
        for layer in module.modules()
        for value in vars(layer).values()
        if isinstance(value, torch.Tensor) and not value.is_leaf
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own deprecations
            return copy.deepcopy(module, computed)
    except Exception as error:  # whatever the user's classes raise
        raise UserError(
            f"the module cannot be copied, which keeps it as it is: {first_line(error)}; give "
            "FILE.py:FACTORY, or what torch.export.save wrote"
        ) from error


def for_inference(module: torch.nn.Module) -> tuple[torch.nn.Module, tuple[str, ...]]:
    """Return a module as it is to be compiled: float32, on the CPU, in evaluation mode.

    Wrappers of training and ``torch.compile`` are taken off. The module itself is changed.

    Returns
    -------
    module : torch.nn.Module
    notes : tuple of str
        What a user should know of it.

    Raises
    ------
    UserError
        If it is TorchScript.
    """
    while isinstance(module, (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)):
        module = module.module
    while isinstance(inner := getattr(module, "_orig_mod", None), torch.nn.Module):
        module = inner  # what torch.compile wraps
    if isinstance(module, torch.jit.ScriptModule):
        raise UserError(
            "TorchScript cannot be compiled: give the torch.nn.Module that it was made of, or what "
            "torch.export.save wrote of that"
        )
    if not _leave_training(module):
        return module, ()  # an exported program has types and mode fixed
    tensors = [*module.parameters(), *module.buffers()]
    if any(tensor.device.type not in ("cpu", "meta") for tensor in tensors):
        module = module.cpu()
    notes = []
    for what, others in (("widened", _NARROW), ("rounded", (torch.float64,))):
        if found := _types(tensors, others):
            module._apply(lambda t, of=others: t.float() if t.dtype in of else t)  # type: ignore[misc]
            notes.append(f"the weights are {' and '.join(found)}, and were {what} to float32")
    return module, tuple(notes)


def _leave_training(module: torch.nn.Module) -> bool:
    """Call ``eval()``, which a user's class may have; tell whether it has one.

    Exported programs have none, and none of the parts around them can be called as a whole.
    """
    try:
        module.eval()
    except NotImplementedError:
        for layer in module.children():
            _leave_training(layer)
        return not isinstance(module, torch.fx.GraphModule)
    return True


def narrow_types(tensors: Iterable[torch.Tensor]) -> list[str]:
    """Return the names of the types of less precision than float32 that tensors have."""
    return _types(tensors, _NARROW)


def _types(tensors: Iterable[torch.Tensor], among: tuple[torch.dtype, ...]) -> list[str]:
    found = {str(tensor.dtype) for tensor in tensors if tensor.dtype in among}
    return sorted(name.removeprefix("torch.") for name in found)
