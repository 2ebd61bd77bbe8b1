"""State dicts as people keep them, and what is said of one that does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tvmlcnn.errors import UserError
from tvmlcnn.frontend import Network, load_weights, resolve

State = dict[str, torch.Tensor]


def network() -> Network:
    return resolve(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)))


@pytest.fixture
def state() -> State:
    """Weights of another network of the same form."""
    torch.manual_seed(1)
    return {key: torch.randn_like(value.float()) for key, value in entries(network()).items()}


def entries(network: Network) -> State:
    """Return what inference reads."""
    whole = network.module.state_dict()
    return {key: value for key, value in whole.items() if not key.endswith("num_batches_tracked")}


def assert_loaded(path: Path, state: State) -> None:
    loaded = network()
    load_weights(loaded, path)
    for key, value in entries(loaded).items():
        assert torch.equal(value, state[key]), key


def test_a_state_dict(state: State, tmp_path: Path) -> None:
    """Without the counter of training, and with it."""
    torch.save(state, tmp_path / "net.pth")
    assert_loaded(tmp_path / "net.pth", state)
    torch.save(state | {"1.num_batches_tracked": torch.tensor(7)}, tmp_path / "net.pth")
    assert_loaded(tmp_path / "net.pth", state)


def test_safetensors(state: State, tmp_path: Path) -> None:
    save_file(state, tmp_path / "net.safetensors")
    assert_loaded(tmp_path / "net.safetensors", state)


def test_a_checkpoint_of_data_parallel_training(state: State, tmp_path: Path) -> None:
    content = {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in state.items()}}
    torch.save(content, tmp_path / "checkpoint.pt")
    assert_loaded(tmp_path / "checkpoint.pt", state)


def test_a_module_that_is_called_module(tmp_path: Path) -> None:
    """Then the prefix is its own."""

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = nn.Linear(2, 1, bias=False)

    wrapped = resolve(Wrapped())
    torch.save({"module.weight": torch.tensor([[5.0, 7.0]])}, tmp_path / "net.pth")
    load_weights(wrapped, tmp_path / "net.pth")
    assert wrapped.module.module.weight.tolist() == [[5, 7]]


def test_all_that_does_not_fit_is_told_at_once(state: State, tmp_path: Path) -> None:
    del state["0.bias"]
    state |= {"0.weight": torch.zeros(4, 1, 1, 1), "1.bias": torch.tensor(1.0)}
    state |= {f"fc{i}.weight": torch.zeros(1) for i in range(6)}
    path = tmp_path / "net.pth"
    torch.save(state, path)
    loaded = network()
    before = {key: value.clone() for key, value in entries(loaded).items()}
    with pytest.raises(UserError) as raised:
        load_weights(loaded, path)
    assert str(raised.value) == (
        f"{path} does not fit the model: missing 0.bias; "
        "extra fc0.weight, fc1.weight, fc2.weight, fc3.weight and 2 more; "
        "misshapen: 0.weight is 4x1x1x1, the model's is 4x3x1x1, "
        "1.bias is scalar, the model's is 4"
    )
    for key, value in entries(loaded).items():
        assert torch.equal(value, before[key]), key


@pytest.mark.parametrize("content", [[torch.zeros(1)], {"0.weight": "x"}, {3: torch.zeros(1)}])
def test_no_state_dict(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(UserError, match=r"holds no state dict; save model.state_dict\(\)"):
        load_weights(network(), tmp_path / "net.pth")
