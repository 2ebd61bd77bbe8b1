"""What torch computes for an input, and how far rounding decides it."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils import _pytree as pytree

from tvmlcnn.errors import UserError

from .arguments import placed_and_named
from .checkpoint import is_plain
from .failed_runs import run_refusal
from .frames import as_called, as_given
from .order_of_equals import FirstOfEquals
from .source import Network
from .trial_inputs import KINDS, disturbed, image_input, picture_of, random_inputs

Outputs = list[np.ndarray]

# Of the processors', for the kinds of input after the first; mobilenet_v2's take a tenth of it.
_SECONDS = 2.0
# So many at least, and at most where there is time: what two nearly equal elements decide, as which
# is the better box, is another in one draw of two, so that three of 24 would miss an eighth of it.
_DISTURBANCES = range(3, 25)


@dataclass(frozen=True)
class Doubt:
    """What torch computes when rounding is another, to judge a result by that differs.

    Attributes
    ----------
    exact : list of numpy.ndarray or None
        The outputs in float64; None where the module cannot be run so.
    disturbed : list of list of numpy.ndarray
        The outputs for inputs and weights that are off by about what rounding does in a network.
    """

    exact: Outputs | None
    disturbed: list[Outputs]


def reference(
    module: torch.nn.Module, inputs: Sequence[np.ndarray], keywords: Sequence[str] = ()
) -> Outputs:
    """Return what torch computes, outputs flattened in order.

    The inputs, and buffers that the module updates, stay as they are. The last inputs are those
    that ``forward`` takes by the names in ``keywords``. Equal elements are sorted in their order.

    Raises
    ------
    UserError
        If the module cannot be run, as for inputs of these shapes, or returns what is no output of
        a file.
    """
    try:
        with torch.inference_mode(), warnings.catch_warnings(), _buffers_kept(module):
            warnings.simplefilter("ignore")  # torch's own deprecations
            tensors = [torch.from_numpy(array.copy()) for array in inputs]
            placed, named = placed_and_named(tensors, keywords)
            with FirstOfEquals():
                result = module(*placed, **named)
            outputs = [leaf for leaf in pytree.tree_leaves(result) if leaf is not None]
            if not outputs or not all(isinstance(output, torch.Tensor) for output in outputs):
                raise UserError(
                    f"the model returns {type(result).__name__}; only tensors can be compiled"
                )
            return [_array(output) for output in outputs]
    except UserError:
        raise
    except Exception as error:  # whatever the user's code or torch raises
        raise run_refusal(error, [array.shape for array in inputs]) from error


def references(
    network: Network, check: bool, thorough: bool, trained: bool
) -> dict[str, tuple[list[np.ndarray], Outputs]]:
    """Return inputs to compare a compiled network on, and what torch computes for them.

    Parameters
    ----------
    network : Network
    check : bool
        Whether they will be compared; else one kind of input shows that the network runs.
    thorough : bool
        Take all kinds of input that torch has a result for, as far as there is time.
    trained : bool
        Take a picture too, where the network takes one: random weights make nothing of it.

    Raises
    ------
    UserError
        As `reference` does, for the first kind.
    """
    inputs = random_inputs(as_given(network))
    found = {"random": (inputs, _asked(network, inputs))}
    if not check:
        return found
    picture = _picture(network) if trained else None
    if picture is not None:
        found["image"] = ([picture], _asked(network, [picture]))
    if not thorough:
        # What has no numbers for normal noise, as a power of it, is made for values of 0 to 1.
        lost = any(np.isnan(output).any() for output in found["random"][1])
        kinds = ["uniform"] if lost else []
    else:
        kinds = [kind for kind in KINDS if kind not in found]
    start = time.process_time()
    for kind in kinds:
        if time.process_time() - start > _SECONDS:
            break
        inputs = random_inputs(as_given(network), kind=kind)
        try:
            outputs = _asked(network, inputs)
        except UserError:  # as an index that is out of range
            continue
        if _are_in_range(network, inputs, outputs):
            found[kind] = (inputs, outputs)
    return found


def _picture(network: Network) -> np.ndarray | None:
    """Return a picture, where a network takes one and nothing else."""
    first, *others = as_given(network)
    if others or len(first.shape) != 4 or first.shape[0] != 1:
        return None
    if network.takes_frames:
        return picture_of(first.shape)
    fits = first.dtype == "float32" and first.shape[1] == 3
    return image_input(first.shape, network.preprocessing) if fits else None


def _asked(network: Network, inputs: Sequence[np.ndarray]) -> Outputs:
    return reference(network.module, as_called(network, inputs), network.keywords)


def doubt(
    network: Network, inputs: Sequence[np.ndarray], outputs: Outputs, rounding: float
) -> Doubt:
    """Return what torch computes when rounding is another.

    Parameters
    ----------
    network : Network
    inputs, outputs : sequence of numpy.ndarray
    rounding : float
        What it does, relatively.

    Raises
    ------
    UserError
        If torch computes something else each time, for the same inputs.
    """
    again = _asked(network, inputs)
    if not all(map(_are_same, again, outputs)):
        raise UserError(
            "torch computes something else each time, for the same input; the model is random, as "
            "by functional.dropout without training=self.training, or counts its calls, and cannot "
            "be compiled"
        )
    moved = []
    start = time.process_time()
    for seed in range(_DISTURBANCES.stop - 1):
        if seed >= _DISTURBANCES.start and time.process_time() - start > _SECONDS:
            break
        with _weights_disturbed(network.module, seed, rounding):
            moved.append(_asked(network, disturbed(inputs, seed, rounding)))
    return Doubt(_exact(network, inputs), moved)


def _exact(network: Network, inputs: Sequence[np.ndarray]) -> Outputs | None:
    """Return what torch computes in float64; None where the module cannot be run so."""
    try:
        taken = as_called(network, inputs)
        wide = [x.astype(np.float64) if x.dtype == np.float32 else x for x in taken]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own deprecations
            module = copy.deepcopy(network.module).double()
        return reference(module, wide, network.keywords)
    except Exception:  # a module that says its type by itself, or cannot be copied
        return None


def _are_in_range(network: Network, inputs: Sequence[np.ndarray], outputs: Outputs) -> bool:
    """Tell whether no output is infinite, or no number, by float32's range alone."""
    if all(np.isfinite(output).all() for output in outputs):
        return True
    exact = _exact(network, inputs)
    return exact is None or all(
        np.array_equal(np.isfinite(wide), np.isfinite(output))
        for wide, output in zip(exact, outputs, strict=True)
    )


def _are_same(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether two outputs are equal but for the order in which threads add."""
    if one.shape != other.shape:
        return False
    if not np.issubdtype(one.dtype, np.floating):
        return np.array_equal(one, other)
    return np.allclose(one, other, rtol=1e-3, atol=1e-4 * _largest(other), equal_nan=True)


def _largest(array: np.ndarray) -> float:
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max()) if finite.size else 0.0


def _array(output: torch.Tensor) -> np.ndarray:
    """Return an output as an array that nothing else writes to."""
    if output.dtype == torch.bfloat16:
        raise UserError("the model returns bfloat16, which numpy has not; return it as .float()")
    if not is_plain(output):
        kind = "nested" if output.is_nested else str(output.layout).removeprefix("torch.")
        kind = "quantized" if output.is_quantized else "meta" if output.is_meta else kind
        raise UserError(f"the model returns a tensor that is {kind}; return a dense one of numbers")
    return output.detach().resolve_conj().resolve_neg().numpy().copy()


@contextmanager
def _buffers_kept(module: torch.nn.Module) -> Iterator[None]:
    """Give the buffers back what they held before, be they written to or replaced."""
    kept = [
        (layer, name, buffer, buffer.clone())
        for layer in module.modules()
        for name, buffer in layer._buffers.items()
        if buffer is not None
    ]
    try:
        yield
    finally:
        for layer, name, buffer, values in kept:
            layer._buffers[name] = buffer
            if not torch.equal(buffer, values):
                buffer.data.copy_(values)


@contextmanager
def _weights_disturbed(module: torch.nn.Module, seed: int, rounding: float) -> Iterator[None]:
    """Have the weights off by what rounding does, each relatively."""
    generator = torch.Generator().manual_seed(seed)
    kept = [
        (weight, weight.clone())
        for weight in module.state_dict().values()
        if weight.is_floating_point()
    ]
    try:
        for weight, _ in kept:
            weight.mul_(1 + rounding * torch.randn(weight.shape, generator=generator))
        yield
    finally:
        for weight, values in kept:
            weight.copy_(values)
