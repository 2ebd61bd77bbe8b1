"""Loading and calling a compiled model."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import tvmlcnn
from tvmlcnn.runtime.machine import logical_cpus, physical_cores

SHAPE = (1, 3, 32, 32)


def inputs(count: int) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.standard_normal(SHAPE, dtype=np.float32) for _ in range(count)]


def test_describes_itself(small_file: Path) -> None:
    model = tvmlcnn.load(small_file)
    assert [(s.shape, s.dtype) for s in model.inputs] == [(SHAPE, "float32")]
    assert [(s.shape, s.dtype) for s in model.outputs] == [((1, 10), "float32")]
    assert model.manifest["target"]["name"] == "x86"
    assert model.manifest["versions"]["tvm"].startswith("0.27")
    assert model.threads == physical_cores()


def test_results_are_the_caller_s(small_file: Path) -> None:
    """A later call must not change an earlier result, nor the input it was given."""
    model = tvmlcnn.load(small_file)
    one, two = inputs(2)
    kept, copy = model(one), one.copy()
    before = kept.copy()
    model(two)
    assert (kept == before).all()
    assert (one == copy).all()
    kept[:] = 0
    assert (model(one) == before).all()


def test_any_memory_layout(small_file: Path) -> None:
    model = tvmlcnn.load(small_file)
    (x,) = inputs(1)
    expected = model(x)
    channels_last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    read_only = np.frombuffer(x.tobytes(), np.float32).reshape(SHAPE)
    for other in (
        channels_last,
        read_only,
        moved(x, 1),
        x.tolist() and np.asarray(x.tolist(), "f4"),
    ):
        assert (model(other) == expected).all()
    assert (model(x) == expected).all()


def moved(array: np.ndarray, offset: int, line: int = 64) -> np.ndarray:
    """Return a copy that begins so many bytes after the start of a cache line."""
    room = np.empty(array.nbytes + 2 * line, np.uint8)
    start = -room.ctypes.data % line + offset
    result = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    result[...] = array
    return result


class Reading(torch.nn.Module):
    """Reads its inputs in many ways: as they are, in a new order or shape, in one kernel or two."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(32, 32, 3, padding=1, groups=32)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.conv(x), x * y, y.reshape(4, 512), torch.relu(y.reshape(2, 1024)), x


def test_inputs_at_any_address(tmp_path: Path) -> None:
    net, shape = Reading().eval(), (1, 32, 8, 8)
    path = tmp_path / "net.so"
    tvmlcnn.compile(net, "native", [shape, shape], output=path)
    model = tvmlcnn.load(path)
    x, y = np.random.default_rng(0).standard_normal((2, *shape), dtype=np.float32)
    expected = model(moved(x, 0), moved(y, 0))
    for offset in (4, 16, 20, 32, 60):
        results = model(moved(x, offset), moved(y, 64 - offset))
        assert all((a == b).all() for a, b in zip(results, expected, strict=True))


def test_inputs_are_not_copied(small_file: Path) -> None:
    """Neither those at an odd address nor those that cannot be written."""
    model = tvmlcnn.load(small_file)
    x = moved(inputs(1)[0], 16)
    x.flags.writeable = False
    (given,) = model.arguments(x)
    assert given is x
    assert (model(x) == model(moved(x, 0))).all()


class Looking(torch.nn.Module):
    """Returns what no kernel computes, the same twice, and parts."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.arange(12.0).reshape(3, 4))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = torch.relu(x)
        return x, y, y.reshape(4, 3), self.weight, x.reshape(-1), y * self.weight, y


def test_outputs_that_no_kernel_writes(tmp_path: Path) -> None:
    path, net = tmp_path / "net.so", Looking().eval()
    tvmlcnn.compile(net, "native", (3, 4), output=path)
    x = np.random.default_rng(0).standard_normal((3, 4), dtype=np.float32)
    model = tvmlcnn.load(path)
    results = model(x)
    for found, expected in zip(results, net(torch.from_numpy(x)), strict=True):
        np.testing.assert_array_equal(found, expected.detach().numpy())
    kept = [result.copy() for result in results]
    model(x + 1)
    assert all((a == b).all() for a, b in zip(results, kept, strict=True))


@pytest.mark.parametrize("threads", [1, logical_cpus()])
def test_calls_from_several_threads(small_file: Path, threads: int) -> None:
    model, other = tvmlcnn.load(small_file, threads), tvmlcnn.load(small_file, 1)
    samples = inputs(8)
    expected = [other(x) for x in samples]
    wrong: list[int] = []

    def work(start: int) -> None:
        for step in range(50):
            index = (start + step) % len(samples)
            if not (model(samples[index]) == expected[index]).all():
                wrong.append(index)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.parametrize("threads", [0, -1, 10_000])
def test_impossible_threads(small_file: Path, threads: int) -> None:
    with pytest.raises(tvmlcnn.UserError, match=f"threads={threads}.*CPUs"):
        tvmlcnn.load(small_file, threads)


def test_wrong_shape_names_both(small_file: Path) -> None:
    model = tvmlcnn.load(small_file)
    with pytest.raises(tvmlcnn.UserError, match=r"float32 1x3x32x32; given was float32 1x3x31x32"):
        model(np.zeros((1, 3, 31, 32), np.float32))


def test_wrong_dtype_names_both(small_file: Path) -> None:
    model = tvmlcnn.load(small_file)
    with pytest.raises(tvmlcnn.UserError, match=r"float32 1x3x32x32; given was float64 1x3x32x32"):
        model(np.zeros(SHAPE))


def test_wrong_number_of_inputs(small_file: Path) -> None:
    with pytest.raises(tvmlcnn.UserError, match="takes 1 inputs, 2 were given"):
        tvmlcnn.load(small_file)(*inputs(2))


def test_nothing_is_logged(small_file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tvmlcnn", "run", small_file, "--random"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert "output: float32 1x10" in done.stdout


def test_a_file_that_was_compiled_again_is_loaded_anew(tmp_path: Path) -> None:
    path = tmp_path / "net.so"
    models, expected = [], []
    x = torch.ones(1, 3, 8, 8)
    for width in (4, 8):
        net = torch.nn.Sequential(torch.nn.Conv2d(3, width, 3), torch.nn.ReLU()).eval()
        tvmlcnn.compile(net, "x86", (1, 3, 8, 8), output=path, check=False)
        models.append(tvmlcnn.load(path))
        expected.append(net(x).detach().numpy())
    for model, result in zip(models, expected, strict=True):
        np.testing.assert_allclose(model(x.numpy()), result, rtol=1e-4, atol=1e-5)


def test_a_model_that_is_gone_leaves_nothing(small_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "once.so"
    path.write_bytes(small_file.read_bytes())

    def left() -> list[str]:
        maps = Path("/proc/self/maps").read_text().splitlines()
        return [line for line in maps if line.endswith("once.so")]

    (x,) = inputs(1)
    model = tvmlcnn.load(path)
    expected = model(x)
    assert left()
    again = tvmlcnn.load(path)
    del model
    assert (again(x) == expected).all()
    del again
    gc.collect()
    assert not left()
