"""What a network computes, moves and holds, and how fast a device could be at it.

Counted from the graph that torch.export makes; the network is never run.
"""

from .guidelines import Finding, Guidelines
from .layer_graph import KINDS, Graph, Layer
from .roofline import Bound, Limits
from .summary import Analysis, analyze, to_json
from .totals import Row, Totals, totals

__all__ = [
    "KINDS",
    "Analysis",
    "Bound",
    "Finding",
    "Graph",
    "Guidelines",
    "Layer",
    "Limits",
    "Row",
    "Totals",
    "analyze",
    "to_json",
    "totals",
]
