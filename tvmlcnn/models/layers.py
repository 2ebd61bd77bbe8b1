"""What the families share: convolution with batch norm, channel rounding, initialization."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import nn


def conv_bn(
    in_channels: int,
    out_channels: int,
    kernel: int = 3,
    *,
    stride: int = 1,
    groups: int = 1,
    eps: float = 1e-5,
    activation: Callable[[], nn.Module] | None = nn.ReLU,
) -> nn.Sequential:
    """Build convolution, batch norm and activation, padded so that stride 1 keeps the size.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel : int
        Side of the square kernel, odd.
    stride, groups : int
    eps : float
        Of the batch norm.
    activation : callable or None
        Class of the activation; None leaves the result linear.
    """
    layers: list[nn.Module] = [
        nn.Conv2d(
            in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(out_channels, eps=eps),
    ]
    if activation is not None:
        layers.append(activation())
    return nn.Sequential(*layers)


def check_factor(option: str, factor: float, most: float = 4.0) -> None:
    """Raise ValueError unless a channel multiplier is above 0 and at most ``most``."""
    if not 0 < factor <= most:
        raise ValueError(f"{option}={factor} must be above 0 and at most {most:g}")


def round_channels(channels: float, multiple: int = 8) -> int:
    """Round a channel count to a multiple, and never down by more than a tenth.

    The rule of the MobileNet V2 and V3 definitions.
    """
    rounded = max(multiple, int(channels + multiple / 2) // multiple * multiple)
    return rounded if rounded >= 0.9 * channels else rounded + multiple


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
