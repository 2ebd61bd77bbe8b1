"""What quantizes and dequantizes in a program, read for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import fx

from tvmlcnn.quantization import Calibration, Quantized, quantized
from tvmlcnn.quantization.lockstep import DEQUANTIZE, DEQUANTIZE_WEIGHT, QUANTIZE

AFFINE = slice(1, 3)
"""Scale and zero point, among the arguments of either."""


def of(
    module: torch.nn.Module, *shapes: Sequence[int], keep_float: Sequence[str] = ()
) -> Quantized:
    """Return a module quantized by a few random inputs."""
    generator = np.random.default_rng(0)
    examples = [
        tuple(generator.standard_normal(shape, np.float32) for shape in shapes) for _ in range(3)
    ]
    calibration = Calibration(examples[:2], examples[2:], "a test")
    return quantized(module.eval(), calibration, keep_float=keep_float)


def calls(quantized: Quantized, name: str = "") -> list[fx.Node]:
    """Return the operators of a program with this in their names."""
    nodes = quantized.program.graph.nodes
    return [n for n in nodes if n.op == "call_function" and name in str(n.target)]


def computing(quantized: Quantized) -> list[fx.Node]:
    """Return the operators of a program that neither quantize nor dequantize."""
    return [node for node in calls(quantized) if not is_affine(node)]


def is_affine(node: fx.Node) -> bool:
    return node.target in (QUANTIZE, DEQUANTIZE, DEQUANTIZE_WEIGHT)


def affine_in(node: fx.Node, place: int = 0) -> tuple | None:
    """Return scale and zero point of what a node takes; None for float32."""
    source = node.all_input_nodes[place]
    return tuple(source.args[AFFINE]) if source.target is DEQUANTIZE else None


def affine_out(node: fx.Node) -> tuple | None:
    """Return scale and zero point of what a node gives; None for float32."""
    users = list(node.users)
    return tuple(users[0].args[AFFINE]) if users and users[0].target is QUANTIZE else None
