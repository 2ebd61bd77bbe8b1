"""Running a torch module through the pipeline, in this process, for tests of passes and rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import tvm
from executed import assembly_of, results_of
from tvm import relax

from tvmlcnn import frontend, pipeline
from tvmlcnn.schedules import kernels_by_rule
from tvmlcnn.schedules.decisions import DEFAULTS, Policy
from tvmlcnn.targets import FLOAT32, Device, ElementType


def compiled(
    module: torch.nn.Module,
    shape: tuple[int, ...],
    device: Device,
    policy: Policy = DEFAULTS,
    element: ElementType = FLOAT32,
) -> tvm.IRModule:
    """Return the module after all phases."""
    inputs = frontend.random_inputs([shape])
    mod = frontend.import_graph(module.eval(), inputs).mod
    return pipeline.run(mod, device, policy, element=element)


def relative_error(
    module: torch.nn.Module,
    shape: tuple[int, ...],
    device: Device,
    policy: Policy = DEFAULTS,
    element: ElementType = FLOAT32,
) -> tuple[float, dict[str, int]]:
    """Return the error against torch over the output's range, and the kernels by rule."""
    mod = compiled(module, shape, device, policy, element)
    inputs = frontend.random_inputs([shape], seed=7)
    results = results_of(mod, inputs, device)
    errors = [
        np.abs(result - expected).max() / (np.ptp(expected) or 1.0)
        for result, expected in zip(results, frontend.reference(module, inputs), strict=True)
    ]
    kernels = {rule: len(names) for rule, names in kernels_by_rule(mod).items()}
    return float(max(errors)), kernels


def graph(
    shapes: Sequence[Sequence[int]],
    define: Callable[..., relax.Expr],
    dtype: str = "float32",
) -> tvm.IRModule:
    """Return a module whose ``main`` is what ``define`` makes of a builder and the inputs."""
    builder = relax.BlockBuilder()
    inputs = [relax.Var(f"x{n}", relax.TensorType(s, dtype)) for n, s in enumerate(shapes)]
    with builder.function("main", inputs):
        with builder.dataflow():
            result = builder.emit(define(builder, *inputs))
            output = builder.emit_output(relax.Tuple([result]))
        builder.emit_func_output(output)
    return builder.get()


def result_of(
    mod: tvm.IRModule, arrays: Sequence[np.ndarray], device: Device
) -> tuple[np.ndarray, dict[str, int]]:
    """Return the first output of an imported module for inputs, and the kernels by rule."""
    mod = pipeline.run(mod, device)
    result = results_of(mod, arrays, device)[0]
    return result, {rule: len(names) for rule, names in kernels_by_rule(mod).items()}


def assembly(module: torch.nn.Module, shape: tuple[int, ...], device: Device) -> str:
    """Return the assembly of the kernels."""
    return assembly_of(compiled(module, shape, device), device)
