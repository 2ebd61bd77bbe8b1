"""Places of channels that a function of their number computes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tvm import tirx
from tvm.sym import Analyzer

from tvmlcnn.graph.regular_places import regular_places


def _computed(places: np.ndarray) -> list[int] | None:
    rule = regular_places(places.astype(np.int32))
    if rule is None:
        return None
    analyzer = Analyzer()
    return [
        int(analyzer.simplify(rule(tirx.const(channel, "int32")))) for channel in range(len(places))
    ]


@given(
    groups=st.integers(1, 6),
    of_one=st.integers(1, 9),
    first=st.integers(0, 7),
    gap=st.integers(0, 3),
)
def test_a_shuffle(groups: int, of_one: int, first: int, gap: int) -> None:
    """Of groups that lie together, or with unused channels between."""
    places = first + np.arange(groups)[:, None] * (of_one + gap) + np.arange(of_one)
    assert _computed(places.T.reshape(-1)) == places.T.reshape(-1).tolist()


@given(runs=st.lists(st.tuples(st.integers(0, 99), st.integers(1, 12)), min_size=1, max_size=8))
def test_few_runs(runs: list[tuple[int, int]]) -> None:
    places = np.concatenate([first + np.arange(count) for first, count in runs])
    computed = _computed(places)
    assert computed is None or computed == places.tolist()
    if all(count > 2 for _, count in runs):
        assert computed is not None


def test_what_is_irregular_is_looked_up() -> None:
    assert _computed(np.random.default_rng(0).permutation(40)) is None
