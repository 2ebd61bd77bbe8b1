"""Resizing in kernels against torch: channels first and last, up and down."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from executed import assembly_of
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import graph, result_of
from torch.nn import functional as F
from tvm import relax

from tvmlcnn import pipeline
from tvmlcnn.graph.constants import constant
from tvmlcnn.graph.resample import resample
from tvmlcnn.ops.resampling import adaptive_average, interpolation
from tvmlcnn.targets import DEVICES

X86 = DEVICES["x86"].with_cores(2)
few = settings(max_examples=15, deadline=None, derandomize=True)
size = st.integers(1, 13)
MODES = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}


def tables(data: Sequence[int], outputs: Sequence[int], mode: str) -> dict[int, object]:
    pairs = zip(data, outputs, strict=True)
    if mode == "average":
        return {axis: adaptive_average(*pair) for axis, pair in enumerate(pairs, 2)}
    return {axis: interpolation(*pair, mode) for axis, pair in enumerate(pairs, 2)}


def expected(data: np.ndarray, outputs: Sequence[int], mode: str) -> np.ndarray:
    tensor = torch.tensor(data)
    if mode == "average":
        return F.adaptive_avg_pool2d(tensor, list(outputs)).numpy()
    return F.interpolate(tensor, list(outputs), mode=MODES[mode]).numpy()


@few
@given(
    rows=size,
    columns=size,
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    channels=st.sampled_from([1, 3, 8, 20]),
    batch=st.integers(1, 2),
    mode=st.sampled_from(["nearest", "linear", "cubic", "average"]),
    last=st.booleans(),
)
def test_a_map(
    rows: int,
    columns: int,
    height: int,
    width: int,
    channels: int,
    batch: int,
    mode: str,
    last: bool,
) -> None:
    data = np.random.default_rng(0).standard_normal((batch, channels, rows, columns))
    data = data.astype("float32")

    def define(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
        if last:
            weight = np.zeros((channels, channels, 1, 1), "float32")
            weight[range(channels), range(channels)] = 1
            x = builder.emit(relax.op.nn.conv2d(x, constant(weight)))
        y = resample(x, tables((rows, columns), (height, width), mode))
        return relax.op.nn.relu(builder.emit(y))

    result, kernels = result_of(graph([data.shape], define), [data], X86)
    wanted = np.maximum(expected(data, (height, width), mode), 0)
    np.testing.assert_allclose(result, wanted, rtol=0, atol=5e-6)
    assert kernels.get("resample", 0) == ((rows, columns) != (height, width))


def test_many_taps_are_a_loop() -> None:
    data = np.random.default_rng(0).standard_normal((1, 5, 90, 80)).astype("float32")
    module = graph([data.shape], lambda _, x: resample(x, tables((90, 80), (2, 3), "average")))
    result, _ = result_of(module, [data], X86)
    np.testing.assert_allclose(result, expected(data, (2, 3), "average"), rtol=0, atol=1e-6)


def test_volumes() -> None:
    data = np.random.default_rng(0).standard_normal((2, 3, 4, 5, 6)).astype("float32")
    module = graph([data.shape], lambda _, x: resample(x, tables((4, 5, 6), (7, 10, 3), "linear")))
    result, _ = result_of(module, [data], X86)
    wanted = F.interpolate(torch.tensor(data), (7, 10, 3), mode="trilinear").numpy()
    np.testing.assert_allclose(result, wanted, rtol=0, atol=1e-6)


def test_integers_are_moved() -> None:
    data = np.arange(24, dtype="int64").reshape(1, 2, 3, 4)
    module = graph(
        [data.shape], lambda _, x: resample(x, tables((3, 4), (6, 8), "nearest")), "int64"
    )
    result, _ = result_of(module, [data], X86)
    np.testing.assert_array_equal(result, data.repeat(2, 2).repeat(2, 3))


def test_channels_in_planes_stay_where_they_are() -> None:
    """Between convolutions nothing is gathered or transposed."""

    weight = np.random.default_rng(0).standard_normal((8, 32, 1, 1)).astype("float32")

    def define(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
        parts = [
            builder.emit(relax.op.nn.conv2d(x, constant(weight[:, :16].repeat(2, 0))))
            for _ in range(2)
        ]
        both = builder.emit(relax.op.concat(parts, 1))
        larger = builder.emit(resample(both, tables((8, 8), (16, 16), "nearest")))
        return relax.op.nn.conv2d(larger, constant(weight))

    data = np.random.default_rng(1).standard_normal((1, 16, 8, 8)).astype("float32")
    result, kernels = result_of(graph([data.shape], define), [data], X86)
    first = F.conv2d(torch.tensor(data), torch.tensor(weight[:, :16].repeat(2, 0)))
    both = F.interpolate(torch.cat([first, first], 1), scale_factor=2)
    wanted = F.conv2d(both, torch.tensor(weight)).numpy()
    np.testing.assert_allclose(result, wanted, rtol=0, atol=1e-3)
    assert kernels["resample"] == 1


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_channels_are_vectors(mode: str) -> None:
    module = graph(
        [(1, 40, 40, 64)],
        lambda _, x: resample(x, {1: interpolation(40, 80, mode), 2: interpolation(40, 80, mode)}),
    )
    text = assembly_of(pipeline.run(module, X86), X86)
    assert len(re.findall(r"vmovups\s.*%ymm", text)) >= 4
    assert not re.findall(r"vmulss\s|vfmadd\w+ss\s", text)
