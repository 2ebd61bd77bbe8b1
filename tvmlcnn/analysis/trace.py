"""From an exported program to a `Graph`: shapes and storages are followed, nothing is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch._guards import detect_fake_mode
from torch.export.graph_signature import InputKind
from torch.utils import _pytree as pytree
from torch.utils.flop_counter import FlopCounterMode

from .kinds import Convolution, is_batch_norm, kind_of, operator_name
from .layer_graph import CONVOLUTIONS, Graph, Layer, Value


def trace(program: torch.export.ExportedProgram, size: int = 4) -> Graph:
    """Return the layers of an exported program.

    Operators are those of ``torch.export``, not decomposed further: a ``hardswish`` is one layer.
    Views, dropout and whatever else returns the memory it got are no layers. What is computed
    from weights alone is a constant, and its cost is the compiler's.

    Parameters
    ----------
    program : torch.export.ExportedProgram
        Of static shapes.
    size : int
        Bytes of what is float32 in the program, but for its inputs, its outputs, and what is
        added to sums: biases, and what batch norms know.
    """
    placeholders = [node for node in program.graph.nodes if node.op == "placeholder"]
    tensors = [node.meta["val"] for node in placeholders]
    by_name = dict(zip((node.name for node in placeholders), tensors, strict=True))
    tracer = _Tracer(program, by_name, size)
    mode = detect_fake_mode(tensors)
    assert mode is not None
    with mode, tracer.counter:
        results = tracer.run(*tensors)
    return tracer.finish(_tensors(results))


class _Tracer(torch.fx.Interpreter):
    """Runs the graph on fake tensors, which have shapes and storages but no data.

    Every value is kept to the end, so that a storage's address names it.
    """

    def __init__(
        self, program: torch.export.ExportedProgram, tensors: dict[str, torch.Tensor], size: int
    ) -> None:
        super().__init__(program.graph_module, garbage_collect_values=False)
        self.size = size
        self.wide: set[int] = set()  # addresses of inputs and outputs
        (output,) = program.graph.find_nodes(op="output")
        self.last = set(output.all_input_nodes)
        self.counter = FlopCounterMode(display=False)
        self.layers: list[Layer] = []
        self.nodes: list[torch.fx.Node] = []
        self.buffers: dict[int, int] = {}
        self.numbers: dict[int, int] = {}  # a storage's address to the number of the buffer
        self.writers: dict[int, int] = {}  # a buffer to the layer that wrote it last
        self.weights: dict[int, frozenset[str]] = {}  # a constant's address to its weights
        self.unread: dict[str, tuple[int, int]] = {}  # a weight to its parameters and bytes
        self.inputs: list[Value] = []
        for spec in program.graph_signature.input_specs:
            tensor = tensors[spec.arg.name]
            if spec.kind == InputKind.USER_INPUT:
                if isinstance(tensor, torch.Tensor):
                    self.wide.add(_address(tensor))
                    self.writers[self._number(tensor)] = -1 - len(self.inputs)
                    self.inputs.append(self._value(tensor))
            else:
                name = spec.target or spec.arg.name
                learned = spec.kind == InputKind.PARAMETER
                self.weights[_address(tensor)] = frozenset([name])
                self.unread[name] = (tensor.numel() if learned else 0, self._bytes(tensor))

    def run_node(self, n: torch.fx.Node) -> Any:
        """Run one node, and record it if it is a layer."""
        before = self.counter.get_total_flops()
        result = super().run_node(n)
        if n in self.last:
            self.wide.update(map(_address, _tensors(result)))
        if n.op == "call_function":
            arguments = _tensors(self.fetch_args_kwargs_from_env(n))
            macs = (self.counter.get_total_flops() - before) // 2
            self._record(n, arguments, _tensors(result), macs)
        return result

    def finish(self, results: list[torch.Tensor]) -> Graph:
        """Return what was recorded."""
        layers = zip(_names(self.nodes), self.layers, strict=True)
        outputs = tuple(self._value(r) for r in results if _address(r) not in self.weights)
        return Graph(
            _folded([replace(layer, name=name) for name, layer in layers], outputs),
            tuple(self.inputs),
            outputs,
            self.buffers,
        )

    def _record(
        self,
        node: torch.fx.Node,
        arguments: list[torch.Tensor],
        results: list[torch.Tensor],
        macs: int,
    ) -> None:
        seen = {_address(tensor) for tensor in arguments}
        if all(_address(tensor) in seen for tensor in results) and not _writes_in_place(node):
            return
        constants = [tensor for tensor in arguments if _address(tensor) in self.weights]
        names = frozenset().union(*(self.weights[_address(tensor)] for tensor in constants))
        if len(constants) == len(arguments):
            self.weights |= {_address(tensor): names for tensor in results}
            return
        reads = _distinct(tensor for tensor in arguments if _address(tensor) not in self.weights)
        values = tuple(map(self._value, reads))
        for tensor in results:
            self.writers[self._number(tensor)] = len(self.layers)
        firsts = [self.unread.pop(name, (0, 0)) for name in sorted(names)]
        convolution = _convolution(node, reads, constants, results)
        self.nodes.append(node)
        self.layers.append(
            Layer(
                name="",
                op=operator_name(node.target),
                kind=kind_of(node.target, macs, convolution, bool(constants)),
                reads=values,
                writes=tuple(map(self._value, results)),
                parameters=sum(count for count, _ in firsts),
                weight_bytes=sum(size for _, size in firsts),
                weight_reads=sum(map(self._bytes, _distinct(constants))),
                macs=macs,
                kernel=convolution.kernel if convolution else (),
                groups=convolution.groups if convolution else 1,
            )
        )

    def _number(self, tensor: torch.Tensor) -> int:
        number = self.numbers.setdefault(_address(tensor), len(self.numbers))
        self.buffers[number] = self._narrow(tensor, tensor.untyped_storage().nbytes())
        return number

    def _value(self, tensor: torch.Tensor) -> Value:
        number = self._number(tensor)
        return Value(number, self.writers[number], tuple(tensor.shape), self._bytes(tensor))

    def _bytes(self, tensor: torch.Tensor) -> int:
        # A broadcast view has more elements than there are in memory.
        whole = tensor.untyped_storage().nbytes()
        return self._narrow(tensor, min(tensor.numel() * tensor.element_size(), whole))

    def _narrow(self, tensor: torch.Tensor, size: int) -> int:
        """Return the bytes of a tensor that has so many in the program."""
        address = _address(tensor)
        vector = address in self.weights and tensor.ndim < 2
        if tensor.dtype != torch.float32 or vector or address in self.wide:
            return size
        return size * self.size // tensor.element_size()


def _address(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in pytree.tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def _distinct(tensors: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    """Return tensors that read different memory: ``x * x`` reads one."""
    places = {(_address(t), t.storage_offset(), t.shape, t.stride()): t for t in tensors}
    return list(places.values())


def _writes_in_place(node: torch.fx.Node) -> bool:
    target = node.target
    if not isinstance(target, torch._ops.OpOverload) or torch.Tag.inplace_view in target.tags:
        return False
    return target._schema.is_mutable


def _convolution(
    node: torch.fx.Node,
    reads: list[torch.Tensor],
    constants: list[torch.Tensor],
    results: list[torch.Tensor],
) -> Convolution | None:
    """Return what the shapes of a convolution's operands say, None for any other operator."""
    op = operator_name(node.target)
    if "conv" not in op or not constants:
        return None
    weight = constants[0]
    channel = -(weight.dim() - 1)  # from behind: the batch dimension may be missing
    channels = reads[0].shape[channel]
    whole = results[0].shape[channel] if "transpose" in op else channels
    return Convolution(whole // weight.shape[1], channels, tuple(weight.shape[2:]))


def _names(nodes: list[torch.fx.Node]) -> list[str]:
    """Name each layer after its module, so that no two have the same name."""
    places = [(*_place(node), operator_name(node.target)) for node in nodes]
    operators: dict[str, set[str]] = {}
    for path, _, op in places:
        operators.setdefault(path, set()).add(op)
    counts: Counter[str] = Counter()
    names = []
    for path, of_torch, op in places:
        name = path if of_torch and len(operators[path]) == 1 else f"{path}.{op}".lstrip(".")
        counts[name] += 1
        names.append(name if counts[name] == 1 else f"{name}#{counts[name]}")
    return names


def _place(node: torch.fx.Node) -> tuple[str, bool]:
    """Return the path of the innermost module of a node, and whether it is a layer of torch's."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    if not stack:
        return "", False
    path, module = stack[-1]
    return path, str(module).startswith("torch.nn.modules.")


def _folded(layers: list[Layer], outputs: tuple[Value, ...]) -> tuple[Layer, ...]:
    """Mark the batch norms that alone read a convolution."""
    reads = [*(value for layer in layers for value in layer.reads), *outputs]
    readers = Counter(value.source for value in reads)

    def folds(layer: Layer) -> bool:
        source = layer.reads[0].source
        behind = source >= 0 and layers[source].kind in CONVOLUTIONS
        return is_batch_norm(layer.op) and behind and readers[source] == 1

    return tuple(replace(layer, folded=folds(layer)) for layer in layers)
