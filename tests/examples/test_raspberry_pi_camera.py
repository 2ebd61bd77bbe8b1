"""The example for a camera says what is in photos, in a video, and in a camera's frames."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from PIL import Image
from programs import EXAMPLES

import tvmlcnn
from tvmlcnn import emulator
from tvmlcnn.runtime.classify import top
from tvmlcnn.runtime.preprocessing import read_image

SCRIPT = EXAMPLES / "python" / "raspberry_pi_camera.py"
CAMERA = """
import numpy
class Picamera2:
    def create_video_configuration(self, main): return main
    def configure(self, main): self.size, self.format = main["size"], main["format"]
    def start(self): pass
    def stop(self): print("stopped")
    def capture_array(self): return numpy.full((*self.size[::-1], 3), 90, "uint8")
"""


def run(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    env: Mapping[str, str] = os.environ | more
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)


@pytest.fixture
def folder(tmp_path: Path, samples: Path) -> Path:
    """Two photos, and a file that is none."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("coffee.png", "chelsea.png"):
        (photos / name).symlink_to(samples / name)
    (photos / "notes.txt").write_text("")
    return photos


def test_photos_are_classified_by_name(classifier: Callable[[str], Path], folder: Path) -> None:
    file = classifier("x86_64")
    model = tvmlcnn.load(file)
    assert model.preprocessing is not None
    assert model.labels is not None
    done = run(file, folder)
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["chelsea.png", "coffee.png"], done.stderr
    for name, line in zip(("chelsea.png", "coffee.png"), lines, strict=True):
        pixels = read_image(folder / name, model.inputs[0].shape, model.preprocessing)
        best = top(model(pixels), model.labels, 1)[0]
        assert line.startswith(f"{name}: {best.label} {best.score:.2f}, ")
        assert re.search(r"\(\d+\.\d ms\)$", line)


def test_a_video_comes_frame_by_frame_from_ffmpeg(
    classifier: Callable[[str], Path], tmp_path: Path
) -> None:
    frames = tmp_path / "frames"
    with open(frames, "wb") as file:
        for colour in ("red", "green", "blue"):
            Image.new("RGB", (40, 30), colour).save(file, "ppm")
    (tmp_path / "ffmpeg").write_text(f"#!/bin/sh\ncat {frames}\n")
    (tmp_path / "ffmpeg").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = run(classifier("x86_64"), "street.mp4", PATH=path)
    names = [line.split(":")[0] for line in done.stdout.splitlines()]
    assert names == ["frame 1", "frame 2", "frame 3"], done.stderr
    (line,) = run(classifier("x86_64"), "street.mp4", PATH="").stderr.splitlines()
    assert line == "error: no ffmpeg: sudo apt install ffmpeg"


def test_the_camera_goes_on_until_it_is_told(
    classifier: Callable[[str], Path], tmp_path: Path
) -> None:
    file = classifier("x86_64")
    assert "python3-picamera2" in run(file).stderr
    (tmp_path / "picamera2.py").write_text(CAMERA)
    done = run(file, "--frames", 2, PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    assert done.stdout.count("frame") == 2, done.stderr
    assert done.stdout.endswith("stopped\n")


class Detector(torch.nn.Module):
    """Finds two boxes, of which one is likely."""

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        zero = image.mean() * 0
        return {
            "boxes": torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]) + zero,
            "scores": torch.tensor([0.9, 0.2]) + zero,
            "labels": torch.tensor([1, 0]),
            "count": torch.tensor(2),
        }


def test_boxes_of_a_detector_are_told(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "detector.so"
    tvmlcnn.compile(Detector(), "x86", (1, 3, 32, 32), output=path, check=False)
    names = tmp_path / "names.txt"
    names.write_text("cat\ndog\n")
    done = run(path, folder, "--labels", names)
    assert done.stdout.count("dog 0.90 at 1 2 3 4 (") == 2, done.stdout + done.stderr
    assert run(path, folder).stdout.count("class 1 0.90") == 2


@pytest.mark.emulated("aarch64")
def test_it_runs_on_a_raspberry_pi(classifier: Callable[[str], Path], folder: Path) -> None:
    python = emulator.find("aarch64")
    assert python is not None
    with emulator.environment() as env:
        command = [python, SCRIPT, classifier("aarch64"), folder]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    there, here = (
        [line.partition(" (")[0] for line in text.splitlines()]
        for text in (done.stdout, run(classifier("x86_64"), folder).stdout)
    )
    assert there == here, done.stderr


def test_a_mistake_is_a_line(folder: Path) -> None:
    done = run("none.so", folder)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "cannot read none.so" in line
