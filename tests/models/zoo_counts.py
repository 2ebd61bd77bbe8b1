"""Parameters and multiply-adds of a network, counted on the meta device: nothing is computed."""

from dataclasses import dataclass
from functools import cache

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tvmlcnn.models import create


@dataclass(frozen=True)
class Counts:
    """What the papers print.

    ``weights`` are the parameters without batch norm's, which some papers leave out;
    ``classifier_macs`` are the multiply-adds of fully connected layers.
    """

    parameters: int
    weights: int
    macs: int
    classifier_macs: int
    output_shape: tuple[int, ...]


def on_meta(name: str) -> tuple[nn.Module, torch.Tensor]:
    """The net in evaluation mode and an input, neither with any memory behind it."""
    with torch.device("meta"):
        model = create(name)
        return model.module.eval(), torch.empty(model.input_shape)


def parameters(net: nn.Module, batch_norm: bool = True) -> int:
    layers = [m for m in net.modules() if batch_norm or not isinstance(m, nn.BatchNorm2d)]
    return sum(p.numel() for layer in layers for p in layer.parameters(recurse=False))


@cache
def count(name: str) -> Counts:
    net, image = on_meta(name)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        output = net(image)
    linear = [m.weight.numel() for m in net.modules() if isinstance(m, nn.Linear)]
    return Counts(
        parameters(net),
        parameters(net, batch_norm=False),
        counter.get_total_flops() // 2,
        sum(linear),
        tuple(output.shape),
    )
