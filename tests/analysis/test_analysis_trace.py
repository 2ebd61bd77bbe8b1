"""Layers of small networks against counts by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tvmlcnn.analysis import analyze
from tvmlcnn.errors import UserError


def layers_of(module, *shapes):
    return [row.layer for row in analyze(module, input_shapes=list(shapes)).rows]


def forward(function, *children):
    """A module that computes the function of its children and an input."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.children_ = nn.ModuleList(children)

        def forward(self, *inputs):
            return function(*self.children_, *inputs)

    return Net().eval()


@pytest.mark.parametrize(
    ("module", "kind", "parameters", "macs", "access"),
    [
        # 1x8x6x6 floats are 1152 bytes. Outputs times taps; input, output and weights in bytes.
        (nn.Conv2d(8, 16, 3, padding=1), "full", 1168, 16 * 36 * 8 * 9, 1152 + 2304 + 4 * 1168),
        (nn.Conv2d(8, 16, 1, bias=False), "pointwise", 128, 16 * 36 * 8, 1152 + 2304 + 512),
        (nn.Conv2d(8, 8, 3, 2, 1, groups=8), "depthwise", 80, 8 * 9 * 9, 1152 + 288 + 320),
        (nn.Conv2d(8, 16, 3, 1, 1, groups=8), "depthwise", 160, 16 * 36 * 9, 1152 + 2304 + 640),
        (nn.Conv2d(8, 16, 1, groups=4), "grouped", 48, 16 * 36 * 2, 1152 + 2304 + 192),
        (nn.Conv2d(8, 16, 5, 1, 2, groups=2), "grouped", 1616, 16 * 36 * 100, 1152 + 2304 + 6464),
        (nn.ConvTranspose2d(8, 4, 2, 2), "full", 132, 8 * 36 * 4 * 4, 1152 + 2304 + 528),
        (nn.Conv2d(8, 8, 6, groups=8, bias=False), "depthwise", 288, 288, 1152 + 32 + 1152),
        (nn.Linear(6, 5), "fc", 35, 8 * 6 * 6 * 5, 1152 + 960 + 140),
        (nn.MaxPool2d(2), "pool", 0, 0, 1152 + 288),
        (nn.AdaptiveAvgPool2d(1), "pool", 0, 0, 1152 + 32),
        (nn.ReLU(), "elementwise", 0, 0, 2 * 1152),
        (nn.ReLU6(inplace=True), "elementwise", 0, 0, 2 * 1152),
        (nn.Hardswish(), "elementwise", 0, 0, 2 * 1152),
        (nn.PReLU(8), "elementwise", 8, 0, 2 * 1152 + 32),
        (nn.BatchNorm2d(8), "norm", 16, 0, 2 * 1152 + 4 * 32),
        (nn.ChannelShuffle(4), "shuffle", 0, 0, 2 * 1152),
        (nn.PixelShuffle(2), "shuffle", 0, 0, 2 * 1152),
        (nn.ZeroPad2d(1), "pad", 0, 0, 1152 + 2048),
        (nn.Softmax(1), "other", 0, 0, 2 * 1152),
    ],
)
def test_one_layer(module, kind, parameters, macs, access):
    (layer,) = layers_of(module.eval(), (1, 8, 6, 6))
    assert (layer.kind, layer.parameters, layer.macs) == (kind, parameters, macs)
    assert layer.access_bytes == access
    assert layer.access_bytes == layer.activation_bytes + layer.weight_reads


@settings(max_examples=15, deadline=None)
@given(
    groups=st.integers(1, 4),
    per_group=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
    size=st.integers(3, 9),
    batch=st.integers(1, 2),
)
def test_any_convolution(groups, per_group, kernel, stride, size, batch):
    c1, c2 = (groups * channels for channels in per_group)
    conv = nn.Conv2d(c1, c2, kernel, stride, groups=groups, bias=False)
    (layer,) = layers_of(conv, (batch, c1, size, size))
    out = (size - kernel) // stride + 1
    weights = c2 * per_group[0] * kernel**2
    assert layer.macs == batch * out**2 * weights
    assert layer.parameters == weights
    assert layer.access_bytes == 4 * (batch * (c1 * size**2 + c2 * out**2) + weights)
    assert (layer.kernel, layer.groups) == ((kernel, kernel), groups)


def test_concat_reads_and_writes_all():
    (layer,) = layers_of(forward(lambda x, y: torch.cat([x, y], 1)), (1, 3, 4, 4), (1, 5, 4, 4))
    assert (layer.kind, layer.access_bytes) == ("concat", 2 * 8 * 16 * 4)


def test_views_are_no_layers():
    net = forward(
        lambda drop, x: drop(x).flatten(2).transpose(1, 2).reshape(1, 6, 6, 8).chunk(2, 3)[0],
        nn.Dropout(),
    )
    assert layers_of(net, (1, 8, 6, 6)) == []


def test_a_reshape_that_must_copy_is_a_shuffle():
    (layer,) = layers_of(forward(lambda x: x.transpose(1, 2).flatten(1)), (1, 8, 6, 6))
    assert (layer.op, layer.kind) == ("flatten", "shuffle")


def test_a_view_is_read_in_part_and_a_broadcast_once():
    half = forward(lambda x: torch.relu(x[:, :2]))
    assert layers_of(half, (1, 8, 6, 6))[0].access_bytes == 2 * 2 * 36 * 4
    scale = forward(lambda x, s: x * s.expand(1, 8, 6, 6))
    assert layers_of(scale, (1, 8, 6, 6), (1, 8, 1, 1))[0].access_bytes == 2 * 1152 + 32


def test_an_operand_given_twice_is_read_once():
    assert layers_of(forward(lambda x: x * x), (1, 8, 6, 6))[0].access_bytes == 2 * 1152


def test_shared_weights_are_counted_once_and_read_each_time():
    conv = nn.Conv2d(8, 8, 1, bias=False)
    first, second = layers_of(forward(lambda conv, x: conv(conv(x)), conv), (1, 8, 6, 6))
    assert (first.parameters, second.parameters) == (64, 0)
    assert (first.weight_bytes, second.weight_bytes) == (256, 0)
    assert first.weight_reads == second.weight_reads == 256


def test_unused_modules_do_not_count():
    net = forward(lambda conv, unused, x: conv(x), nn.Conv2d(8, 8, 1), nn.Linear(50, 50))
    assert analyze(net, input_shapes=[(1, 8, 6, 6)]).total.parameters == 72


def test_what_is_computed_from_weights_alone_is_no_layer():
    conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(8, 4, 3, bias=False))
    (layer,) = layers_of(conv, (1, 8, 6, 6))
    assert (layer.kind, layer.parameters) == ("full", 4 * 8 * 9 + 4)
    assert layer.weight_reads == 4 * 4 * 8 * 9


def test_batch_norm_folds_into_the_convolution_that_only_it_reads():
    conv, norm = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)
    shape = (1, 8, 6, 6)
    folded = layers_of(forward(lambda c, n, x: n(c(x)), conv, norm), shape)[1]
    assert (folded.folded, folded.access_bytes, folded.parameters) == (True, 0, 16)
    assert folded.weight_bytes == 4 * 4 * 8  # scale, shift, mean and variance are in the file
    shared = layers_of(forward(lambda c, n, x: (y := c(x)) + n(y), conv, norm), shape)[1]
    assert not shared.folded
    returned = layers_of(forward(lambda c, n, x: (y := c(x), n(y)), conv, norm), shape)[1]
    assert not returned.folded
    in_front = layers_of(forward(lambda c, n, x: c(n(x)), conv, norm), shape)[0]
    assert (in_front.folded, in_front.access_bytes) == (False, 2 * 1152 + 128)


def test_names_are_of_modules_and_differ():
    net = nn.Sequential(nn.Conv2d(8, 8, 1), nn.LocalResponseNorm(3))
    names = [layer.name for layer in layers_of(net.eval(), (1, 8, 6, 6))]
    assert names[0] == "0"
    assert names[1:] == [f"1.{op}" for op in ("mul", "pad", "avg_pool3d", "mul#2", "add")] + [
        "1.pow",
        "1.div",
    ]
    relu, conv = nn.ReLU(), nn.Conv2d(8, 8, 1)
    reused = forward(lambda r, c, x: r(c(r(c(x)) + 1)), relu, conv)
    names = [layer.name for layer in layers_of(reused, (1, 8, 6, 6))]
    assert names == ["children_.1", "children_.0", "add", "children_.1#2", "children_.0#2"]


def test_a_saved_program_counts_like_its_module(tmp_path, small_net):
    shape = (1, 3, 32, 32)
    program = torch.export.export(small_net, (torch.zeros(shape),))
    torch.export.save(program, tmp_path / "net.pt2")
    assert analyze(str(tmp_path / "net.pt2")).rows == analyze(small_net, input_shapes=[shape]).rows


def test_nothing_is_computed():
    # 2 TB of activations: only a net that is not run has them.
    with torch.device("meta"):
        net = nn.Conv2d(3, 1000, 3, padding=1)
        total = analyze(net, input_shapes=[(8, 3, 8192, 8192)]).total
    assert total.macs == 8 * 8192**2 * 1000 * 27


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((1, 4, 6, 6), "shape 1x4x6x6: .*8 channels.*give another shape"),
        ((1, 8, 0, 6), r"\(1, 8, 0, 6\) has a size that is no positive number"),
    ],
)
def test_shapes_that_do_not_fit(shape, said):
    with pytest.raises(UserError, match=said):
        analyze(nn.Conv2d(8, 8, 1), input_shapes=[shape])
