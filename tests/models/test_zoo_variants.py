"""The published figures of widths, depths and ablations, which are options of the names."""

import pytest
from zoo_counts import count, on_meta, parameters


def millions(value, digits=0):
    return round(value / 1e6, digits)


@pytest.mark.parametrize(
    ("options", "macs", "published"),
    [
        ("width=1", 569, 4.2),
        ("width=0.75", 325, 2.6),
        ("width=0.5", 149, 1.3),
        ("width=0.25", 41, 0.5),
        ("resolution=192", 418, 4.2),
        ("resolution=128", 186, 4.2),
        ("shallow=true", 307, 2.9),
    ],
)
def test_mobilenet_v1(options, macs, published):
    counts = count(f"mobilenet_v1?{options}")
    assert (millions(counts.macs), millions(counts.parameters, 1)) == (macs, published)


def test_mobilenet_v1_at_160():
    # 290.68 M, printed as 290: cut, not rounded.
    assert count("mobilenet_v1?resolution=160").macs // 10**6 == 290


def test_mobilenet_v1_with_full_convolutions():
    # Printed 4866 M is the convolutions alone; the 1.02 M of the fully connected layer, which the
    # paper's other rows include, make it 4867.
    counts = count("mobilenet_v1?full_convolution=true")
    assert millions(counts.macs - counts.classifier_macs) == 4866
    assert millions(counts.macs) == 4867
    assert millions(counts.parameters, 1) == 29.3


@pytest.mark.parametrize(
    ("width", "macs", "weights"),
    [(1.4, 582, 6.06), (0.75, 209, 2.61), (0.35, 59, 1.66)],
)
def test_mobilenet_v2_width(width, macs, weights):
    # The authors' released list, whose parameters leave batch norm out.
    counts = count(f"mobilenet_v2?width={width}")
    assert (millions(counts.macs), millions(counts.weights, 2)) == (macs, weights)


@pytest.mark.parametrize(("groups", "macs"), [(1, 143), (2, 140), (3, 137), (4, 133), (8, 137)])
def test_shufflenet_v1_groups(groups, macs):
    # The complexity table leaves the fully connected layer out: all five then agree.
    counts = count(f"shufflenet_v1?groups={groups}")
    assert millions(counts.macs - counts.classifier_macs) == macs


@pytest.mark.parametrize(
    ("options", "macs"),
    [
        ("scale=2", 524),
        ("scale=1.5", 292),
        # 526.49; where the squeeze-and-excitation sits, and with it the last 0.5, is not printed.
        ("scale=2&squeeze_excitation=true", 526),
        # Printed 140 here and 137 in the complexity table, of one net: 138.37, 136.83 without the
        # fully connected layer.
        ("groups=8", 138),
        # Printed 38, one figure for all groups.
        ("scale=0.5&groups=1", 39),
        ("scale=0.5&groups=2", 39),
        ("scale=0.5&groups=3", 38),
        ("scale=0.5&groups=4", 37),
        # 12 channels of a stem do not divide by 8 groups; 16 do, and cost 2 M.
        ("scale=0.5&groups=8", 40),
        # Printed 13, one figure for all groups.
        ("scale=0.25&groups=1", 13),
        ("scale=0.25&groups=2", 14),
        ("scale=0.25&groups=3", 13),
        ("scale=0.25&groups=4", 14),
        ("scale=0.25&groups=8", 16),
        # Printed 40 for half the units at 0.5, but half the units leave half the work; the paper
        # must have widened them again, to about 0.725.
        ("scale=0.5&shallow=true", 22),
        ("scale=0.725&shallow=true", 40),
    ],
)
def test_shufflenet_v1_scale(options, macs):
    assert millions(count(f"shufflenet_v1?{options}").macs) == macs


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("densenet_cifar?growth=12&depth=40", 1.0),
        ("densenet_cifar?growth=12&depth=100", 7.0),
        ("densenet_cifar?growth=24&depth=100", 27.2),
        ("densenet_bc_cifar?growth=12&depth=100", 0.8),
        ("densenet_bc_cifar?growth=24&depth=250", 15.3),
        ("densenet_bc_cifar?growth=40&depth=190", 25.6),
        ("preresnet_cifar?depth=164", 1.7),
    ],
)
def test_cifar_parameters(name, published):
    net, _ = on_meta(name)
    assert millions(parameters(net), 1) == published


def test_preresnet_1001():
    # Printed 10.2 M leaves batch norm out; with it there are 10.3 M.
    net, _ = on_meta("preresnet_cifar?depth=1001")
    assert millions(parameters(net, batch_norm=False), 1) == 10.2
    assert millions(parameters(net), 1) == 10.3


@pytest.mark.parametrize(("cardinality", "width"), [(1, 64), (2, 40), (4, 24), (8, 14), (32, 4)])
def test_resnext_pairs_cost_the_same(cardinality, width):
    counts = count(f"resnext50?cardinality={cardinality}&width={width}")
    plain = count("resnet50")
    assert counts.macs == pytest.approx(plain.macs, rel=0.05)
    assert counts.parameters == pytest.approx(plain.parameters, rel=0.025)


def test_resnext_of_the_paper():
    # 25.5 M of ResNet-50 and 25.0 M of ResNeXt-50; 4.1 G and 4.2 G.
    plain, grouped = count("resnet50"), count("resnext50?cardinality=32&width=4")
    assert (millions(plain.weights, 1), millions(grouped.weights, 1)) == (25.5, 25.0)
    assert (millions(plain.macs, -2), millions(grouped.macs, -2)) == (4100, 4200)
    assert grouped == count("resnext50_32x4d")
    assert count("resnext101?cardinality=32&width=8") == count("resnext101_32x8d")


def test_squeezenet_bypasses():
    # Identities cost nothing; complex ones add a 1x1 convolution around the fires 2, 4, 6 and 8.
    # The paper's 7.7 MB for them would be 2.0 M parameters; four such convolutions give 1.6 M.
    plain = count("squeezenet1_0")
    assert count("squeezenet1_0?bypass=simple").parameters == plain.parameters
    added = sum(i * o + o for i, o in [(96, 128), (128, 256), (256, 384), (384, 512)])
    assert count("squeezenet1_0?bypass=complex").parameters == plain.parameters + added
