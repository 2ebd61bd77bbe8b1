"""A network that is trained here keeps its accuracy in integers, as torch computes them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from digits import SmallMobileNet, accuracy, digits, train

from tvmlcnn.quantization import Calibration, after_training, prepared_for_training, quantized

pytestmark = pytest.mark.long


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Maps of 8x8 are too small for two, which only wait for each other where others work too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data() -> tuple[torch.Tensor, ...]:
    x, y = digits()
    return x[:1152], y[:1152], x[1152:1792], y[1152:1792]


@pytest.fixture(scope="module")
def trained(data: tuple[torch.Tensor, ...]) -> torch.nn.Module:
    torch.manual_seed(0)
    model = SmallMobileNet().train()
    train(model, *data[:2], epochs=8, rate=0.01)
    assert accuracy(model.eval(), *data[2:]) > 95
    return model


def test_accuracy_is_kept_by_calibration(
    trained: torch.nn.Module, data: tuple[torch.Tensor, ...]
) -> None:
    examples = [(part.numpy(),) for part in data[0][:512].split(64)]
    result = quantized(trained, Calibration(examples[:6], examples[6:], "digits"))
    after = accuracy(result.program.module(), *data[2:])
    assert after > accuracy(trained, *data[2:]) - 0.5
    assert result.kept == ()
    assert result.fidelity.snr["0"] > 30


@pytest.mark.slow  # torchao exports a graph for each pattern that it looks for
def test_accuracy_is_kept_by_an_epoch_of_training(
    trained: torch.nn.Module, data: tuple[torch.Tensor, ...]
) -> None:
    torch.manual_seed(0)
    prepared = prepared_for_training(trained, [data[0][:64]])
    train(prepared, *data[:2], epochs=1, rate=0.001)
    program = after_training(prepared, [data[0][:64]])
    assert accuracy(program.module(), *data[2:]) > accuracy(trained, *data[2:]) - 0.2
    names = {str(n.target) for n in program.graph.nodes if n.op == "call_function"}
    assert not any("batch_norm" in name for name in names)
    assert any("dequantize_per_channel" in name for name in names)
