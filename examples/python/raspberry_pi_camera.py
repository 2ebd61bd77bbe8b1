"""Say what a camera sees, live: ``raspberry_pi_camera.py FILE.so [SOURCE] [--frames N]``.

FILE.so is a classifier, or a detector whose outputs are named boxes, scores, labels (or classes)
and count. SOURCE is the Raspberry Pi's camera, or a folder of photos, or a video. It needs tvmlcnn
without its compiler (``pip install tvmlcnn``), for the camera ``apt install python3-picamera2``,
and for videos ``apt install ffmpeg``.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

import tvmlcnn
from tvmlcnn.runtime.classify import top
from tvmlcnn.runtime.outputs import Outputs
from tvmlcnn.runtime.photo import taken
from tvmlcnn.runtime.preprocessing import Preprocessing, read_frame

PHOTOS = {".bmp", ".jpeg", ".jpg", ".png", ".webp"}
_SIZE = (640, 480)  # of the camera's frames; a network's are smaller
_LEAST = 0.3  # score of a box that is told


def camera() -> Iterator[tuple[str, np.ndarray]]:
    """Yield the camera's frames, the newest one each time."""
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        raise tvmlcnn.UserError("no picamera2: sudo apt install python3-picamera2") from error
    device = Picamera2()
    # Its name says the order in a word of memory: as bytes they are red, green, blue.
    device.configure(device.create_video_configuration({"size": _SIZE, "format": "BGR888"}))
    device.start()
    try:
        for number in itertools.count(1):
            yield f"frame {number}", device.capture_array()[None]
    finally:
        device.stop()


def photos(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the photos of a folder, by name."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in PHOTOS:
            yield path.name, read_frame(path, Preprocessing())


def video(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the frames of a video, as ffmpeg decodes them."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "image2pipe", "-c:v", "ppm", "-"]
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
    except FileNotFoundError as error:
        raise tvmlcnn.UserError("no ffmpeg: sudo apt install ffmpeg") from error
    assert process.stdout is not None
    try:
        for number in itertools.count(1):
            picture = _read_ppm(process.stdout)
            if picture is None:
                break
            yield f"frame {number}", picture
    finally:
        process.terminate()
        process.wait()


def _read_ppm(stream: IO[bytes]) -> np.ndarray | None:
    """Return the next picture of a stream of PPM files as ffmpeg writes them; None at its end."""
    if stream.readline() != b"P6\n":
        return None
    width, height = map(int, stream.readline().split())
    stream.readline()  # 255
    pixels = stream.read(3 * width * height)
    return np.frombuffer(pixels, np.uint8).reshape(1, height, width, 3)


def name_of(label: int, labels: list[str]) -> str:
    """Return the name of a class, or its number where it has none."""
    return labels[label] if label < len(labels) else f"class {label}"


def told(outputs: Any, labels: list[str]) -> str:
    """Return what a network found, in a line."""
    if not isinstance(outputs, Outputs):
        names = [name_of(label, labels) for label in range(outputs.size)]
        return ", ".join(f"{guess.label} {guess.score:.2f}" for guess in top(outputs, names, 3))
    count = int(outputs["count"])
    classes = outputs["labels"] if "labels" in outputs.names else outputs["classes"]
    found = [
        f"{name_of(int(label), labels)} {score:.2f} at {' '.join(f'{edge:.0f}' for edge in box)}"
        for box, score, label in zip(outputs["boxes"], outputs["scores"], classes, strict=True)
    ]
    likely = [text for text, score in zip(found, outputs["scores"], strict=True) if score >= _LEAST]
    return ", ".join(likely[:count]) or "nothing"


def main() -> None:
    """Print a line a frame: how long the network took, and what it found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", metavar="FILE.so")
    parser.add_argument("source", nargs="?", type=Path, help="default: the camera")
    parser.add_argument("--frames", type=int, help="end after so many")
    parser.add_argument("--labels", type=Path, help="names of classes, a line each")
    parser.add_argument("--threads", type=int, help="default: those that FILE was compiled for")
    options = parser.parse_args()
    model = tvmlcnn.load(options.file, options.threads)
    labels = list(model.labels or ())
    if options.labels:
        labels = options.labels.read_text().splitlines()
    if options.source is None:
        frames = camera()
    else:
        frames = photos(options.source) if options.source.is_dir() else video(options.source)
    for name, picture in itertools.islice(frames, options.frames):
        pixels = taken(picture, model)
        start = time.perf_counter()
        outputs = model(pixels)
        took = time.perf_counter() - start
        print(f"{name}: {told(outputs, labels)} ({1e3 * took:.1f} ms)", flush=True)


if __name__ == "__main__":
    try:
        main()
    except tvmlcnn.UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        pass
