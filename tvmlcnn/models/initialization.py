"""Weights to begin with."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn


def initialize(net: nn.Module, residual: Iterable[nn.Module] = ()) -> None:
    """Draw weights that keep the scale of the activations through a deep net.

    Convolutions and fully connected layers get He et al.'s normal initialization
    (arXiv:1502.01852) over the fan-in, which unlike the fan-out is right for depthwise kernels;
    biases get 0. The last convolution of each residual branch is divided by the root of their
    number, without which the sum of 300 branches overflows float32 while batch norm is still the
    identity.

    Parameters
    ----------
    net : torch.nn.Module
        Changed in place.
    residual : iterable of torch.nn.Module
        The residual branches, up to their last convolution.
    """
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    branches = list(residual)
    for branch in branches:
        last = [layer for layer in branch.modules() if isinstance(layer, nn.Conv2d)][-1]
        last.weight.data.div_(len(branches) ** 0.5)
