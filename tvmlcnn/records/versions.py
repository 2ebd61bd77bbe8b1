"""What the decisions in a record mean."""

from __future__ import annotations

VERSIONS: dict[str, int] = {
    "default": 1,
    "dense": 4,
    "depthwise": 1,
    "dlight": 1,
    "grouped": 1,
    "pointwise_depthwise": 1,
    "pooling": 1,
    "winograd": 1,
}
"""Version of each rule's decisions, as the rules say it: a list that needs no TVM to be read.

`tools/test --update-golden` writes it.
"""
