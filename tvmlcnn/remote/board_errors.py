"""What can go wrong with a board, told apart by what is left."""

from __future__ import annotations

from tvmlcnn.errors import UserError


class BoardError(UserError):
    """Something on a board failed; the message names the board."""


class KernelCrashed(BoardError):  # noqa: N818
    """The process of a session ended by a signal; the board is fine."""


class KernelTimeout(BoardError):  # noqa: N818
    """A session took longer than it was given, and was killed; the board is fine."""


class BoardLost(BoardError):  # noqa: N818
    """The board does not answer any more, or never did."""


class NoBoardFree(BoardLost):
    """A tracker knows boards of the key, but others use all of them."""
