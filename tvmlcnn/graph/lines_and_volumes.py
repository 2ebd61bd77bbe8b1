"""Lines and volumes that are held as maps.

A line, (N, C, W), is a map of one row. A volume, (N, C, D, H, W), is its frames, as many maps,
(N * D, C, H, W), or *upright* a map with a row for each frame, (N, C, D, H * W).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from tvm import relax

from . import pixel_operators
from .attributes import ints
from .constants import constant, value_of
from .rebuilding import Rebuilding

_MANY = 8  # channels that no convolution reads where they are; see `channels_last`


@dataclass(frozen=True)
class Maps:
    """A line or a volume held as maps.

    Attributes
    ----------
    expr : relax.Expr
        Shape (N, C, 1, W) or (N * D, C, H, W).
    shape : tuple of int
        Of the line or the volume.
    upright : bool
        Whether a volume is held as maps of a row for each frame, (N, C, D, H * W).
    """

    expr: relax.Expr
    shape: tuple[int, ...]
    upright: bool = False

    @property
    def frames(self) -> int:
        """Frames of a volume; one of a line."""
        return self.shape[2] if len(self.shape) == 5 else 1

    @property
    def sizes(self) -> list[int]:
        """Height and width of the maps."""
        return [1, *self.shape[2:]][-2:]


Building = Rebuilding[Maps]


def maps_of(building: Building, expr: relax.Expr, upright: bool = False) -> Maps:
    """Return a line or a volume as maps."""
    found = building.form(expr)
    if found is None:
        shape = ints(expr.ty.shape)
        value = building.plain(expr)
        value = building.emit(_frames(building, value, shape, expr), expr)
        found = Maps(value, tuple(shape))
        if isinstance(expr, relax.Var):
            building.forms[expr] = found
    return turned(building, found, upright, expr)


def _frames(building: Building, value: relax.Expr, shape: list[int], var: relax.Expr) -> relax.Expr:
    """Return a line or a volume of any form as maps."""
    maps = as_maps(shape)
    if maps[0] == shape[0]:
        return relax.op.reshape(value, maps)
    if shape[1] < _MANY:
        moved = building.emit(relax.op.permute_dims(value, [0, 2, 1, 3, 4]), var)
        return relax.op.reshape(moved, maps)
    # Channels are last then, as convolutions want them: the second permutation moves nothing.
    moved = building.emit(relax.op.permute_dims(value, [0, 2, 3, 4, 1]), var)
    last = building.emit(relax.op.reshape(moved, (maps[0], *maps[2:], maps[1])), var)
    return relax.op.permute_dims(last, [0, 3, 1, 2])


def turned(building: Building, maps: Maps, upright: bool, var: relax.Expr) -> Maps:
    """Return maps in the other one of the forms of a volume, if need be."""
    if maps.upright == upright:
        return maps
    batch, channels, depth, *sizes = maps.shape
    shape = [batch, channels, depth, math.prod(sizes)] if upright else as_maps(maps.shape)
    view = building.emit(pixel_operators.regroup(maps.expr, shape), var)
    return Maps(view, maps.shape, upright)


def as_maps(shape: list[int] | tuple[int, ...]) -> list[int]:
    """Return the shape of a line or a volume as maps."""
    batch, channels, *sizes = shape
    return [batch * (sizes[0] if len(sizes) == 3 else 1), channels, *[1, *sizes][-2:]]


def lowered(building: Building, var: relax.Var, form: Maps) -> relax.Expr:
    """Emit a line or a volume in its own form."""
    maps, shape = turned(building, form, False, var).expr, list(form.shape)
    if form.frames > 1:
        batch, channels, depth, *sizes = shape
        maps = building.emit(relax.op.reshape(maps, [batch, depth, channels, *sizes]), var)
        return building.emit(relax.op.permute_dims(maps, [0, 2, 1, 3, 4]), var)
    return building.emit(relax.op.reshape(maps, shape), var)


def operand(
    building: Building, arg: relax.Expr, shape: list[int], upright: bool
) -> relax.Expr | None:
    """Return an operand as it is to be broadcast to maps, or None."""
    if not isinstance(arg.ty, relax.TensorType):
        return arg
    own = ints(arg.ty.shape)
    own = [1] * (len(shape) - len(own)) + own
    array = value_of(arg)
    many = own[2:] != [1, 1, 1] or own[0] > 1
    if len(shape) == 5 and own != shape and many:
        return None  # neither the same for all frames nor one for each
    if array is not None:
        array = array.reshape(own)
        array = np.moveaxis(array, 2, 1) if len(own) == 5 else array
        return None if upright and many else constant(array.reshape(as_maps(own)))
    return maps_of(building, arg, upright).expr if len(arg.ty.shape) == len(shape) else None
