"""Sorting of rows, whole or the first few: a merge sort, or a heap of those that are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tvm import te, tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from tvmlcnn.targets import FLOAT32

from .rows import Result, rows, variable, written

# Elements that fit half of a packed key beside their place in the row.
_PACKED = frozenset(
    {FLOAT32.name, "float16", "bfloat16", "int32", "int16", "int8", "uint8", "bool"}
)
_HEAP_PAYS = 4  # times as many elements as are kept: a heap then passes most of them by


def sort(data: te.Tensor, count: int, descending: bool, gpu: bool) -> list[te.Tensor]:
    """Return the first elements of each sorted row, and their places; then what was scratch.

    The order is total: equal elements in the order of their places, NaN above all numbers, as
    torch has it. An element of up to 32 bits and its place become one integer of 64 bits, so that
    a comparison is one; of wider ones the places are sorted, and what is there compared.

    Parameters
    ----------
    data : te.Tensor
        Shape (rows, n).
    count : int
        Elements that are wanted of each row, at most n.
    descending, gpu : bool

    Returns
    -------
    list of te.Tensor
        Elements, (rows, count); their places, int64 of the same shape; scratch.
    """
    number, size = (int(n) for n in data.shape)
    few = _HEAP_PAYS * count <= size
    scratch = (number, count) if few else (number, 2, size + 1)

    def body(source: Any, values: Any, places: Any, keys: Any) -> None:
        with rows(number, gpu) as row:
            key, before = _order(source, row, str(data.dtype), descending)
            if few:
                _keep_first(lambda i: (row, i), keys, key, before, size, count)
            else:
                _merge_sort(row, keys, key, before, size)
            last = _passes(size) % 2
            with T.serial(0, count) as i:
                found = keys[row, i] if few else keys[row, last, i]
                if str(data.dtype) in _PACKED:
                    found = tirx.bitwise_and(found, tirx.const(0xFFFFFFFF, "int64"))
                place = variable(found, "int64")
                places[row, i] = place[0]
                values[row, i] = source[row, tirx.Cast("int32", place[0])]

    wanted = (number, count)
    results = [Result(wanted, data.dtype), Result(wanted, "int64"), Result(scratch, "int64")]
    return written([body], [data], results, "sort")


Before = Callable[[Expr, Expr], Expr]


def _order(
    source: Any, row: Expr, dtype: str, descending: bool
) -> tuple[Callable[[Expr], Expr], Before]:
    """Return what stands for the element of a place, and whether one such is before another."""
    if dtype in _PACKED:

        def key(place: Expr) -> Expr:
            bits = _ordered(source[row, place], dtype)
            bits = tirx.bitwise_not(bits) if descending else bits
            high = tirx.shift_left(tirx.Cast("int64", bits), tirx.const(32, "int64"))
            return tirx.bitwise_or(high, tirx.Cast("int64", place))

        return key, lambda a, b: a < b

    def is_before(a: Expr, b: Expr) -> Expr:
        x, y = (_ordered(source[row, tirx.Cast("int32", place)], dtype) for place in (a, b))
        return tirx.any(x > y if descending else x < y, tirx.all(x == y, a < b))

    return lambda place: tirx.Cast("int64", place), is_before


def _ordered(value: Expr, dtype: str) -> Expr:
    """Return an integer that is in the order of the values: NaN last, the zeros equal.

    Bits of floating point numbers are in the order of the numbers where these are positive, and in
    the reverse of it where they are negative.
    """
    whole = "int64" if dtype.endswith("64") else "int32"
    if "float" not in dtype:
        return tirx.Cast(whole, value)
    value = tirx.Cast(whole.replace("int", "float"), value)
    bits = T.reinterpret(whole, value)
    largest = tirx.max_value(whole)
    bits = tirx.Select(bits < 0, tirx.bitwise_xor(bits, largest), bits)
    bits = tirx.Select(value == 0, tirx.const(0, whole), bits)
    return tirx.Select(tirx.isnan(value), largest, bits)


def _passes(size: int) -> int:
    return (size - 1).bit_length()


def _merge_sort(row: Expr, keys: Any, key: Any, before: Before, size: int) -> None:
    """Sort from the bottom up: runs of 1, 2, 4, ... elements are merged in pairs.

    Each pass reads one half of the scratch and writes the other. A merge takes one of two elements
    without a jump, which nothing could foresee; one element after the row is there to be read.
    """
    for half in (0, 1):
        keys[row, half, size] = tirx.const(0, "int64")
    with T.serial(0, size) as i:
        keys[row, 0, i] = key(i)
    with T.serial(0, _passes(size)) as step:
        width = tirx.shift_left(tirx.const(1, "int32"), step)
        source = tirx.bitwise_and(step, 1)
        with T.serial(0, tirx.floordiv(size + 2 * width - 1, 2 * width)) as pair:
            start = pair * 2 * width
            middle = variable(tirx.min(start + width, size), "int32")
            end = tirx.min(start + 2 * width, size)
            left = variable(start, "int32")
            right = variable(middle[0], "int32")
            with T.serial(0, end - start) as offset:
                a = variable(keys[row, source, left[0]], "int64")
                b = variable(keys[row, source, right[0]], "int64")
                more = tirx.any(right[0] >= end, tirx.Not(before(b[0], a[0])))
                first = variable(tirx.all(left[0] < middle[0], more), "int32")
                taken = tirx.Select(first[0] != 0, a[0], b[0])
                keys[row, 1 - source, start + offset] = taken
                left[0] = left[0] + first[0]
                right[0] = right[0] + 1 - first[0]


def _keep_first(
    at: Callable[[Expr], tuple[Expr, Expr]],
    heap: Any,
    key: Any,
    before: Before,
    size: int,
    count: int,
) -> None:
    """Keep the first elements in a heap, the last of them on top (Williams 1964), then sort it."""

    def sift(value: Expr, start: Expr, end: Expr) -> None:
        """Put a value where it belongs on the way down from a place that is free."""
        place, child = variable(start, "int32"), variable(2 * start + 1, "int32")
        with T.While(child[0] < end):
            second = tirx.min(child[0] + 1, end - 1)
            larger = before(heap[at(child[0])], heap[at(second)])
            child[0] = tirx.Select(larger, second, child[0])
            below = variable(heap[at(child[0])], "int64")
            with T.If(before(value, below[0])):
                with T.Then():
                    heap[at(place[0])] = below[0]
                    place[0] = child[0]
                    child[0] = 2 * child[0] + 1
                with T.Else():
                    child[0] = end
        heap[at(place[0])] = value

    with T.serial(0, count) as i:
        heap[at(i)] = key(i)
    with T.serial(0, count // 2) as i:
        value = variable(heap[at(count // 2 - 1 - i)], "int64")
        sift(value[0], count // 2 - 1 - i, tirx.const(count, "int32"))
    with T.serial(count, size) as i:
        value = variable(key(i), "int64")
        with T.If(before(value[0], heap[at(tirx.const(0, "int32"))])), T.Then():
            sift(value[0], tirx.const(0, "int32"), tirx.const(count, "int32"))
    with T.serial(0, count - 1) as i:
        end = count - 1 - i
        value = variable(heap[at(end)], "int64")
        heap[at(end)] = heap[at(tirx.const(0, "int32"))]
        sift(value[0], tirx.const(0, "int32"), end)
