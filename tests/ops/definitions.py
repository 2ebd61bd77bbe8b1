"""What a definition in TE computes, without a schedule, and torch's convolution as the oracle."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import tvm
from tvm import te
from tvm.s_tir import Schedule
from tvm.sym import Analyzer

from tvmlcnn.ops import Window

PLAIN = Window()


def computed(define: Callable[..., te.Tensor], *arrays: np.ndarray) -> np.ndarray:
    """Return what a definition makes of arrays."""
    tensors = [
        te.placeholder(array.shape, str(array.dtype), f"input{i}") for i, array in enumerate(arrays)
    ]
    result = define(*tensors)
    function = te.create_prim_func([*tensors, result]).with_attr("global_symbol", "main")
    compiled = tvm.compile(tvm.IRModule({"main": function}), target="llvm")
    output = np.full([int(n) for n in result.shape], np.nan, str(result.dtype))
    out = tvm.runtime.tensor(output)
    compiled["main"](*map(tvm.runtime.tensor, arrays), out)
    return out.numpy()


def reaching_out(define: Callable[..., te.Tensor], *shapes: tuple[int, ...]) -> set[str]:
    """Return the blocks of a definition with a read that bounds alone do not keep in its tensor.

    What a condition guards, as zeros around a map are, is among them.
    """
    tensors = [te.placeholder(shape) for shape in shapes]
    schedule = Schedule(te.create_prim_func([*tensors, define(*tensors)]))
    found = set()
    for block in map(schedule.get, schedule.get_child_blocks(schedule.get_sblock("root"))):
        analyzer = Analyzer()
        for axis in block.iter_vars:
            analyzer.bind(axis.var, axis.dom)
        for read in block.reads:
            for part, size in zip(read.region, read.source.ty.shape, strict=True):
                first = analyzer.const_int_bound(part.min).min_value
                last = analyzer.const_int_bound(part.min + part.extent - 1).max_value
                if first < 0 or last >= int(size):
                    found.add(str(block.name_hint))
    return found


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def in_planes(data: np.ndarray, wide: int) -> np.ndarray:
    """Return NHWC data in planes of so many channels, one after the other."""
    return np.concatenate(np.split(data, data.shape[3] // wide, axis=3), axis=0)


def table(reads: Sequence[int], batch: int, height: int, width: int, wide: int) -> np.ndarray:
    """Return where channels lie in planes, counted from the first channel of the same pixel.

    Height and width are those of the maps with the zeros around them.
    """
    plane, position = np.divmod(np.array(reads, np.int64), wide)
    return plane * batch * height * width * wide + position


def convolution(
    data: np.ndarray, weight: np.ndarray, window: Window = PLAIN, groups: int = 1
) -> np.ndarray:
    """Return torch's convolution of NHWC data with an HWIO weight."""
    top, left, bottom, right = window.padding
    padded = np.pad(data, [(0, 0), (top, bottom), (left, right), (0, 0)])
    result = torch.nn.functional.conv2d(
        torch.from_numpy(padded.transpose(0, 3, 1, 2).copy()),
        torch.from_numpy(weight.transpose(3, 2, 0, 1).copy()),
        stride=window.strides,
        dilation=window.dilation,
        groups=groups,
    )
    return result.numpy().transpose(0, 2, 3, 1)


def assert_close(actual: np.ndarray, expected: np.ndarray, tolerance: float = 1e-5) -> None:
    """Assert equality up to rounding, relative to the largest value."""
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()
