"""Naming the variables of an imported network after the layers of the torch module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import tvm
from torch import fx
from tvm import relax
from tvm.relax.frontend.torch import exported_program_translator as translator

from tvmlcnn.graph.variables import name_of, named


def import_with_layers(program: torch.export.ExportedProgram) -> tvm.IRModule:
    """Import an exported network into Relax, its variables named after their layers.

    A layer is a module that calls no other one, by its path: ``features.3.conv``. What a module
    computes besides its children is told by the operator: ``features.3:add``.
    """
    program = program.run_decompositions()
    nodes = [node for node in program.graph.nodes if node.op == "call_function"]
    parents = {path.rpartition(".")[0] for path in map(_path, nodes)}
    parents |= {
        path[:end] for path in list(parents) for end, sign in enumerate(path) if sign == "."
    }
    pairs: list[tuple[relax.Var, str]] = []
    known = translator.ExportedProgramImporter().create_convert_map()
    maps: dict[int, dict[Any, Any]] = {}

    def recorded(operator: str) -> Callable[[fx.Node, Any], Any]:
        def convert(node: fx.Node, importer: Any) -> Any:
            converters = maps.setdefault(id(importer), importer.create_convert_map())
            result = converters[operator](node)
            if isinstance(result, relax.Var):
                pairs.append((result, name_of(_layer(node, parents), node.name)))
            return result

        return convert

    operators = set(map(_operator, nodes)) & known.keys()
    mod = translator.from_exported_program(
        program,
        run_ep_decomposition=False,
        custom_convert_map={operator: recorded(operator) for operator in operators},
    )
    names = {str(var.name): name for var, name in pairs}
    main = mod["main"]
    new = named(
        main,
        (
            (binding.var, names.get(str(binding.var.name), ""))
            for block in main.body.blocks
            for binding in block.bindings
        ),
    )
    return tvm.IRModule({**mod.functions, mod.get_global_var("main"): new}, attrs=mod.attrs)


def _operator(node: fx.Node) -> str:
    return str(getattr(node.target, "__name__", node.target))


def _path(node: fx.Node) -> str:
    """Return the path of the innermost module that the node is of; empty for the network."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    # torch marks the second call of a module with "@1".
    return str(stack[-1][0]).partition("@")[0] if stack else ""


def _layer(node: fx.Node, parents: set[str]) -> str:
    path = _path(node)
    if path and path not in parents:
        return path
    operator = _operator(node).partition(".")[0].strip("_")
    return f"{path}:{operator}" if path else operator
