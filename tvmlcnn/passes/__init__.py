"""Rewrites of the graph, one a file; `__all__` begins with them as the pipeline runs them."""

from tvmlcnn.graph.kernel_calls import kernel_calls

from .channels_last import channels_last, turned_back
from .count_flops import count_flops
from .depthwise_after_pointwise import depthwise_after_pointwise
from .fold_batch_norm import fold_batch_norm
from .fold_constants import fold_constants
from .fuse import fuse
from .group import group
from .legalize import legalize
from .lift_weights import lift_weights, weights_of, without_weights
from .list_kernel_calls import list_kernel_calls
from .place_joins import PlaceJoins
from .take_prologues import take_prologues
from .unaligned_inputs import unaligned_inputs

__all__ = [  # noqa: RUF022
    "fold_constants",
    "fold_batch_norm",
    "count_flops",
    "channels_last",
    "take_prologues",
    "depthwise_after_pointwise",
    "legalize",
    "group",
    "fuse",
    "lift_weights",
    "unaligned_inputs",
    "list_kernel_calls",
    "PlaceJoins",
    # what they noted
    "kernel_calls",
    "turned_back",
    "weights_of",
    "without_weights",
]
