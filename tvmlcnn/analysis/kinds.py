"""What type of operator a node of the exported graph is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.fx.node import Target

from tvmlcnn.elementwise import BY_ATEN

_POOLS = {"mean", "amax"}
_CONCATS = {"cat", "concat", "concatenate", "stack"}
_PADS = {"pad", "constant_pad_nd", "reflection_pad2d", "replication_pad2d"}
_COPIES = {
    "clone",
    "copy",
    "channel_shuffle",
    "flip",
    "gather",
    "index",
    "index_select",
    "native_channel_shuffle",
    "pixel_shuffle",
    "pixel_unshuffle",
    "repeat",
    "roll",
}


@dataclass(frozen=True)
class Convolution:
    """Groups, input channels and the spatial size of the kernel of a convolution."""

    groups: int
    channels: int
    kernel: tuple[int, ...]


def operator_name(target: Target) -> str:
    """Return ATen's name without the underscore of the in-place form."""
    name = target._opname if isinstance(target, torch._ops.OpOverload) else str(target)
    return name if name.startswith("_") else name.rstrip("_")


def is_batch_norm(op: str) -> bool:
    """Tell batch norm from other operators by its name."""
    return "batch_norm" in op


def kind_of(
    target: Target,
    macs: int,
    convolution: Convolution | None,
    reads_weights: bool,
) -> str:
    """Return the type of an operator that reads activations and writes memory.

    Parameters
    ----------
    target : callable
        The ATen operator.
    macs : int
        Multiply-adds that torch counts for it.
    convolution : Convolution or None
        None for any other operator.
    reads_weights : bool
        Whether it has weights among its operands.
    """
    if convolution is not None:
        if convolution.groups == 1:
            return "pointwise" if set(convolution.kernel) == {1} else "full"
        return "depthwise" if convolution.groups == convolution.channels else "grouped"
    if macs:
        return "fc" if reads_weights else "matmul"
    op = operator_name(target)
    tables = (
        ("norm", is_batch_norm(op)),
        ("pool", op in _POOLS or "_pool" in op),
        ("concat", op in _CONCATS),
        ("pad", op in _PADS),
        ("elementwise", op in BY_ATEN),
        ("shuffle", op in _COPIES or _copies_a_view(target)),
        ("elementwise", torch.Tag.pointwise in getattr(target, "tags", ())),
    )
    return next((kind for kind, matches in tables if matches), "other")


def _copies_a_view(target: Target) -> bool:
    """Tell whether it is a view where the layout allows one: as a layer, it had to copy."""
    if not isinstance(target, torch._ops.OpOverload) or target._schema.is_mutable:
        return False
    return any(result.alias_info is not None for result in target._schema.returns)
