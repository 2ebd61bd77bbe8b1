"""What a call of a model returns where the network returns several tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


class Outputs(tuple):
    """The outputs in order, to be had by name too: ``result[0]``, ``result["boxes"]``.

    A name is the key under which a dict of the torch module has the tensor; inside of other
    collections with the keys and places that lead there before it: ``"0.boxes"``. What has only a
    place is called ``output0`` and so on.

    Attributes
    ----------
    names : tuple of str
    """

    names: tuple[str, ...]

    def __new__(cls, arrays: Iterable[np.ndarray], names: Sequence[str]) -> Outputs:
        """Return the arrays, one for each name."""
        result = super().__new__(cls, arrays)
        result.names = tuple(names)
        return result

    def __getitem__(self, key: Any) -> Any:
        """Return an output by its place or its name."""
        if not isinstance(key, str):
            return super().__getitem__(key)
        if key not in self.names:
            raise KeyError(f"{key!r} is none of the outputs {', '.join(self.names)}")
        return super().__getitem__(self.names.index(key))

    def __getnewargs__(self) -> tuple[tuple[np.ndarray, ...], tuple[str, ...]]:
        """Return what a copy is made of."""
        return tuple(self), self.names

    def as_dict(self) -> dict[str, np.ndarray]:
        """Return the outputs by name."""
        return dict(zip(self.names, self, strict=True))
