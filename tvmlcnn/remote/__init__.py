"""Running on a board over the network.

``server`` is what runs there; ``boards`` takes boards, ``Fleet.map`` shares work among them, and a
``Session`` is one process on one of them. ``protocol`` and ``wire`` are all that both sides share.
It is TVM's RPC, with TVM's tracker for fleets. Neither side needs the compiler, torch, or the
Python package ``tvm``; the tracker needs ``tvm``.
"""

from .board import Board
from .board_errors import BoardError, BoardLost, KernelCrashed, KernelTimeout
from .boards import boards
from .fleet import Fleet
from .session import Session

__all__ = [
    "Board",
    "BoardError",
    "BoardLost",
    "Fleet",
    "KernelCrashed",
    "KernelTimeout",
    "Session",
    "boards",
]
