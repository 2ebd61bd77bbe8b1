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


RUNS = [(4, 2), (8, 2), (8, 4), (16, 2), (16, 4), (16, 8)]
"""Codes that are multiplied at a time, and products that are added in 16 bits."""


@pytest.mark.parametrize(("products", "run"), RUNS)
def test_a_weight_stands_where_its_lane_multiplies_its_code(products: int, run: int) -> None:
    """Lanes take the pairs of a pixel's codes in turns, all the same ones as the other lanes."""
    tile, inner = Tile(2, 3, 4), 2 * products
    weight = np.arange(inner * 12).reshape(inner, 12)
    packed = ops.pack(weight, tile, products, paired=run)
    assert packed.shape == (1, 2, products // 2 // run, 3, run, 4, 2)
    turns = packed.reshape(1, 2, -1, 3, run // 2, 2, 4, 2).swapaxes(3, 4)
    packed = turns.reshape(1, 2, products // 4, 3, 2, 4, 2)
    for turn, vector, half, lane in np.ndindex(products // 4, 3, 2, 4):
        pair = (turn + half * products // 4 + lane) % (products // 2)
        wanted = weight[products + 2 * pair :, 4 * vector + lane][:2]
        np.testing.assert_array_equal(packed[0, 1, turn, vector, half, lane], wanted)


@few
@given(
    loads=st.integers(1, 3),
    outer=st.integers(1, 20),
    products_and_run=st.sampled_from(RUNS),
    rows=st.integers(1, 9),
    pixels=st.integers(1, 4),
    vectors=st.integers(1, 3),
)
def test_dense(
    loads: int,
    outer: int,
    products_and_run: tuple[int, int],
    rows: int,
    pixels: int,
    vectors: int,
) -> None:
    products, run = products_and_run
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
            paired=run,
        ),
        codes,
        ops.pack(weight, tile, products, paired=run),
    )
    np.testing.assert_array_equal(found, codes.astype(np.int64) @ weight.astype(np.int64))


@few
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.sampled_from([2, 3, 5]),
    run=st.sampled_from([2, 3, 4, 25]),
    padding=st.integers(0, 4),
    strides=st.integers(1, 2),
    dilation=st.integers(1, 2),
    zero=st.sampled_from([-128, 0, 127]),
    planes=st.integers(1, 2),
)
@example(size=(1, 1), kernel=3, run=2, padding=1, strides=1, dilation=1, zero=-128, planes=1)
@example(size=(2, 3), kernel=5, run=3, padding=4, strides=2, dilation=2, zero=127, planes=1)
def test_depthwise(
    size: tuple[int, int],
    kernel: int,
    run: int,
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
    run = min(run, kernel * kernel)
    most = 255 // run
    weight = generator.choice([-most, 3, most], (planes, kernel, kernel, 8)).astype(np.int8)
    found = computed(
        lambda data, packed, beside: ops.depthwise_pairs(
            data, packed, beside, (kernel, kernel), run, window, zero=zero
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
