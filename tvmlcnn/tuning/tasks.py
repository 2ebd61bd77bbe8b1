"""What there is to tune: each different kernel of some networks, as a network of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from tvmlcnn import passes, pipeline
from tvmlcnn.schedules import Layer, alternatives, kernels_by_rule, rules_for, workloads
from tvmlcnn.schedules.decisions import DEFAULTS, Asking, Decisions
from tvmlcnn.targets import FLOAT32, Device, ElementType


@dataclass
class Task:
    """A kernel to tune.

    Attributes
    ----------
    rule : str
        Which makes the kernel by default; ``"default"`` for one that no rule claims, and empty
        for one where nothing is decided, such as pooling.
    rules : list of str
        All that can make it, but the one that takes everything.
    workload : str
        What it computes, as records know it.
    module : tvm.IRModule
        A network of this one kernel, after the rewrites of the graph.
    layers : list of str
        Of the first call that was found, as the torch module calls them.
    flops, bytes : int
        Floating point operations, and the size of the arguments and results.
    footprint : int
        Bytes that pass through the caches between two of its calls, in the smallest network.
    element : ElementType
        What it computes in.
    gain : float
        How many operations the device does in that type in the time of one in float32.
    calls : dict of str to int
        How often each network calls it.
    """

    rule: str
    rules: list[str]
    workload: str
    module: tvm.IRModule
    layers: list[str]
    flops: int
    bytes: int
    footprint: int
    element: ElementType
    gain: float
    calls: dict[str, int] = field(default_factory=dict)

    @property
    def is_generated(self) -> bool:
        """Whether no rule claims it, so that MetaSchedule generates what is searched."""
        return bool(self.rule) and not self.rules


class _Noting:
    """The defaults; notes which rules can make each workload's kernel, and what they decide."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self.rules: dict[str, list[str]] = {}
        self.decided: set[tuple[str, str]] = set()
        self.elements: dict[str, ElementType] = {}

    def rule(self, layer: Layer) -> None:
        self.rules[layer.workload] = alternatives(layer, self._device)

    def of(self, rule: str, workload: str, element: ElementType) -> Decisions:
        self.elements[workload] = element
        return Asking(DEFAULTS, lambda: self.decided.add((rule, workload)))


def extract(
    name: str,
    mod: tvm.IRModule,
    device: Device,
    tasks: dict[str, Task],
    element: ElementType = FLOAT32,
) -> None:
    """Add the kernels of a network to the tasks, by their workloads.

    Parameters
    ----------
    name : str
        Of the network.
    mod : tvm.IRModule
        As the frontend imports it.
    device : Device
    tasks : dict of str to Task
        The ones of other networks; a kernel that is among them is only counted.
    element : ElementType
        What layers of float32 are to compute in.
    """
    graph = pipeline.apply(passes.graph_phases(device, element), mod, device)
    noting = _Noting(device)
    phases = passes.kernel_phases(device, noting)
    kernels = passes.list_kernel_calls(pipeline.apply(phases, graph, device))
    names, all_calls = workloads(kernels), passes.kernel_calls(kernels)
    last = rules_for(device)[-1].name
    made_by = {name: rule for rule, its in kernels_by_rule(kernels).items() for name in its}
    weights = passes.weights_of(passes.lift_weights(kernels))
    footprint = sum(array.nbytes for array in weights) + max(call["bytes"] for call in all_calls)
    variables = {
        str(binding.var.name) for block in graph["main"].body.blocks for binding in block.bindings
    }
    for call in all_calls:
        if not variables.issuperset(call["bindings"]):
            continue  # one of several kernels that an operator became: no operator is it alone
        workload = names[call["function"]]
        if workload not in tasks:
            rule = made_by[call["function"]]
            tasks[workload] = Task(
                rule if (rule, workload) in noting.decided else "",
                noting.rules.get(workload) or ([] if rule == last else [rule]),
                workload,
                _slice(graph, call["bindings"]),
                call["layers"],
                call["flops"],
                call["bytes"],
                footprint,
                noting.elements[workload],
                device.gain(call["element"]) or 1.0,
            )
        tasks[workload].footprint = min(tasks[workload].footprint, footprint)
        calls = tasks[workload].calls
        calls[name] = calls.get(name, 0) + 1


@mutator
class _Replace(PyExprMutator):
    def __init__(self, mod: tvm.IRModule, variables: dict[relax.Var, relax.Var]) -> None:
        super().__init__(mod)
        self.variables = variables

    def visit_var_(self, var: relax.Var) -> relax.Expr:
        return self.variables.get(var, var)

    def visit_dataflow_var_(self, var: relax.DataflowVar) -> relax.Expr:
        return self.variables.get(var, var)


def _slice(mod: tvm.IRModule, names: Iterable[str]) -> tvm.IRModule:
    """Return a module whose ``main`` makes only some of the bindings; the rest are its inputs."""
    wanted = set(names)
    bindings = [
        binding
        for block in mod["main"].body.blocks
        for binding in block.bindings
        if str(binding.var.name) in wanted
    ]
    made = {binding.var for binding in bindings}
    inputs: dict[relax.Var, relax.Var] = {}

    def visit(expr: relax.Expr) -> None:
        if isinstance(expr, relax.Var) and expr not in made and expr not in inputs:
            inputs[expr] = relax.Var(f"input_{len(inputs)}", expr.ty)

    for binding in bindings:
        relax.analysis.post_order_visit(binding.value, visit)
    replace = _Replace(mod, inputs)
    rewritten = [
        relax.VarBinding(binding.var, replace.visit_expr(binding.value)) for binding in bindings
    ]
    result = relax.Var("result", bindings[-1].var.ty)
    block = relax.DataflowBlock([*rewritten, relax.VarBinding(result, bindings[-1].var)])
    main = relax.Function(
        list(inputs.values()), relax.SeqExpr([block], result), bindings[-1].var.ty
    ).with_attr("global_symbol", "main")
    functions = {**mod.functions, mod.get_global_var("main"): main}
    alone = relax.transform.DeadCodeElimination()(tvm.IRModule(functions, attrs=mod.attrs))
    return relax.transform.Normalize()(alone)
