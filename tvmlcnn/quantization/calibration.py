"""Inputs to calibrate with: photos, arrays, or noise."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tvmlcnn.errors import UserError, first_line
from tvmlcnn.files import refuse_special
from tvmlcnn.frontend.exported import Input
from tvmlcnn.frontend.trial_inputs import random_inputs
from tvmlcnn.input_form import size_of
from tvmlcnn.runtime.arrays import unread
from tvmlcnn.runtime.preprocessing import Preprocessing, fitted, normalized, read_frame

from .calibration_checks import IMAGE_AXES, Example, check_example, check_ranges, refused

RANDOM = "random"
MOST = 256
"""Examples that are used at most: ranges hardly move after a hundred photos, and a network of
60 ms takes half a minute for so many, here and once more where they are compared."""
_HELD_OUT = 4
"""One of so many is not observed, but shows what was lost. So a quarter, which is a share that
evaluations are often made of."""
_RANDOM_EXAMPLES = 32
_NOT_AN_IMAGE = {".txt", ".json", ".md", ".csv", ".xml", ".yaml", ".yml"}
"""What lies beside photos in data sets, and is passed over; anything else has to be readable."""


@dataclass(frozen=True)
class Calibration:
    """Inputs to observe a network on, and others to judge the result by.

    Attributes
    ----------
    observed, held_out : sequence of tuple of numpy.ndarray
        An array for each input of the network, of its shape. Where there is only one example it
        is both.
    source : str
        Where they come from, in words.
    is_random : bool
        Whether they are noise, which says little of the ranges that real inputs lead to.
    """

    observed: Sequence[Example]
    held_out: Sequence[Example]
    source: str
    is_random: bool = False


def calibration(
    given: Any,
    inputs: Sequence[Input],
    preprocessing: Preprocessing | None = None,
    names: Sequence[str] = (),
    frames: bool = False,
    fit: Callable[[np.ndarray], np.ndarray] = lambda array: array,
) -> Calibration:
    """Return what a user gives to calibrate with, as a network takes it.

    Parameters
    ----------
    given : str, Path, numpy.ndarray, mapping or iterable
        A folder of photos, which are preprocessed as `tvmlcnn run --image` does; a ``.npy`` file of
        shape (N, ...), or a ``.npz`` with such an array for each input, by their names, or in their
        order where it gives none; such arrays; an iterable of single inputs, or of tuples of them;
        or ``"random"``. Of more than `MOST` examples an even choice is taken.
    inputs : sequence of Input
        Of the network.
    preprocessing : Preprocessing, optional
        Of photos; by default ImageNet's.
    names : sequence of str
        Of the inputs, as ``forward`` calls them.
    frames : bool
        Whether the input is pictures as bytes, (N, height, width, channels).
    fit : callable
        Returns what the network is called with for an array that its file is given.

    Raises
    ------
    UserError
        If it is none of these, there is no example, one has another shape or elements that are no
        finite numbers, or all are constant.
    """
    how = preprocessing or Preprocessing()
    taken = _Taken(list(inputs), how, names, frames, fit)
    source, examples = _examples(given, taken)
    for number, example in enumerate(examples):
        check_example(example, inputs, f"{source}: example {number}")
    check_ranges(examples, inputs, frames, source)
    held = examples[_HELD_OUT - 1 :: _HELD_OUT] or examples[-1:]
    observed = [one for place, one in enumerate(examples) if place % _HELD_OUT != _HELD_OUT - 1]
    return Calibration(observed, held, source, isinstance(given, str) and given == RANDOM)


@dataclass(frozen=True)
class _Taken:
    """What `calibration` was told of the network."""

    inputs: Sequence[Input]
    how: Preprocessing
    names: Sequence[str]
    frames: bool
    fit: Callable[[np.ndarray], np.ndarray]


def _examples(given: Any, taken: _Taken) -> tuple[str, list[Example]]:
    if isinstance(given, str) and given == RANDOM:
        seeds = range(_RANDOM_EXAMPLES)
        return "random numbers", [tuple(random_inputs(taken.inputs, seed)) for seed in seeds]
    if isinstance(given, str) and not given:  # which pathlib has stand for the current folder
        raise refused("the name of the calibration data is empty")
    if isinstance(given, str | os.PathLike):
        return str(given), _of_path(Path(given), taken)
    if isinstance(given, Mapping):
        return "arrays", _of_named(given, taken, "calibration")
    if hasattr(given, "__array__"):
        return "arrays", _of_batch([np.asarray(given)], taken, "calibration")
    if not isinstance(given, Iterable):
        raise refused(f"calibration data is no {type(given).__name__}")
    # Of what has no end only as much is read as is used.
    found = [_of_item(item, taken) for item in itertools.islice(_silently(given), MOST)]
    if not found:
        raise refused("the calibration data is empty")
    return "arrays", found


def _of_path(path: Path, taken: _Taken) -> list[Example]:
    refuse_special(path)
    if path.is_dir():
        return _of_photos(path, taken)
    if not path.exists():
        raise refused(f"no such folder or file of calibration data: {path}")
    if path.suffix not in (".npy", ".npz"):
        raise refused(f"{path} is no folder of photos, .npy or .npz")
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = dict(loaded) if isinstance(loaded, Mapping) else loaded
    except Exception as error:  # numpy raises many types for a header that is damaged
        raise refused(f"{path} cannot be read: {unread(error)}") from error
    if isinstance(arrays, dict):
        return _of_named(arrays, taken, str(path))
    return _of_batch([arrays], taken, str(path))


def _of_photos(folder: Path, taken: _Taken) -> list[Example]:
    inputs, how, channels = taken.inputs, taken.how, 3 if taken.frames else 1
    pictures = len(inputs) == 1 and len(inputs[0].shape) == IMAGE_AXES
    if not pictures or inputs[0].shape[channels] != how.channels:
        shapes = ", ".join(size_of(one.shape) for one in inputs)
        raise refused(f"photos are for one input of RGB; the inputs are {shapes}: give a .npz")
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not path.name.startswith(".")
        and path.suffix.lower() not in _NOT_AN_IMAGE
    )
    shape = inputs[0].shape
    batch, height, width = shape[0], *(shape[1:3] if taken.frames else shape[2:])
    if not paths:
        raise refused(f"there are no photos in {folder}")
    chosen = _evenly(paths, MOST * batch)
    photos = [fitted(read_frame(path, how), (height, width), how) for path in chosen]
    each = photos if taken.frames else [normalized(photo, how) for photo in photos]
    return _of_batch([np.concatenate(each)], taken, str(folder))


def _of_named(arrays: Mapping[str, Any], taken: _Taken, source: str) -> list[Example]:
    """Return examples of arrays by name; those that numpy names are in order."""
    inputs, names = taken.inputs, taken.names
    if len(arrays) != len(inputs):
        raise refused(f"{source} has {len(arrays)} arrays, the model {len(inputs)} inputs")
    order = list(arrays)
    if not all(re.fullmatch(r"arr_\d+", name) for name in order):
        if set(order) != set(names):
            raise refused(
                f"{source} has arrays called {', '.join(order)}; the inputs are {', '.join(names)}"
            )
        order = list(names)
    return _of_batch([np.asarray(arrays[name]) for name in order], taken, source)


def _of_batch(arrays: Sequence[np.ndarray], taken: _Taken, source: str) -> list[Example]:
    """Return the examples that lie one after the other in arrays, one for each input."""
    inputs, arrays = taken.inputs, [taken.fit(array) for array in arrays]
    if len(arrays) != len(inputs):
        raise refused(f"{source} has {len(arrays)} arrays, the model {len(inputs)} inputs")
    each = [_parts(array, one.shape, source) for array, one in zip(arrays, inputs, strict=True)]
    counts = {len(parts) for parts in each}
    if len(counts) > 1:
        raise refused(f"{source}: the inputs have different numbers of examples")
    return _evenly(list(zip(*each, strict=True)), MOST)


def _parts(array: np.ndarray, shape: tuple[int, ...], source: str) -> list[np.ndarray]:
    """Return the inputs of a shape that an array holds along its first axis."""
    if not array.size:
        raise refused(f"{source} is empty")
    if array.shape[1:] == shape:
        return list(array)
    batch = shape[0] if shape else 1
    if array.ndim == len(shape) and array.shape[1:] == shape[1:] and len(array) >= batch:
        return [array[start : start + batch] for start in range(0, len(array) - batch + 1, batch)]
    wanted = "x".join(["N", *map(str, shape[1:])])
    raise refused(f"{source} is of shape {size_of(array.shape)}; the model takes {wanted}")


def _of_item(item: Any, taken: _Taken) -> Example:
    """Return the example that an iterable of a user's gives."""
    inputs = taken.inputs
    if isinstance(item, Mapping):
        named = set(taken.names) <= item.keys()
        item = [item[name] for name in taken.names] if named else list(item.values())
    each = item if isinstance(item, tuple | list) else [item]
    if len(each) < len(inputs):
        raise refused(f"an example has {len(each)} arrays, the model {len(inputs)} inputs")
    arrays = []
    for value, one in zip(each, inputs, strict=False):  # what follows may be labels
        array = taken.fit(np.asarray(value))
        if array.dtype.kind not in "biuf":
            raise refused(f"an example of {type(value).__name__} is no array of numbers")
        arrays.append(array[None] if array.shape == one.shape[1:] else array)
    return tuple(arrays)


def _silently(given: Iterable[Any]) -> Iterator[Any]:
    try:
        yield from given
    except UserError:
        raise
    except Exception as error:  # whatever the user's iterable raises
        raise refused(f"reading the calibration data raised {first_line(error)}") from error


def _evenly(items: Sequence[Any], most: int) -> list[Any]:
    """Return at most so many items, from all parts of what may be sorted by classes."""
    if len(items) <= most:
        return list(items)
    return [items[place * len(items) // most] for place in range(most)]
