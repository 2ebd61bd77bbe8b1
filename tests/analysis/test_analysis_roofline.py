"""The least time of layers against the two quotients that it is the larger of."""

import pytest
import torch
from torch import nn

from tvmlcnn.analysis import analyze
from tvmlcnn.errors import UserError
from tvmlcnn.targets import DEVICES, resolve

RPI4 = resolve("rpi4")  # 48 GFLOP/s, 12.8 GB/s: compute-bound from 3.75 operations a byte
RPI5 = resolve("rpi5")  # whose dot products add four bytes where float32 adds one number


def bounds_of(module, *shape):
    return [row.bound for row in analyze(module, RPI4, [shape]).rows]


def test_a_wide_convolution_is_compute_bound():
    (bound,) = bounds_of(nn.Conv2d(64, 64, 3, padding=1, bias=False), 1, 64, 32, 32)
    macs, moved = 64 * 64 * 9 * 1024, 4 * (2 * 64 * 1024 + 64 * 64 * 9)
    assert bound.compute_us == pytest.approx(2 * macs / 48e9 * 1e6)
    assert bound.memory_us == pytest.approx(moved / 12.8e9 * 1e6)
    assert (bound.limit, bound.us) == ("compute", bound.compute_us)


def test_a_depthwise_convolution_is_memory_bound():
    (bound,) = bounds_of(nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False), 1, 64, 32, 32)
    assert bound.compute_us < bound.memory_us
    assert (bound.limit, bound.us) == ("memory", bound.memory_us)


def test_what_is_fused_costs_nothing_by_itself():
    net = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU()).eval()
    bounds = bounds_of(net, 1, 4, 8, 8)
    assert [bound.limit for bound in bounds] == ["memory", "fused", "fused"]
    assert [bound.us for bound in bounds[1:]] == [0, 0]


def test_the_total_is_of_layers_one_after_the_other():
    # 2·9·16·16/(4·2·16) = 36 operations a byte at most, and 2·16·8/(4·24) at most.
    net = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1), nn.Conv2d(16, 16, 3, 1, 1, groups=16))
    analysis = analyze(net, RPI4, [(1, 16, 64, 64)])
    full, depthwise = [row.bound for row in analysis.rows]
    assert analysis.total.us == full.us + depthwise.us
    assert analysis.compute_bound_share == full.us / analysis.total.us
    assert analysis.kinds["depthwise"].us == depthwise.us
    assert analysis.limits.ridge == 3.75


def test_no_target_no_bounds():
    analysis = analyze(torch.nn.ReLU(), input_shapes=[(1, 2)])
    assert (analysis.limits, analysis.total.us, analysis.rows[0].bound) == (None, None, None)


@pytest.mark.parametrize("target", ["x86", "native", "cuda"])
def test_targets_without_figures(target):
    with pytest.raises(UserError, match=f"{target} has no figures.*rpi3, rpi4, rpi5") as raised:
        analyze("resnet101", resolve(target))
    named = str(raised.value).partition(": ")[2].split(", ")
    assert named == [name for name, device in DEVICES.items() if device.bandwidth_gbs]


def test_in_eight_bits_layers_move_a_quarter_at_the_peak_of_codes():
    net = nn.Sequential(nn.Conv2d(4, 64, 1), nn.Conv2d(64, 64, 3, padding=1), nn.Conv2d(64, 8, 1))
    analysis = analyze(net, RPI5, [(1, 4, 32, 32)], dtype="int8")
    assert (analysis.limits.peak_gflops, analysis.limits.unit) == (4 * RPI5.peak_gflops, "GOP/s")
    first, middle, last = [row.layer for row in analysis.rows]
    pixels = 32 * 32
    # What comes in and goes out is float32, and so are biases.
    assert first.access_bytes == pixels * (4 * 4 + 64) + 64 * 4 + 64 * 4
    assert middle.access_bytes == pixels * (64 + 64) + 64 * 64 * 9 + 64 * 4
    assert last.access_bytes == pixels * (64 + 8 * 4) + 64 * 8 + 8 * 4
    assert middle.macs == 64 * 64 * 9 * pixels
    assert analysis.rows[1].bound.compute_us == pytest.approx(
        2 * middle.macs / RPI5.peak_gflops / 4e3
    )
    assert analysis.peak.bytes == pixels * (64 + 64)


def test_sixteen_bits_halve_what_is_moved():
    net = nn.Sequential(nn.Conv2d(8, 8, 1, bias=False), nn.Conv2d(8, 8, 1, bias=False), nn.ReLU())
    whole, half = [
        analyze(net, input_shapes=[(1, 8, 16, 16)], dtype=dtype).rows[1].layer.access_bytes
        for dtype in ("float32", "bfloat16")
    ]
    assert whole == 2 * half


def test_integers_of_a_network_stay_as_they_are():
    class Index(nn.Module):
        def forward(self, x):
            return x.argmax(1).add(1).float()

    rows = analyze(Index(), input_shapes=[(1, 4, 8)], dtype="int8").rows
    assert [value.bytes for row in rows for value in row.layer.writes] == [8 * 8, 8 * 8, 8 * 4]


def test_types_that_there_are_not_or_a_target_has_not():
    with pytest.raises(UserError, match=r"no dtype 'int9'.*mean int8"):
        analyze(nn.ReLU(), input_shapes=[(1, 2)], dtype="int9")
    with pytest.raises(UserError, match="rpi4 computes nothing in bfloat16"):
        analyze(nn.ReLU(), RPI4, [(1, 2)], dtype="bfloat16")
