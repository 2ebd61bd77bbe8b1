"""``--weights imagenet``: torchvision's weights, where torchvision is installed."""

from __future__ import annotations

import sys
import types

import pytest
import torch

from tvmlcnn.errors import UserError
from tvmlcnn.frontend import load_weights, resolve


class Weights:
    """Stands in for a weights enum of torchvision, which cannot download in a test."""

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        self.state = state

    def get_state_dict(self, progress: bool, check_hash: bool) -> dict[str, torch.Tensor]:
        assert check_hash
        return self.state


@pytest.fixture
def torchvision(monkeypatch: pytest.MonkeyPatch) -> dict[str, Weights]:
    """A torchvision that knows the weights that are put into the dict."""
    known: dict[str, Weights] = {}
    models = types.ModuleType("torchvision.models")
    models.get_weight = known.__getitem__  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    return known


def test_weights_are_loaded(torchvision: dict[str, Weights]) -> None:
    torch.manual_seed(1)
    other = resolve("squeezenet1_1").module.state_dict()
    torchvision["SqueezeNet1_1_Weights.IMAGENET1K_V1"] = Weights(other)
    network = resolve("squeezenet1_1")
    load_weights(network, "imagenet")
    for key, value in network.module.state_dict().items():
        assert torch.equal(value, other[key])


def test_another_width_does_not_fit(torchvision: dict[str, Weights]) -> None:
    full = resolve("mobilenet_v2").module.state_dict()
    torchvision["MobileNet_V2_Weights.IMAGENET1K_V1"] = Weights(full)
    with pytest.raises(UserError, match="imagenet does not fit the model: misshapen"):
        load_weights(resolve("mobilenet_v2?width=0.5"), "imagenet")


def test_a_network_without_weights() -> None:
    with pytest.raises(UserError, match="torchvision has no ImageNet weights of mobilefacenet"):
        load_weights(resolve("mobilefacenet"), "imagenet")


def test_without_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(UserError, match=r"needs torchvision.*pip install torchvision"):
        load_weights(resolve("mobilenet_v2"), "imagenet")
