"""Convolutions, transposed ones among them, as torch has them."""

from __future__ import annotations

from typing import Any

import torch
from drawn import check, lists_of, many, normal
from hypothesis import given
from hypothesis import strategies as st
from together import Case
from torch.nn import functional as F

_FORWARD = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@st.composite
def convolutions(draw: st.DrawFn, transposed: bool = False) -> Case:
    rank = draw(st.integers(1, 3))

    def each(low: int, high: int) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank))

    groups, inner, outer = (draw(st.sampled_from(n)) for n in ([1, 1, 2, 4], [1, 3, 8], [1, 2, 5]))
    kernel, dilation, stride, padding = each(1, 3), each(1, 2), each(1, 3), each(0, 2)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    sizes = [max(n, r) for n, r in zip(each(1, 9), reach, strict=True)]
    batch = draw(st.sampled_from([[], [1], [2]]))
    options: dict[str, Any] = {"stride": stride, "dilation": dilation, "groups": groups}
    if transposed:
        limits = zip(stride, dilation, strict=True)
        options["output_padding"] = [draw(st.integers(0, max(both) - 1)) for both in limits]
        padding = [
            min(p, ((n - 1) * s + r - 1) // 2)
            for p, n, s, r in zip(padding, sizes, stride, reach, strict=True)
        ]
        shape = [groups * inner, outer, *kernel]
    else:
        shape = [groups * outer, inner, *kernel]
    weight = normal(*shape, seed=1)
    bias = normal(groups * outer, seed=2) if draw(st.booleans()) else None
    operator = (_TRANSPOSED if transposed else _FORWARD)[rank]

    def convolve(data: torch.Tensor) -> torch.Tensor:
        return operator(data, weight, bias, padding=padding, **options)

    data = normal(*batch, groups * inner, *sizes)
    name = f"{tuple(data.shape)} {tuple(shape)} padding={padding} {options} {bias is not None}"
    return Case(name, convolve, (data,))


@given(lists_of(convolutions()))
@many
def test_convolutions(cases: list[Case]) -> None:
    check(cases)


@given(lists_of(convolutions(transposed=True)))
@many
def test_transposed_convolutions(cases: list[Case]) -> None:
    check(cases)


def test_padding_by_name_and_weights_that_are_inputs() -> None:
    data, weight = normal(1, 4, 9, 7), normal(6, 4, 3, 4, seed=1)
    check(
        [
            Case("same", lambda x: F.conv2d(x, weight, padding="same"), (data,)),
            Case("valid", lambda x: F.conv2d(x, weight, padding="valid"), (data,)),
            Case("input", lambda x, w: F.conv2d(x, w, stride=2), (data, weight)),
        ]
    )
