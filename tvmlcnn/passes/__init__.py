"""The way of a network through the compiler: a flat list of phases, one rewrite a file."""

from __future__ import annotations

import tvm
from tvm import relax

from tvmlcnn.graph.kernel_calls import kernel_calls
from tvmlcnn.schedules import schedule
from tvmlcnn.schedules.decisions import DEFAULTS, Policy
from tvmlcnn.targets import FLOAT32, Device, ElementType

from .channels_last import channels_last, turned_back
from .count_flops import count_flops
from .elementwise_of_parts import elementwise_of_parts
from .flat_elementwise import flat_elementwise
from .fold_batch_norm import fold_batch_norm
from .fold_constants import fold_constants
from .fold_zero_padding import fold_zero_padding
from .fuse import fuse
from .group import group
from .integer_layers import integer_layers
from .legalize import legalize
from .lift_weights import lift_weights, weights_of, without_weights
from .list_kernel_calls import list_kernel_calls
from .multiply_by_reciprocals import multiply_by_reciprocals
from .narrow_layers import narrow_layers
from .pairs_of_convolutions import pairs_of_convolutions
from .permuted_stores import permuted_stores
from .phase import Phase
from .place_joins import PlaceJoins
from .reductions_of_rows import reductions_of_rows
from .saturate import saturate
from .split_wide_groups import split_wide_groups
from .take_prologues import take_prologues
from .transposed_convolutions import transposed_convolutions
from .two_dimensions import two_dimensions

__all__ = [
    "Phase",
    "fusion_phases",
    "graph_phases",
    "kernel_calls",
    "kernel_phases",
    "phases",
    "turned_back",
    "weights_of",
    "without_weights",
]

transform = relax.transform


def phases(
    device: Device, policy: Policy = DEFAULTS, element: ElementType = FLOAT32
) -> list[Phase]:
    """Return the phases between the imported graph and the code generator, in order.

    Parameters
    ----------
    device : Device
    policy : Policy
        Decides where schedules leave a choice; by default by the device's figures.
    element : ElementType
        What layers of float32 are to compute in.
    """
    return [
        *graph_phases(device, element),
        *kernel_phases(device, policy),
        *_program_phases(),
    ]


def graph_phases(device: Device, element: ElementType = FLOAT32) -> list[Phase]:
    """Return the rewrites of the graph: what a light CNN computes."""
    return [
        Phase("integer layers", integer_layers(device)),
        Phase("fold constants", fold_constants),
        Phase("split wide groups", split_wide_groups(device)),
        Phase("elementwise of parts", elementwise_of_parts),
        Phase("fold batch norm", fold_batch_norm),
        Phase("count", count_flops),
        Phase("multiply by reciprocals", multiply_by_reciprocals),
        Phase("saturate", saturate(device)),
        Phase("fold zero padding", fold_zero_padding),
        Phase("transposed convolutions", transposed_convolutions(device)),
        Phase("two dimensions", two_dimensions),
        Phase("narrow layers", narrow_layers(device, element)),
        Phase("channels last", channels_last(device)),
        Phase("reductions of rows", reductions_of_rows),
        Phase("take prologues", take_prologues),
    ]


def fusion_phases(device: Device, policy: Policy = DEFAULTS) -> list[Phase]:
    """Return the way from operators to fused TensorIR functions."""
    return [
        Phase("pairs of convolutions", pairs_of_convolutions(device, policy)),
        Phase("legalize", legalize(device, policy)),
        Phase("annotate", transform.AnnotateTIROpPattern()),
        Phase("permuted stores", permuted_stores(device)),
        Phase("group", group),
        Phase("fuse", fuse),
        Phase("flat elementwise", flat_elementwise(device)),
    ]


def kernel_phases(device: Device, policy: Policy = DEFAULTS) -> list[Phase]:
    """Return the way from operators to scheduled kernels."""
    scheduling = Phase("schedule", lambda mod: schedule(mod, device, policy))
    return [*fusion_phases(device, policy), scheduling]


def _program_phases() -> list[Phase]:
    """Return the way to a program: calls that take their results as arguments, and weights too."""
    return [
        Phase("lift weights", lift_weights),
        Phase("views", transform.RewriteDataflowReshape()),
        Phase("list kernels", list_kernel_calls),
        Phase("plan", _plan),
    ]


# Shapes are known, and the runtime checks the inputs: VMShapeLower would only have each call check
# each weight again.
_plan = tvm.transform.Sequential(
    [
        transform.ToNonDataflow(),
        transform.RemovePurityChecking(),
        transform.CallTIRRewrite(),
        PlaceJoins(),
    ]
)
