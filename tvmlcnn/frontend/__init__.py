"""From what a user names to a graph in Relax: source, weights, export, import, reference."""

from .exported import Input
from .relax_graph import Graph, import_graph
from .source import Network, resolve
from .torch_reference import Doubt, doubt, reference, references
from .trial_inputs import random_inputs
from .weights import load_weights, without_numbers

__all__ = [
    "Doubt",
    "Graph",
    "Input",
    "Network",
    "doubt",
    "import_graph",
    "load_weights",
    "random_inputs",
    "reference",
    "references",
    "resolve",
    "without_numbers",
]
