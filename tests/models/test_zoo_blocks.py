"""The blocks against their formulas, written plainly."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tvmlcnn.models import (
    DenseLayer,
    Fire,
    GlobalDepthwiseConv,
    InvertedResidual,
    ShuffleUnit,
    ShuffleUnitV2,
    SqueezeExcitation,
    channel_shuffle,
    create,
)


@pytest.fixture(autouse=True)
def _repeatable():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


@given(groups=st.integers(1, 8), width=st.integers(1, 8), side=st.integers(1, 4))
def test_channel_shuffle_is_a_transposition(groups, width, side):
    x = np.arange(2 * groups * width * side**2).reshape(2, groups * width, side, side)
    seen = x.reshape(2, groups, width, side, side).transpose(0, 2, 1, 3, 4).reshape(x.shape)
    np.testing.assert_array_equal(channel_shuffle(torch.from_numpy(x), groups).numpy(), seen)


def test_channel_shuffle_deals_the_groups_out():
    x = torch.arange(6).reshape(1, 6, 1, 1)
    assert channel_shuffle(x, 2).flatten().tolist() == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize("gate", [nn.Sigmoid, nn.Hardsigmoid])
def test_squeeze_excitation(gate):
    block = SqueezeExcitation(8, 3, gate)
    x = torch.randn(2, 8, 5, 4)
    w1, b1, w2, b2 = (p.numpy().squeeze() for p in block.parameters())
    hidden = np.maximum(x.numpy().mean((2, 3)) @ w1.T + b1, 0)
    scale = hidden @ w2.T + b2
    scale = 1 / (1 + np.exp(-scale)) if gate is nn.Sigmoid else np.clip(scale + 3, 0, 6) / 6
    np.testing.assert_allclose(block(x).numpy(), x.numpy() * scale[:, :, None, None], rtol=1e-5)


@pytest.mark.parametrize("shuffle", [False, True])
def test_only_the_shuffle_lets_groups_exchange(shuffle):
    unit = ShuffleUnit(24, 24, groups=3, shuffle=shuffle).eval()
    x = torch.randn(1, 24, 6, 6)
    changed = x.clone()
    changed[:, :8] += 10  # the first group
    differs = (unit(x) - x != unit(changed) - changed).any(-1).any(-1)[0, 8:]
    assert differs.any() == shuffle


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 8])
def test_shuffle_unit_with_stride_appends_to_the_pooled_input(groups):
    unit = ShuffleUnit(24, 72, groups=groups, stride=2, group_first=False).eval()
    x = torch.randn(1, 24, 8, 8)
    y = unit(x)
    assert y.shape == (1, 72, 4, 4)
    torch.testing.assert_close(y[:, :24], torch.relu(nn.AvgPool2d(3, 2, 1)(x)))


def test_shuffle_unit_v2_passes_half_on():
    unit = ShuffleUnitV2(8, 8).eval()
    x = torch.randn(1, 8, 5, 5)
    y = unit(x)
    torch.testing.assert_close(y[:, 0::2], x[:, :4])
    torch.testing.assert_close(y[:, 1::2], unit.branch2(x[:, 4:]))


def test_global_depthwise_conv_is_a_weighted_mean():
    block = GlobalDepthwiseConv(4, 7).eval()
    x = torch.randn(2, 4, 7, 7)
    weights = block[0].weight.numpy()[:, 0]
    want = (x.numpy() * weights).sum((2, 3), keepdims=True) / np.sqrt(1 + 1e-5)
    np.testing.assert_allclose(block(x).numpy(), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bottleneck", [False, True])
def test_dense_layer_appends(bottleneck):
    x = torch.randn(1, 6, 4, 4)
    y = DenseLayer(6, 5, bottleneck).eval()(x)
    assert y.shape == (1, 11, 4, 4)
    torch.testing.assert_close(y[:, :6], x)


def test_fire_with_bypass_adds_its_input():
    fire = Fire(16, 4, 8).eval()
    x = torch.randn(1, 16, 4, 4)
    plain = fire(x)
    fire.bypass = nn.Identity()
    torch.testing.assert_close(fire(x), plain + x)


@pytest.mark.parametrize(
    ("out", "stride", "shortcut"), [(8, 1, True), (8, 2, False), (12, 1, False)]
)
def test_inverted_residual_adds_where_shapes_allow(out, stride, shortcut):
    block = InvertedResidual(8, out, stride).eval()
    x = torch.randn(1, 8, 6, 6)
    branch = block.conv(x)
    assert branch.shape == (1, out, 6 // stride, 6 // stride)
    torch.testing.assert_close(block(x), branch + x if shortcut else branch)


def test_response_norm_of_2012():
    # b = a / (k + alpha * sum over 5 neighbours of a^2)^beta: section 3.3 of the paper.
    x = np.random.default_rng(0).standard_normal((1, 9, 3, 3)).astype(np.float32) * 30
    squares = np.pad(x**2, ((0, 0), (2, 2), (0, 0), (0, 0)))
    window = sum(squares[:, i : i + 9] for i in range(5))
    with torch.device("meta"):
        norm = create("alexnet_grouped").module.features[2]
    np.testing.assert_allclose(
        norm(torch.from_numpy(x)).numpy(), x / (2 + 1e-4 * window) ** 0.75, rtol=1e-5
    )
