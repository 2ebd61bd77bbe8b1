"""Computing with codes: the integers are exact, and codes are off by a step at most, and seldom."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import tvm
from codes import HERE, convolution, module, random_codes, result_of, sums
from executed import assembly_of
from tvm import relax

from tvmlcnn import pipeline
from tvmlcnn.graph import quantized_operators as quantized
from tvmlcnn.graph.constants import constant
from tvmlcnn.graph.quantized_operators import Code
from tvmlcnn.passes.integer_layers import integer_layers
from tvmlcnn.targets import DEVICES, Cpu

Emit = Callable[[relax.Expr], relax.Var]
devices = pytest.mark.parametrize("device", HERE, ids=lambda device: device.name)


@devices
@pytest.mark.parametrize("activation", ["none", "relu", "relu6", "hardswish"])
def test_codes_are_those_of_torch(device: Cpu, activation: str) -> None:
    """A step at most, in less than one of a thousand, as rounding decides in float32."""
    generator = np.random.default_rng(3)
    code, after = Code(0.021, 100, "uint8"), Code(0.047, 17, "uint8")
    codes = random_codes(generator, (1, 32, 30, 30), "uint8")
    weight = random_codes(generator, (48, 32, 3, 3), "int8")
    scales = generator.uniform(1e-4, 9e-4, 48).astype(np.float32)
    bias = generator.normal(size=(1, 48, 1, 1)).astype(np.float32)

    def graph(emit: Emit, given: relax.Var) -> relax.Expr:
        result = emit(convolution(weight, code, scales, padding=1)(emit, given))
        result = emit(relax.op.add(result, constant(bias)))
        if activation == "relu":
            result = emit(relax.op.nn.relu(result))
        elif activation == "relu6":
            result = emit(relax.op.clip(result, 0.0, 6.0))
        elif activation == "hardswish":
            gate = emit(relax.op.clip(emit(relax.op.add(result, relax.const(3.0))), 0.0, 6.0))
            gate = emit(relax.op.multiply(gate, relax.const(1 / 6, "float32")))
            result = emit(relax.op.multiply(result, gate))
        return quantized.quantize(result, after)

    numbers = torch.from_numpy((codes.astype(np.float64) - code.zero) * code.scale)
    kernel = torch.from_numpy(weight * scales.reshape(-1, 1, 1, 1).astype(np.float64))
    result = torch.conv2d(numbers, kernel, torch.from_numpy(bias.reshape(-1)).double(), padding=1)
    functions = {"none": lambda x: x, "relu": torch.relu, "relu6": torch.nn.functional.relu6}
    result = functions.get(activation, torch.nn.functional.hardswish)(result)
    wanted = torch.clamp(torch.round(result / after.scale) + after.zero, 0, 255).numpy()
    found = result_of(graph, codes, device)
    assert found.dtype == np.uint8
    off = np.abs(found.astype(int) - wanted)
    assert off.max() <= 1
    assert (off > 0).mean() < 1e-3
    assert len(np.unique(found)) > 20


@devices
def test_numbers_beyond_the_codes_are_the_last_ones(device: Cpu) -> None:
    codes = np.array([[[[0]], [[255]]]], np.uint8).repeat(8, 1)
    weight = np.eye(16, dtype=np.int8)[:, :, None, None] * 127

    def graph(emit: Emit, given: relax.Var) -> relax.Expr:
        result = emit(convolution(weight, Code(1e4, 128, "uint8"))(emit, given))
        return quantized.quantize(result, Code(1e-3, 0, "int8"), (-127, 127))

    assert set(result_of(graph, codes, device).reshape(-1)) == {-127, 127}


def operators(mod: object) -> list[str]:
    names: list[str] = []

    def note(expr: relax.Expr) -> None:
        if isinstance(expr, relax.Call):
            names.append(expr.op.name)

    relax.analysis.post_order_visit(mod["main"].body, note)  # type: ignore[index]
    return names


def test_what_moves_numbers_moves_codes() -> None:
    code = Code(0.5, 3, "uint8")

    def graph(emit: Emit, given: relax.Var) -> relax.Expr:
        numbers = emit(quantized.dequantize(given, code))
        pooled = emit(relax.op.nn.max_pool2d(numbers, (2, 2), (2, 2)))
        turned = emit(relax.op.permute_dims(pooled, [0, 1, 3, 2]))
        part = emit(relax.op.strided_slice(turned, [1], [0], [4]))
        halves = emit(relax.op.split(part, 2, 1))
        half = emit(relax.TupleGetItem(halves, 1))
        whole = emit(relax.op.concat([part, half, half], 1))
        return quantized.quantize(emit(relax.op.reshape(whole, (1, 8, 16))), code)

    mod = integer_layers(DEVICES["x86"])(module((1, 8, 8, 8), "uint8", graph))
    moves = ["nn.max_pool2d", "permute_dims", "strided_slice", "split", "concat", "reshape"]
    assert operators(mod) == [f"relax.{name}" for name in moves]


def test_other_codes_are_computed_by_way_of_numbers() -> None:
    def graph(emit: Emit, given: relax.Var) -> relax.Expr:
        numbers = emit(quantized.dequantize(given, Code(0.5, 3, "uint8")))
        return quantized.quantize(numbers, Code(0.25, 10, "uint8"))

    codes = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    found = result_of(graph, codes, HERE[0])
    wanted = np.clip((codes.astype(int) - 3) * 2 + 10, 0, 255)
    np.testing.assert_array_equal(found, wanted)


def test_codes_that_are_the_same_are_not_computed() -> None:
    code = Code(0.5, 3, "uint8")

    def graph(emit: Emit, given: relax.Var) -> relax.Expr:
        return quantized.quantize(emit(quantized.dequantize(given, code)), code)

    assert operators(integer_layers(DEVICES["x86"])(module((1, 8), "uint8", graph))) == []


@devices
@pytest.mark.parametrize("channels", [16, 58, 116])
def test_shuffled_channels_are_the_same(device: Cpu, channels: int) -> None:
    """As ShuffleNet's units split, join and shuffle them, through several of them."""
    code, generator = Code(1.0, 7, "uint8"), np.random.default_rng(channels)
    codes = random_codes(generator, (1, channels, 6, 5), "uint8")
    half = channels // 2

    def graph(emit: Emit, given: relax.Var) -> relax.Expr:
        whole = emit(quantized.dequantize(given, code))
        for _ in range(3):
            parts = emit(relax.op.split(whole, 2, 1))
            left, right = (emit(relax.TupleGetItem(parts, n)) for n in range(2))
            joined = emit(relax.op.concat([left, right], 1))
            apart = emit(relax.op.reshape(joined, (1, 2, half, 6, 5)))
            turned = emit(relax.op.permute_dims(apart, [0, 2, 1, 3, 4]))
            whole = emit(relax.op.reshape(turned, (1, channels, 6, 5)))
        weight = np.eye(channels, dtype=np.int8)[:, :, None, None]
        held = emit(quantized.dequantize(emit(quantized.quantize(whole, code)), code))
        ones = emit(quantized.dequantize_channels(constant(weight), np.ones((channels, 1, 1, 1))))
        return relax.op.nn.conv2d(held, ones)

    expected = codes.astype(np.float32) - code.zero
    for _ in range(3):
        expected = expected.reshape(1, 2, half, 6, 5).swapaxes(1, 2).reshape(codes.shape)
    np.testing.assert_array_equal(result_of(graph, codes, device), expected)


@devices
def test_a_residual_of_codes_is_added_in_the_kernel(device: Cpu) -> None:
    """Its numbers are made where they are added, not before."""
    code, generator = Code(0.5, 3, "uint8"), np.random.default_rng(0)
    weight = random_codes(generator, (32, 32, 1, 1), "int8")
    codes = random_codes(generator, (1, 32, 6, 6), "uint8")

    def graph(emit: Emit, given: relax.Var) -> relax.Expr:
        made = emit(convolution(weight, code, np.full(32, 0.01, np.float32))(emit, given))
        numbers = emit(quantized.dequantize(given, code))
        return quantized.quantize(emit(relax.op.add(made, numbers)), Code(2.0, 128, "uint8"))

    exact = sums(codes, weight, code.zero) * 0.005 + (codes.astype(np.float64) - code.zero) * 0.5
    found = result_of(graph, codes, device).astype(int)
    assert np.abs(found - np.clip(np.rint(exact / 2 + 128), 0, 255)).max() <= 1
    mod = pipeline.run(module(codes.shape, "uint8", graph), device)
    (kernel,) = (f for v, f in mod.functions.items() if "convolution" in v.name_hint)
    assert "float32" not in [str(b.dtype) for b in allocated(kernel)]


def allocated(kernel: tvm.tirx.PrimFunc) -> list[tvm.tirx.Buffer]:
    """Return the buffers that a kernel keeps between its loops."""
    return list(kernel.body.block.alloc_buffers)


@pytest.mark.parametrize(("target", "instruction"), [("rpi5", "sdot"), ("rpi4", "smlal")])
def test_arm_multiplies_bytes(target: str, instruction: str) -> None:
    weight = np.ones((16, 16, 1, 1), np.int8)
    graph = convolution(weight, Code(1.0, 0, "int8"))
    device = DEVICES[target]
    mod = pipeline.run(module((1, 16, 8, 8), "int8", graph), device)
    assert instruction in assembly_of(mod, device)


@pytest.mark.parametrize("least", [-127, -128])
def test_products_are_paired_where_two_fit_16_bits(least: int) -> None:
    device, weight = DEVICES["rpi4"], np.full((16, 16, 1, 1), least, np.int8)
    mod = pipeline.run(
        module((1, 16, 8, 8), "int8", convolution(weight, Code(1.0, 0, "int8"))), device
    )
    assert ("sadalp" in assembly_of(mod, device)) == (least == -127)


@pytest.mark.parametrize(
    ("target", "integers"), [("cuda", True), ("jetson-xavier-nx", True), ("jetson-nano", False)]
)
def test_a_gpu_without_integer_products_computes_with_numbers(target: str, integers: bool) -> None:
    weight = np.ones((16, 16, 1, 1), np.int8)
    graph = convolution(weight, Code(1.0, 0, "uint8"))
    names = operators(integer_layers(DEVICES[target])(module((1, 16, 8, 8), "uint8", graph)))
    assert ("relax.nn.conv2d" in names) != integers
    assert [name for name in names if name.startswith("tvmlcnn.")] == (
        [quantized.INTEGER_CONV2D] if integers else []
    )
