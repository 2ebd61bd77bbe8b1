"""From what a user names to a graph in Relax: source, weights, export, import, reference."""

from .relax_graph import Graph, import_graph
from .source import Network, resolve, shapes
from .torch_reference import image_input, random_inputs, reference
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
