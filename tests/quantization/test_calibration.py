"""What users may calibrate with, and what they are told when they may not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tvmlcnn.errors import UserError
from tvmlcnn.frontend import Input
from tvmlcnn.quantization import calibration
from tvmlcnn.quantization.calibration import MOST
from tvmlcnn.runtime.preprocessing import Preprocessing, read_image

PHOTO = [Input((1, 3, 8, 8))]
GENERATOR = np.random.default_rng(0)


def _noise(*shape: int) -> np.ndarray:
    return GENERATOR.standard_normal(shape, np.float32)


def _photos(folder: Path, count: int) -> None:
    for number in range(count):
        pixels = GENERATOR.integers(0, 256, (12, 16, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def test_photos_are_preprocessed_as_they_are_when_the_file_runs(tmp_path: Path) -> None:
    _photos(tmp_path, 4)
    (tmp_path / "labels.txt").write_text("cat")
    how = Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    found = calibration(tmp_path, PHOTO, how)
    assert len(found.observed) == 3
    expected = read_image(tmp_path / "0.png", (1, 3, 8, 8), how)
    np.testing.assert_array_equal(found.observed[0][0], expected)


def test_arrays_are_taken_apart_and_some_held_out() -> None:
    array = _noise(8, 3, 8, 8)
    found = calibration(array, PHOTO)
    assert len(found.observed) == 6
    np.testing.assert_array_equal(found.held_out[0][0], array[3:4])
    everything = [one[0] for one in [*found.observed, *found.held_out]]
    assert {float(one.sum()) for one in everything} == {float(one.sum()) for one in array}


def test_batches_are_as_large_as_the_input() -> None:
    found = calibration(_noise(9, 3, 8, 8), [Input((2, 3, 8, 8))])
    assert [one[0].shape for one in found.observed] == [(2, 3, 8, 8)] * 3


def test_of_many_an_even_choice_is_used() -> None:
    array = np.repeat(np.arange(4 * MOST, dtype=np.float32), 3).reshape(-1, 3) + [0, 1, 2]
    found = calibration(array.astype(np.float32), [Input((1, 3))])
    assert len(found.observed) + len(found.held_out) == MOST
    assert found.held_out[-1][0].min() > 3.9 * MOST


@pytest.mark.parametrize("names", [("x", "mask"), ("arr_0", "arr_1")])
def test_archives_are_read_by_name_or_in_order(tmp_path: Path, names: tuple[str, str]) -> None:
    inputs = [Input((1, 3)), Input((1, 5), keyword="mask")]
    one, other = _noise(6, 3), _noise(6, 5)
    arrays = {names[0]: one, names[1]: other}
    np.savez(tmp_path / "x.npz", **dict(reversed(arrays.items())) if "x" in names else arrays)
    found = calibration(tmp_path / "x.npz", inputs, names=("x", "mask"))
    np.testing.assert_array_equal(found.observed[0][0], one[:1])
    np.testing.assert_array_equal(found.observed[0][1], other[:1])


def test_an_iterable_may_give_labels_too() -> None:
    array = _noise(5, 3, 8, 8)
    found = calibration(((one, 7) for one in array), PHOTO)
    np.testing.assert_array_equal(found.observed[1][0], array[1:2])


def test_examples_by_name_are_in_the_order_of_the_inputs() -> None:
    inputs, image = [Input((1, 3)), Input((1, 3))], _noise(4, 3)
    found = calibration(({"mask": -x, "x": x} for x in image), inputs, names=("x", "mask"))
    np.testing.assert_array_equal(found.observed[1], [image[1:2], -image[1:2]])


def test_one_constant_example_among_others_is_taken() -> None:
    array = _noise(4, 3, 8, 8)
    array[1] = 0
    assert len(calibration(array, PHOTO).observed) == 3


def test_integers_and_levels_for_each_pixel_may_be_constant() -> None:
    level = np.repeat(_noise(4, 1, 1, 1), 64).reshape(4, 1, 8, 8)
    inputs = [Input((1, 3, 8, 8)), Input((1, 1, 8, 8)), Input((1, 5), "int64")]
    given = [(x, s, np.ones(5, np.int64)) for x, s in zip(_noise(4, 3, 8, 8), level, strict=True)]
    assert len(calibration(given, inputs).observed) == 3


def test_photos_of_one_colour_show_no_range(tmp_path: Path) -> None:
    Image.new("RGB", (12, 12), (200, 10, 10)).save(tmp_path / "0.png")
    with pytest.raises(UserError, match="pictures of one colour"):
        calibration(tmp_path, PHOTO)


def test_random_numbers_are_told() -> None:
    assert calibration("random", PHOTO).is_random
    assert not calibration(_noise(4, 3, 8, 8), PHOTO).is_random


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "empty"),
        (np.zeros((0, 3, 8, 8), np.float32), "empty"),
        (_noise(4, 3, 9, 8), "takes Nx3x8x8"),
        ([_noise(1, 1, 8, 8)], "is of shape 1x1x8x8"),
        (np.ones((4, 3, 8, 8), np.float32), "same value everywhere"),
        (np.full((4, 3, 8, 8), np.nan, np.float32), "infinite or no numbers"),
        (np.full((4, 3, 8, 8), np.inf, np.float32), "infinite or no numbers"),
        (_noise(4, 3, 8, 8).astype(np.float64), "float64"),
        ({"a": _noise(4, 3, 8, 8), "b": _noise(4, 3)}, "2 arrays"),
        ({"image": _noise(4, 3, 8, 8)}, "image"),
        (7, "no int"),
        ((1 / 0 for _ in range(3)), "ZeroDivisionError"),
        (["cat.png"], "no array of numbers"),
        ("nowhere", "no such folder or file"),
        ("", "name of the calibration data is empty"),
    ],
)
def test_what_cannot_be_used_is_told_in_a_line(given: Any, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        calibration(given, PHOTO, names=("x",))
    assert caught.value.parameters == ("calibration",)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_used_are_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "broken.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04")
    (tmp_path / "photo.txt").write_text("no photo")
    (tmp_path / "empty").mkdir()
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "0.png").write_bytes(b"\x89PNG")
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    os.mkfifo(tmp_path / "pipe.npy")
    names = ("broken.npy", "broken.npz", "photo.txt", "empty", "torn", "objects.npy", "pipe.npy")
    for name in (*names, "x" * 300):
        with pytest.raises(UserError, match=name) as caught:
            calibration(tmp_path / name, PHOTO)
        assert "\n" not in str(caught.value)


def test_photos_are_for_one_picture(tmp_path: Path) -> None:
    _photos(tmp_path, 1)
    with pytest.raises(UserError, match=r"give a \.npz"):
        calibration(tmp_path, [Input((1, 3, 8, 8)), Input((1, 2))])
