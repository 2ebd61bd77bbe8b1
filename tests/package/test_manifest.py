"""What is written into a manifest, and what is assumed where the author says nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import tvm

from tvmlcnn.frontend import Graph, Input, Network
from tvmlcnn.package.manifest import compose, read_labels
from tvmlcnn.package.variants import Variants
from tvmlcnn.remote.tvm_runtime import tvm_version
from tvmlcnn.runtime.manifest import FORMAT, KernelCall, Manifest, TensorSpec, Weight
from tvmlcnn.runtime.preprocessing import Preprocessing
from tvmlcnn.targets import DEVICES

IMAGE, CLASSES = (1, 3, 8, 8), (1, 1000)
GREY = Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


def composed(
    *inputs: tuple[int, ...],
    output: tuple[int, ...] = CLASSES,
    preprocessing: Preprocessing | None = None,
    labels: list[str] | str | None = None,
) -> dict[str, Any]:
    """Return the manifest of a network with such inputs and output."""
    shapes = inputs or (IMAGE,)
    forms = (tuple(map(Input, shapes)),)
    network = Network("net", "net.py:Net", torch.nn.ReLU(), forms, preprocessing, labels)
    specs = tuple(TensorSpec(f"x{i}", shape, "float32") for i, shape in enumerate(shapes))
    graph = Graph(tvm.IRModule(), specs, (TensorSpec("output", output, "float32"),), False, ())
    call = {"layers": ["conv"], "bindings": ["_conv:conv2d"], "flops": 12, "bytes": 34}
    codes, numbers = {"element": "int8"}, {"element": "float32"}
    return compose(
        network,
        weights="net.pth",
        graphs=[graph],
        device=DEVICES["rpi5"],
        features=["b", "a"],
        gpu_compiler=None,
        kernels={"dense": ["fused_conv", "fused_conv1"], "default": ["add"]},
        records={"kernels": 1, "of": 2},
        variants=Variants(
            tvm.IRModule(),
            [],
            [[0]],
            [[call | codes | {"function": "fused_conv1"}, call | numbers | {"function": "add"}]],
        ),
        layout=[{"shape": [2, 3], "dtype": "float32", "offset": 64}],
        threads=2,
        dtype="float32",
        quantization=None,
    )


def test_the_runtime_reads_what_is_written() -> None:
    data = composed(preprocessing=GREY, output=(1, 2), labels=["cat", "dog"])
    manifest = Manifest.from_json(data)
    assert manifest.inputs == (TensorSpec("x0", IMAGE, "float32"),)
    assert manifest.outputs == (TensorSpec("output", (1, 2), "float32"),)
    assert manifest.weights == (Weight((2, 3), "float32", 64),)
    assert manifest.preprocessing == GREY
    assert manifest.labels == ("cat", "dog")
    assert manifest.calls == (
        KernelCall("fused_conv1", "dense", ("conv",), 12, 34, gain=4.0),  # by dot products
        KernelCall("add", "default", ("conv",), 12, 34),
    )


def test_what_a_user_inspects() -> None:
    data = composed()
    assert (data["format"], data["model"], data["source"]) == (FORMAT, "net", "net.py:Net")
    assert (data["weights_from"], data["threads"]) == ("net.pth", 2)
    assert data["target"]["machine"] == "aarch64"
    assert data["target"]["features"] == ["a", "b"]
    assert data["target"]["gpu_compiler"] is None
    assert data["kernels"] == {"dense": 2, "default": 1}
    assert data["records"] == {"kernels": 1, "of": 2}
    assert data["versions"]["tvm"] == tvm_version()
    assert "bindings" not in data["calls"][0]


def test_what_is_assumed_of_an_image_classifier() -> None:
    data = composed()
    assert data["assumed"] == ["preprocessing", "labels"]
    assert data["preprocessing"] == Preprocessing().to_json()
    assert data["labels"] == read_labels("imagenet")


@pytest.mark.parametrize(
    ("options", "assumed"),
    [
        ({"output": (1, 10)}, ["preprocessing"]),
        ({"preprocessing": GREY}, []),
        ({"labels": "imagenet"}, ["preprocessing"]),
    ],
)
def test_what_is_known_is_not_assumed(options: dict[str, Any], assumed: list[str]) -> None:
    data = composed(**options)
    assert data["assumed"] == assumed
    assert (data["labels"] is None) == ("labels" not in options)


@pytest.mark.parametrize("inputs", [[(1, 1, 8, 8)], [(2, 3, 8, 8)], [(1, 3)], [IMAGE, IMAGE]])
def test_other_inputs_are_no_photos(inputs: list[tuple[int, ...]]) -> None:
    assert composed(*inputs)["preprocessing"] is None


def test_labels_of_other_classes_are_left_out() -> None:
    assert composed(labels=["cat", "dog"], preprocessing=GREY)["labels"] is None


def test_labels_of_imagenet() -> None:
    labels = read_labels("imagenet")
    assert len(labels) == len(set(labels)) == 1000
    assert labels[285] == "Egyptian cat"
