"""What the decisions in a record mean."""

from __future__ import annotations

VERSIONS: dict[str, int] = {
    "dense": 3,
    "depthwise": 1,
    "grouped": 1,
    "default": 1,
}
"""Version of each rule's decisions: to be raised when a rule reads them in another way."""
