"""What one kernel computes, of the nodes of a graph.

Within a unit nothing is quantized: its inputs are, and what it ends with.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from torch import fx

from .operators import ADD, BINARY, WEIGHTED, is_average, is_elementwise, is_float, is_held, is_move

_LONGEST = 24
"""Nodes of an activation that is written out: gelu by its formula has nine."""


@dataclass(eq=False)
class Unit:
    """Nodes that one kernel computes.

    Attributes
    ----------
    root : torch.fx.Node
        A convolution, a product, or what stands alone: a sum, an average, an activation, a move.
    nodes : list of torch.fx.Node
        All of them, in order.
    sums : int
        How many shortcuts were taken in.
    """

    root: fx.Node
    nodes: list[fx.Node] = field(default_factory=list)
    sums: int = 0

    def __post_init__(self) -> None:
        self.nodes = self.nodes or [self.root]

    @property
    def end(self) -> fx.Node:
        """Whose value leaves the unit."""
        return self.nodes[-1]

    @property
    def is_weighted(self) -> bool:
        """Whether it is a convolution or a product with weights."""
        return self.root.target in WEIGHTED

    @property
    def is_move(self) -> bool:
        """Whether it only moves elements."""
        return is_move(self.root)


class Units:
    """The units of a graph.

    Attributes
    ----------
    all : list of Unit
        In the order in which they are computed. Nodes that have no integer form are in none.
    of : dict of torch.fx.Node to Unit
    """

    def __init__(self, graph: fx.Graph) -> None:
        self._place = {node: number for number, node in enumerate(graph.nodes)}
        self._constants = constants_of(graph)
        self.of: dict[fx.Node, Unit] = {}
        for starts in (self._is_weighted, self._stands_alone):
            for node in graph.nodes:
                if node.op == "call_function" and node not in self.of and starts(node):
                    self._take(Unit(node))
            self._take_shortcuts()
        self.all = sorted(set(self.of.values()), key=lambda unit: self._place[unit.end])

    def inputs(self, unit: Unit) -> list[fx.Node]:
        """Return the activations that a unit is given, each once, in order."""
        inner = set(unit.nodes)
        given = [
            source
            for node in unit.nodes
            for source in node.all_input_nodes
            if source not in inner and source not in self._constants
        ]
        return list(dict.fromkeys(given))

    def is_constant(self, node: fx.Node) -> bool:
        """Tell whether a value depends on weights alone."""
        return node in self._constants

    def _is_weighted(self, node: fx.Node) -> bool:
        if node.target not in WEIGHTED or not is_float(node):
            return False
        source, *weights = (one for one in node.args[:3] if isinstance(one, fx.Node))
        return source not in self._constants and all(one in self._constants for one in weights)

    def _stands_alone(self, node: fx.Node) -> bool:
        """Tell whether a node that no convolution took in can be a kernel, or a move."""
        if node in self._constants or not is_held(node):
            return False
        if is_move(node):
            return all(map(is_held, self._given(node)))
        return is_average(node) or self._is_activation(node) or self._is_binary(node)

    def _is_binary(self, node: fx.Node) -> bool:
        return node.target in BINARY and len(self._given(node)) > 1 and self._takes_floats(node)

    def _is_activation(self, node: fx.Node) -> bool:
        return is_elementwise(node) and len(self._given(node)) == 1 and self._takes_floats(node)

    def _takes_floats(self, node: fx.Node) -> bool:
        return all(map(is_float, self._given(node)))

    def _given(self, node: fx.Node) -> list[fx.Node]:
        return [one for one in node.all_input_nodes if one not in self._constants]

    def _take(self, unit: Unit) -> None:
        if unit.is_weighted or is_elementwise(unit.root):
            unit.nodes += self._chain(unit)
        for node in unit.nodes:
            self.of[node] = unit

    def _chain(self, unit: Unit) -> list[fx.Node]:
        """Return the nodes that follow as a function of one value alone, which nothing else reads.

        So a hard swish that is written out, which reads the value twice, is taken whole.
        """
        start = unit.end
        # What an activation that stands alone begins with may be read by others as well.
        outside = set(self.inputs(unit)) if self._is_activation(unit.root) else set()
        inside, found, length = {start}, [start], 0
        left = [(self._place[user], user) for user in start.users]
        heapq.heapify(left)
        while left and len(found) <= _LONGEST:
            _, node = heapq.heappop(left)
            if node in inside or not self._is_of(node, inside | outside, start):
                continue
            inside.add(node)
            found.append(node)
            for user in node.users:
                heapq.heappush(left, (self._place[user], user))
            if all(user in inside for one in found[:-1] for user in one.users):
                length = len(found)
        return found[1:length]

    def _is_of(self, node: fx.Node, values: set[fx.Node], start: fx.Node) -> bool:
        if node.op != "call_function" or node in self.of or not is_elementwise(node):
            return False
        same = node.meta["val"].shape == start.meta["val"].shape
        return same and all(one in values for one in self._given(node))

    def _take_shortcuts(self) -> None:
        """Have each convolution add the shortcut that its result goes to, and what follows.

        Of two convolutions that are added it is the later one, which finds the other's result.
        """
        for node in self._place:
            if node.target not in ADD or node in self.of or node in self._constants:
                continue
            given = self._given(node)
            if len(given) != len(set(given)) or len(given) != 2:
                continue
            same = all(one.meta["val"].shape == node.meta["val"].shape for one in given)
            ending = [
                self.of[one]
                for one in given
                if one in self.of and one is self.of[one].end and len(one.users) == 1
            ]
            ending = [unit for unit in ending if unit.is_weighted and not unit.sums]
            if same and all(map(is_float, given)) and ending:
                unit = max(ending, key=lambda one: self._place[one.end])
                unit.nodes += [node]
                unit.sums += 1
                self._take(unit)


def constants_of(graph: fx.Graph) -> set[fx.Node]:
    """Return the nodes whose values depend on weights alone."""
    found: set[fx.Node] = set()
    for node in graph.nodes:
        given = node.all_input_nodes
        if node.op == "get_attr" or (
            node.op == "call_function" and given and all(one in found for one in given)
        ):
            found.add(node)
    return found
