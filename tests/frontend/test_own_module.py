"""The module that is compiled is ours; the caller's is as it was."""

from __future__ import annotations

import copy
import threading
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tvmlcnn.errors import UserError
from tvmlcnn.frontend import import_graph, random_inputs, reference, resolve

SHAPE = (2, 3, 6, 6)


class Net(nn.Module):
    """Parts of several modes, a buffer that each call updates, hooks, a frozen weight."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout())
        self.head = nn.Linear(4, 2)
        self.register_buffer("calls", torch.zeros(1))
        self.head.weight.requires_grad = False
        self.body.register_forward_hook(lambda module, inputs, output: output * 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls = self.calls + 1
        return self.head(self.body(x).mean((2, 3)))


def facts(module: nn.Module) -> list[object]:
    found: list[object] = [(name, layer.training) for name, layer in module.named_modules()]
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        found.append((name, id(tensor), tensor._version, tensor.dtype, tensor.requires_grad))
        found.append(tensor.detach().clone().tolist())
    return [*found, [len(layer._forward_hooks) for layer in module.modules()]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_the_caller_s_module_is_as_it_was(dtype: torch.dtype) -> None:
    net = Net().train().to(dtype)
    net.body[1].eval()
    before = facts(net)
    network = resolve(net, [SHAPE])
    inputs = random_inputs([SHAPE])
    reference(network.module, inputs)
    import_graph(network.module, inputs)
    assert facts(net) == before
    network.module.head.bias.data += 1
    assert facts(net) == before


@pytest.mark.parametrize("normalize", [nn.utils.weight_norm, nn.utils.parametrizations.weight_norm])
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_weights_that_are_computed(normalize: object) -> None:
    """The older hooks leave a tensor that torch does not copy by itself."""
    net = nn.Sequential(normalize(nn.Conv2d(3, 4, 1)))  # type: ignore[operator]
    x = torch.from_numpy(random_inputs([SHAPE])[0])
    expected = net(x).detach().numpy()
    (result,) = reference(resolve(net, [SHAPE]).module, [x.numpy()])
    assert abs(result - expected).max() < 1e-6


def test_a_module_that_cannot_be_copied() -> None:
    net = nn.Linear(2, 2)
    net.lock = threading.Lock()
    said = "the module cannot be copied, .*: TypeError: cannot pickle .*; give FILE.py:FACTORY"
    with pytest.raises(UserError, match=said):
        resolve(net, [(1, 2)])


@pytest.mark.parametrize(
    ("dtype", "said"),
    [
        (torch.float16, "the weights are float16, and were widened to float32"),
        (torch.bfloat16, "the weights are bfloat16, and were widened to float32"),
        (torch.float64, "the weights are float64, and were rounded to float32"),
    ],
)
def test_other_types_of_numbers(dtype: torch.dtype, said: str) -> None:
    """Values are the same; integers, as a batch norm's counter, stay."""
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).to(dtype)
    network = resolve(net, [SHAPE])
    assert network.notes == (said,)
    assert torch.equal(network.module[0].weight, net[0].weight.float())
    assert network.module[1].num_batches_tracked.dtype == torch.int64
    assert reference(network.module, random_inputs([SHAPE]))[0].dtype == "float32"
    assert resolve(nn.Conv2d(3, 4, 1), [SHAPE]).notes == ()


def test_wrappers_are_taken_off() -> None:
    net = nn.Linear(4, 2)
    for wrapped in (torch.compile(net), nn.DataParallel(net), nn.DataParallel(torch.compile(net))):
        module = resolve(wrapped, [(1, 4)]).module
        assert type(module) is nn.Linear
        assert torch.equal(module.weight, net.weight)


def test_torchscript() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = torch.jit.script(nn.Linear(4, 2))
    with pytest.raises(
        UserError, match=r"TorchScript cannot be compiled: give the torch.nn.Module"
    ):
        resolve(script, [(1, 4)])


class Always(nn.Module):
    """What takes the batch's statistics, or may, in evaluation too."""

    def __init__(self) -> None:
        super().__init__()
        self.free = nn.BatchNorm2d(3, track_running_stats=False)
        self.instance = nn.InstanceNorm2d(3)
        self.drop = nn.Dropout(0.5)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.drop(self.instance(self.free(x))))


@pytest.mark.parametrize("decomposed", [False, True])
@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (nn.Module.eval, None),
        (nn.Module.train, "dropout and batch norm"),
        (lambda net: net.eval().drop.train(), "dropout"),
        (lambda net: net.eval().norm.train(), "batch norm"),
    ],
)
def test_a_program_that_was_exported_in_training_mode(
    mode: object, said: str | None, decomposed: bool, tmp_path: Path
) -> None:
    net = copy.deepcopy(Always())
    mode(net)  # type: ignore[operator]
    program = torch.export.export(net, (torch.randn(SHAPE),))
    path = tmp_path / "net.pt2"
    torch.export.save(program.run_decompositions() if decomposed else program, path)
    if said is None:
        resolve(str(path))
        return
    with pytest.raises(UserError, match=rf"net.pt2 was exported in training mode \({said}\); call"):
        resolve(str(path))


def test_a_program_in_half_precision(tmp_path: Path) -> None:
    net = nn.Conv2d(3, 4, 1).half()
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(net, (torch.randn(SHAPE).half(),)), path)
    said = r"net.pt2 was exported in float16; call model.float\(\) and export it again"
    with pytest.raises(UserError, match=said):
        resolve(str(path))


def test_functions_that_ask_for_the_mode() -> None:
    class Drops(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.dropout(x, 0.5, self.training)

    inputs = random_inputs([SHAPE])
    assert (reference(resolve(Drops().train(), [SHAPE]).module, inputs)[0] == inputs[0]).all()


def test_graphs_of_torch_fx_are_taken_out_of_training() -> None:
    """Also inside other modules, and beside exported programs, which have no mode."""
    traced = torch.fx.symbolic_trace(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train())
    inputs = random_inputs([SHAPE])
    expected = copy.deepcopy(traced).eval()(torch.from_numpy(inputs[0])).detach().numpy()
    program = torch.export.export(nn.Conv2d(4, 4, 1).eval(), (torch.rand(2, 4, 6, 6),)).module()
    for net in (traced, nn.Sequential(traced, program)):
        module = resolve(net, [SHAPE]).module
        assert not any(layer.training for layer in module.modules() if layer is not program)
        result = reference(module[0] if net is not traced else module, inputs)
        assert abs(result[0] - expected).max() < 1e-6


def test_an_eval_that_returns_nothing() -> None:
    class Net(nn.Linear):
        def eval(self) -> None:  # type: ignore[override]
            super().eval()

    assert not resolve(Net(4, 2), [(1, 4)]).module.training
