"""Devices that compute in sixteen bits, and networks that are computed so beside torch."""

from __future__ import annotations

import copy

import numpy as np
import torch
from executed import results_of
from torch import nn

from tvmlcnn import frontend, pipeline
from tvmlcnn.runtime.machine import cpu_features, machine
from tvmlcnn.schedules import kernels_by_rule
from tvmlcnn.targets import BFLOAT16, FLOAT16, Cpu, Device, ElementType, resolve

# Processors by LLVM's names, what of Linux's features they add, and what they compute in so: by dot
# products, and by multiply-adds of what is widened.
_PROCESSORS = (
    ("cooperlake", {"avx512_bf16", "avx512_vnni"}, BFLOAT16),
    ("sapphirerapids", {"avx512_bf16", "avx512_fp16", "amx_bf16"}, BFLOAT16),
    ("sapphirerapids", {"avx512_bf16", "avx512_fp16", "amx_bf16"}, FLOAT16),
)


def _here() -> dict[str, tuple[Cpu, ElementType]]:
    """Return what this machine runs of them."""
    found: dict[str, tuple[Cpu, ElementType]] = {}
    for cpu, features, element in _PROCESSORS:
        if machine() == "x86_64" and features <= cpu_features():
            triple = "x86_64-unknown-linux-gnu"
            device = resolve({"kind": "llvm", "mtriple": triple, "mcpu": cpu, "num-cores": 2})
            assert isinstance(device, Cpu)
            found[f"{cpu}-{element.name}"] = device, element
    return found


HERE = _here()
# What sums of exact products in float32 are off by, over the sum of the products' sizes.
ROUNDING = 2e-6


def rounded(array: np.ndarray, element: ElementType) -> np.ndarray:
    """Return numbers that the type has."""
    return array.astype(element.name).astype(np.float32)


def computed(
    net: nn.Module, data: np.ndarray, device: Device, element: ElementType
) -> tuple[np.ndarray, dict[str, int]]:
    """Return what a network computes in a type, and the kernels by rule."""
    graph = frontend.import_graph(net.eval(), [data])
    mod = pipeline.run(graph.mod, device, element=element)
    (result,) = results_of(mod, [data], device)
    return result, {rule: len(names) for rule, names in kernels_by_rule(mod).items()}


def check_sums(
    layer: nn.Module, shape: tuple[int, ...], device: Device, element: ElementType, bound: float
) -> dict[str, int]:
    """Compare a layer of numbers that are in a type with exact sums; return kernels by rule."""
    data = rounded(np.random.default_rng(0).standard_normal(shape, np.float32), element)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(torch.from_numpy(rounded(weight.numpy(), element)))
    found, kernels = computed(copy.deepcopy(layer), data, device, element)
    assert_sums(found, layer, data, bound)
    return kernels


def assert_sums(found: np.ndarray, layer: nn.Module, data: np.ndarray, bound: float) -> None:
    """Compare with exact sums, but for a bound over the sum of the terms' sizes."""
    exact, sizes = sums(layer, data)
    off = np.abs(found - exact)
    assert (off <= bound * sizes + 1e-7).all(), float((off / (sizes + 1e-7)).max())


def sums(conv: nn.Module, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what a layer without a bias computes in float64, and the sums of its terms' sizes."""
    with torch.no_grad():
        exact = conv.double()(torch.from_numpy(data).double()).numpy()
        for weight in conv.parameters():
            weight.abs_()
        sizes = conv(torch.from_numpy(np.abs(data)).double()).numpy()
    return exact, sizes
