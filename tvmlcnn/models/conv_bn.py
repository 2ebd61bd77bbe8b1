"""Convolution with batch norm, which nearly all families are made of."""

from __future__ import annotations

from collections.abc import Callable

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
