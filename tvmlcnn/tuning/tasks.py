"""What there is to tune: each different kernel of some networks, as a network of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from tvmlcnn import passes, pipeline
from tvmlcnn.records import FLOAT32
from tvmlcnn.schedules import workloads
from tvmlcnn.schedules.decisions import DEFAULTS, Decisions
from tvmlcnn.targets import Device


@dataclass
class Task:
    """A kernel to tune.

    Attributes
    ----------
    rule : str
        Whose decisions are tuned; ``"default"`` for a kernel that no rule claims, and empty for
        one that has none, such as pooling.
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
    calls : dict of str to int
        How often each network calls it.
    dtype : str
        Name of the element type that it computes in.
    """

    rule: str
    workload: str
    module: tvm.IRModule
    layers: list[str]
    flops: int
    bytes: int
    footprint: int
    calls: dict[str, int] = field(default_factory=dict)
    dtype: str = FLOAT32


class _Noting:
    """The defaults; notes which rule decides for each workload."""

    def __init__(self) -> None:
        self.rules: dict[str, str] = {}

    def of(self, rule: str, workload: str) -> Decisions:
        self.rules[workload] = rule
        return DEFAULTS


def extract(name: str, mod: tvm.IRModule, device: Device, tasks: dict[str, Task]) -> None:
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
    """
    graph = pipeline.apply(pipeline.graph_phases(device), mod, device)
    noting = _Noting()
    phases = pipeline.kernel_phases(device, noting)
    kernels = passes.list_kernel_calls(pipeline.apply(phases, graph, device))
    names, all_calls = workloads(kernels), passes.kernel_calls(kernels)
    weights = passes.weights_of(passes.lift_weights(kernels))
    footprint = sum(array.nbytes for array in weights) + max(call["bytes"] for call in all_calls)
    for call in all_calls:
        workload = names[call["function"]]
        if workload not in tasks:
            module = _slice(graph, call["bindings"])
            tasks[workload] = Task(
                noting.rules.get(workload, ""),
                workload,
                module,
                call["layers"],
                call["flops"],
                call["bytes"],
                footprint,
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
