"""Rewrites of the graph, one a file, in the order in which the pipeline runs them."""

from .channels_last import channels_last
from .constants import value_of
from .depthwise_after_pointwise import depthwise_after_pointwise
from .flops import count_flops
from .fold_batch_norm import fold_batch_norm
from .fold_constants import fold_constants
from .joins import PlaceJoins
from .kernel_calls import group, is_kernel_call, kernel_calls, list_kernel_calls
from .legalize import legalize
from .lift_weights import lift_weights, weights_of, without_weights
from .prologues import take_prologues
from .unaligned_inputs import unaligned_inputs

__all__ = [
    "PlaceJoins",
    "channels_last",
    "count_flops",
    "depthwise_after_pointwise",
    "fold_batch_norm",
    "fold_constants",
    "group",
    "is_kernel_call",
    "kernel_calls",
    "legalize",
    "lift_weights",
    "list_kernel_calls",
    "take_prologues",
    "unaligned_inputs",
    "value_of",
    "weights_of",
    "without_weights",
]
