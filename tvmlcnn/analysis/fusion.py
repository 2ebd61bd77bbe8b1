"""The memory traffic that is left when a compiler fuses what can be fused.

As the graph is written, every operator reads its operands and writes its result. Compiled, an
elementwise layer is computed where its operand is produced (or consumed), and a copy need not
happen at all: a producer writes where the consumer will read. Then these layers cost nothing but
the operands that they join.
"""

from __future__ import annotations

from .layer_graph import ELEMENTWISE, MOVES, Graph, Layer

_Roots = dict[int, int]
"""The values in memory that an activation is computed from: source and bytes."""


def traffic(graph: Graph) -> tuple[int, ...]:
    """Return the bytes that each layer moves at least, fused but run one after the other.

    - A kernel (convolution, product, pool, ...) reads its operands and weights and writes its
      result, each once.
    - An elementwise layer and a batch norm read, besides their weights, the operands that the
      kernel they are fused into does not have at hand: a residual addition reads its shortcut,
      a channel-wise scale its factors, an activation nothing. A result that several layers read
      is in memory; one that a single layer reads is not.
    - Shuffle, concat and pad move nothing.

    Fusing two kernels, or a cache that holds a whole activation, can move less than this.
    """
    readers: dict[int, int] = {}
    for layer in graph.layers:
        for source in {value.source for value in layer.reads}:
            readers[source] = readers.get(source, 0) + 1
    roots: dict[int, _Roots] = {}
    moved = []
    for index, layer in enumerate(graph.layers):
        if layer.kind not in ELEMENTWISE:
            moved.append(0 if layer.kind in MOVES else layer.access_bytes)
            continue
        operands = [roots.get(v.source, {v.source: v.bytes}) for v in layer.reads]
        joined = {source: size for operand in operands for source, size in operand.items()}
        if readers.get(index, 0) == 1:
            roots[index] = joined
        moved.append(_joined_bytes(layer, operands, joined, index in readers))
    return tuple(moved)


def _joined_bytes(layer: Layer, operands: list[_Roots], joined: _Roots, is_read: bool) -> int:
    """Return what an elementwise layer moves when it is fused."""
    if layer.folded:
        return 0
    if max(joined) < 0 and not is_read:  # between input and output there is nothing to fuse with
        return layer.weight_reads + sum(joined.values()) + sum(v.bytes for v in layer.writes)
    at_hand = max(sum(operand.values()) for operand in operands)
    return layer.weight_reads + sum(joined.values()) - at_hand
