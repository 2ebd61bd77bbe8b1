"""What a framework that has no time is reported by."""

from __future__ import annotations


class UnavailableError(Exception):
    """A framework is not here, or cannot run the network; the message says why, in one line."""
