"""Which tiles of registers a convolution or a product takes, and how its weights are packed."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np

from tvmlcnn import ops
from tvmlcnn.targets import CODES, FLOAT32, Core, Cpu

from ..channel_places import planes_of, table
from ..decisions import Decisions
from ..layer import Convolution, Layer, Product
from ..rule import Definition, Plan
from .channel_reads import channel_reads
from .dense_loops import Layout
from .dense_tiles import dense_tiles
from .paired_tiles import paired_tiles
from .runs import instruction_of

NAME = "dense"
"""Of the rule."""
# A load of a row's taps that has fewer of them brings more for nothing than it saves.
_FEWEST_TAPS = 3


def plan_dense(layer: Layer, device: Cpu, decisions: Decisions) -> Plan | None:
    """Take convolutions whose channels fill vectors, and products with weights.

    Groups are for another rule, but those of codes: it takes dot products to multiply these.
    """
    if isinstance(layer, Product):
        return _product(layer, device.core(layer.element), decisions)
    codes = layer.element.name in CODES
    if isinstance(layer, Convolution) and (layer.groups == 1 or (codes and not layer.is_depthwise)):
        return _convolution(layer, device.core(layer.element), decisions)
    return None


def _product(layer: Product, core: Core, decisions: Decisions) -> Plan | None:
    depth, channels = layer.weight.shape
    core = _multiplying(core, depth, layer.weight)
    rows = math.prod(layer.data[:-1])
    # Where they are no vectors, columns of zeros fill them up.
    whole = channels % min(core.vectors()) == 0
    filled = channels if whole else -(-channels // core.lanes) * core.lanes
    step = instruction_of(core, depth, layer.weight)
    products = step.products
    kernel = (depth // products,)
    steps = 1 if step.paired else core.steps_of_a_load(*kernel)
    chunked = ops.chunk_of(kernel, step.longest) is not None
    if step.paired:
        tiles = paired_tiles(rows, *kernel, filled, step, core)
    else:
        tiles = dense_tiles(rows, *kernel, filled, core, steps=steps, chunked=chunked)
    tile = decisions.choose("tile", tiles)

    def definition() -> Definition:
        define = partial(
            ops.dense,
            shape=layer.shape,
            window=ops.Window(),
            tile=tile,
            products=products,
            paired=step.paired,
            widened=step.widened,
            longest=step.longest,
            steps=steps,
        )
        return Definition(define, [ops.pack(layer.weight, tile, products, step.paired)])

    layout = Layout(
        tile,
        rows,
        channels,
        0,
        kernel,
        rows * depth,
        False,
        bool(step.widened),
        products,
        chunked,
        steps,
        paired=step.paired,
    )
    return Plan(NAME, layer.element, layer.workload, layout, definition=definition)


def _multiplying(core: Core, inner: int, weight: np.ndarray) -> Core:
    """Return the core as it multiplies inner channels by weights, which may be small."""
    small = core.arithmetic.of_small
    if small is None or inner % small.multiply_add.products:
        return core
    largest = max(int(weight.max(initial=0)), -int(weight.min(initial=0)))
    fits = largest <= small.multiply_add.largest
    return core.multiplying(small.multiply_add.products) if fits else core


def _convolution(layer: Convolution, core: Core, decisions: Decisions) -> Plan | None:
    window, weight, data = layer.window, layer.weight, layer.data
    *kernel, inner, outer = weight.shape
    rows = math.prod(layer.shape[:-1])
    linear = kernel == [1, 1] and window == ops.Window()
    depth, width = weight.size // outer, layer.shape[2]
    read_at_once = min(inner, data[1 if layer.channels_first else 3])
    core = _multiplying(core, read_at_once, weight)
    step = instruction_of(core, read_at_once, weight)
    products = step.products
    one_step = 1 < inner == products and kernel[1] > 1
    own = outer // layer.groups
    kernel = [] if kernel == [1, 1] else kernel
    planes, inner, reads = planes_of(layer)
    kernel = kernel + [planes] * (planes > 1)
    padded, places = any(window.padding), len(reads) > 0
    # Only channels that lie one after the other are a vector; else it may be the taps of a row.
    apart = layer.channels_first or layer.groups > 1
    steps = 1 if apart or step.paired else core.steps_of_a_load(inner // products)
    along = _along(layer, core) if layer.channels_first else 0
    if along:
        steps, kernel, weight = kernel[1], [kernel[0], inner], weight.transpose(0, 2, 1, 3)
        inner = steps
        reach = (layer.shape[2] - 1) * window.strides[1] + along
        top, left, bottom, right = window.padding
        right = max(right, reach - data[3] - left)
        window = replace(window, padding=(top, left, bottom, right))
    if places:
        read_as = channel_reads(reads, data[3], core)
        reads, inner = reads[read_as.order], len(read_as.order)
        steps = math.gcd(read_as.a_load, core.steps_of_a_load(inner)) if not step.paired else 1
        weight = (weight[:, :, read_as.order] * read_as.share[:, None]).astype(weight.dtype)
        depth = weight.size // outer
    width_of = None if linear else width
    extents = (*kernel, inner // products)
    chunked = ops.chunk_of(extents, step.longest) is not None
    if step.paired:
        tiles = paired_tiles(rows, depth // products, own, step, core)
    else:
        at_once = steps * core.lanes / along if along else steps
        tiles = dense_tiles(
            rows, depth // products, own, core, width_of, one_step, at_once, chunked
        )
    tiles = [tile for tile in tiles if layer.groups == 1 or own % tile.channels == 0]
    if not tiles:
        return None
    tile = decisions.choose("tile", tiles)
    simple = not (padded or len(kernel) > (planes > 1) or layer.channels_first or places)
    read = math.prod(data)
    if padded:
        top, left, bottom, right = window.padding
        first = 2 if layer.channels_first else 1
        height, columns = data[first : first + 2]
        maps = read // (height * columns)
        read = maps * (top + height + bottom) * (left + columns + right)
    panel = simple and bool(layer.prologue or step.widened)
    if panel:
        read = -(-rows // tile.pixels) * tile.pixels * planes * inner

    def definition() -> Definition:
        tables = [table(reads, data, layer.shape[0], window, steps)] if places else []
        define = partial(
            ops.dense,
            shape=layer.shape,
            window=window,
            tile=tile,
            planes=planes,
            table=places,
            channels_first=layer.channels_first,
            prologue=ops.chain(layer.prologue) if layer.prologue else None,
            products=products,
            paired=step.paired,
            steps=steps,
            along=along,
            zero=layer.zero,
            groups=layer.groups,
            widened=step.widened,
            longest=step.longest,
        )
        packed = ops.pack(weight.reshape(*kernel, inner, outer), tile, products, step.paired)
        return Definition(define, [packed, *tables])

    # A table counts the zeros around the maps, which are there in a copy alone.
    whole = products > 1 or chunked or layer.element.name in CODES
    skippable = padded and not places and not whole
    layout = Layout(
        tile,
        rows,
        outer,
        width,
        extents,
        read,
        skippable,
        panel,
        products,
        chunked,
        steps,
        along,
        step.paired,
    )
    return Plan(NAME, layer.element, layer.workload, layout, definition=definition)


def _along(layer: Convolution, core: Core) -> int:
    """Return how many values loads bring for each row of the taps of a channels-first map.

    They are whole vectors, one after the other: neighbouring taps read neighbouring values. 0 where
    no instruction takes a factor from a lane, or where a row is too short for more than one to.
    """
    taps = layer.weight.shape[1]
    by_lane = core.arithmetic.multiply_add.by_lane and layer.element == FLOAT32
    if not by_lane or taps < _FEWEST_TAPS or layer.window.dilation[1] > 1:
        return 0
    return -(-taps // core.lanes) * core.lanes
