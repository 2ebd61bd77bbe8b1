"""Trained weights and photos, end to end, on this machine and on an emulated Raspberry Pi 4."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT

import tvmlcnn
from tvmlcnn.models import create
from tvmlcnn.runtime.preprocessing import Preprocessing, read_image

# The labels and probabilities that torchvision's own preprocessing and network give.
PHOTOS = {"chelsea": ("Egyptian cat", 0.717), "coffee": ("espresso", 0.992)}
TARGETS = ["x86", pytest.param("arm", marks=pytest.mark.emulated("aarch64"))]

pytestmark = pytest.mark.fetches  # the weights and the photos


@pytest.fixture(scope="module")
def network(samples: Path) -> torch.nn.Module:
    module = create("mobilenet_v2").module
    module.load_state_dict(torch.load(samples / "mobilenet_v2.pth", weights_only=True))
    return module.eval()


@pytest.fixture(scope="module", params=TARGETS)
def compiled(
    request: pytest.FixtureRequest, samples: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("compiled") / f"mobilenet_v2-{request.param}.so"
    report = tvmlcnn.compile(
        "mobilenet_v2", request.param, weights=samples / "mobilenet_v2.pth", output=path
    )
    assert set(report.check["cases"]) >= {"random", "image"}
    assert report.check["max_error"] <= 1e-4
    return path


def run(compiled: Path, arguments: list[object], folder: Path) -> str:
    """Run the command on the machine that the file is for."""
    command = [sys.executable, "-m", "tvmlcnn"]
    if compiled.stem.endswith("arm"):
        emulated = [sys.executable, ROOT / "tools" / "emulated_pi.py", "run", "--"]
        command = [*map(str, emulated), "python", "-m", "tvmlcnn"]
    done = subprocess.run(
        [*command, *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("photo", sorted(PHOTOS))
def test_photo(
    photo: str, compiled: Path, network: torch.nn.Module, samples: Path, tmp_path: Path
) -> None:
    image = samples / f"{photo}.png"
    output = run(compiled, ["run", compiled, "--image", image, "-o", "y.npy", "--json"], tmp_path)
    best = json.loads(output)["top"][0]
    label, probability = PHOTOS[photo]
    assert best["label"] == label
    assert best["score"] == pytest.approx(probability, abs=5e-4)
    x = read_image(image, (1, 3, 224, 224), Preprocessing())
    with torch.no_grad():
        logits = network(torch.from_numpy(x)).numpy()
    assert np.abs(np.load(tmp_path / "y.npy") - logits).max() <= 1e-4 * np.ptp(logits)
