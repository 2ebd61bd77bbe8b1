"""Frames of any size become the input: in C the same bytes as by Pillow."""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import PIL
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tvmlcnn.errors import UserError
from tvmlcnn.runtime.c import FOLDER
from tvmlcnn.runtime.library import _Frame
from tvmlcnn.runtime.preprocessing import FILTERS, FITS, Preprocessing, fitted

SOURCES = [FOLDER / "fitting.c", FOLDER / "resample.c", Path(__file__).parent / "c/fitting_test.c"]
IN_ROWS_FIRST = int(PIL.__version__.partition(".")[0]) < 13

sizes = st.tuples(st.integers(1, 300), st.integers(1, 300))
inputs = st.tuples(st.integers(1, 70), st.integers(1, 70))
hows = st.builds(
    lambda ratio, channels, *others: Preprocessing(
        ratio, (0.0,) * channels, (1.0,) * channels, *others
    ),
    st.sampled_from([224 / 256, 1.0, 0.3]),
    st.sampled_from([3, 1]),
    st.sampled_from(FITS),
    st.sampled_from(FILTERS),
    st.sampled_from([0, 114, 255]),
)


class Fitting(ctypes.Structure):
    _fields_ = (
        ("fit", ctypes.c_int),
        ("filter", ctypes.c_int),
        *((name, ctypes.c_uint32) for name in ("rows", "columns", "height", "width", "channels")),
        ("fill", ctypes.c_uint8),
    )


def fitting(how: Preprocessing, size: tuple[int, int]) -> Fitting:
    covered = [round(side / how.crop_ratio) for side in size]
    kinds = FITS.index(how.fit), FILTERS.index(how.filter)
    return Fitting(*kinds, *size, *covered, how.channels, how.fill)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("no gcc")
    path = tmp_path_factory.mktemp("c") / "fitting.so"
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", f"-I{FOLDER}"]
    flags += ["-fsanitize=undefined", "-fno-sanitize-recover"]
    subprocess.run([gcc, *flags, *SOURCES, "-o", path], check=True)
    return ctypes.CDLL(str(path))


def in_c(
    library: ctypes.CDLL, how: Preprocessing, frames: np.ndarray, size: tuple[int, int], stride: int
) -> np.ndarray:
    _, height, width, channels = frames.shape
    result = np.full((1, *size, channels), 99, np.uint8)
    frame = _Frame(frames.ctypes.data, width, height, stride)
    of = ctypes.byref(fitting(how, size)), ctypes.byref(frame)
    assert library.fit_of(*of, result.ctypes.data_as(ctypes.c_void_p))
    return result


def picture(seed: int, height: int, width: int, channels: int) -> np.ndarray:
    """Return noise of all values, or of the extremes, where filters overshoot."""
    generator = np.random.default_rng(seed)
    noise = generator.integers(0, 256, (1, height, width, channels), np.uint8)
    return noise if seed % 2 else (noise > 127).astype(np.uint8) * np.uint8(255)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(how=hows, frame=sizes, size=inputs, seed=st.integers(0, 9))
def test_bytes_are_pillows(
    library: ctypes.CDLL, how: Preprocessing, frame: tuple[int, int], size: tuple[int, int],
    seed: int,
) -> None:  # fmt: skip
    frames = picture(seed, *frame, how.channels)
    np.testing.assert_array_equal(in_c(library, how, frames, size, 0), fitted(frames, size, how))
    numbers = (ctypes.c_int32 * 5)()
    library.placed_of(ctypes.byref(fitting(how, size)), frame[1], frame[0], numbers)
    place = how.placement(frame, size)
    expected = [place.width, place.height, place.left, place.top, place.down_first]
    assert list(numbers) == expected


@pytest.mark.skipif(IN_ROWS_FIRST, reason="former versions of Pillow take another order of axes")
@settings(max_examples=100, deadline=None, derandomize=True)
@given(frame=sizes, size=sizes, filter_=st.sampled_from(FILTERS))
def test_stretching_is_one_call_of_pillow(
    frame: tuple[int, int], size: tuple[int, int], filter_: str
) -> None:
    frames = picture(1, *frame, 3)
    found = fitted(frames, size, Preprocessing(fit="stretch", filter=filter_))
    kind = Image.Resampling[filter_.upper()]
    expected = Image.fromarray(frames[0]).resize(size[::-1], kind)
    np.testing.assert_array_equal(found[0], np.asarray(expected))


def test_rows_may_be_apart(library: ctypes.CDLL) -> None:
    how, wide = Preprocessing(filter="bicubic"), picture(1, 50, 40, 3)
    frames = wide[:, :, 5:36]
    address = np.ascontiguousarray(frames)
    part = _Frame(wide.ctypes.data + 15, 31, 50, 120)
    result = np.zeros((1, 24, 24, 3), np.uint8)
    of = ctypes.byref(fitting(how, (24, 24))), ctypes.byref(part)
    assert library.fit_of(*of, result.ctypes.data_as(ctypes.c_void_p))
    np.testing.assert_array_equal(result, fitted(address, (24, 24), how))


@pytest.mark.parametrize("fit", FITS)
def test_places_come_back_to_the_frame(fit: str) -> None:
    """What is bright in a frame is where the placement says, in the input."""
    how = Preprocessing(fit=fit)
    frames = np.zeros((1, 300, 500, 3), np.uint8)
    frames[0, 140:160, 240:260] = 255
    bright = fitted(frames, (96, 64), how)[0, ..., 0] > 127
    if fit == "letterbox":
        bright &= fitted(frames + 0, (96, 64), how)[0, ..., 0] != how.fill
    rows, columns = np.nonzero(bright)
    box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    found = how.placement((300, 500), (96, 64)).to_frame(box)
    assert np.abs(found - [240, 140, 260, 160]).max() < 8
    corners = how.placement((300, 500), (96, 64)).to_frame(np.stack([box, box])[:, :2])
    np.testing.assert_array_equal(corners, np.stack([found, found])[:, :2])


def test_letterbox_of_a_detector() -> None:
    place = Preprocessing(fit="letterbox").placement((720, 1280), (640, 640))
    assert (place.width, place.height, place.left, place.top) == (640, 360, 0, -140)
    np.testing.assert_allclose(place.to_frame(np.array([0.0, 140, 640, 500])), [0, 0, 1280, 720])


@pytest.mark.parametrize(
    "options",
    [
        *({"fit": "cover"}, {"filter": "nearest"}, {"fill": 256}, {"fill": 0.5}),
        *({"mean": (0.5,)}, {"mean": 0.5}, {"mean": ("red", "green", "blue")}),
        *({"mean": (0.0, float("nan"), 0.0)}, {"std": (0.0,) * 3}, {"crop_ratio": float("inf")}),
    ],
)
def test_what_cannot_be_said(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"fit|mean|fill"):
        Preprocessing(**options)  # type: ignore[arg-type]


def test_long_and_narrow_pictures_are_refused_by_pillows_way() -> None:
    frames = np.zeros((1, 60000, 1, 3), np.uint8)
    with pytest.raises(UserError, match="too long and narrow"):
        fitted(frames, (224, 224), Preprocessing())


def test_a_manifest_says_what_is_not_the_default() -> None:
    assert set(Preprocessing().to_json()) == {"crop_ratio", "mean", "std"}
    how = Preprocessing(0.5, (0.5,), (0.25,), "letterbox", "bicubic", 0)
    assert Preprocessing.from_json(how.to_json()) == how


def test_numbers_of_numpy_are_written_as_pythons() -> None:
    half = np.full(3, 0.5, np.float32)
    how = Preprocessing(np.float32(0.5), half, half, "letterbox", fill=np.uint8(7))  # type: ignore[arg-type]
    assert how == Preprocessing(0.5, (0.5,) * 3, (0.5,) * 3, "letterbox", fill=7)
    assert Preprocessing.from_json(json.loads(json.dumps(how.to_json()))) == how
