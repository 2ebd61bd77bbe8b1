"""State dicts as people keep them, and what is said of one that does not fit."""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tvmlcnn.errors import UserError
from tvmlcnn.frontend import Network, load_weights, resolve, without_numbers

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


def assert_loaded(path: Path, state: State, *said: str) -> None:
    loaded = network()
    assert load_weights(loaded, path) == list(said)
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


def named(state: State, change: Callable[[str], str]) -> State:
    return {change(key): value for key, value in state.items()}


def other(state: State) -> State:
    return {key: value + 1 for key, value in state.items()}


def training(**content: object) -> dict[str, object]:
    """Return what training programs keep beside the weights."""
    optimizer = {"state": {0: {"exp_avg": torch.zeros(4)}}, "param_groups": [{"lr": 0.1}]}
    options = {"args": argparse.Namespace(lr=0.1), "best": np.float64(0.9), "epoch": 3}
    return {"optimizer": optimizer, "step": torch.tensor(7), **options, **content}


LIGHTNING = {"pytorch-lightning_version": "2.5.0", "hyper_parameters": {"lr": 0.1}, "callbacks": {}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda s: {"state_dict": s}, "under 'state_dict'"),
        (lambda s: training(model=s), "under 'model'"),
        (lambda s: training(model_state_dict=s), "under 'model_state_dict'"),
        (lambda s: training(net={"weights": s}), "under 'net.weights'"),
        (lambda s: named(s, "module.{}".format), "without the prefix 'module.'"),
        (lambda s: named(s, "_orig_mod.{}".format), "without the prefix '_orig_mod.'"),
        (
            lambda s: training(state_dict=named(s, "module._orig_mod.{}".format)),
            "under 'state_dict', without the prefix 'module._orig_mod.'",
        ),
        (
            lambda s: named(s, lambda key: key.replace(".", "._orig_mod.", 1)),
            "without '_orig_mod' in the names",
        ),
        (
            lambda s: LIGHTNING | {"state_dict": named(s, "model.{}".format)},
            "under 'state_dict', without the prefix 'model.'",
        ),
        (
            lambda s: (
                LIGHTNING
                | {"state_dict": named(s, "net.{}".format) | {"loss.weight": torch.ones(9)}}
            ),
            "under 'state_dict', without the prefix 'net.'; leaving out loss.weight",
        ),
        (lambda s: training(ema=s), "the EMA's, under 'ema'"),
        (lambda s: training(model=other(s), ema={"shadow": s}), "the EMA's, under 'ema.shadow'"),
        (
            lambda s: training(
                state_dict=other(s), state_dict_ema=named(s, "module.{}".format), arch="net"
            ),
            "the EMA's, under 'state_dict_ema', without the prefix 'module.'",
        ),
        (lambda s: training(model=other(s), model_ema=s), "the EMA's, under 'model_ema'"),
        (
            lambda s: {
                "state_dict": named(other(s), "model.{}".format)
                | named(s, "ema_model.module.{}".format)
            },
            "the EMA's, under 'state_dict', without the prefix 'ema_model.module.'; leaving out "
            "model.0.weight, model.0.bias, model.1.weight, model.1.bias and 2 more",
        ),
        (lambda s: {"model": s, "best": dict(s)}, "under 'model'"),
    ],
)
def test_a_checkpoint(
    content: Callable[[State], object], said: str, state: State, tmp_path: Path
) -> None:
    """Of data-parallel, compiled, averaged and Lightning's training, and of several of them."""
    torch.save(content(state), tmp_path / "checkpoint.pt")
    assert_loaded(tmp_path / "checkpoint.pt", state, f"weights: {said}")


def test_prefixes_in_safetensors(state: State, tmp_path: Path) -> None:
    save_file(named(state, "module.{}".format), tmp_path / "net.safetensors")
    said = "weights: without the prefix 'module.'"
    assert_loaded(tmp_path / "net.safetensors", state, said)


def test_an_average_without_the_statistics_of_normalization(state: State, tmp_path: Path) -> None:
    """Some averages hold parameters alone; then only the weights fit."""
    average = {k: v for k, v in other(state).items() if not k.startswith("1.running")}
    torch.save({"model": state, "ema": average}, tmp_path / "net.pt")
    assert_loaded(tmp_path / "net.pt", state, "weights: under 'model'")


def test_the_model_of_torch_s_averaging(state: State, tmp_path: Path) -> None:
    average = torch.optim.swa_utils.AveragedModel(network().module)
    average.module.load_state_dict(state, strict=False)
    torch.save(average.state_dict(), tmp_path / "net.pt")
    said = "weights: without the prefix 'module.'; leaving out n_averaged"
    assert_loaded(tmp_path / "net.pt", state, said)


@pytest.mark.parametrize(
    ("dtype", "said"),
    [
        (torch.float16, "float16 widened to float32"),
        (torch.bfloat16, "bfloat16 widened to float32"),
        (torch.float64, "float64 rounded to float32"),
    ],
)
def test_other_types_of_numbers(
    dtype: torch.dtype, said: str, state: State, tmp_path: Path
) -> None:
    given = {key: value.to(dtype) for key, value in state.items()}
    torch.save(given, tmp_path / "net.pt")
    expected = {key: value.float() for key, value in given.items()}
    assert_loaded(tmp_path / "net.pt", expected, f"weights: {said}")


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool, torch.complex64])
def test_numbers_that_are_no_weights(dtype: torch.dtype, state: State, tmp_path: Path) -> None:
    state["0.weight"] = state["0.weight"].to(dtype)
    torch.save(state, tmp_path / "net.pt")
    kind = str(dtype).removeprefix("torch.")
    said = f"does not fit the model: of another type: 0.weight is {kind}, the model's is float32"
    with pytest.raises(UserError, match=said):
        load_weights(network(), tmp_path / "net.pt")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda s: {"model": s, "best": other(s)}, "under 'model' or under 'best'"),
        (
            lambda s: {"ema_fast": s, "ema_slow": other(s)},
            "the EMA's, under 'ema_fast' or the EMA's, under 'ema_slow'",
        ),
        (lambda s: s | {"model": other(s)}, "as it is or under 'model'"),
    ],
)
def test_several_that_fit(
    content: Callable[[State], object], said: str, state: State, tmp_path: Path
) -> None:
    """With other values: nobody but the user knows which are meant."""
    torch.save(content(state), tmp_path / "net.pt")
    with pytest.raises(UserError, match=f"several ways that fit: {said}; save the state dict"):
        load_weights(network(), tmp_path / "net.pt")


def test_the_nearest_reading_is_told(state: State, tmp_path: Path) -> None:
    del state["1.bias"]
    content = training(state_dict=named(state, "module.{}".format))
    torch.save(content, tmp_path / "net.pt")
    with pytest.raises(UserError) as raised:
        load_weights(network(), tmp_path / "net.pt")
    assert str(raised.value) == (
        f"{tmp_path}/net.pt does not fit the model, read under 'state_dict', without the prefix "
        "'module.': missing 1.bias"
    )


def test_a_part_of_another_network_is_none(state: State, tmp_path: Path) -> None:
    """A layer's name is no wrapper's: what stands beside it would be lost."""
    torch.save(named(state, "stem.{}".format) | {"head.weight": torch.ones(2)}, tmp_path / "net.pt")
    with pytest.raises(UserError, match=r"read without the prefix 'stem\.': extra head.weight"):
        load_weights(network(), tmp_path / "net.pt")


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


@pytest.mark.parametrize(
    "change",
    [
        lambda weight: weight.to_sparse(),
        lambda weight: torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8),
        lambda weight: weight.to("meta"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_that_have_no_values(
    change: Callable[[torch.Tensor], torch.Tensor], state: State, tmp_path: Path
) -> None:
    state["0.weight"] = change(state["0.weight"])
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(UserError, match=r"net\.pth"):
        load_weights(network(), tmp_path / "net.pth")


def test_a_module_that_does_not_take_them(state: State, tmp_path: Path) -> None:
    def refuse(*arguments: object) -> None:
        raise RuntimeError("an older version's")

    given = network()
    given.module[0]._load_from_state_dict = refuse
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(UserError, match=r"does not take .*net\.pth: an older version's"):
        load_weights(given, tmp_path / "net.pth")


def test_a_file_that_unpacks_to_far_more(state: State, tmp_path: Path) -> None:
    state["0.weight"] = torch.zeros(1 << 20)
    torch.save(state, tmp_path / "net.pth")
    with zipfile.ZipFile(tmp_path / "net.pth") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "net.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(UserError, match=r"net\.pth unpacks to more than its own size"):
        load_weights(network(), tmp_path / "net.pth")


def test_one_dict_in_many_places(state: State, tmp_path: Path) -> None:
    """Pickle has it once, and it is read once: else there would be a million."""
    content: dict[str, object] = dict(state)
    for _ in range(2):
        content = {f"at_{i}": content for i in range(1000)}
    torch.save(content, tmp_path / "net.pth")
    assert_loaded(tmp_path / "net.pth", state, "weights: under 'at_0.at_0'")


@pytest.mark.parametrize("layer", [nn.Conv2d(3, 4, 1, device="meta"), nn.LazyConv2d(4, 1)])
@pytest.mark.filterwarnings("ignore")
def test_a_module_without_values(layer: nn.Module) -> None:
    with pytest.raises(UserError, match=r"no values in 0\.weight, 0\.bias: make the module on"):
        without_numbers(resolve(nn.Sequential(layer)).module)


def test_what_is_no_number_is_told() -> None:
    """Of weights, and of what normalization has counted."""
    given = network().module
    assert without_numbers(given) == []
    given[1].running_var[2] = float("nan")
    given[0].weight.data[0] = float("nan")
    said = "what is no number (NaN) is in 0.weight, 1.running_var"
    assert without_numbers(given) == [said]
