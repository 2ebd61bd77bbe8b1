"""Files that are well, to be damaged."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

import tvmlcnn
from tvmlcnn.records import Record, Store, Trial, versions


@functools.cache  # several kinds of attack begin with the same
def make_originals(folder: Path, model: Path | None) -> dict[str, Path]:
    """Write a file of each kind into a folder and return them.

    Parameters
    ----------
    folder : Path
    model : Path, optional
        The compiled file to take; else a small network is compiled.
    """
    random = np.random.default_rng(0)
    compiled = folder / "model.so"
    if model is None:
        tvmlcnn.compile(_network(), "native", (1, 3, 16, 16), output=compiled, check=False)
    else:
        shutil.copyfile(model, compiled)
    loaded = tvmlcnn.load(compiled, threads=1)
    given = random.standard_normal(loaded.inputs[0].shape, np.float32)
    np.save(compiled.with_suffix(".in.npy"), given)
    np.save(compiled.with_suffix(".out.npy"), loaded(given))
    np.save(folder / "x.npy", given)
    np.savez_compressed(folder / "x.npz", given)
    photo = Image.fromarray(random.integers(0, 256, (40, 50, 3), np.uint8))
    photo.save(folder / "photo.png")
    photo.save(folder / "photo.jpeg")
    state = nn.Conv2d(3, 4, 3).state_dict()
    torch.save(state, folder / "weights.pth")
    save_file(state, folder / "weights.safetensors")
    _fill(Store(folder / "records"))
    return {
        "model": compiled,
        "forged": compiled,
        "records": folder / "records",
        "npy": folder / "x.npy",
        "npz": folder / "x.npz",
        "png": folder / "photo.png",
        "jpeg": folder / "photo.jpeg",
        "pth": folder / "weights.pth",
        "safetensors": folder / "weights.safetensors",
    }


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, 1, 1, groups=8),
        nn.Conv2d(8, 16, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    ).eval()


def _fill(store: Store) -> None:
    kernel = ("dense 1x8x8x16 16x24 bias relu", "rpi4", "dense", versions()["dense"])
    for threads in (1, 2, 4):
        key = (*kernel, threads, {"rows": 4, "parts": [1, 2], "order": "nchw", "unroll": True})
        store.add(
            Record(*key, 10.0 / threads, 15.0, "board", 64, "0.27", "0.1", "2026-01-01T00:00:00"),
            Trial(*key, 10.0, None, "", "board", "2026-01-01T00:00:00"),
            Trial(*key, None, "crash", "signal 11", "board", "2026-01-01T00:00:00"),
        )
