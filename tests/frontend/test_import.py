"""The graph of a torch module: its inputs, outputs and layers, by name."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tvmlcnn.errors import UserError
from tvmlcnn.frontend import Graph, import_graph, random_inputs, reference
from tvmlcnn.frontend.trial_inputs import image_input
from tvmlcnn.runtime.manifest import TensorSpec
from tvmlcnn.runtime.preprocessing import Preprocessing

SHAPE = (1, 3, 6, 6)


def imported(module: nn.Module, *shapes: tuple[int, ...]) -> Graph:
    return import_graph(
        module.eval(), random_inputs([tuple(shape) for shape in shapes or (SHAPE,)])
    )


def names(module: nn.Module) -> list[str]:
    """Return the names of the variables that hold what a layer computes, in order."""
    main = imported(module).mod["main"]
    found = [str(binding.var.name) for block in main.body.blocks for binding in block.bindings]
    return [name for name in found if ":" in name]


class Several(nn.Module):
    def forward(self, image: torch.Tensor, scale: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"scaled": image * scale, "mean": image.mean((1, 2, 3))}


def test_inputs_and_outputs() -> None:
    graph = imported(Several(), SHAPE, (3, 1, 1))
    assert graph.inputs == (
        TensorSpec("image", SHAPE, "float32"),
        TensorSpec("scale", (3, 1, 1), "float32"),
    )
    assert graph.outputs == (
        TensorSpec("scaled", SHAPE, "float32"),
        TensorSpec("mean", (1,), "float32"),
    )


def test_a_single_output() -> None:
    graph = imported(nn.Flatten())
    assert graph.outputs == (TensorSpec("output", (1, 108), "float32"),)
    assert len(graph.mod["main"].params) == 1


class Block(nn.Module):
    """A child, a call of it a second time, and an operator of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(self.conv(x))


def test_layers_are_called_by_their_paths() -> None:
    """What a module does besides its children is told by the operator."""
    assert names(nn.Sequential(Block(), nn.ReLU())) == [
        "_0.conv:convolution",
        "_0.conv:convolution_1",
        "_0:add:add",
        "_1:relu",
    ]


def test_what_the_network_itself_does_has_no_path() -> None:
    class Net(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(x).mean((2, 3))

    assert names(Net()) == ["_relu:relu", "_mean:mean"]


def test_steps_of_a_layer_are_the_layer_s() -> None:
    """A bias is an operator in Relax; a normalization is one of three results."""
    found = names(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)))
    assert {name.split(":")[0] for name in found} == {"_0", "_1"}
    assert len(found) == len(set(found)) > 2


def test_weights_are_constants_and_inference_s() -> None:
    """Dropout is left out, and nothing is asked for but the input."""
    main = imported(nn.Sequential(nn.Linear(6, 2), nn.Dropout())).mod["main"]
    assert len(main.params) == 1
    assert "dropout" not in str(main.script(show_meta=False))


def test_what_torch_computes() -> None:
    """Outputs are flattened in the order in which the graph has them."""
    image, scale = random_inputs([SHAPE, (3, 1, 1)])
    scaled, mean = reference(Several(), [image, scale])
    np.testing.assert_allclose(scaled, image * scale)
    np.testing.assert_allclose(mean, image.mean((1, 2, 3)), rtol=1e-5)


class Words(nn.Module):
    def forward(self, x: torch.Tensor) -> list[object]:
        return [x, "words"]


class Branches(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


class Determinant(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.det(x)


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


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            Branches(),
            r"torch.export cannot export the model \(test_import.py:\d+\): its control flow",
        ),
        (Determinant(), r"linalg_det.* \(test_import.py:\d+: return .*\) cannot be compiled: "),
    ],
)
def test_what_cannot_be_imported(module: nn.Module, message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        imported(module)
    assert "\n" not in str(raised.value)


def test_random_inputs_are_the_same_each_time() -> None:
    first, second = random_inputs([SHAPE, (2, 5)]), random_inputs([SHAPE, (2, 5)])
    assert [array.shape for array in first] == [SHAPE, (2, 5)]
    for one, other in zip(first, second, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first[0], random_inputs([SHAPE], seed=1)[0])


def test_a_picture_is_normalized_as_a_photo_is() -> None:
    """Values of 0 to 1 less the mean, over the deviation; neighbours are alike."""
    how = Preprocessing(mean=(0.0, 0.5, 0.0), std=(1.0, 1.0, 0.5))
    picture = image_input((1, 3, 24, 40), how)
    assert picture.shape == (1, 3, 24, 40)
    assert picture.dtype == np.float32
    for channel, (low, high) in enumerate([(0, 1), (-0.5, 0.5), (0, 2)]):
        values = picture[0, channel]
        assert low <= values.min() < values.max() <= high
        assert np.abs(np.diff(values)).mean() < np.ptp(values) / 8
    assert np.array_equal(
        image_input((1, 3, 8, 8), None), image_input((1, 3, 8, 8), Preprocessing())
    )
