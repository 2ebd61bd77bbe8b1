"""From what a user names to a graph in Relax: source, weights, export, import, reference."""

from .exported import Input
from .frames import as_called, check_frames, fitted_frames, of_frames
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
    "as_called",
    "check_frames",
    "doubt",
    "fitted_frames",
    "import_graph",
    "load_weights",
    "of_frames",
    "random_inputs",
    "reference",
    "references",
    "resolve",
    "without_numbers",
]
