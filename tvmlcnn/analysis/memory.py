"""How much memory the activations need at once."""

from __future__ import annotations

from dataclasses import dataclass

from .layer_graph import ELEMENTWISE, Graph, Layer


@dataclass(frozen=True)
class Peak:
    """The most bytes of activations that are alive at once, and the first layer that needs them."""

    bytes: int
    layer: str


def peak_memory(graph: Graph) -> Peak:
    """Return the peak of a run that takes the layers in the graph's order.

    A buffer lives from the layer that writes it to the last layer that reads it or a view of it;
    the network's inputs live from the start, its outputs to the end. An elementwise layer or a
    batch norm overwrites an operand of the same size that nobody reads after it, as every
    compiler has it; the caller's inputs are not overwritten. Weights and a convolution's scratch
    memory are not counted.
    """
    last = {
        value.buffer: index for index, layer in enumerate(graph.layers) for value in layer.reads
    }
    kept = {value.buffer for value in graph.outputs}
    caller = {value.buffer for value in graph.inputs}
    alive = set(caller)
    peak = Peak(sum(graph.buffers[buffer] for buffer in alive), "input")
    for index, layer in enumerate(graph.layers):
        new = {value.buffer for value in layer.writes} - alive
        dying = {value.buffer for value in layer.reads if last[value.buffer] == index} - kept
        reused = _overwritten(layer, new, dying - caller, graph.buffers)
        alive = (alive | new) - reused
        size = sum(graph.buffers[buffer] for buffer in alive)
        if size > peak.bytes:
            peak = Peak(size, layer.name)
        # What is written and never read is gone at once too.
        alive -= dying | {buffer for buffer in new if buffer not in last and buffer not in kept}
    return peak


def _overwritten(layer: Layer, new: set[int], free: set[int], sizes: dict[int, int]) -> set[int]:
    """Return the operand whose memory the result takes, in a set, or an empty set."""
    if layer.kind not in ELEMENTWISE or len(new) != 1:
        return set()
    (result,) = new
    return {buffer for buffer in sorted(free)[-1:] if sizes[buffer] == sizes[result]}
