"""What convolutions have in common: their windows, and products of what they multiply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tvm import te, tirx, topi
from tvm.ir import Expr

from tvmlcnn.targets import CODES, INT8

from .widening import as_type, in_registers


@dataclass(frozen=True)
class Window:
    """How a convolution walks over its input: (height, width) each, but the padding.

    Attributes
    ----------
    strides, dilation : tuple of int
    padding : tuple of int
        Top, left, bottom, right.
    """

    strides: tuple[int, ...] = (1, 1)
    padding: tuple[int, ...] = (0, 0, 0, 0)
    dilation: tuple[int, ...] = (1, 1)

    def padded(self, data: te.Tensor, channels_first: bool = False, zero: int = 0) -> te.Tensor:
        """Return data, NHWC or NCHW, with what stands for zero around the maps."""
        top, left, bottom, right = self.padding
        if not any(self.padding):
            return data
        before, after = [0, top, left], [0, bottom, right]
        channel = 1 if channels_first else 3
        before.insert(channel, 0)
        after.insert(channel, 0)
        return topi.nn.pad(data, before, after, tirx.const(zero, data.dtype), name="pad")

    def output(self, size: Sequence[int], kernel: Sequence[int]) -> list[int]:
        """Return height and width of the output for a padded input of ``size``."""
        return [
            (n - (taps - 1) * spread - 1) // step + 1
            for n, taps, step, spread in zip(size, kernel, self.strides, self.dilation, strict=True)
        ]

    def reaching(self, size: Sequence[int], kernel: Sequence[int], output: Sequence[int]) -> Window:
        """Return the window with as much padding after maps as so large an output of them reads."""
        top, left, bottom, right = self.padding
        bottom, right = (
            max(after, (n - 1) * step + (taps - 1) * spread + 1 - before - inner)
            for after, before, n, inner, taps, step, spread in zip(
                (bottom, right), (top, left), output, size, kernel, self.strides, self.dilation,
                strict=True,
            )
        )  # fmt: skip
        return replace(self, padding=(top, left, bottom, right))

    def read(self, pixel: Sequence[Expr], tap: Sequence[Expr]) -> list[Expr]:
        """Return where in the padded data a tap of a kernel lies for a pixel (n, h, w)."""
        batch, *place = pixel
        return [
            batch,
            *(
                at * step + offset * spread
                for at, offset, step, spread in zip(
                    place, tap, self.strides, self.dilation, strict=True
                )
            ),
        ]


def product(value: Expr, weight: Expr, zero: int = 0, sums: str = "") -> Expr:
    """Return the product of a number and a weight, or of a code less its zero and an integer.

    It has the type of the sums: ``sums`` where that is given, but for codes; their weights may be
    held as float32, where that is exact, and the product is then too.
    """
    held = str(weight.ty.dtype)
    if str(value.ty.dtype) not in CODES and held != INT8.name:
        if sums:
            return as_type(value, sums) * as_type(weight, sums)
        return in_registers(value) * in_registers(weight)
    wide = INT8.accumulator if held == INT8.name else held
    shifted = value.astype(wide) - tirx.const(zero, wide) if zero else value.astype(wide)
    return shifted * weight.astype(wide)
