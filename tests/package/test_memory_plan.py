"""Places of tensors: those used at the same time are apart, and all take little room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tvmlcnn.package.elf_object import ALIGNMENT
from tvmlcnn.package.memory_plan import Lifetime, plan_memory


@st.composite
def lifetimes(draw: st.DrawFn) -> Lifetime:
    first, length = draw(st.integers(0, 12)), draw(st.integers(0, 6))
    return Lifetime(draw(st.integers(0, 1000)), first, first + length)


def rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def together(a: Lifetime, b: Lifetime) -> bool:
    return a.first <= b.last and b.first <= a.last


@given(st.lists(lifetimes(), max_size=25))
def test_what_is_used_together_is_apart(tensors: list[Lifetime]) -> None:
    plan = plan_memory(tensors)
    assert len(plan.offsets) == len(tensors)
    assert all(offset % ALIGNMENT == 0 and offset >= 0 for offset in plan.offsets)
    placed = list(zip(tensors, plan.offsets, strict=True))
    for number, (a, start) in enumerate(placed):
        assert start + a.bytes <= plan.size
        for b, other in placed[:number]:
            if together(a, b) and a.bytes and b.bytes:
                assert start + a.bytes <= other or other + b.bytes <= start


@given(st.lists(lifetimes(), max_size=25))
def test_all_take_no_more_than_their_sum_and_no_less_than_the_peak(tensors: list[Lifetime]) -> None:
    size = plan_memory(tensors).size
    peak = max(
        (
            sum(rounded(tensor.bytes) for tensor in tensors if tensor.first <= at <= tensor.last)
            for at in range(20)
        ),
        default=0,
    )
    assert peak <= size <= sum(rounded(tensor.bytes) for tensor in tensors)


def test_gaps_are_used() -> None:
    """The smallest that is large enough, between tensors that are used meanwhile."""
    tensors = [Lifetime(640, 0, 1), Lifetime(512, 0, 4), Lifetime(128, 2, 2), Lifetime(600, 3, 4)]
    plan = plan_memory(tensors)
    assert plan.size == 640 + 512
    assert plan.offsets == (0, 640, 0, 0)
