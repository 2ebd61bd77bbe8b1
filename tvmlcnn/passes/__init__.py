"""Rewrites of the graph, one a file, in the order in which the pipeline runs them."""

from .channels_last import channels_last
from .fold_batch_norm import fold_batch_norm
from .fold_constants import fold_constants
from .joins import PlaceJoins
from .legalize import legalize
from .lift_weights import lift_weights, weights_of, without_weights
from .prologues import take_prologues

__all__ = [
    "PlaceJoins",
    "channels_last",
    "fold_batch_norm",
    "fold_constants",
    "legalize",
    "lift_weights",
    "take_prologues",
    "weights_of",
    "without_weights",
]
