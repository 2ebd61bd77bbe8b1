"""ShuffleNet V2's four guidelines for fast networks, checked on a graph.

Ma et al. 2018, "ShuffleNet V2", arXiv:1807.11164, section 2. Memory access cost is counted in
elements there and in bytes here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import prod, sqrt

from .fusion import traffic
from .layer_graph import ELEMENTWISE, Graph, Layer

# A layer breaks G1 or G2 when it moves that much more than it had to: 1:2 channels cost 6 % where
# the map is large, 1:4 cost 25 %; two groups cost 33 %.
EXCESS = 0.10
# A point of the graph breaks G3 from this many kernels side by side on; two are a convolution
# and the one in its shortcut.
BRANCHES = 3
# A network breaks G4 when its elementwise layers, fused, still move this share of all bytes.
ELEMENTWISE_SHARE = 0.05


@dataclass(frozen=True)
class Finding:
    """A place that breaks a guideline.

    Attributes
    ----------
    guideline : str
        ``"G1"`` to ``"G4"``.
    layers : tuple of str
    loss : float
        G1, G2: bytes moved in excess, over those that had to be. G3: share of the work side by
        side that is not in the largest kernel. G4: share of the bytes that the network moves.
    bytes : int
        Bytes in excess; 0 for G3, where none are.
    detail : str
        What the loss comes from.
    """

    guideline: str
    layers: tuple[str, ...]
    loss: float
    bytes: int
    detail: str


@dataclass(frozen=True)
class Guidelines:
    """What the four guidelines say of a network.

    Attributes
    ----------
    excess_bytes : dict of str to int
        ``"G1"`` and ``"G2"``: bytes in excess over all layers, broken or not.
    branches : int
        G3: most kernels side by side at any point.
    elementwise_share : float
        G4: share of the memory access cost in elementwise layers, as the graph is written.
    fused_elementwise_share : float
        The same of the traffic that is left after fusion.
    findings : tuple of Finding
    """

    excess_bytes: dict[str, int]
    branches: int
    elementwise_share: float
    fused_elementwise_share: float
    findings: tuple[Finding, ...]


def check(graph: Graph) -> Guidelines:
    """Check a network against the four guidelines."""
    widths = [(layer, *_g1(layer)) for layer in graph.layers if layer.kind == "pointwise"]
    groups = [(layer, *_g2(layer)) for layer in graph.layers if layer.kind == "grouped"]
    moved = traffic(graph)
    elementwise = [layer.kind in ELEMENTWISE for layer in graph.layers]
    access = [layer.access_bytes for layer in graph.layers]
    fused_share = _share(moved, elementwise)
    branches, fragments = _g3(graph)
    findings = [
        *(_excess("G1", *found) for found in widths if found[1] >= EXCESS * found[2]),
        *(_excess("G2", *found) for found in groups if found[1] >= EXCESS * found[2]),
        *fragments,
    ]
    if fused_share >= ELEMENTWISE_SHARE:
        findings += [
            Finding("G4", (layer.name,), size / sum(moved), size, f"{layer.op} of {_shape(layer)}")
            for layer, size, counts in zip(graph.layers, moved, elementwise, strict=True)
            if counts and size
        ]
    return Guidelines(
        {"G1": sum(found[1] for found in widths), "G2": sum(found[1] for found in groups)},
        branches,
        _share(access, elementwise),
        fused_share,
        tuple(findings),
    )


def _g1(layer: Layer) -> tuple[int, int, str]:
    """Return excess and least bytes of a 1x1 convolution, and its widths.

    Equation 1: with B = h·w·c1·c2 multiply-adds, MAC = h·w·(c1 + c2) + c1·c2 is at least
    2·sqrt(h·w·B) + B/(h·w), which it reaches for c1 = c2. Where a stride leaves the two maps
    different, only the pixels that are read count.
    """
    hw, c1, c2, size = _sizes(layer)
    macs = hw * c1 * c2
    cost = hw * (c1 + c2) + c1 * c2
    least = 2 * sqrt(hw * macs) + macs / hw
    return round((cost - least) * size), round(least * size), f"{c1} to {c2} channels"


def _g2(layer: Layer) -> tuple[int, int, str]:
    """Return excess and least bytes of a group convolution, and its groups.

    Equation 2: MAC = h·w·(c1 + c2) + k²·c1·c2/g = h·w·c1 + B·g/(k²·c1) + B/(h·w). At the same
    input and the same B, one group needs only c2/g output channels, so that g groups write
    h·w·c2·(1 - 1/g) elements more.
    """
    hw, c1, c2, size = _sizes(layer)
    groups = layer.groups
    weights = prod(layer.kernel) * c1 * c2 // groups
    excess = hw * (c2 - c2 / groups)
    least = hw * (c1 + c2 / groups) + weights
    detail = f"{groups} groups, {c1} to {c2} channels"
    return round(excess * size), round(least * size), detail


def _g3(graph: Graph) -> tuple[int, list[Finding]]:
    """Return the most kernels side by side, and the points where there are too many.

    Guideline 3 counts fragments, the "individual convolutions or pooling operations" of a
    building block. Those side by side are the kernels at equal depth: with as many kernels
    before them on the longest way from the input. All of them could run at once, each on less
    work than one kernel that did the same.
    """
    depths: dict[int, int] = {}
    levels: dict[int, list[Layer]] = defaultdict(list)
    for index, layer in enumerate(graph.layers):
        before = max((depths.get(value.source, 0) for value in layer.reads), default=0)
        depths[index] = before + layer.is_kernel
        if layer.is_kernel:
            levels[depths[index]].append(layer)
    findings = []
    for layers in levels.values():
        if len(layers) >= BRANCHES:
            work = [layer.access_bytes for layer in layers]
            loss = 1 - max(work) / sum(work)
            names = tuple(layer.name for layer in layers)
            findings.append(Finding("G3", names, loss, 0, f"{len(layers)} kernels side by side"))
    return max(map(len, levels.values()), default=0), findings


def _excess(guideline: str, layer: Layer, excess: int, least: int, detail: str) -> Finding:
    where = f"{detail} at {'x'.join(map(str, layer.writes[0].shape[-len(layer.kernel) :]))}"
    return Finding(guideline, (layer.name,), excess / least, excess, where)


def _sizes(layer: Layer) -> tuple[int, int, int, int]:
    """Return pixels of the output over the batch, input and output channels, bytes an element."""
    shape = layer.writes[0].shape
    channel = -1 - len(layer.kernel)  # from behind: the batch dimension may be missing
    c1, c2 = layer.reads[0].shape[channel], shape[channel]
    return prod(shape) // c2, c1, c2, layer.writes[0].bytes // prod(shape)


def _share(sizes: list[int] | tuple[int, ...], counted: list[bool]) -> float:
    part = sum(size for size, counts in zip(sizes, counted, strict=True) if counts)
    return part / sum(sizes) if part else 0.0


def _shape(layer: Layer) -> str:
    return "x".join(map(str, layer.writes[0].shape))
