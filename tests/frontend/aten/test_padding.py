"""Padding in all modes, by less than nothing too."""

from __future__ import annotations

from drawn import check, lists_of, many, normal
from hypothesis import given
from hypothesis import strategies as st
from together import Case
from torch.nn import functional as F


@st.composite
def paddings(draw: st.DrawFn) -> Case:
    mode = draw(st.sampled_from(["constant", "reflect", "replicate", "circular"]))
    rank = draw(st.integers(1, 3))
    sizes = draw(st.lists(st.integers(3, 7), min_size=rank, max_size=rank))
    batched = draw(st.booleans())
    data = normal(*([2, 3] if batched else [3]), *sizes)
    # What is cut must leave something; a mirror, and a turn, are no longer than the map.
    limits = [number for size in reversed(sizes) for number in (size - 1, size - 1)]
    widths = [draw(st.integers(-1, limit)) for limit in limits]
    if mode == "constant" and draw(st.booleans()):
        widths += [draw(st.integers(0, 2)), draw(st.integers(-1, 2))]
    value = draw(st.sampled_from([0.0, 1.5])) if mode == "constant" else None
    name = f"{tuple(data.shape)} {mode} {widths} {value}"
    return Case(name, lambda x: F.pad(x, widths, mode, value), (data,))


@given(lists_of(paddings(), 32))
@many
def test_padding(cases: list[Case]) -> None:
    check(cases)
