"""The comparison with other frameworks: its figures and its output."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

sys.path.insert(0, str(Path(__file__).parents[1]))  # tools/ is no package that is installed

from tools.peers.bars import _draw, write_plot
from tools.peers.compare import difference, signal_to_noise
from tools.peers.convert import version
from tools.peers.frameworks import FRAMEWORKS, OURS_IN_FLOAT32, PEERS
from tools.peers.goals import LIGHT, Goal, verdicts
from tools.peers.job import read
from tools.peers.measure import interleave
from tools.peers.results import TWO, Comparison, Row, geometric_mean, to_json
from tools.peers.tables import print_comparison, print_summary
from tools.peers.unavailable import UnavailableError

PNG = b"\x89PNG\r\n\x1a\n"


def comparison(**fields: object) -> Comparison:
    """Ours takes 4 ms, the best peer 5; 100 M multiply-adds at 100 GFLOP/s take 2."""
    rows = (
        Row("tvmlcnn", "tvmlcnn", "0.1.0", (4.0, 6.0, 5.0), 1e-7),
        Row("onnxruntime", "ONNX Runtime", "1.0", (8.0, 9.0, 10.0), 2e-7),
        Row("openvino", "OpenVINO", "2.0", (9.0, 9.0, 9.0), 3e-7),
        Row("mnn", "MNN", "3.0", (5.0, 20.0, 20.0), 2e-4),
        Row("ncnn", "ncnn", reason="pnnx is not installed"),
    )
    base = {
        "model": "net",
        "input_shape": (1, 3, 32, 32),
        "macs": 100_000_000,
        "loop_gflops": (90.0, 100.0, 95.0),
        "availability": 1.0,
        "ours": "tvmlcnn",
        "rows": rows,
    }
    return Comparison(**(base | fields))  # type: ignore[arg-type]


def test_ratios_are_to_the_fastest_call_of_the_best_peer() -> None:
    found = comparison()
    assert found.best_peer is found.timed["mnn"]
    assert found.lead() == pytest.approx(5 / 4)
    assert found.lead(TWO) == pytest.approx(8 / 4)
    assert found.lead(median=True) == pytest.approx(20 / 5)
    speeds = {name: found.speed(row) for name, row in found.timed.items()}
    assert speeds == pytest.approx(
        {"tvmlcnn": 1.25, "onnxruntime": 5 / 8, "openvino": 5 / 9, "mnn": 1}
    )


def test_share_of_the_roofline_is_of_the_best_loop() -> None:
    found = comparison()
    assert found.peak_gflops == 100
    assert found.share(found.timed["tvmlcnn"]) == pytest.approx(0.5)
    assert comparison(loop_gflops=()).share(found.timed["tvmlcnn"]) is None


def in_int8(**fields: object) -> Comparison:
    """Ours takes 4 ms and 10 in float32, the best peer 5; a network of 1 dB is marked."""
    rows = (
        Row("tvmlcnn", "tvmlcnn", "0.1.0", (4.0, 6.0, 5.0), snr=33.0),
        Row(OURS_IN_FLOAT32, "tvmlcnn, float32", "0.1.0", (10.0,), snr=120.0),
        Row("onnxruntime", "ONNX Runtime", "1.0", (5.0,), snr=1.0),
        Row("mnn", "MNN", reason="its output is another: -6.0 dB of signal to noise"),
    )
    return comparison(**({"rows": rows, "dtype": "int8", "in_float32": OURS_IN_FLOAT32} | fields))


def test_ours_in_float32_is_nobodys_peer() -> None:
    found = in_int8(rows=(Row(OURS_IN_FLOAT32, "float32", "1", (1.0,)), *in_int8().rows))
    assert found.peers == ("onnxruntime",)
    assert in_int8().lead() == pytest.approx(5 / 4)
    assert in_int8().gain() == pytest.approx(10 / 4)
    assert comparison().gain() is None


def test_fewer_bits_are_judged_by_signal_to_noise(capsys: pytest.CaptureFixture[str]) -> None:
    print_comparison(in_int8())
    out = capsys.readouterr().out
    assert "GOP/s" in out
    (head,) = [line for line in out.splitlines() if "framework" in line]
    assert head.endswith("signal to noise dB")
    body = {line.split()[0]: line.split() for line in out.splitlines() if "ONNX" in line}
    assert body["ONNX"][-2:] == ["1.0", "!"]
    data = to_json([in_int8()], "cpu", "as it is", "native", 1)["networks"][0]
    assert (data["dtype"], data["ratio_to_float32"]) == ("int8", pytest.approx(2.5))
    rows = {row["name"]: row for row in data["frameworks"]}
    assert [rows[name]["agrees"] for name in ("tvmlcnn", "onnxruntime")] == [True, False]
    print_summary([in_int8(), in_int8()])
    assert capsys.readouterr().out.split("geometric mean")[1].split()[-1] == "2.50"


def test_signal_to_noise_is_of_all_outputs_and_of_nothing_where_one_is_no_number() -> None:
    expected = [np.array([[3.0, 4.0]]), np.array([[0.0, 5.0]])]
    outputs = [expected[0] + [[0.0, 0.5]], expected[1] + [[0.5, 0.0]]]
    assert signal_to_noise(outputs, expected) == pytest.approx(10 * np.log10(50 / 0.5))
    assert signal_to_noise([outputs[0], outputs[1] * np.nan], expected) < -100
    with pytest.raises(UnavailableError, match="shape"):
        signal_to_noise([outputs[0], outputs[1][0]], expected)


def test_goals_say_what_was_reached_and_missed() -> None:
    both = [in_int8(model=LIGHT[0]), in_int8(model=LIGHT[1]), in_int8(model="another")]
    goals = [Goal(LIGHT, None, mean=1.3), Goal(LIGHT, (OURS_IN_FLOAT32,), each=1.3)]
    missed, reached = verdicts(both, goals)
    assert missed == (
        "1.3 times the best peer",
        "1.25 in the geometric mean of 2 of 5: missed",
    )
    assert reached[1] == f"2.50 at least, for {LIGHT[0]}"
    assert verdicts(both[2:], goals) == []


def test_a_type_that_a_framework_lacks_is_told() -> None:
    with pytest.raises(UnavailableError, match="bfloat16 on ARM only"):
        version("onnxruntime", "bfloat16")
    for name in PEERS:
        assert "float32" not in FRAMEWORKS[name].lacks


@pytest.mark.long
def test_all_are_calibrated_alike_and_judged_by_other_inputs() -> None:
    one, other = (
        read("mobilenet_v3_small?resolution=32", "native", 1, "int8"),
        read("mobilenet_v3_small?resolution=32", "native", 1, "int8"),
    )
    assert len(one.observed) > len(one.inputs) > 1
    assert one.fingerprint == other.fingerprint
    assert not any((a == b).all() for a in one.observed for b in one.inputs)
    assert read("mobilenet_v3_small?resolution=32", "native", 1).observed == ()


def test_without_a_peer_or_without_ours_there_is_no_ratio() -> None:
    rows = comparison().rows
    alone = comparison(rows=rows[:1])
    assert (alone.best_peer, alone.lead(), alone.lead(TWO)) == (None, None, None)
    assert alone.speed(rows[0]) is None
    assert comparison(rows=rows[1:]).lead() is None


def test_geometric_mean_is_of_what_is_there() -> None:
    assert geometric_mean([2.0, None, 0.5, 8.0]) == pytest.approx(2)
    assert geometric_mean([None]) is None


def test_json_has_a_figure_or_a_reason_for_each_framework() -> None:
    data = json.loads(json.dumps(to_json([comparison()], "cpu", "as it is", "native", 1)))
    (network,) = data["networks"]
    assert network["best_peer"] == "mnn"
    assert network["ratio_to_best_peer"] == data["geometric_mean"]["ratio_to_best_peer"] == 1.25
    rows = {row["name"]: row for row in network["frameworks"]}
    assert list(rows) == [row.name for row in comparison().rows]
    assert rows["tvmlcnn"]["roofline_share"] == pytest.approx(0.5)
    assert [rows[name]["agrees"] for name in ("tvmlcnn", "mnn")] == [True, False]
    assert rows["ncnn"]["reason"] == "pnnx is not installed"
    assert "min_ms" not in rows["ncnn"]


def test_table_is_sorted_marked_and_names_what_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_comparison(comparison())
    lines = capsys.readouterr().out.splitlines()
    body = [line.split() for line in lines if line[1:].startswith(("tvm", "MNN", "ONNX", "Open"))]
    assert [cells[0] for cells in body] == ["tvmlcnn", "MNN", "ONNX", "OpenVINO"]
    assert body[0] == ["tvmlcnn", "0.1.0", "4.00", "5.00", "1.25", "50", "1e-07"]
    assert [cells[-1] == "!" for cells in body] == [False, True, False, False]
    assert any("ncnn" in line and "pnnx is not installed" in line for line in lines)
    assert not any("other programs" in line for line in lines)
    print_comparison(comparison(availability=0.5))
    assert "other programs took 50%" in capsys.readouterr().out


def test_summary_ends_with_the_geometric_means(capsys: pytest.CaptureFixture[str]) -> None:
    slower = Row("tvmlcnn", "tvmlcnn", "0.1.0", (16.0,), 1e-7)
    both = [comparison(), comparison(rows=(slower, *comparison().rows[1:]))]
    print_summary(both)
    last = capsys.readouterr().out.split("geometric mean")[1].split()
    assert [float(cell) for cell in last] == pytest.approx([0.62, 1.0], abs=0.01)


def test_plot_is_a_png_with_and_without_a_roofline(tmp_path: Path) -> None:
    for index, loop in enumerate([(100.0,), ()]):
        path = tmp_path / f"{index}.png"
        write_plot([comparison(loop_gflops=loop), comparison(loop_gflops=loop)], path, "cpu")
        assert path.read_bytes().startswith(PNG)


@pytest.mark.parametrize("networks", [1, 3, 6, 9])
def test_labels_of_a_plot_are_inside_and_apart(networks: int) -> None:
    names = [f"mobilenet_v{number}_small" for number in range(networks)]
    rows = [
        Row(name, framework.title, "1", (0.5123 + 0.001 * n,))
        for n, (name, framework) in enumerate(FRAMEWORKS.items())
    ]
    figure = _draw([comparison(model=name, rows=tuple(rows)) for name in names], "cpu")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (axes,) = figure.axes
    labels = [text.get_window_extent() for text in axes.texts]
    assert len(labels) == networks * len(rows)
    for one, other in itertools.combinations(labels, 2):
        assert not one.overlaps(other)
    (legend,) = figure.legends
    for box in (*labels, legend.get_window_extent(), axes.title.get_window_extent()):
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1


def test_turns_rotate_and_the_first_call_of_a_turn_is_not_counted() -> None:
    order: list[str] = []
    calls = {name: lambda name=name: order.append(name) for name in "abc"}
    times = interleave(calls, 0, rounds=3)
    turns = [name for i, name in enumerate(order) if i == 0 or order[i - 1] != name]
    assert "".join(turns) == "abcbcacab"
    assert all(len(times[name]) == order.count(name) - 3 for name in "abc")


def test_calls_are_timed_by_the_clock_that_is_given() -> None:
    seconds = itertools.count()
    times = interleave({"a": lambda: None}, 0, rounds=1, clock=lambda: float(next(seconds)))
    assert times == {"a": [1000.0, 1000.0]}


def test_a_function_that_raises_is_left_out_and_the_others_go_on() -> None:
    failures = {}

    def broken() -> None:
        raise RuntimeError("broken")

    times = interleave(
        {"broken": broken, "fine": lambda: None}, 0, rounds=2, failed=failures.__setitem__
    )
    assert list(times) == ["fine"]
    assert len(times["fine"]) > 2
    assert str(failures["broken"]) == "broken"


def test_difference_is_over_the_range_and_refuses_another_shape() -> None:
    expected = np.array([[-1.0, 3.0]])
    assert difference(expected + [[0.0, 0.4]], expected) == pytest.approx(0.1)
    assert np.isnan(difference(np.array([[np.nan, 3.0]]), expected))
    with pytest.raises(UnavailableError, match="shape"):
        difference(expected[0], expected)
