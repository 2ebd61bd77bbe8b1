"""Copies of a model: by copy, by pickle, and in processes that do not share memory."""

from __future__ import annotations

import copy
import html
import multiprocessing
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

import tvmlcnn
from tvmlcnn.runtime.arrays import random_arrays


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_a_copy_computes_the_same(copied, small_file: Path, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(small_file.parent)
    model = tvmlcnn.load(small_file.name, threads=1)
    inputs = random_arrays(model.inputs)
    expected = model(*inputs)
    monkeypatch.chdir(tmp_path)  # a relative path was meant from where it was given
    again = copied(model)
    assert again is not model
    assert (again.path, again.threads, again.inputs) == (model.path, 1, model.inputs)
    del model
    assert np.array_equal(again(*inputs), expected)


def test_a_copy_of_a_file_that_is_gone_is_refused_in_one_line(
    small_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "gone.so"
    path.write_bytes(small_file.read_bytes())
    model = tvmlcnn.load(path)
    data = pickle.dumps(model)
    path.unlink()
    with pytest.raises(tvmlcnn.UserError, match=r"gone\.so") as seen:
        pickle.loads(data)
    assert "\n" not in str(seen.value)
    model(*random_arrays(model.inputs))


def _work(model: tvmlcnn.Model, inputs: list[np.ndarray], expected: np.ndarray) -> None:
    sys.exit(int(not np.array_equal(model(*inputs), expected)))


@pytest.mark.long
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_that_share_nothing_get_a_model(method: str, small_file: Path) -> None:
    model = tvmlcnn.load(small_file, threads=1)
    inputs = random_arrays(model.inputs)
    context = multiprocessing.get_context(method)
    child = context.Process(target=_work, args=(model, inputs, model(*inputs)))
    child.start()
    child.join(60)
    assert child.exitcode == 0


def test_a_model_says_what_it_is(small_file: Path) -> None:
    model = tvmlcnn.load(small_file, threads=1)
    assert repr(model) == (
        "<tvmlcnn.Model small.so, 1 thread: x: float32 1x3x32x32 -> output: float32 1x10>"
    )
    shown = model._repr_html_()
    for text in (str(model.path), "float32 1x3x32x32", "x86"):
        assert html.escape(text) in shown


def test_text_of_files_is_no_markup(small_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "<b>&.so"
    path.write_bytes(small_file.read_bytes())
    shown = tvmlcnn.load(path)._repr_html_()
    assert "<b>" not in shown
    assert html.escape(os.fspath(path)) in shown
