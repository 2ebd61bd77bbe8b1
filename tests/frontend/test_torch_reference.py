"""What torch computes, on which inputs, and where it is no reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tvmlcnn.errors import UserError
from tvmlcnn.frontend import doubt, random_inputs, reference, references, resolve
from tvmlcnn.targets import FLOAT32

SHAPE = (1, 3, 6, 6)


class Several(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x * y, x.mean((1, 2, 3))


class Apply(nn.Module):
    """A module of one function."""

    def __init__(self, function: Callable[[torch.Tensor], object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> object:
        return self.function(x)


def test_what_torch_computes() -> None:
    """Outputs are flattened in the order in which the graph has them."""
    image, scale = random_inputs([SHAPE, (3, 1, 1)])
    scaled, mean = reference(Several(), [image, scale])
    np.testing.assert_allclose(scaled, image * scale)
    np.testing.assert_allclose(mean, image.mean((1, 2, 3)), rtol=1e-5)


class Words(nn.Module):
    def forward(self, x: torch.Tensor) -> list[object]:
        return [x, "words"]


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Conv2d(4, 1, 1), "cannot take an input of shape 1x3x6x6: .*; give another shape"),
        (Words(), "the model returns list; only tensors can be compiled"),
    ],
)
def test_what_torch_cannot_run(module: nn.Module, message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        reference(module, random_inputs([SHAPE]))
    assert "\n" not in str(raised.value)


def test_the_input_stays_as_it_is() -> None:
    """A module that works in place gets an array of its own, and so does its result."""
    inputs = random_inputs([SHAPE])
    before = inputs[0].copy()
    (result,) = reference(Apply(lambda x: x.add_(1)), inputs)
    assert np.array_equal(inputs[0], before)
    assert np.array_equal(result, before + 1)


class Counting(nn.Module):
    """Its buffers change with each call: one in place, one is another tensor then."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(1))
        self.register_buffer("last", torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += 1
        self.last = x + self.last
        return self.last + self.seen


def test_the_state_stays_as_it_is() -> None:
    module = Counting()
    last = module.last
    first, second = (reference(module, random_inputs([(3,)])) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert (module.seen.item(), module.last is last) == (0, True)
    assert not module.last.any()


def test_a_result_that_is_a_weight_is_a_copy() -> None:
    net = nn.Linear(3, 1)
    (result,) = reference(Apply(lambda x: net.weight), random_inputs([(1, 3)]))
    expected = net.weight.detach().numpy().copy()
    net.weight.data += 1
    assert np.array_equal(result, expected)


def test_what_numpy_has_not() -> None:
    with pytest.raises(UserError, match=r"returns bfloat16, which numpy has not"):
        reference(Apply(lambda x: x.bfloat16()), random_inputs([(3,)]))


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (lambda x: x.to_sparse(), "sparse_coo"),
        (lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8), "quantized"),
        (lambda x: torch.nested.nested_tensor([x, x]), "nested"),
        (lambda x: x.to("meta"), "meta"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_of_other_kinds(function: Callable[[torch.Tensor], object], kind: str) -> None:
    with pytest.raises(UserError, match=f"returns a tensor that is {kind}; return a dense one"):
        reference(Apply(function), random_inputs([(3,)]))


def test_a_branch_is_run() -> None:
    """torch.cond goes by itself, though equals are sorted in their order."""
    net = Apply(lambda x: torch.cond(x.sum() > 0, torch.neg, torch.abs, (x,)))
    (result,) = reference(net, [np.ones(3, "f4")])
    assert result.tolist() == [-1, -1, -1]


def test_kinds_of_input() -> None:
    """One where nothing is compared; a picture where weights mean something, and it is one."""
    network = resolve(nn.Conv2d(3, 2, 1), [(1, 3, 8, 8)])
    every = ["random", "image", "uniform", "zeros", "large", "constant"]
    assert list(references(network, check=False, thorough=True, trained=True)) == ["random"]
    assert list(references(network, check=True, thorough=False, trained=True)) == every[:2]
    found = references(network, check=True, thorough=True, trained=True)
    assert list(found) == every
    for inputs, outputs in found.values():
        assert np.array_equal(outputs[0], reference(network.module, inputs)[0])
    several = resolve(Several(), [SHAPE, (3, 1, 1)])
    assert "image" not in references(several, check=True, thorough=True, trained=True)


@pytest.mark.parametrize(
    ("function", "lost"),
    [
        (lambda x: torch.exp(x), {"large"}),  # beyond float32's range, and not beyond float64's
        (lambda x: x ** (1 / 2.2), set()),  # no number in either
        (lambda x: torch.log(x), set()),
        (lambda x: torch.arange(9)[x.abs().max().long()], {"large"}),  # an index out of range
    ],
)
def test_inputs_that_torch_has_no_result_for(
    function: Callable[[torch.Tensor], object], lost: set[str]
) -> None:
    network = resolve(Apply(function), [(40,)])
    found = references(network, check=True, thorough=True, trained=False)
    assert {"random", "uniform", "zeros", "constant", "large"} - set(found) == lost


def test_values_of_0_to_1_where_noise_has_no_result() -> None:
    """Else nothing would be compared where there is time for one kind alone."""
    for function, kinds in ((torch.sqrt, ["random", "uniform"]), (torch.abs, ["random"])):
        network = resolve(Apply(function), [(40,)])
        assert list(references(network, check=True, thorough=False, trained=False)) == kinds


def test_other_rounding() -> None:
    """In float64, and for inputs that are a little off."""
    net = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4)).eval()
    inputs = random_inputs([(2, 6)])
    found = doubt(resolve(net, [(2, 6)]), inputs, reference(net, inputs), FLOAT32.rounding)
    assert found.exact is not None
    assert found.exact[0].dtype == np.float64
    assert net[0].weight.dtype == torch.float32
    expected = reference(net, inputs)[0]
    for other in (found.exact, *found.disturbed):
        assert 0 < np.abs(other[0] - expected).max() < 1e-4
    only_float = Apply(lambda x: x @ torch.ones(6, 2))
    given = reference(only_float, inputs)
    assert doubt(resolve(only_float, [(2, 6)]), inputs, given, FLOAT32.rounding).exact is None


def test_a_random_model_is_no_reference() -> None:
    module = Apply(lambda x: F.dropout(x, 0.5))
    inputs = random_inputs([(100,)])
    with pytest.raises(UserError, match="something else each time, for the same input; the model"):
        doubt(resolve(module, [(100,)]), inputs, reference(module, inputs), FLOAT32.rounding)


@pytest.mark.parametrize("largest", [True, False])
def test_equal_elements_stay_in_order(largest: bool) -> None:
    """As scores that saturate: torch leaves open which of them are the first."""
    places, in_order = reference(
        Apply(lambda x: (x.topk(3, dim=1, largest=largest)[1], x.sort(1)[1])),
        [np.ones((2, 500), np.float32)],
    )
    assert places.tolist() == [[0, 1, 2]] * 2
    assert in_order.tolist() == [list(range(500))] * 2
