"""Inputs of several types and sizes, through the whole compiler and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import tvmlcnn
from tvmlcnn.errors import UserError


class Words(nn.Module):
    """Integers that index, and a mask that has a name."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.linear = nn.Embedding(10, 8), nn.Linear(8, 4)

    def forward(self, words: torch.Tensor, *, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        found = self.linear(self.embedding(words)) * mask[..., None]
        return {"found": found, "best": found.argmax(-1)}


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 8, 1), nn.Flatten()
    ).eval()


def test_one_file_for_several_sizes(net: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "net.so"
    report = tvmlcnn.compile(net, "x86", "1..3x3x8x8", output=path)
    assert set(report.check["cases"]) >= {"random", "random 2x3x8x8", "random 3x3x8x8"}
    model = tvmlcnn.load(path, threads=1)
    assert [program.inputs[0].shape[0] for program in model.programs] == [1, 2, 3]
    assert (model.inputs[0].shape, model.outputs[0].shape) == ((1, 3, 8, 8), (1, 128))
    # In another order, and again: each has its own memory.
    for batch in (2, 1, 3, 2):
        x = np.random.default_rng(batch).standard_normal((batch, 3, 8, 8), dtype=np.float32)
        with torch.no_grad():
            expected = net(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(model(x), expected, atol=1e-5)
    with pytest.raises(UserError, match=r"1x3x8x8; 2x3x8x8; 3x3x8x8; given was 4x3x8x8"):
        model(np.zeros((4, 3, 8, 8), np.float32))


def test_equal_weights_of_several_sizes_are_there_once(net: nn.Module, tmp_path: Path) -> None:
    sizes = [
        sum(int(np.prod(w["shape"])) for w in report.manifest["weights"])
        for report in (
            tvmlcnn.compile(net, "x86", shape, output=tmp_path / "net.so", check=False)
            for shape in ("2x3x16x16", "2..3x3x16x16")
        )
    ]
    assert sizes[1] < 1.5 * sizes[0]


def test_an_exported_program_keeps_types_and_names(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Words().eval()
    words, mask = torch.randint(0, 10, (2, 5)), torch.rand(2, 5) > 0.5
    path = tmp_path / "words.pt2"
    torch.export.save(torch.export.export(module, (words,), {"mask": mask}), path)
    tvmlcnn.compile(str(path), "x86", output=tmp_path / "words.so")
    model = tvmlcnn.load(tmp_path / "words.so", threads=1)
    assert [(spec.name, spec.dtype) for spec in model.inputs] == [
        ("words", "int64"),
        ("mask", "bool"),
    ]
    result = model(words.numpy(), mask.numpy())
    with torch.no_grad():
        expected = module(words, mask=mask)
    assert result.names == ("found", "best")
    np.testing.assert_allclose(result["found"], expected["found"].numpy(), atol=1e-6)
    np.testing.assert_array_equal(result["best"], expected["best"].numpy())
    with pytest.raises(UserError, match="the model takes words: int64 2x5; given was float32"):
        model(words.numpy().astype(np.float32), mask.numpy())


def test_a_type_that_is_asked_for(tmp_path: Path) -> None:
    class Frame(nn.Module):
        def forward(self, frame: torch.Tensor) -> torch.Tensor:
            return frame.float().permute(0, 3, 1, 2) / 255

    tvmlcnn.compile(Frame(), "x86", "1x6x4x3:uint8", output=tmp_path / "frame.so")
    frame = np.arange(72, dtype=np.uint8).reshape(1, 6, 4, 3)
    result = tvmlcnn.load(tmp_path / "frame.so", threads=1)(frame)
    np.testing.assert_allclose(result, frame.transpose(0, 3, 1, 2) / np.float32(255), rtol=1e-6)


def test_an_open_size_is_asked_for(tmp_path: Path) -> None:
    batch = torch.export.Dim("batch", min=1, max=8)
    path = tmp_path / "net.pt2"
    program = torch.export.export(
        nn.Conv2d(3, 4, 3), (torch.ones(2, 3, 8, 8),), dynamic_shapes={"input": {0: batch}}
    )
    torch.export.save(program, path)
    with pytest.raises(UserError, match="axis 0 of the input 'input' may have any size; give"):
        tvmlcnn.compile(str(path), "x86", output=tmp_path / "net.so")
    tvmlcnn.compile(str(path), "x86", "1..2x3x8x8", output=tmp_path / "net.so")
    assert len(tvmlcnn.load(tmp_path / "net.so", threads=1).programs) == 2


def test_outputs_of_every_kind_are_tensors_of_their_own(tmp_path: Path) -> None:
    """The input itself, a parameter, a buffer, a constant, views, the same tensor twice."""

    class Returns(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.arange(6.0).reshape(2, 3))
            self.register_buffer("counts", torch.arange(4))
            self.conv = nn.Conv2d(3, 8, 3, padding=1)

        def forward(self, x: torch.Tensor) -> dict[str, object]:
            y = self.conv(x)
            return {
                "input": x,
                "weight": self.weight,
                "counts": self.counts,
                "twice": (y, y),
                "flat": y.flatten(1),
                "part": y[:, 2:4],
                "positive": y > 0,
                "ones": torch.ones(2),
                "nothing": None,
            }

    module = Returns().eval()
    tvmlcnn.compile(module, "x86", (1, 3, 8, 8), output=tmp_path / "returns.so")
    model = tvmlcnn.load(tmp_path / "returns.so", threads=1)
    x = np.random.default_rng(0).standard_normal((1, 3, 8, 8), dtype=np.float32)
    first = model(x)
    kept = [array.copy() for array in first]
    model(2 * x)
    with torch.no_grad():
        wanted = module(torch.from_numpy(x))
    assert first.names[:5] == ("input", "weight", "counts", "twice.0", "twice.1")
    assert "nothing" not in first.names
    for name, array, before in zip(first.names, first, kept, strict=True):
        key, _, place = name.partition(".")
        expected = (wanted[key][int(place)] if place else wanted[key]).detach().numpy()
        assert array.dtype == expected.dtype, name
        np.testing.assert_allclose(before, expected, atol=1e-5, err_msg=name)
        np.testing.assert_array_equal(array, before, err_msg=name)
