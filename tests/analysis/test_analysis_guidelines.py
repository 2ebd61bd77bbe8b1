"""Each guideline broken by a network made for it, and by no other; the losses by hand."""

from math import sqrt

import pytest
import torch
from torch import nn
from zoo_analyses import analysis_of

from tvmlcnn.analysis import analyze

SHAPE = (1, 16, 32, 32)
HW = 32 * 32


def conv(c1, c2, kernel=1, **options):
    return nn.Conv2d(c1, c2, kernel, padding=kernel // 2, bias=False, **options)


class Parallel(nn.Module):
    """The sum of branches, or their concatenation."""

    def __init__(self, *branches, concat=True):
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.concat = concat

    def forward(self, x):
        results = [branch(x) for branch in self.branches]
        return torch.cat(results, 1) if self.concat else sum(results)


GOOD = [conv(16, 16), nn.BatchNorm2d(16), nn.ReLU(), conv(16, 16, 3), nn.ReLU()]
NETS = {
    "good": nn.Sequential(*GOOD),
    "G1": nn.Sequential(conv(16, 64), nn.ReLU(), conv(64, 16)),
    "G2": nn.Sequential(conv(16, 16, groups=4), nn.ReLU(), conv(16, 16, 3)),
    "G3": Parallel(conv(16, 16), conv(16, 16), conv(16, 16, 3), nn.MaxPool2d(3, 1, 1)),
    "G4": nn.Sequential(*(Parallel(conv(16, 16), nn.Identity(), concat=False) for _ in range(3))),
}


@pytest.mark.parametrize("broken", NETS)
def test_a_network_breaks_what_it_was_made_to_break(broken):
    analysis = analyze(NETS[broken].eval(), input_shapes=[SHAPE])
    found = {finding.guideline for finding in analysis.guidelines.findings}
    assert found == ({broken} if broken != "good" else set())


def test_g1_loss_is_the_excess_over_the_lower_bound():
    guidelines = analyze(NETS["G1"], input_shapes=[SHAPE]).guidelines
    # Equation 1: B = hw·c1·c2; MAC >= 2·sqrt(hw·B) + B/hw.
    cost = HW * (16 + 64) + 16 * 64
    least = 2 * sqrt(HW * HW * 16 * 64) + 16 * 64
    widen, narrow = guidelines.findings
    assert widen.loss == narrow.loss == pytest.approx(cost / least - 1, abs=1e-6)
    assert widen.bytes == round(4 * (cost - least))
    assert guidelines.excess_bytes == {"G1": 2 * widen.bytes, "G2": 0}
    assert (widen.layers, narrow.layers) == (("0",), ("2",))
    assert widen.detail == "16 to 64 channels at 32x32"


def test_g1_lower_bound_is_reached_by_equal_widths():
    assert analyze(conv(16, 16), input_shapes=[SHAPE]).guidelines.excess_bytes["G1"] == 0
    nearly = analyze(conv(16, 32), input_shapes=[SHAPE]).guidelines
    assert nearly.excess_bytes["G1"] > 0
    assert nearly.findings == ()


def test_g1_counts_the_pixels_that_a_strided_convolution_reads():
    strided = analyze(conv(16, 64, stride=2), input_shapes=[SHAPE]).guidelines
    half = analyze(conv(16, 64), input_shapes=[(1, 16, 16, 16)]).guidelines
    assert strided.excess_bytes == half.excess_bytes


@pytest.mark.parametrize(("groups", "kernel"), [(2, 1), (4, 1), (4, 3)])
def test_g2_loss_is_the_excess_over_one_group_at_equal_macs(groups, kernel):
    (finding,) = analyze(
        conv(16, 16, kernel, groups=groups), input_shapes=[SHAPE]
    ).guidelines.findings
    # Equation 2: one group that does as many multiply-adds has 16/groups output channels.
    same = analyze(conv(16, 16 // groups, kernel), input_shapes=[SHAPE]).total
    grouped = analyze(conv(16, 16, kernel, groups=groups), input_shapes=[SHAPE]).total
    assert grouped.macs == same.macs
    assert finding.bytes == grouped.access_bytes - same.access_bytes
    assert finding.loss == pytest.approx(finding.bytes / same.access_bytes)


def test_g3_names_what_runs_side_by_side():
    guidelines = analyze(NETS["G3"].eval(), input_shapes=[SHAPE]).guidelines
    (finding,) = guidelines.findings
    assert finding.layers == tuple(f"branches.{index}" for index in range(4))
    work = [4 * 2 * 16 * HW + 4 * weights for weights in (256, 256, 9 * 256, 0)]
    assert finding.loss == pytest.approx(1 - max(work) / sum(work))
    assert guidelines.branches == 4


def test_g3_takes_a_chain_and_a_shortcut_for_what_they_are():
    chain = nn.Sequential(conv(16, 16), conv(16, 16), conv(16, 16))
    assert analyze(chain, input_shapes=[SHAPE]).guidelines.branches == 1
    block = Parallel(chain, conv(16, 16), concat=False)
    assert analyze(block, input_shapes=[SHAPE]).guidelines.branches == 2


def test_g3_does_not_take_an_activation_for_a_kernel():
    branches = (conv(16, 16), nn.Sequential(nn.ReLU(), conv(16, 16)), conv(16, 16))
    assert analyze(Parallel(*branches), input_shapes=[SHAPE]).guidelines.branches == 3


def test_g4_share_is_of_the_bytes_that_are_moved():
    guidelines = analyze(NETS["G4"], input_shapes=[SHAPE]).guidelines
    feature_map, weights = 4 * 16 * HW, 4 * 256
    # As written an addition reads two maps and writes one; `sum` begins with 0 + its first term.
    written = 3 * feature_map + 2 * feature_map
    kernel = 2 * feature_map + weights
    assert guidelines.elementwise_share == pytest.approx(written / (written + kernel))
    assert guidelines.fused_elementwise_share == pytest.approx(feature_map / (feature_map + kernel))
    assert [finding.bytes for finding in guidelines.findings] == [feature_map] * 3
    assert sum(f.loss for f in guidelines.findings) == pytest.approx(
        guidelines.fused_elementwise_share
    )


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "broken"),
    [
        # Section 3 of the paper: ShuffleNet V2 is made to keep them. V1 has groups and bottlenecks,
        # MobileNet V2 inverted ones. (What the paper says of ReLUs on thick maps, fusing mends.)
        ("shufflenet_v2_x1_0", set()),
        ("shufflenet_v1?groups=3", {"G1", "G2", "G4"}),
        ("mobilenet_v2", {"G1"}),
        ("mobilenet_v1", set()),
        ("resnext50_32x4d", {"G1", "G2", "G4"}),
    ],
)
def test_known_networks(name, broken):
    found = {finding.guideline for finding in analysis_of(name).guidelines.findings}
    assert found == broken
