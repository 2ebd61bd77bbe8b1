"""The graph of a torch module: its inputs, outputs and layers, by name."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tvmlcnn.errors import UserError
from tvmlcnn.frontend import Graph, import_graph, random_inputs
from tvmlcnn.runtime.manifest import TensorSpec

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


class Branches(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


class Determinant(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.det(x)


class Resizes(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.resize_(1)


class Writes(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.weight.data.mul_(0.5)
        return super().forward(x)


class Named(nn.Module):
    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"\ud800": x + 1}


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Resizes(), "torch.export cannot export the model: "),
        (Writes(6, 6), "the model: forward writes to a parameter or a constant; have it"),
        (Named(), r"the name of an output is no text: '\\ud800'"),
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
