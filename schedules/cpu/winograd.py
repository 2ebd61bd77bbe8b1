"""3x3 convolutions by Winograd's minimal filtering, of numbers and of codes."""

from __future__ import annotations

from functools import partial

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvmlcnn import ops
from tvmlcnn.ops import Blocking
from tvmlcnn.targets import BFLOAT16, CODES, INT16, Core, Cpu, ElementType

from ..channel_places import first_of_neighbours, in_one_plane
from ..decisions import Decisions
from ..layer import Convolution, Layer
from ..rule import Definition, Plan, Rule
from .accumulate import unroll_vectors
from .blocks import vectorize
from .products_of_points import schedule_points
from .tiles import power_of_two_divisor
from .winograd_blocking import direct_step, winograd_choice
from .winograd_output import schedule_output


def _plan(layer: Layer, device: Cpu, decisions: Decisions) -> Plan | None:
    """Take 3x3 convolutions of whole channels-last maps with steps of one or two."""
    if not isinstance(layer, Convolution) or layer.groups > 1 or layer.channels_first:
        return None
    weight, window = layer.weight, layer.window
    rows, columns, inner, outer = weight.shape
    element = _multiplied(layer.element)
    if not device.computes(element) or element == BFLOAT16:
        return None
    core = device.core(element)
    if 0 < core.arithmetic.multiply_add.longest < inner:
        return None
    first = first_of_neighbours(layer)
    stride = window.strides[0]
    simple = window == ops.Window(strides=(stride, stride), padding=window.padding)
    if first is None or (rows, columns) != (3, 3) or not simple or stride > 2:
        return None
    batch, height, width, _ = layer.shape
    codes = layer.element.name in CODES
    pixels = batch * height * width
    step = direct_step(weight, pixels, device.core(layer.element)) if codes else 1
    choice = winograd_choice((batch, height, width), inner, outer, device, element, stride, step)
    if choice is None or (codes and not all(ops.is_exact(weight, n, stride) for n in (2, 4))):
        return None
    lanes = power_of_two_divisor(inner, core.elements)
    if not in_one_plane(first, inner, layer.data[3], lanes):
        return None
    blocking = decisions.choose("blocking", choice.blockings)

    def definition() -> Definition:
        transformed = ops.transform_weights(weight, blocking.outputs, stride)
        define = partial(
            ops.winograd,
            shape=layer.shape,
            inner=inner,
            first=first,
            padding=window.padding,
            blocking=blocking,
            stride=stride,
            prologue=ops.chain(layer.prologue) if layer.prologue else None,
            steps=core.steps_of_a_load(inner),
            zero=layer.zero,
        )
        return Definition(define, [ops.pack(transformed, blocking.registers)])

    return Plan(WINOGRAD.name, layer.element, layer.workload, blocking, choice.pays, definition)


def _multiplied(element: ElementType) -> ElementType:
    """Return the type of what is multiplied: the transforms of codes need more bits."""
    return INT16 if element.name in CODES else element


def _schedule(sch: Schedule, plan: Plan, device: Cpu, decisions: Decisions) -> Schedule:
    """Take a block of tiles of the map through all steps while it is in the caches.

    For each block of tiles the transformed input is stored; for each block of channels come the
    products and then, from the cache, the transform of the output with the epilogue. So the
    transformed output is never larger than a block of channels, and the weights are read in the
    order in which they lie. Both transforms work on one tile and one vector of channels at a
    time, fully unrolled, so that their matrices become additions.
    """
    blocking, core = plan.layout, device.core(_multiplied(plan.element))
    main = sch.get_sblock("winograd")
    at = schedule_output(sch, main, blocking, core)
    schedule_points(sch, main, 2, blocking.registers, at, _input, core)
    return sch


def _input(sch: Schedule, spectrum: SBlockRV, core: Core) -> LoopRV:
    """Transform a tile of the input after the other; return the loop over the tiles."""
    (rows,) = sch.get_producers(spectrum)
    (patch,) = sch.get_producers(rows)
    i, j, tiles, channel = sch.get_loops(spectrum)[-4:]
    wide = power_of_two_divisor(int(sch.get(channel).extent), core.elements)
    vectors, lanes = sch.split(channel, [None, wide])
    # Two rows of all channels, then the next two: registers hold what goes into two rows.
    pairs, i = sch.split(i, [None, 2])
    sch.reorder(tiles, pairs, vectors, i, j, lanes)
    sch.unroll(pairs)
    unroll_vectors(sch, i, j, lanes)
    sch.compute_at(rows, vectors, preserve_unit_loops=True)
    i, j, lanes = sch.get_loops(rows)[-3:]
    # What a column holds is loaded for both rows together.
    sch.reorder(j, i)
    unroll_vectors(sch, j, i, lanes)
    # Copying first what a tile reads keeps the tests for the map's border out of the transform.
    sch.compute_at(patch, tiles, preserve_unit_loops=True)
    vectorize(sch, patch, core)
    return tiles


WINOGRAD = Rule("winograd", 1, Blocking, _plan, _schedule)
