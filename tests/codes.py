"""Graphs of quantized numbers, and integer kernels that are run beside numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
import tvm
from executed import results_of
from tvm import relax

from tvmlcnn import pipeline
from tvmlcnn.graph import quantized_operators as quantized
from tvmlcnn.graph.constants import constant
from tvmlcnn.graph.quantized_operators import Code
from tvmlcnn.runtime.machine import cpu_features, machine
from tvmlcnn.schedules import kernels_by_rule
from tvmlcnn.targets import DEVICES, Cpu, Device
from tvmlcnn.targets.x86 import with_wide_vectors

Graph = Callable[[Callable[[relax.Expr], relax.Var], relax.Var], relax.Expr]
"""Takes what emits an expression, and the codes; returns the result."""


def _here() -> list[Cpu]:
    """Return the CPUs whose code this machine runs, one of each kind of arithmetic of codes."""
    x86 = DEVICES["x86"]
    assert isinstance(x86, Cpu)
    if machine() != "x86_64":
        return []
    found, features = [x86], cpu_features()
    for feature, cpu in (("avx512vl", "skylake-avx512"), ("avx512_vnni", "cascadelake")):
        if feature in features:
            wide = with_wide_vectors(x86, feature == "avx512_vnni")
            found.append(replace(wide, name=cpu, tvm=x86.tvm | {"mcpu": cpu}))
    return found


HERE = _here()


def module(shape: tuple[int, ...], dtype: str, graph: Graph) -> tvm.IRModule:
    """Return a network that takes codes."""
    builder = relax.BlockBuilder()
    codes = relax.Var("codes", relax.TensorType(list(shape), dtype))
    with builder.function("main", [codes]):
        with builder.dataflow():
            result = graph(builder.emit, codes)
            output = builder.emit_output(relax.Tuple([builder.normalize(result)]))
        builder.emit_func_output(output)
    return builder.get()


def result_of(graph: Graph, codes: np.ndarray, device: Device) -> np.ndarray:
    """Return what a network computes that takes codes, compiled for a device."""
    return computed(graph, codes, device)[0]


def computed(graph: Graph, codes: np.ndarray, device: Device) -> tuple[np.ndarray, dict[str, int]]:
    """Return the same, and the kernels by rule."""
    mod = pipeline.run(module(codes.shape, str(codes.dtype), graph), device)
    (result,) = results_of(mod, [codes], device)
    return result, {rule: len(names) for rule, names in kernels_by_rule(mod).items()}


def convolution(
    weight: np.ndarray, code: Code, scales: np.ndarray | None = None, **attributes: object
) -> Graph:
    """Return the convolution of the numbers that codes stand for with quantized weights."""
    scales = np.ones(len(weight), np.float32) if scales is None else scales

    def graph(emit: Callable[[relax.Expr], relax.Var], codes: relax.Var) -> relax.Expr:
        numbers = emit(quantized.dequantize(codes, code))
        along = scales.reshape(-1, 1, 1, 1)
        weights = emit(quantized.dequantize_channels(constant(weight), along))
        return relax.op.nn.conv2d(numbers, weights, **attributes)

    return graph


def random_codes(generator: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Return codes of all sizes."""
    low, high = quantized.CODES[dtype]
    return generator.integers(low, high + 1, shape, dtype=dtype)


def greatest() -> tuple[np.ndarray, np.ndarray]:
    """Return codes and weights of a pointwise layer as large as there are, of either sign."""
    weight = np.full((16, 64, 1, 1), 127, np.int8)
    weight[8:] = -128
    return np.full((1, 64, 4, 4), 255, np.uint8), weight


def matrix_product(weight: np.ndarray, code: Code) -> Graph:
    """Return the product of the numbers that codes stand for with a quantized matrix."""
    scales = np.ones((1, weight.shape[1]), np.float32)

    def graph(emit: Callable[[relax.Expr], relax.Var], codes: relax.Var) -> relax.Expr:
        numbers = emit(quantized.dequantize(codes, code))
        weights = emit(quantized.dequantize_channels(constant(weight), scales))
        return relax.op.matmul(numbers, weights)

    return graph


def sums(
    codes: np.ndarray, weight: np.ndarray, zero: int, *, strides: int = 1, padding: int = 0,
    dilation: int = 1, groups: int = 1,
) -> np.ndarray:  # fmt: skip
    """Return the sums of products of codes less their zero, of 64 bits."""
    data = torch.from_numpy(codes.astype(np.float64) - zero)
    kernel = torch.from_numpy(weight.astype(np.float64))
    result = torch.conv2d(data, kernel, None, strides, padding, dilation, groups)
    return np.rint(result.numpy()).astype(np.int64)
