"""Where the channels of maps lie that are planes of one buffer."""

from __future__ import annotations

from tvm import tirx
from tvm.ir import Expr


def in_plane(first: int, channel: tirx.Var, count: int, wide: int) -> tuple[int | Expr, Expr]:
    """Return plane and position of one of ``count`` channels after the ``first`` one.

    Parameters
    ----------
    first : int
        Counted through the planes.
    channel : tvm.tirx.Var
    count : int
    wide : int
        Channels of a plane.
    """
    plane, start = divmod(first, wide)
    if start + count <= wide:
        return plane, channel + start
    return (channel + first) // wide, (channel + first) % wide
