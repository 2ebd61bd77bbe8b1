"""What is said of a quantized network, against numpy."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tvmlcnn.quantization.fidelity import MOST_DECIBELS, fidelity

GENERATOR = np.random.default_rng(0)


def _outputs(count: int, *shapes: tuple[int, ...]) -> list[list[np.ndarray]]:
    return [[GENERATOR.standard_normal(s, np.float32) for s in shapes] for _ in range(count)]


def test_agreement_and_noise_are_numpy_s() -> None:
    exact = _outputs(40, (1, 12), (1, 3, 4))
    other = [[y + 1.5 * GENERATOR.standard_normal(y.shape) for y in each] for each in exact]
    found = fidelity(exact, other)
    ours, theirs = (np.concatenate([each[0] for each in all_]) for all_ in (exact, other))
    assert found.examples == 40
    assert found.top1 == np.mean(ours.argmax(1) == theirs.argmax(1))
    best = [set(np.argsort(row)[-5:]) for row in theirs]
    assert found.top5 == np.mean(
        [row.argmax() in five for row, five in zip(ours, best, strict=True)]
    )
    for number in range(2):
        signal = np.sum([np.sum(each[number].astype(float) ** 2) for each in exact])
        noise = np.sum(
            [np.sum((a[number] - b[number]) ** 2) for a, b in zip(exact, other, strict=True)]
        )
        assert found.snr[str(number)] == pytest.approx(10 * np.log10(signal / noise))
    assert 0 < found.top1 < found.top5 < 1  # so that each could be wrong


def test_maps_have_no_best_class() -> None:
    exact = _outputs(2, (1, 3, 8, 8))
    assert fidelity(exact, exact).top1 is None


def test_the_worst_layers_come_first_and_all_goes_into_json() -> None:
    exact = _outputs(2, (1, 4))
    layers = [(f"layer{number}", float(number)) for number in (7, 3, 9, 1, 5, 8)]
    found = json.loads(json.dumps(fidelity(exact, exact, layers).to_json()))
    assert [name for name, _ in found["worst"]] == [
        "layer1",
        "layer3",
        "layer5",
        "layer7",
        "layer8",
    ]
    assert found["snr"] == {"0": MOST_DECIBELS}
    assert found["top1"] == 1


def test_nothing_but_zeros_has_a_ratio_too() -> None:
    zeros, ones = [[np.zeros((1, 4), np.float32)]], [[np.ones((1, 4), np.float32)]]
    assert fidelity(zeros, ones).snr == {"0": -MOST_DECIBELS}
    assert fidelity(zeros, zeros).snr == {"0": MOST_DECIBELS}
