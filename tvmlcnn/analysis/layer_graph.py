"""A network as layers that read and write activations: what every count is taken from."""

from __future__ import annotations

from dataclasses import dataclass

CONVOLUTIONS = ("pointwise", "depthwise", "grouped", "full")
ELEMENTWISE = ("elementwise", "norm")
MOVES = ("shuffle", "concat", "pad")
KINDS = (*CONVOLUTIONS, "fc", "matmul", *ELEMENTWISE, "pool", *MOVES, "other")
"""The types of operators, in the order in which tables list them.

``fc`` multiplies by weights, ``matmul`` two activations; ``norm`` is batch norm; ``shuffle`` is
whatever only reorders or copies. Views move nothing and are no layers.
"""


@dataclass(frozen=True)
class Value:
    """An activation as one layer reads or writes it: a tensor, or a view of a part of it.

    Attributes
    ----------
    buffer : int
        Number of the memory behind it; views and in-place results share one.
    source : int
        Position of the layer that wrote it last; negative for inputs of the network.
    shape : tuple of int
    bytes : int
        What is read or written: a broadcast view counts once.
    """

    buffer: int
    source: int
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True)
class Layer:
    """One operator of the exported graph.

    Attributes
    ----------
    name : str
        The module's, as ``features.0.1``; with the operator behind it where a module computes
        more than one.
    op : str
        ATen's name, as ``conv2d``.
    kind : str
        One of `KINDS`.
    reads, writes : tuple of Value
    parameters : int
        Learned elements that no earlier layer reads.
    weight_bytes : int
        Bytes of parameters and buffers that no earlier layer reads.
    weight_reads : int
        Bytes of weights that one run reads here.
    macs : int
        Multiply-adds of convolutions and matrix products; torch counts them.
    kernel : tuple of int
        Spatial size of a convolution's kernel, else empty.
    groups : int
        Of a convolution, else 1.
    folded : bool
        A batch norm right behind a convolution: compiling multiplies it into the weights, so it
        moves no data.
    """

    name: str
    op: str
    kind: str
    reads: tuple[Value, ...]
    writes: tuple[Value, ...]
    parameters: int
    weight_bytes: int
    weight_reads: int
    macs: int
    kernel: tuple[int, ...] = ()
    groups: int = 1
    folded: bool = False

    @property
    def activation_bytes(self) -> int:
        """Bytes of the activations read and written, as the graph is written."""
        return 0 if self.folded else sum(value.bytes for value in (*self.reads, *self.writes))

    @property
    def access_bytes(self) -> int:
        """Memory access cost: activations and weights, each once (section 2 of 1807.11164)."""
        return 0 if self.folded else self.activation_bytes + self.weight_reads

    @property
    def is_kernel(self) -> bool:
        """Whether it computes more than an elementwise operation or a copy."""
        return self.kind not in ELEMENTWISE and self.kind not in MOVES


@dataclass(frozen=True)
class Graph:
    """The layers in execution order, and the memory that they work on.

    Attributes
    ----------
    layers : tuple of Layer
    inputs, outputs : tuple of Value
    buffers : dict of int to int
        Bytes of each buffer.
    """

    layers: tuple[Layer, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    buffers: dict[int, int]
