"""First layers on GPUs against torch; PoCL runs the kernels."""

from __future__ import annotations

from gpu_kernels import check, needs_nvcc, needs_runner, usage
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tvmlcnn.targets import DEVICES

pytestmark = needs_runner


@settings(max_examples=12, deadline=None)
@given(
    batch=st.integers(1, 2),
    inner=st.integers(1, 4),
    vectors=st.integers(1, 9),
    kernel=st.sampled_from([(1, 1), (3, 3), (5, 3), (7, 7)]),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    padding=st.integers(0, 2),
    size=st.integers(13, 20),
)
def test_any_first_layer(
    batch: int,
    inner: int,
    vectors: int,
    kernel: tuple[int, int],
    stride: int,
    dilation: int,
    padding: int,
    size: int,
) -> None:
    convolution = nn.Conv2d(inner, 4 * vectors, kernel, stride, padding, dilation)
    net = nn.Sequential(convolution, nn.Hardswish())
    check(net, (batch, inner, size, size + 1), "few_channels")


@needs_nvcc
def test_two_blocks_fit_a_multiprocessor() -> None:
    gpu = DEVICES["jetson-orin-nano"]
    for layer in (nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(3, 64, 7, 2, 3)):
        for taken in usage(nn.Sequential(layer, nn.ReLU()), (1, 3, 96, 96), gpu).values():
            assert taken.spilled == 0
            assert 2 * taken.registers * taken.threads <= gpu.registers


def test_more_channels_are_for_another_rule() -> None:
    check(nn.Conv2d(5, 8, 3), (1, 5, 12, 12), "few_channels", count=0)
