"""From what a user names to a graph in Relax: source, weights, export, import."""

from .graph import Graph, image_input, import_graph, random_inputs, reference
from .source import Network, resolve, shapes
from .weights import load_weights

__all__ = [
    "Graph",
    "Network",
    "image_input",
    "import_graph",
    "load_weights",
    "random_inputs",
    "reference",
    "resolve",
    "shapes",
]
