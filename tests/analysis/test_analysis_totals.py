"""Published parameters and multiply-adds of whole networks, counted from their graphs."""

import pytest
from zoo_analyses import RELEASED, analysis_of, count, millions

# Seconds each; a smaller one of the family is always counted.
HEAVY = {
    "densenet121",
    "densenet169",
    "densenet201",
    "mobilenet_v3_large",
    "resnet101",
    "resnext101_32x8d",
    "shufflenet_v2_x1_5",
    "shufflenet_v2_x2_0",
}


def slow_if(heavy, *values):
    return pytest.param(*values, marks=[pytest.mark.slow] if heavy else [])


@pytest.mark.long
@pytest.mark.parametrize("name", [slow_if(name in HEAVY, name) for name in RELEASED])
def test_released_networks(name):
    total = analysis_of(name).total
    assert (total.parameters, round(total.macs / 1e9, 3)) == RELEASED[name]


@pytest.mark.long
@pytest.mark.parametrize(
    ("options", "macs", "parameters"),
    [
        ("width=1", 569, 4.2),
        ("width=0.75", 325, 2.6),
        ("width=0.5", 149, 1.3),
        ("width=0.25", 41, 0.5),
        ("resolution=192", 418, 4.2),
        # Printed 290, which 290.68 M gives when it is cut.
        ("resolution=160", 291, 4.2),
        ("resolution=128", 186, 4.2),
        ("shallow=true", 307, 2.9),
        # Printed 4866, which leaves the 1.02 M of the classifier out; the other rows have it.
        ("full_convolution=true", 4867, 29.3),
    ],
)
def test_mobilenet_v1(options, macs, parameters):
    total = analysis_of(f"mobilenet_v1?{options}").total
    assert (millions(total.macs), millions(total.parameters, 1)) == (macs, parameters)


@pytest.mark.long
@pytest.mark.parametrize(("groups", "macs"), [(1, 143), (2, 140), (3, 137), (4, 133), (8, 137)])
def test_shufflenet_v1_complexity(groups, macs):
    # The table leaves the classifier out: only then do all five agree.
    analysis = analysis_of(f"shufflenet_v1?groups={groups}")
    assert millions(analysis.total.macs - analysis.kinds["fc"].macs) == macs


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "macs"),
    [
        ("scale=2", 524),
        ("scale=1.5", 292),
        # Printed 527; the paper does not say where the squeeze-and-excitation sits.
        ("scale=2&squeeze_excitation=true", 526),
        # Printed 38, one figure for all groups.
        ("scale=0.5&groups=4", 37),
    ],
)
def test_shufflenet_v1_scale(options, macs):
    name = f"shufflenet_v1?{options}"
    assert millions(analysis_of(name).total.macs) == macs
    assert analysis_of(name).total.parameters == count(name).parameters


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("densenet_cifar?growth=12&depth=40", 1.0),
        slow_if(True, "densenet_cifar?growth=12&depth=100", 7.0),
        slow_if(True, "densenet_cifar?growth=24&depth=100", 27.2),
        slow_if(True, "densenet_bc_cifar?growth=12&depth=100", 0.8),
        slow_if(True, "densenet_bc_cifar?growth=24&depth=250", 15.3),
        slow_if(True, "densenet_bc_cifar?growth=40&depth=190", 25.6),
        slow_if(True, "preresnet_cifar?depth=164", 1.7),
        # Printed 10.2, which leaves batch norm out.
        slow_if(True, "preresnet_cifar?depth=1001", 10.3),
    ],
)
def test_cifar_parameters(name, published):
    assert millions(analysis_of(name).total.parameters, 1) == published


@pytest.mark.parametrize(
    "pair",
    [(1, 64), slow_if(True, (2, 40)), slow_if(True, (4, 24)), slow_if(True, (8, 14)), (32, 4)],
)
def test_resnext_pairs_cost_what_resnet_50_costs(pair):
    analysis = analysis_of("resnext50?cardinality={}&width={}".format(*pair))
    plain = analysis_of("resnet50")
    assert analysis.total.macs == pytest.approx(plain.total.macs, rel=0.05)
    assert analysis.total.parameters == pytest.approx(plain.total.parameters, rel=0.025)
    grouped = analysis.kinds.get("grouped")
    assert (grouped is not None and grouped.layers == 16) == (pair[0] > 1)


def test_resnet_and_resnext_of_the_papers():
    # 25.5 M and 25.0 M parameters leave batch norm out; 4.1 and 4.2 G.
    plain, grouped = analysis_of("resnet50"), analysis_of("resnext50_32x4d")
    weights = [a.total.parameters - a.kinds["norm"].parameters for a in (plain, grouped)]
    assert [millions(number, 1) for number in weights] == [25.5, 25.0]
    assert [round(a.total.macs / 1e9, 1) for a in (plain, grouped)] == [4.1, 4.2]
