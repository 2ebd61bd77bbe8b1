"""Each form of MODEL, and what is known of the network that it stands for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tvmlcnn.errors import UserError
from tvmlcnn.frontend import resolve
from tvmlcnn.runtime.preprocessing import Preprocessing

NET = """
import torch
class Net(torch.nn.Linear):
    def __init__(self):
        super().__init__(4, 2)
def wide():
    from neighbour import WIDTH
    return torch.nn.Linear(4, WIDTH)
made = torch.nn.Linear(4, 3)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a file of networks, what it imports, and a package."""
    (tmp_path / "nets.py").write_text(NET)
    (tmp_path / "neighbour.py").write_text("WIDTH = 7")
    (tmp_path / "zoo_of_mine").mkdir()
    (tmp_path / "zoo_of_mine" / "nets.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("model", "name", "outputs"),
    [
        ("nets.py:Net", "Net", 2),
        ("nets.py:wide", "wide", 7),
        ("nets.py:made", "made", 3),
        ("zoo_of_mine.nets:Net", "Net", 2),
        ("zoo_of_mine/nets.py:made", "made", 3),
    ],
)
def test_a_factory_in_a_file_or_module(model: str, name: str, outputs: int, folder: Path) -> None:
    network = resolve(model, [(1, 4)])
    assert (network.name, network.source) == (name, model)
    assert network.module.out_features == outputs
    assert not network.module.training
    assert network.input_shapes == ((1, 4),)


def test_a_file_elsewhere_finds_its_neighbours(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert resolve(f"{folder}/nets.py:wide").module.out_features == 7


def test_a_module_and_what_it_says_of_itself() -> None:
    net = nn.Sequential(nn.Dropout())
    network = resolve(net)
    assert (network.name, network.source) == ("Sequential", "Sequential")
    assert isinstance(network.module[0], nn.Dropout)
    assert not network.module.training
    assert network.input_shapes == ((1, 3, 224, 224),)
    assert (network.preprocessing, network.labels, network.torchvision) == (None, None, None)
    net.preprocessing, net.labels = Preprocessing(crop_ratio=1.0), ("cat", 7)
    network = resolve(net)
    assert network.preprocessing == Preprocessing(crop_ratio=1.0)
    assert network.labels == ["cat", "7"]
    net.preprocessing, net.labels = "none", 7
    network = resolve(net)
    assert (network.preprocessing, network.labels) == (None, None)


def test_a_zoo_name_with_options() -> None:
    network = resolve("mobilenet_v1?width=0.25&resolution=96")
    assert network.name == "mobilenet_v1-width-0.25-resolution-96"
    assert network.source == "mobilenet_v1?width=0.25&resolution=96"
    assert network.input_shapes == ((1, 3, 96, 96),)
    assert network.labels == "imagenet"
    assert isinstance(network.preprocessing, Preprocessing)
    assert resolve("mobilenet_v1?width=0.25", [(2, 3, 64, 64)]).input_shapes == ((2, 3, 64, 64),)


class Sum(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x + y


def test_an_exported_program(tmp_path: Path) -> None:
    """Shapes are those that it was exported with, also of an argument that has a name."""
    path = tmp_path / "sum.pt2"
    x, y = torch.ones(2, 3), torch.ones(1, 3)
    torch.export.save(torch.export.export(Sum(), (x,), {"y": y}), path)
    network = resolve(str(path))
    assert network.name == "sum"
    assert network.input_shapes == ((2, 3), (1, 3))
    assert torch.equal(network.module(x, y=y), x + y)
    assert resolve(str(path), [(5, 3)]).input_shapes == ((5, 3),)


def test_an_exported_program_of_numbers(tmp_path: Path) -> None:
    path = tmp_path / "scaled.pt2"

    class Scaled(nn.Module):
        def forward(self, x: torch.Tensor, factor: int) -> torch.Tensor:
            return x * factor

    torch.export.save(torch.export.export(Scaled(), (torch.ones(2), 3)), path)
    with pytest.raises(UserError, match="only inputs that are tensors"):
        resolve(str(path))


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"")
    with pytest.raises(UserError, match=r"net.onnx is no model; give a zoo name, FILE.py:FACTORY"):
        resolve(str(tmp_path / "net.onnx"))


@pytest.mark.parametrize("model", [3, None, torch.nn.Conv2d, lambda x: x])
def test_what_is_no_model(model: object) -> None:
    with pytest.raises(UserError, match=r"a model is a torch\.nn\.Module"):
        resolve(model)  # type: ignore[arg-type]
