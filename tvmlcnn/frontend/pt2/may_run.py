"""What is raised for a part of a file that torch may run."""

from __future__ import annotations


class MayRunError(Exception):
    """Something in a file of which it is not known that torch only reads it; the text says what.

    The text goes on after the name of the file.
    """
