"""Which layers read codes that no kernel multiplies, so that they are computed in float32."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import fx

from tvmlcnn.graph.quantized_operators import CODES

from .aten import dtype_named
from .aten.quantization import LIBRARY
from .decompositions import name_of
from .layer_naming import Layers


def float_codes(program: torch.export.ExportedProgram) -> tuple[str, ...]:
    """Return a line for each reason in a quantized program, which names the layers."""
    graph = program.graph
    inputs = set(program.graph_signature.user_inputs)
    computed: set[fx.Node] = set()
    for node in graph.nodes:
        if node.name in inputs or any(each in computed for each in node.all_input_nodes):
            computed.add(node)
    layers = Layers(graph)
    found: dict[str, dict[str, None]] = {}
    for node in graph.nodes:
        reason = _reason(node, computed) if node in computed else None
        if reason is not None:
            names = found.setdefault(reason, {})
            names.update(dict.fromkeys(map(layers.of, _readers(node))))
    return tuple(
        f"computed in float32, as {reason}: {', '.join(names)}" for reason, names in found.items()
    )


def _operator(node: fx.Node) -> str:
    """Return the name of an operator of the library, without its overload; empty for others."""
    name = name_of(node.target) if node.op == "call_function" else ""
    library, _, operator = name.partition(".")
    return operator.partition(".")[0] if library == LIBRARY else ""


def _reason(node: fx.Node, computed: set[fx.Node]) -> str | None:
    """Return why no kernel takes the codes that a node makes, None where one does."""
    operator = _operator(node)
    if not operator.startswith("quantize_"):
        return None
    if operator != "quantize_per_tensor":
        return "what is read is quantized with several scales"
    if any(isinstance(each, fx.Node) and each in computed for each in node.args[1:]):
        return "what is read is quantized with a scale that each inference computes"
    dtype = node.meta["val"].dtype
    if dtype_named(dtype) not in CODES:
        return f"what is read is quantized to {str(dtype).removeprefix('torch.')}"
    return None


def _readers(node: fx.Node) -> Iterator[fx.Node]:
    """Yield what reads the codes of a node as numbers; the node itself where nothing does."""
    ends = [user for each in node.users for user in ([*each.users] if _operator(each) else [each])]
    yield from (end for end in ends if end.op == "call_function")
    if not any(end.op == "call_function" for end in ends):
        yield node
