"""Vectors of TVM's expressions, taken apart and put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import tvm
from tvm import tirx
from tvm.ir import Expr
from tvm.tirx import Broadcast, Cast, Shuffle

_WORD = 4  # bytes of an int32


def lanes_of(value: Expr) -> int:
    """Return how many numbers an expression has."""
    return int(tvm.DataType(str(value.ty.dtype)).lanes)


def scalar_of(value: Expr) -> str:
    """Return the type of one of an expression's numbers."""
    return str(value.ty.dtype).partition("x")[0]


def filled(scalar: Expr, lanes: int) -> Expr:
    """Return a number as a vector of so many, or as it is where that is one."""
    return Broadcast(scalar, lanes) if lanes > 1 else scalar


def shuffled(vectors: Sequence[Expr], order: Iterable[int]) -> Expr:
    """Return numbers of vectors, counted through all of them, as one vector."""
    return Shuffle(list(vectors), [tirx.const(place, "int32") for place in order])


def joined(vectors: Sequence[Expr]) -> Expr:
    """Return vectors one after the other as one."""
    if len(vectors) == 1:
        return vectors[0]
    return shuffled(vectors, range(sum(map(lanes_of, vectors))))


def pieces(vector: Expr, width: int) -> list[Expr]:
    """Return a vector as vectors of ``width`` lanes."""
    lanes = lanes_of(vector)
    if lanes == width:
        return [vector]
    return [shuffled([vector], range(n, n + width)) for n in range(0, lanes, width)]


def in_turns(vectors: Sequence[Expr]) -> Expr:
    """Return the first numbers of all vectors, then the second ones, and so on."""
    lanes, count = lanes_of(vectors[0]), len(vectors)
    return shuffled(vectors, (n * lanes + lane for lane in range(lanes) for n in range(count)))


def fill_words(vectors: Sequence[Expr]) -> bool:
    """Tell whether integers of as many vectors fill a word of 32 bits."""
    kind = tvm.DataType(scalar_of(vectors[0]))
    return kind.itemsize < _WORD == kind.itemsize * len(vectors) and "int" in str(kind)


def words_in_turns(vectors: Sequence[Expr]) -> Expr:
    """Return the same as `in_turns` of integers that fill words, each of them shifted in words.

    x86 widens what it loads for the price of a shuffle, and shifts and combines words on other
    ports; shuffles of bytes alone would be three times as many.
    """
    lanes, dtype = lanes_of(vectors[0]), scalar_of(vectors[0])
    bits, count = 8 * _WORD // len(vectors), len(vectors)
    words = [
        _shifted(vector, number * bits, bits, lanes)
        for number, vector in enumerate(vectors)
        if not _is_zero(vector)
    ]
    if not words:
        return filled(tirx.const(0, dtype), count * lanes)
    whole = words[0]
    for word in words[1:]:
        whole = tirx.bitwise_or(whole, word)
    return tirx.reinterpret(f"{dtype}x{count * lanes}", whole)


def _shifted(vector: Expr, places: int, bits: int, lanes: int) -> Expr:
    """Return integers of so many bits in words, so many places up."""
    word = Cast(f"int32x{lanes}", tirx.reinterpret(f"uint{bits}x{lanes}", vector))
    return tirx.shift_left(word, filled(tirx.const(places, "int32"), lanes)) if places else word


def _is_zero(vector: Expr) -> bool:
    scalar = vector.value if isinstance(vector, Broadcast) else None
    return isinstance(scalar, tirx.IntImm) and int(scalar) == 0
