"""Products of few rows with weights: fully connected layers, squeeze-and-excitation's above all.

All that takes time is to read the weights. Many threads share the reduction of a channel, so that
enough reads are on their way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from tvm.s_tir import Schedule

from tvmlcnn import ops
from tvmlcnn.targets import Gpu

from ..decisions import Decisions
from ..epilogue import flatten_pixels, inline_epilogue
from ..layer import Convolution, Layer, Product
from ..rule import Definition, Plan, Rule
from .blocks import LANES, finish
from .threads import lanes_of, unroll

# From here on rows share the weights that a block has read.
_MOST_ROWS = 3
# Threads with neighbouring channels: 8 of 16 bytes are a line of the cache, 2 a sector of one.
_ABREAST = (8, 4, 2)
# Threads of a block; of all blocks on a multiprocessor so many wait for 32 kB of weights, which is
# more than any memory has on its way (an H100's: 3.35 TB/s times 0.7 us, for 132 of them).
_LEAST_THREADS, _MOST_THREADS = 64, 256
_MOST_SHARES = 64
# Reads of a thread that are on their way at a time.
_UNROLLED = 8


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    abreast : int
        Threads with neighbouring vectors of channels.
    shares : int
        Of the reduction, each of them another thread's.
    unrolled : int
        Steps of a share that are unrolled.
    """

    abreast: int
    shares: int
    unrolled: int


def _plan(layer: Layer, device: Gpu, decisions: Decisions) -> Plan | None:
    """Take products of few rows, and convolutions that are ones."""
    if isinstance(layer, Product):
        weight = layer.weight
    elif isinstance(layer, Convolution) and _is_product(layer):
        weight = layer.weight[0, 0]
    else:
        return None
    rows, (steps, outer) = math.prod(layer.shape[:-1]), weight.shape
    if rows > _MOST_ROWS:
        return None

    def blocks(abreast: int) -> int:
        return rows * -(-outer // (abreast * LANES))

    options = []
    for abreast in _ABREAST:
        threads = _MOST_THREADS * device.multiprocessors // blocks(abreast)
        threads = min(max(threads, _LEAST_THREADS), _MOST_THREADS)
        # A prime number of steps may be one of more threads alone.
        found = (_shares(steps, min(_MOST_SHARES, n // abreast)) for n in (threads, _MOST_THREADS))
        shares = next((n for n in found if n > 1), 1)
        unrolled = max(n for n in range(1, _UNROLLED + 1) if steps // shares % n == 0)
        if shares > 1:  # of a large prime number of steps there are none
            options.append(Layout(abreast, shares, unrolled))
    if not options:
        return None

    # Whole lines, if these are enough for all multiprocessors.
    options.sort(
        key=lambda layout: (blocks(layout.abreast) < device.multiprocessors, -layout.abreast)
    )
    if blocks(options[0].abreast) < device.multiprocessors:
        options.reverse()
    layout = decisions.choose("layout", options)

    def definition() -> Definition:
        define = partial(
            ops.matrix_product,
            gathering=ops.Gathering(layer.shape, ops.Window(), (1, 1), steps),
            rows=1,
            sums=layer.sums,
        )
        packed = ops.pack(weight, ops.Tile(1, layout.abreast, LANES))
        own = steps // layout.shares
        return Definition(define, [packed.reshape(-1, layout.shares, own, packed.shape[-1])])

    return Plan(ROW_PRODUCT.name, layer.element, layer.workload, layout, definition=definition)


def _shares(steps: int, most: int) -> int:
    """Return how many equal shares a reduction has, of whole vectors of steps if it can."""
    dividing = [n for n in range(1, most + 1) if steps % n == 0]
    return max(dividing, key=lambda n: (n > 1 and steps // n % LANES == 0, n))


def _is_product(layer: Convolution) -> bool:
    """Tell whether a convolution only multiplies the channels of each pixel by a matrix."""
    plain = not (len(layer.reads) or layer.prologue or layer.channels_first)
    one = layer.weight.shape[:2] == (1, 1) and layer.window == ops.Window()
    return plain and one and layer.groups == 1


def _schedule(sch: Schedule, plan: Plan, device: Gpu, decisions: Decisions) -> Schedule:
    """Sum up shares of the reduction in registers, and then the shares in shared memory."""
    layout = plan.layout
    threads = layout.abreast * layout.shares
    shares, sums = sch.get_sblock("product"), sch.get_sblock("parts")
    sch.compute_inline(sch.get_sblock("panel"))
    output = inline_epilogue(sch, sums, "local")
    flatten_pixels(sch, output)
    finish(sch, output, device)
    row, channel = sch.get_loops(output)
    block, channel = sch.split(channel, [None, layout.abreast * LANES])
    sch.reorder(block, row, channel)
    sch.bind(block, "blockIdx.x")
    sch.bind(row, "blockIdx.y")
    for each in (sums, shares):
        sch.compute_at(each, row, preserve_unit_loops=True)
    # The sums pass through shared memory too: where fewer threads than there are add the shares
    # up, TVM takes only for what it reads in a block of its own that they read no more.
    sch.set_scope(sums, 0, "shared")
    *_, summed, share = sch.get_loops(sums)
    for loop in (summed, channel):
        _, thread = sch.split(loop, [None, threads])
        sch.bind(thread, "threadIdx.x")
    sch.decompose_reduction(sums, share)
    sch.set_scope(shares, 0, "shared")
    written = sch.cache_write(shares, 0, "local")
    *_, share, one, channel = sch.get_loops(written)
    vector, lanes = sch.split(channel, [None, LANES])
    sch.reorder(one, share, vector, lanes)
    thread = sch.fuse(share, vector)
    sch.bind(thread, "threadIdx.x")
    sch.vectorize(lanes)
    sch.compute_at(shares, thread, preserve_unit_loops=True)
    *_, lanes, step = sch.get_loops(shares)
    count = lanes_of(layout.unrolled)[0]
    steps, loads, unrolled = sch.split(step, [None, layout.unrolled // count, count])
    sch.reorder(steps, loads, unrolled, lanes)
    for number, at in ((0, loads), (1, unrolled)):
        read = sch.cache_read(shares, number, "local")
        sch.compute_at(read, at, preserve_unit_loops=True)
        sch.vectorize(sch.get_loops(read)[-1])
    unroll(sch, loads, unrolled)
    sch.unroll(lanes)
    sch.decompose_reduction(shares, steps)
    return sch


ROW_PRODUCT = Rule("row_product", 1, Layout, _plan, _schedule)
"""Asked before the rule for products of many rows."""
