"""Files that take frames of a camera: bytes, of the network's size or of any."""

from __future__ import annotations

import copy
import ctypes
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Cli, SmallNet, randomized
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

import tvmlcnn
from tvmlcnn.errors import UserError
from tvmlcnn.runtime.library import _Frame
from tvmlcnn.runtime.preprocessing import Preprocessing, fitted, normalized

HOW = Preprocessing(crop_ratio=0.8)
GREY = Preprocessing(mean=(0.3,), std=(0.2,))


def network(module: nn.Module, how: Preprocessing = HOW) -> nn.Module:
    module.preprocessing = how
    return randomized(module)


def frames(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def by_torch(module: nn.Module, given: np.ndarray, how: Preprocessing = HOW) -> np.ndarray:
    with torch.no_grad():
        return module(torch.from_numpy(normalized(given, how))).numpy()


def compiled(folder: Path, module: nn.Module, shape: tuple[int, ...], **options: object) -> Path:
    """Return a file of frames, which was compared with torch where it was not told otherwise."""
    path = folder / "frames.so"
    report = tvmlcnn.compile(module, "x86", shape, output=path, input="uint8", **options)
    assert "skipped" not in report.check or options.get("check") is False
    return path


@pytest.fixture(scope="module")
def small(small_net: nn.Module) -> nn.Module:
    return network(copy.deepcopy(small_net))


@pytest.fixture(scope="module")
def small_frames(small: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("frames"), small, (1, 3, 32, 40))


def close(found: np.ndarray, expected: np.ndarray) -> None:
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_results_are_torchs(small: nn.Module, small_frames: Path) -> None:
    model = tvmlcnn.load(small_frames)
    assert str(model.inputs[0]) == "frame: uint8 1x32x40x3"
    assert model.frames
    assert not model.resizes
    apart = frames(1, 32, 80, 6)[:, :, ::2, :3]
    for each in (frames(1, 32, 40, 3), np.full((1, 32, 40, 3), 255, np.uint8), apart):
        close(model(each), by_torch(small, each))
    assert model.manifest["calls"][1]["layers"][0] == "features.0"


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    size=st.tuples(st.integers(9, 33), st.integers(9, 33)),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 2),
    mode=st.sampled_from(["zeros", "reflect"]),
    outer=st.sampled_from([8, 24, 33]),
)
def test_first_layers_of_all_kinds(
    tmp_path_factory: pytest.TempPathFactory,
    size: tuple[int, int], kernel: int, stride: int, mode: str, outer: int,
) -> None:  # fmt: skip
    torch.manual_seed(0)
    conv = nn.Conv2d(3, outer, kernel, stride, kernel // 2, padding_mode=mode)
    module = network(nn.Sequential(conv, nn.ReLU(), nn.Conv2d(outer, 8, 1)))
    path = compiled(tmp_path_factory.mktemp("kinds"), module, (1, 3, *size), check=False)
    given = frames(1, *size, 3)
    close(tvmlcnn.load(path)(given), by_torch(module, given))


@pytest.mark.parametrize(
    "first",
    [
        nn.AvgPool2d(2),
        nn.Conv2d(3, 6, 3, padding=1, groups=3),
        nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 6, 3)),
        nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 6, 3)),
    ],
    ids=["pool", "depthwise", "batch norm", "unshuffle"],
)
def test_other_first_layers(first: nn.Module, tmp_path: Path) -> None:
    module = network(nn.Sequential(first, nn.ReLU()))
    given = frames(1, 16, 20, 3)
    close(tvmlcnn.load(compiled(tmp_path, module, (1, 3, 16, 20)))(given), by_torch(module, given))


def test_grey_frames(tmp_path: Path) -> None:
    module = network(nn.Conv2d(1, 8, 3, padding=1), GREY)
    model = tvmlcnn.load(compiled(tmp_path, module, (1, 1, 16, 12), resize=True))
    given = frames(1, 30, 44, 1)
    close(model(given), by_torch(module, fitted(given, (16, 12), GREY), GREY))


def test_several_batches(small: nn.Module, tmp_path: Path) -> None:
    model = tvmlcnn.load(compiled(tmp_path, small, "1..2x3x32x40", resize=True, check=False))
    for batch in (2, 1):
        given = frames(batch, 50, 60, 3)
        close(model(given), by_torch(small, fitted(given, (32, 40), HOW)))
    with pytest.raises(UserError, match=r"uint8 1 or 2xHEIGHTxWIDTHx3; given was uint8 3x50x60x3"):
        model(frames(3, 50, 60, 3))


@pytest.mark.parametrize("size", [(32, 40), (1, 1), (480, 640), (700, 30)])
def test_frames_of_any_size(small: nn.Module, resizing_file: Path, size: tuple[int, int]) -> None:
    given = frames(1, *size, 3)
    model = tvmlcnn.load(resizing_file)
    close(model(given), by_torch(small, fitted(given, (32, 40), HOW)))
    wide = frames(1, size[0], 2 * size[1], 3)[:, :, ::2]
    close(model(wide), by_torch(small, fitted(wide, (32, 40), HOW)))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (frames(1, 40, 50, 4), "HEIGHTxWIDTHx3; given was uint8 1x40x50x4"),
        (frames(40, 50, 3), "given was uint8 40x50x3"),
        (frames(1, 40, 50, 3).astype(np.float32), "given was float32 1x40x50x3"),
        (frames(1, 0, 50, 3), "a frame of 50x0 pixels; its sides are from 1 to 65536"),
        (frames(1, 70000, 1, 3), "a frame of 1x70000 pixels"),
    ],
)
def test_frames_that_do_not_fit(resizing_file: Path, given: np.ndarray, words: str) -> None:
    with pytest.raises(UserError, match=words):
        tvmlcnn.load(resizing_file)(given)


def test_frames_of_another_size_need_resizing(small_frames: Path) -> None:
    with pytest.raises(UserError, match=r"takes frame: uint8 1x32x40x3; given was uint8 1x40x32x3"):
        tvmlcnn.load(small_frames)(frames(1, 40, 32, 3))


def test_files_without_frames_say_nothing_of_them(small_file: Path) -> None:
    model = tvmlcnn.load(small_file)
    assert "frames" not in model.manifest
    assert not hasattr(ctypes.CDLL(str(small_file)), "tvmlcnn_run_frames")
    with pytest.raises(UserError, match="takes no frames of any size"):
        model.placement(3, 4)


def test_programs_in_c_run_frames(small: nn.Module, resizing_file: Path) -> None:
    library, instance = ctypes.CDLL(str(resizing_file)), ctypes.c_void_p()
    assert library.tvmlcnn_open(None, ctypes.byref(instance)) == 0
    wide, result = frames(1, 50, 64, 3), np.zeros((1, 10), np.float32)
    outputs = (ctypes.c_void_p * 1)(result.ctypes.data)
    library.tvmlcnn_error.restype = ctypes.c_char_p

    def run(width: int, height: int, stride: int, program: int = 0) -> bytes | None:
        frame = _Frame(wide.ctypes.data + 6, width, height, stride)
        each = ctypes.byref(frame), outputs
        status = library.tvmlcnn_run_frames(instance, ctypes.c_size_t(program), *each)
        return library.tvmlcnn_error(instance) if status else None

    assert run(60, 50, 64 * 3) is None
    given = wide[:, :, 2:62]
    close(result, by_torch(small, fitted(np.ascontiguousarray(given), (32, 40), HOW)))
    assert run(0, 50, 0) == b"a frame of 0x50 pixels; its sides are from 1 to 65536"
    assert run(1 << 17, 50, 0) == b"a frame of 131072x50 pixels; its sides are from 1 to 65536"
    assert run(60, 50, 100) == b"a stride of 100 bytes for rows of 180"
    assert run(60, 50, 0, 7) == b"the file has 1 programs"
    placement = (ctypes.c_double * 4)()
    assert library.tvmlcnn_place(60, 50, placement) == 0
    place = tvmlcnn.load(resizing_file).placement(50, 60)
    assert tuple(placement) == (*place.scale, place.left, place.top)
    assert library.tvmlcnn_place(60, 0, placement) == 1
    library.tvmlcnn_close(instance)


@pytest.mark.parametrize("target", [pytest.param("arm", marks=pytest.mark.emulated("aarch64"))])
def test_other_machines(small: nn.Module, tmp_path: Path, target: str) -> None:
    """The check compares with torch on what Pillow resizes; of bytes they are the same."""
    path = tmp_path / "frames.so"
    options = {"input": "uint8", "resize": True, "dtype": "int8"}
    given = frames(12, 50, 60, 3)
    report = tvmlcnn.compile(
        small, target, (1, 3, 32, 40), None, path, calibration=given, **options
    )
    assert "emulated" in report.check["where"]


def pictures(count: int, *size: int) -> np.ndarray:
    """Return smooth pictures, as photos are."""
    return np.concatenate(
        [
            np.asarray(Image.fromarray(frames(7, 7, 3, seed=n)).resize(size[::-1], 3))[None]
            for n in range(count)
        ]
    )


def test_integers_begin_with_the_frame(small: nn.Module, tmp_path: Path) -> None:
    given = pictures(16, 32, 40)
    path = compiled(tmp_path, small, (1, 3, 32, 40), dtype="int8", calibration=given)
    model = tvmlcnn.load(path)
    before = next(n for n, call in enumerate(model.calls) if call.rule == "dense")
    # What is before the convolution moves bytes: it computes no number in float32.
    assert not {"cast", "multiply", "codes"} & set(model.calls[0].function.split("_"))
    assert before <= 1
    assert model.manifest["quantization"]["fidelity"]["snr"]["0"] > 20
    found = np.concatenate([model(one[None]) for one in given])
    expected = by_torch(small, given)
    noise = np.square(found - expected).sum() / np.square(expected).sum()
    assert noise < 0.01


def test_integers_of_frames_of_any_size(small: nn.Module, tmp_path: Path) -> None:
    """Calibrated with a folder of photos of many sizes, and told so."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(8):
        Image.fromarray(pictures(1, 50 + number, 70)[0]).save(folder / f"{number}.png")
    path = compiled(tmp_path, small, (1, 3, 32, 40), dtype="int8", calibration=folder, resize=True)
    given = pictures(1, 90, 70)
    expected = by_torch(small, fitted(given, (32, 40), HOW))
    assert np.abs(tvmlcnn.load(path)(given) - expected).max() < 0.1 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("module", "options", "words"),
    [
        (SmallNet(), {}, "does not say how pixels become its input"),
        (network(SmallNet(), GREY), {}, "preprocessing is of 1 channels, its input 1x3x32x32 of 3"),
        (network(nn.Conv2d(4, 8, 3)), {"input_shape": (1, 4, 8, 8)}, "takes 1x4x8x8, float32"),
        (network(nn.Linear(8, 8)), {"input_shape": (1, 8)}, "takes 1x8, float32"),
        (network(nn.Bilinear(4, 4, 2)), {"input_shape": [(1, 4)] * 2}, "this one has 2"),
        (
            network(SmallNet()),
            {"input_shape": "1x3x32..48/16x32", "resize": True},
            "the input shape leaves several",
        ),
        (network(SmallNet()), {"input": "int16"}, "no input 'int16'; there are float32 and uint8"),
        (network(SmallNet()), {"input": "float32", "resize": True}, "only frames are resized"),
    ],
)
def test_what_cannot_take_frames(
    module: nn.Module, options: dict[str, object], words: str, tmp_path: Path
) -> None:
    asked = {"input_shape": (1, 3, 32, 32), "input": "uint8"} | options
    with pytest.raises(UserError, match=words):
        tvmlcnn.compile(module, "x86", output=tmp_path / "net.so", **asked)
    assert not list(tmp_path.iterdir())


def test_commands_know_frames(cli: Cli, tmp_path: Path) -> None:
    name, photo = "mobilenet_v2?width=0.25&resolution=32", tmp_path / "photo.png"
    Image.fromarray(pictures(1, 60, 80)[0]).save(photo)
    options = ["--input", "uint8", "--resize", "--no-check", "-o", "net.so"]
    assert cli("compile", name, *options).code == 0
    printed = cli("inspect", "net.so").out
    assert "frame: uint8 1x32x32x3" in printed
    assert "bytes of red, green and blue, of any size" in printed
    of_photo = cli("run", "net.so", "--image", photo, "--json").json
    np.save(tmp_path / "photo.npy", np.asarray(Image.open(photo))[None])
    assert cli("run", "net.so", "--input", "photo.npy", "--json").json == of_photo
    assert cli("run", "net.so", "--random").code == 0
    assert cli("bench", "net.so", "--seconds", "0.05", "--json").code == 0
    manifest = json.loads(cli("inspect", "net.so", "--json").out)
    assert manifest["frames"] == {"resize": True}
    assert "(--resize)" in cli("compile", name, "--resize").error
    assert "(--input)" in cli("compile", name, "--input", "int4").error


def test_a_first_layer_that_stays_float(small: nn.Module, tmp_path: Path) -> None:
    """It normalizes exactly, at the borders too."""
    given = pictures(8, 32, 40)
    options = {"dtype": "int8", "calibration": given, "keep_float": "features.0"}
    path = compiled(tmp_path, small, (1, 3, 32, 40), **options)
    model = tvmlcnn.load(path)
    assert model.manifest["quantization"]["kept"] == ["features.0"]
    assert "surround" not in {call.function for call in model.calls}


def test_several_first_layers_take_the_bytes(tmp_path: Path) -> None:
    class Stems(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide, self.narrow = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 8, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.wide(x) + self.narrow(x)

    module, given = network(Stems()), pictures(8, 16, 20)
    path = compiled(tmp_path, module, (1, 3, 16, 20), dtype="int8", calibration=given)
    found, expected = tvmlcnn.load(path)(given[:1]), by_torch(module, given[:1])
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()
    first = tvmlcnn.load(path).calls[0].function
    assert first.startswith("surround")
