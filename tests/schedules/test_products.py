"""Products of computed matrices, and of tokens with weights, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import graph, relative_error, result_of
from torch import nn
from tvm import relax

from tvmlcnn.graph.constants import constant
from tvmlcnn.targets import DEVICES

X86 = DEVICES["x86"].with_cores(2)
few = settings(max_examples=15, deadline=None, derandomize=True)
size = st.integers(1, 70)


def check(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    arrays = [random.standard_normal(shape).astype("float32") for shape in (left, right)]

    def define(builder: relax.BlockBuilder, a: relax.Expr, b: relax.Expr) -> relax.Expr:
        product = builder.emit(relax.op.matmul(a, b))
        return relax.op.multiply(product, constant(np.float32(0.5)))

    result, kernels = result_of(graph([left, right], define), arrays, X86)
    wanted = np.matmul(*(array.astype("float64") for array in arrays)) / 2
    np.testing.assert_allclose(result, wanted, rtol=0, atol=1e-5)
    assert kernels == {"batched_product": 1}


@few
@given(
    batch=st.lists(st.integers(1, 3), max_size=2),
    shared=st.sampled_from(["neither", "left", "right"]),
    rows=size,
    depth=size,
    columns=size,
)
def test_products(batch: list[int], shared: str, rows: int, depth: int, columns: int) -> None:
    left = [] if shared == "left" else batch
    right = [1 for _ in batch] if shared == "right" else batch
    check((*left, rows, depth), (*right, depth, columns))


def test_weights_on_the_left() -> None:
    weight = np.random.default_rng(0).standard_normal((12, 20)).astype("float32")
    data = np.random.default_rng(1).standard_normal((2, 20, 30)).astype("float32")
    module = graph([data.shape], lambda _, x: relax.op.matmul(constant(weight), x))
    result, kernels = result_of(module, [data], X86)
    np.testing.assert_allclose(result, weight @ data, rtol=0, atol=1e-5)
    assert kernels == {"batched_product": 1}


@few
@given(
    outer=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    depth=size,
    channels=size,
)
def test_tokens_with_weights(outer: list[int], depth: int, channels: int) -> None:
    weight = np.random.default_rng(0).standard_normal((depth, channels)).astype("float32")
    bias = np.random.default_rng(1).standard_normal(channels).astype("float32")
    data = np.random.default_rng(2).standard_normal((*outer, depth)).astype("float32")

    def define(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
        product = builder.emit(relax.op.matmul(x, constant(weight)))
        return relax.op.nn.relu(builder.emit(relax.op.add(product, constant(bias))))

    result, kernels = result_of(graph([data.shape], define), [data], X86)
    np.testing.assert_allclose(result, np.maximum(data @ weight + bias, 0), rtol=0, atol=1e-5)
    assert kernels == {"dense": 1}


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.qkv, self.heads = nn.Linear(width, 3 * width), heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, width = x.shape
        parts = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q @ k.transpose(-2, -1)).softmax(-1)
        return (weights @ v).transpose(1, 2).reshape(batch, tokens, width)


@pytest.mark.parametrize("tokens", [49, 64])
def test_attention(tokens: int) -> None:
    error, kernels = relative_error(Attention(36, 3), (2, tokens, 36), X86)
    assert error < 1e-6
    assert kernels["batched_product"] == 2
    assert kernels["dense"] == 1
