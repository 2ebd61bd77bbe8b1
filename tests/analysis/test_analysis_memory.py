"""Peak memory and fused traffic of small networks against counts by hand."""

import torch
from torch import nn
from zoo_analyses import analysis_of

from tvmlcnn.analysis import analyze

SHAPE = (1, 4, 8, 8)  # 1024 bytes


class Branches(nn.Module):
    """Two branches of different size that are concatenated."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(4, 8, 1)
        self.left = nn.Conv2d(8, 16, 2, 2)
        self.right = nn.MaxPool2d(2)
        self.head = nn.Conv2d(24, 4, 1)

    def forward(self, x):
        y = self.stem(x)
        return self.head(torch.relu(torch.cat([self.left(y), self.right(y)], 1)))


class Function(nn.Module):
    """A function of two 1x1 convolutions of 4 channels and the inputs."""

    def __init__(self, function):
        super().__init__()
        self.a, self.b = nn.Conv2d(4, 4, 1, bias=False), nn.Conv2d(4, 4, 1, bias=False)
        self.function = function

    def forward(self, *inputs):
        return self.function(self.a, self.b, *inputs)


def peak_of(function, *shapes):
    peak = analyze(Function(function), input_shapes=list(shapes or [SHAPE])).peak
    return peak.bytes, peak.layer


def moved(function, *shapes):
    """The fused traffic by operator, in maps of 1024 bytes, the weights of 64 left out."""
    rows = analyze(Function(function), input_shapes=list(shapes or [SHAPE])).rows
    return [(row.layer.op, (row.traffic - row.layer.weight_reads) / 1024) for row in rows]


def test_peak_of_branches():
    # stem: 1024 + 2048; left: 2048 + 1024, the input is gone; right: 2048 + 1024 + 512 is the
    # most; concat: 1024 + 512 + 1536, the stem's output is gone; ReLU in place; head: 1536 + 256.
    peak = analyze(Branches(), input_shapes=[SHAPE]).peak
    assert (peak.bytes, peak.layer) == (2048 + 1024 + 512, "right")


def test_peak_is_at_the_input_where_nothing_is_larger():
    net = nn.Conv2d(4, 1, 8)
    assert analyze(net, input_shapes=[SHAPE]).peak.bytes == 1024 + 4


def test_elementwise_layers_overwrite_an_operand_that_dies():
    assert peak_of(lambda a, b, x: torch.relu(a(x)) + x) == (2048, "a")


def test_they_overwrite_nothing_that_is_read_later_or_returned():
    read = peak_of(lambda a, b, x: (y := a(x)) * torch.sigmoid(y) + x)
    assert read == (3 * 1024, "sigmoid")
    returned = peak_of(lambda a, b, x: (y := a(x), torch.sigmoid(y), b(x)))
    assert returned == (4 * 1024, "b")


def test_they_do_not_overwrite_the_callers_input():
    assert peak_of(lambda a, b, x: torch.relu(x)) == (2048, "relu")


def test_what_overwrites_itself_in_the_graph_needs_no_more():
    assert peak_of(lambda a, b, x: torch.relu_(a(x))) == (2048, "a")


def test_a_shortcut_stays():
    assert peak_of(lambda a, b, x: x + b(a(x))) == (3 * 1024, "b")


def test_a_view_keeps_the_whole_alive():
    assert peak_of(lambda a, b, x: a(x)[:, :1] + b(b(x))) == (3 * 1024, "b")


def test_kernels_move_operands_weights_and_result():
    assert moved(lambda a, b, x: b(a(x))) == [("conv2d", 2), ("conv2d", 2)]
    (row,) = analyze(nn.Conv2d(4, 4, 1), input_shapes=[SHAPE]).rows
    assert row.traffic == 2048 + 4 * 20


def test_an_activation_is_free():
    assert moved(lambda a, b, x: b(torch.relu(a(x)))) == [("conv2d", 2), ("relu", 0), ("conv2d", 2)]
    swish = moved(lambda a, b, x: (y := a(x)) * torch.sigmoid(y))
    assert swish == [("conv2d", 2), ("sigmoid", 0), ("mul", 0)]
    before = moved(lambda a, b, x: a(torch.relu(x)))
    assert before == [("relu", 0), ("conv2d", 2)]


def test_an_addition_reads_its_shortcut():
    shortcut = moved(lambda a, b, x: torch.relu(a(x) + x))
    assert shortcut == [("conv2d", 2), ("add", 1), ("relu", 0)]
    both = moved(lambda a, b, x: torch.relu(a(x)) + torch.sigmoid(b(x)))
    assert both == [("conv2d", 2), ("relu", 0), ("conv2d", 2), ("sigmoid", 0), ("add", 1)]


def test_a_result_that_several_read_is_in_memory():
    # Each sum has two operands, but whoever reads it later reads one map.
    def sums(a, b, x, y):
        first, second = a(x) + x, b(y) + y
        return a(first), b(second), first + second

    assert moved(sums, SHAPE, SHAPE)[-1] == ("add", 1)
    once = moved(lambda a, b, x, y: (a(x) + x) + (b(y) + y), SHAPE, SHAPE)
    assert once[-1] == ("add", 2)


def test_a_scale_reads_its_factors():
    scaled = moved(lambda a, b, x: (y := a(x)) * y.mean((2, 3), keepdim=True))
    assert scaled == [("conv2d", 2), ("mean", 1 + 1 / 64), ("mul", 1 / 64)]


def test_copies_are_free():
    copied = moved(lambda a, b, x: torch.cat([a(x), b(x)], 1).transpose(2, 3).contiguous())
    assert copied == [("conv2d", 2), ("conv2d", 2), ("cat", 0), ("contiguous", 0)]


def test_a_network_without_kernels_reads_and_writes():
    assert moved(lambda a, b, x: torch.relu(x)) == [("relu", 2)]
    assert moved(lambda a, b, x: torch.sigmoid(torch.relu(x))) == [("relu", 0), ("sigmoid", 2)]


def test_fusing_leaves_what_kernels_and_shortcuts_move():
    analysis = analysis_of("mobilenet_v2")
    kinds = analysis.kinds
    # Ten shortcuts: 24 channels at 56², 2 of 32 at 28², 3 of 64 and 2 of 96 at 14², 2 of 160 at 7².
    shortcuts = 24 * 56**2 + 2 * 32 * 28**2 + (3 * 64 + 2 * 96) * 14**2 + 2 * 160 * 7**2
    assert kinds["elementwise"].traffic_bytes == 4 * shortcuts
    assert kinds["norm"].traffic_bytes == 0
    assert kinds["pointwise"].traffic_bytes == kinds["pointwise"].access_bytes
    assert analysis.total.traffic_bytes == sum(t.traffic_bytes for t in kinds.values())
