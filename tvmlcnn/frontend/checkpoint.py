"""How a training program's checkpoint can be read: where its state dict lies, and its names.

Training programs keep a state dict under a name of their own, beside counters, optimizers and a
moving average of the weights (EMA), and wrappers add prefixes: ``module.`` is DataParallel's,
``_orig_mod.`` that of ``torch.compile``, ``model.`` and ``net.`` those of Lightning modules.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch.nn.parameter import is_lazy

State = dict[str, torch.Tensor]

_DEPTH = 3  # {'model': {'ema': {'shadow': ...}}} is the deepest that training programs write
_AVERAGED = re.compile(r"(^|_)(ema|swa|averaged?)(_|$)")
_WRAPPERS = {"module", "_orig_mod", "model", "net", "network"}
"""What wrappers call the network; beside it they may have weights of their own, as of a loss."""
_INSIDE = ((), ("_orig_mod",), ("module",), ("_orig_mod", "module"))
"""Words that are left out wherever they stand: a part of a network may be wrapped by itself."""
_SHOWN = 4


@dataclass(frozen=True)
class Reading:
    """One way to read a checkpoint.

    Attributes
    ----------
    place : tuple of str
        Keys that lead to the state dict.
    prefix : str
        What the names begin with, as ``"module."``.
    inside : tuple of str
        Words that are left out of the names, wherever they stand.
    state : dict of str to torch.Tensor
        The weights, under names without the prefix and the words.
    left : tuple of str
        Names that do not begin with the prefix.
    """

    place: tuple[str, ...]
    prefix: str
    inside: tuple[str, ...]
    state: State
    left: tuple[str, ...]

    @property
    def averaged(self) -> bool:
        """Tell whether these are a moving average of the weights."""
        return any(_AVERAGED.search(name) for name in (*self.place, *self.prefix.split(".")))

    def __str__(self) -> str:
        parts = ["the EMA's"] if self.averaged else []
        if self.place:
            parts.append(f"under {'.'.join(self.place)!r}")
        if self.prefix:
            parts.append(f"without the prefix {self.prefix!r}")
        if self.inside:
            parts.append(f"without {' and '.join(map(repr, self.inside))} in the names")
        return ", ".join(parts)

    def unfit(self, wanted: Mapping[str, torch.Tensor]) -> list[str]:
        """Return what does not fit a module's state dict; nothing where all does."""
        # Counters of training; inference does not read them and older checkpoints lack them.
        state = {key: value for key, value in self.state.items() if not is_counter(key)}
        needed = [key for key in wanted if not is_counter(key)]
        found = [key for key in needed if key in state]
        strange = [key for key in state if key not in wanted]
        if any(not _wraps(word) for word in self.prefix.split(".")[:-1]):
            strange += [key for key in self.left if not is_counter(key)]
        problems = {
            "missing": [key for key in needed if key not in state],
            "extra": strange,
            "misshapen:": [
                f"{key} is {_size(state[key])}, the model's is {_size(wanted[key])}"
                for key in found
                if state[key].shape != wanted[key].shape
            ],
            "no plain tensors:": [key for key in found if not is_plain(state[key])],
            "of another type:": [
                f"{key} is {_type(state[key])}, the model's is {_type(wanted[key])}"
                for key in found
                if not _takes(wanted[key], state[key])
            ],
        }
        return [f"{what} {some(items)}" for what, items in problems.items() if items]

    def nearness(self, wanted: Mapping[str, torch.Tensor]) -> tuple[int, int]:
        """Return a value that is larger the more of a module's state dict fits."""
        found = [key for key in wanted if key in self.state]
        right = [key for key in found if self.state[key].shape == wanted[key].shape]
        return len(found) + len(right), -len(self.state)


def readings(content: object, wanted: Mapping[str, torch.Tensor]) -> list[Reading]:
    """Return all ways to read what a file holds; the plainest is the first."""
    found: list[Reading] = []
    for place, state in _states(content, (), set()):
        for inside in _INSIDE:
            named = {_without(inside, key): value for key, value in state.items()}
            if inside and (len(named) < len(state) or named.keys() == state.keys()):
                continue
            for prefix in _prefixes(named, wanted):
                within = {
                    key.removeprefix(prefix): value
                    for key, value in named.items()
                    if key.startswith(prefix)
                }
                left = tuple(key for key in named if not key.startswith(prefix))
                found.append(Reading(place, prefix, inside, within, left))
    return found


def distinct(found: list[Reading], wanted: Mapping[str, torch.Tensor]) -> list[Reading]:
    """Return readings without those that give the same values as one before them."""
    kept: list[Reading] = []
    for reading in found:
        if not any(_same(reading.state, former.state, wanted) for former in kept):
            kept.append(reading)
    return kept


def some(items: list[str]) -> str:
    """Return the first few items and how many more there are."""
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more


def is_counter(key: str) -> bool:
    """Tell whether a name is that of a counter of training."""
    return key.rpartition(".")[2] in ("num_batches_tracked", "n_averaged")


def is_plain(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor has a number at each place, in memory."""
    if is_lazy(tensor) or tensor.is_nested or tensor.is_quantized or tensor.is_meta:
        return False
    return tensor.layout == torch.strided


def _states(
    content: object, place: tuple[str, ...], seen: set[int]
) -> Iterator[tuple[tuple[str, ...], State]]:
    """Yield the dicts of tensors, with the keys that lead to each, the outermost first.

    One that lies in many places, as pickle can have it, is read in the first.
    """
    seen.add(id(content))
    if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
        return
    tensors = {k: value for k, value in content.items() if isinstance(value, torch.Tensor)}
    if tensors or not content:
        yield place, tensors
    if len(place) < _DEPTH:
        for key, value in content.items():
            if id(value) not in seen:
                yield from _states(value, (*place, key), seen)


def _prefixes(state: State, wanted: Mapping[str, torch.Tensor]) -> list[str]:
    """Return what names may begin with so that the rest is wanted; likelier ones first."""
    counts: Counter[str] = Counter({"": 1})
    for key in state:
        words = key.split(".")
        for first in range(1, len(words)):
            rest = ".".join(words[first:])
            if rest in wanted:
                counts[key.removesuffix(rest)] += 1
    return ["", *(prefix for prefix, _ in counts.most_common(8) if prefix)]


def _without(words: tuple[str, ...], key: str) -> str:
    return ".".join(word for word in key.split(".") if word not in words)


def _wraps(word: str) -> bool:
    return word in _WRAPPERS or _AVERAGED.search(word) is not None


def _same(one: State, other: State, wanted: Mapping[str, torch.Tensor]) -> bool:
    return all(
        one[key] is other[key] or torch.equal(one[key], other[key])
        for key in wanted
        if not is_counter(key)
    )


def _takes(wanted: torch.Tensor, given: torch.Tensor) -> bool:
    """Tell whether the values of a tensor mean the same in another one's element type."""
    if wanted.is_floating_point() or wanted.is_complex():
        return given.is_floating_point() or (given.is_complex() and wanted.is_complex())
    if wanted.dtype == torch.bool or given.dtype == torch.bool:
        return wanted.dtype == given.dtype
    return not given.is_floating_point() and not given.is_complex()


def _size(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def _type(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
