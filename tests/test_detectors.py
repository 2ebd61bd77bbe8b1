"""Detectors with their decoding and suppression in one file, against torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from detectors import nanodet, yolo

import tvmlcnn
from tvmlcnn.runtime.preprocessing import Preprocessing, read_image

DETECTORS = Path(__file__).with_name("detectors.py")
SHAPE = (1, 3, 192, 256)
MODULES = {"nanodet": nanodet, "yolo": yolo}


@pytest.fixture(scope="module", params=sorted(MODULES))
def detector(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[torch.nn.Module, tvmlcnn.Model]:
    """A detector in torch, and compiled from its file."""
    path = tmp_path_factory.mktemp("detectors") / f"{request.param}.so"
    report = tvmlcnn.compile(f"{DETECTORS}:{request.param}", "x86", SHAPE, output=path)
    assert report.check["max_error"] < 1e-4
    return MODULES[request.param](), tvmlcnn.load(path)


def _check(detector: tuple[torch.nn.Module, tvmlcnn.Model], image: np.ndarray) -> None:
    """Assert that both find the same boxes, some and not all of which are kept."""
    module, model = detector
    with torch.no_grad():
        expected = module(torch.from_numpy(image))
    found = model(image)
    assert [spec.name for spec in model.outputs] == list(expected)
    assert 1 < int(expected["count"]) < expected["scores"].shape[1]
    for name, wanted in expected.items():
        assert found[name].dtype == wanted.numpy().dtype
        np.testing.assert_allclose(found[name], wanted, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("seed", [1, 2])
def test_noise(detector: tuple[torch.nn.Module, tvmlcnn.Model], seed: int) -> None:
    _check(detector, np.random.default_rng(seed).standard_normal(SHAPE, np.float32))


@pytest.mark.fetches
@pytest.mark.parametrize("photo", ["chelsea", "coffee"])
def test_photo(detector: tuple[torch.nn.Module, tvmlcnn.Model], photo: str, samples: Path) -> None:
    _check(detector, read_image(samples / f"{photo}.png", SHAPE, Preprocessing()))
