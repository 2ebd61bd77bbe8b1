"""Rewrites of the graph, one a file, in the order in which the pipeline runs them."""

from .fold_batch_norm import fold_batch_norm
from .fold_constants import fold_constants
from .lift_weights import lift_weights, weights_of, without_weights

__all__ = ["fold_batch_norm", "fold_constants", "lift_weights", "weights_of", "without_weights"]
