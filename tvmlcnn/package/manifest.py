"""Composing the manifest of a compiled model."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from dataclasses import asdict
from importlib import resources
from typing import Any

import torch

from tvmlcnn.frontend import Graph, Network
from tvmlcnn.runtime.manifest import FORMAT
from tvmlcnn.runtime.preprocessing import Preprocessing
from tvmlcnn.targets import Device

from .cuda_compiler import Compiler
from .variants import Variants

IMAGENET_CLASSES = 1000


def compose(
    network: Network,
    weights: str | None,
    graphs: Sequence[Graph],
    device: Device,
    features: Sequence[str],
    gpu_compiler: Compiler | None,
    kernels: dict[str, list[str]],
    records: dict[str, int],
    variants: Variants,
    layout: list[dict[str, Any]],
    threads: int | None,
    dtype: str,
    quantization: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return the manifest, without the numeric check, which comes after linking.

    An image model whose author says nothing of preprocessing or labels gets ImageNet's: that is
    what nearly all of them were trained with; ``assumed`` says so.
    """
    graph = graphs[0]
    image = len(graph.inputs) == 1 and graph.inputs[0].shape[:2] == (1, 3)
    classes = graph.outputs[0].shape[-1] if graph.outputs[0].shape else 0
    preprocessing, labels, assumed = network.preprocessing, network.labels, []
    if preprocessing is None and image and len(graph.inputs[0].shape) == 4:
        preprocessing = Preprocessing()
        assumed.append("preprocessing")
    if labels is None and image and classes == IMAGENET_CLASSES and network.preprocessing is None:
        labels = "imagenet"
        assumed.append("labels")
    rules = {name: rule for rule, functions in kernels.items() for name in functions}
    names = read_labels(labels) if isinstance(labels, str) else labels
    return {
        "format": FORMAT,
        "model": network.name,
        "source": network.source,
        "weights_from": weights,
        "random_weights": weights is None and network.random_weights,
        "target": {
            "name": device.name,
            "machine": device.machine,
            "features": sorted(features),
            "tvm": device.tvm,
            "gpu_code": list(device.gpu_code),
            "gpu_compiler": None if gpu_compiler is None else str(gpu_compiler),
        },
        "threads": threads,
        "dtype": dtype,
        "quantization": quantization,
        "inputs": [asdict(spec) for spec in graph.inputs],
        "outputs": [asdict(spec) for spec in graph.outputs],
        "in_collection": graph.in_collection,
        "preprocessing": None if preprocessing is None else preprocessing.to_json(),
        "labels": list(names) if names is not None and len(names) == classes else None,
        "assumed": assumed,
        "kernels": {rule: len(names) for rule, names in kernels.items()},
        "records": records,
        "calls": _noted(variants.calls[0], rules, device),
        "programs": [
            {
                "inputs": [spec.shape for spec in each.inputs],
                "outputs": [spec.shape for spec in each.outputs],
            }
            | ({"calls": _noted(calls, rules, device)} if each is not graph else {})
            for each, calls in zip(graphs, variants.calls, strict=True)
        ],
        "versions": {
            "tvmlcnn": importlib.metadata.version("tvmlcnn"),
            "tvm": importlib.metadata.version("apache-tvm"),
            "torch": torch.__version__,
        },
        "weights": layout,
    } | ({"frames": {"resize": network.resizes}} if network.takes_frames else {})


def _noted(
    calls: list[dict[str, Any]], rules: dict[str, str], device: Device
) -> list[dict[str, Any]]:
    found = []
    for call in calls:
        noted = {key: call[key] for key in ("function", "layers", "flops", "bytes")}
        gain = device.gain(call["element"])
        if gain not in (None, 1.0):
            noted["gain"] = gain
        found.append(noted | {"rule": rules[call["function"]]})
    return found


def read_labels(name: str) -> list[str]:
    """Return the labels of a set that ships with the package, one a class."""
    return (resources.files("tvmlcnn.data") / f"{name}.txt").read_text("utf-8").splitlines()
