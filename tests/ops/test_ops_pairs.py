"""Sums of products that are added in pairs, as they are defined, against torch."""

from __future__ import annotations

import numpy as np
import pytest
from codes import sums
from definitions import computed
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tvmlcnn import ops
from tvmlcnn.ops import Tile, Window

few = settings(max_examples=12, deadline=None, derandomize=True)


@pytest.mark.parametrize("products", [4, 8, 16])
def test_a_weight_stands_where_its_lane_multiplies_its_code(products: int) -> None:
    """Lanes take the pairs of a pixel's codes in turns, all the same ones as the other lanes."""
    tile, inner = Tile(2, 3, 4), 2 * products
    weight = np.arange(inner * 12).reshape(inner, 12)
    packed = ops.pack(weight, tile, products, paired=True)
    assert packed.shape == (1, 2, products // 4, 3, 2, 4, 2)
    for turn, vector, half, lane in np.ndindex(products // 4, 3, 2, 4):
        pair = (turn + half * products // 4 + lane) % (products // 2)
        wanted = weight[products + 2 * pair :, 4 * vector + lane][:2]
        np.testing.assert_array_equal(packed[0, 1, turn, vector, half, lane], wanted)


@few
@given(
    loads=st.integers(1, 3),
    outer=st.integers(1, 20),
    products=st.sampled_from([4, 8, 16]),
    rows=st.integers(1, 9),
    pixels=st.integers(1, 4),
    vectors=st.integers(1, 3),
)
def test_dense(loads: int, outer: int, products: int, rows: int, pixels: int, vectors: int) -> None:
    generator, tile = np.random.default_rng(rows), Tile(pixels, vectors, 4)
    codes = generator.integers(-128, 128, (rows, loads * products), dtype=np.int8)
    weight = generator.integers(-127, 128, (loads * products, outer), dtype=np.int8)
    found = computed(
        lambda data, packed: ops.dense(
            data,
            packed,
            shape=(rows, outer),
            window=Window(),
            tile=tile,
            products=products,
            paired=True,
        ),
        codes,
        ops.pack(weight, tile, products, paired=True),
    )
    np.testing.assert_array_equal(found, codes.astype(np.int64) @ weight.astype(np.int64))


@few
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.sampled_from([2, 3, 5]),
    padding=st.integers(0, 4),
    strides=st.integers(1, 2),
    dilation=st.integers(1, 2),
    zero=st.sampled_from([-128, 0, 127]),
    planes=st.integers(1, 2),
)
@example(size=(1, 1), kernel=3, padding=1, strides=1, dilation=1, zero=-128, planes=1)
@example(size=(2, 3), kernel=5, padding=4, strides=2, dilation=2, zero=127, planes=1)
def test_depthwise(
    size: tuple[int, int],
    kernel: int,
    padding: int,
    strides: int,
    dilation: int,
    zero: int,
    planes: int,
) -> None:
    """The codes around the maps count as zero does, also where whole rows lie there."""
    side = dilation * (kernel - 1) + 1
    if min(size) + 2 * padding < side:
        padding = side
    window = Window((strides,) * 2, (padding,) * 4, (dilation,) * 2)
    generator = np.random.default_rng(sum(size))
    codes = generator.choice([-128, -1, 127], (planes, *size, 8)).astype(np.int8)
    weight = generator.choice([-127, 3, 127], (planes, kernel, kernel, 8)).astype(np.int8)
    found = computed(
        lambda data, packed, beside: ops.depthwise_pairs(
            data, packed, beside, (kernel, kernel), window, zero=zero
        ),
        codes,
        *ops.pack_depthwise_pairs(weight, 4, window, zero),
    )
    options = {"strides": strides, "padding": padding, "dilation": dilation, "groups": 8}
    for plane in range(planes):
        raw = np.pad(codes[plane], [(padding, padding), (padding, padding), (0, 0)],
                     constant_values=zero).transpose(2, 0, 1)[None]  # fmt: skip
        taps = weight[plane].transpose(2, 0, 1)[:, None]
        wanted = sums(raw, taps, 0, **(options | {"padding": 0}))
        np.testing.assert_array_equal(found[plane], wanted[0].transpose(1, 2, 0))
