"""``tvmlcnn analyze`` as a user calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import Cli
from PIL import Image

NET = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.dw = torch.nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False)
        self.wide = torch.nn.Conv2d(16, 96, 1, bias=False)
    def forward(self, x):
        return torch.relu(self.wide(self.dw(torch.relu(self.conv(x)))))
class Branches(torch.nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x
"""
SHAPE = ("--input-shape", "1x3x16x16")
MACS = 256 * (3 * 16 * 9 + 16 * 9 + 16 * 96)


@pytest.fixture
def net(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(NET)
    return "net.py:Net"


def table(text: str, first: str) -> dict[str, list[str]]:
    """Rows of the table that begins with the column, by their first cell."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.split()[:1] == [first])
    rows = {}
    for line in lines[start + 2 :]:
        if not line.strip():
            break
        name, *cells = line.split()
        rows[name] = cells
    return rows


def test_by_type(net: str, cli: Cli) -> None:
    result = cli("analyze", net, *SHAPE)
    assert result.code == 0
    rows = table(result.out, "type")
    assert list(rows) == ["pointwise", "depthwise", "full", "elementwise", "total"]
    assert rows["total"][:5] == ["5", "2,112", "100.00", f"{MACS / 1e6:.2f}", "100.00"]
    assert rows["depthwise"][:5] == ["1", "144", "6.82", "0.04", "6.82"]
    facts = dict(line.split(maxsplit=1) for line in result.out.splitlines()[:4])
    assert facts["parameters"] == "2,112"
    assert "peak memory" in result.out
    assert "target" not in result.out


def test_by_layer(net: str, cli: Cli) -> None:
    rows = table(cli("analyze", net, *SHAPE, "--by", "layer").out, "layer")
    assert list(rows) == ["conv", "relu", "dw", "wide", "relu#2", "total"]
    assert rows["dw"][:2] == ["depthwise", "1x16x16x16"]
    # Input and output of 16 kB each, and 576 bytes of weights.
    assert rows["dw"][6:9] == ["0.6", "32.8", "33.3"]


def test_guidelines_name_layer_and_loss(net: str, cli: Cli) -> None:
    text = cli("analyze", net, *SHAPE).out
    assert "G3 few branches     1 side by side at most" in text
    (line,) = [line for line in text.splitlines() if line.split()[:1] == ["G1"] and "wide" in line]
    assert "16 to 96 channels at 16x16" in line


def test_target_adds_bounds(net: str, cli: Cli) -> None:
    text = cli("analyze", net, *SHAPE, "--by", "layer", "--target", "arm").out
    assert "arm: 48 GFLOP/s, 12.8 GB/s, compute-bound from 3.75 operations a byte" in text
    rows = table(text, "layer")
    assert rows["dw"][-1] == "memory"
    assert rows["wide"][-1] == "compute"
    assert rows["relu"][-1] == "fused"
    assert rows["dw"][-3] == f"{(2 * 16384 + 576) / 12.8e3:.1f}"


def test_json_is_one_object(net: str, cli: Cli) -> None:
    data = cli("analyze", net, *SHAPE, "--target", "rpi4", "--json").json
    assert data["source"] == net
    assert data["input_shapes"] == [[1, 3, 16, 16]]
    total = data["total"]
    assert (total["macs"], total["parameters"], total["weight_bytes"]) == (MACS, 2112, 4 * 2112)
    for key in ("macs", "parameters", "access_bytes", "traffic_bytes", "us"):
        assert sum(layer[key] for layer in data["layers"]) == pytest.approx(total[key])
        assert sum(sums[key] for sums in data["types"].values()) == pytest.approx(total[key])
    depthwise = data["layers"][2]
    assert (depthwise["name"], depthwise["type"], depthwise["groups"]) == ("dw", "depthwise", 16)
    assert depthwise["intensity"] == 2 * 256 * 16 * 9 / (2 * 16384 + 576)
    assert data["target"]["ridge"] == 3.75
    # The ReLU's 16 kB are overwritten by nobody while the last convolution writes 96 kB.
    assert total["peak_memory"] == {"bytes": 16384 + 98304, "layer": "wide"}
    assert {finding["guideline"] for finding in data["guidelines"]["findings"]} == {"G1"}


def test_json_without_target(net: str, cli: Cli) -> None:
    data = cli("analyze", net, *SHAPE, "--json").json
    assert (data["target"], data["total"]["us"], data["layers"][0]["limit"]) == (None, None, None)


def test_several_models_side_by_side(net: str, cli: Cli) -> None:
    models = (net, "squeezenet1_1?resolution=64", "mobilenet_v1?width=0.25&resolution=64")
    rows = table(cli("analyze", *models[1:], "--target", "rpi5").out, "model")
    assert list(rows) == list(models[1:])
    assert rows[models[1]][1] == "1,235,496"
    both = cli("analyze", net, net, *SHAPE, "--json").json
    assert [data["total"]["macs"] for data in both] == [MACS, MACS]
    text = cli("analyze", net, net, *SHAPE, "--by", "type").out
    assert list(table(text, "model")) == [net]
    assert text.count("depthwise") == 2


@pytest.mark.parametrize("target", [(), ("--target", "rpi4")])
def test_plot_png(target: tuple[str, ...], net: str, cli: Cli, tmp_path: Path) -> None:
    assert cli("analyze", net, *SHAPE, *target, "--plot", "a.png").code == 0
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 500
        drawn = {colour: n for n, colour in picture.convert("RGB").getcolors(1 << 20)}
    # Bars of pointwise, depthwise and full convolutions, which are larger than the legend.
    for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0xE6, 0x9F, 0x00)):
        assert drawn[colour] > 2000
    assert [path.name for path in tmp_path.iterdir() if "a.png" in path.name] == ["a.png"]


def test_plot_svg(net: str, cli: Cli, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        assert cli("analyze", net, *SHAPE, "--target", "rpi4", "--plot", name).code == 0
    text = (tmp_path / "a.svg").read_text()
    assert (tmp_path / "b.svg").read_text() == text
    assert "date" not in text
    assert str(tmp_path) not in text
    words = {"".join(e.itertext()).strip() for e in ElementTree.fromstring(text).iter()}
    assert words >= {"conv", "dw", "wide", "compute-bound: 48 GFLOP/s", "memory-bound: 12.8 GB/s"}
    assert "relu" not in words  # fused
    points = ElementTree.fromstring(text).findall(".//*[@id]")
    assert sum(e.get("id", "").startswith("PathCollection") for e in points) == 3


def test_plot_marks_what_a_profile_measured(net: str, cli: Cli, tmp_path: Path) -> None:
    kernels = [
        {"layers": ["conv", "relu"], "us": 10.0},
        {"layers": ["dw", "wide"], "us": 20.0},
        {"layers": [], "us": 5.0},  # a change of layout
        {"layers": ["elsewhere"], "us": 5.0},
    ]
    (tmp_path / "profile.json").write_text(json.dumps({"kernels": kernels}))
    target = ["--target", "rpi4", "--plot"]
    assert cli("analyze", net, *SHAPE, *target, "a.svg").code == 0
    assert cli("analyze", net, *SHAPE, *target, "b.svg", "--profile", "profile.json").code == 0
    plain, marked = ((tmp_path / name).read_text() for name in ("a.svg", "b.svg"))
    assert "measured (crosses)" in marked
    assert "measured" not in plain
    assert len(marked) > len(plain)
    from tvmlcnn.analysis import analyze
    from tvmlcnn.analysis.measured import measured

    rows = analyze(f"{tmp_path / 'net.py'}:Net", input_shapes=(1, 3, 16, 16)).rows
    first, second = measured(rows, tmp_path / "profile.json")
    assert first.gflops == pytest.approx(2 * 256 * 3 * 16 * 9 / 10.0 / 1e3)
    assert second.gflops == pytest.approx(2 * 256 * (16 * 9 + 16 * 96) / 20.0 / 1e3)
    assert second.row.layer.name == "wide"


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"kernels": 3}', '{"kernels": [3]}', '{"kernels": [{"us": 1}]}'),
        *('{"kernels": [{"us": NaN, "layers": []}]}', '{"kernels": [{"us": 0, "layers": []}]}'),
        *('{"kernels": [{"us": "x", "layers": []}]}', '{"kernels": [{"us": 1, "layers": [3]}]}'),
        '{"kernels": [{"us": 1' + "0" * 400 + ', "layers": []}]}',
        "[" * 100_000,
    ],
)
def test_what_is_no_profile(text: str, net: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text(text)
    options = [*SHAPE, "--target", "rpi4", "--plot", "a.svg", "--profile"]
    error = cli("analyze", net, *options, "profile.json").error
    assert "nothing that `tvmlcnn profile --json` printed" in error
    assert error.endswith("(--profile)")
    assert "cannot read none.json" in cli("analyze", net, *options, "none.json").error
    (tmp_path / "other.json").write_text('{"kernels": [{"us": 1, "layers": ["other"]}]}')
    assert "no layer of this network" in cli("analyze", net, *options, "other.json").error
    assert "--plot" in cli("analyze", net, "--profile", "other.json").error


def test_plot_of_many_layers_names_some(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "deep.py").write_text(
        "import torch\ndef net():\n"
        "    return torch.nn.Sequential(*(torch.nn.Conv2d(3, 3, 1) for _ in range(150)))\n"
    )
    assert cli("analyze", "deep.py:net", *SHAPE, "--plot", "a.svg").code == 0
    texts = {"".join(e.itertext()) for e in ElementTree.parse(tmp_path / "a.svg").iter()}
    assert {str(index) for index in range(0, 150, 3)} <= texts
    assert "4" not in texts


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["net.py:Net", "--target", "native"], ["native has no figures", "rpi4"]),
        (["net.py:Net", "--target", "x86"], ["x86 has no figures", "rpi4"]),
        (["net.py:Net", "--target", "rpi"], ["no target 'rpi'", "rpi4"]),
        (["net.py:Net", "--input-shape", "1x4x8x8"], ["1x4x8x8", "3 channels", "--input-shape"]),
        (["net.py:Net", "--input-shape", "1x3x0x8"], ["1x3x0x8", "no positive number"]),
        (["net.py:Net", "--input-shape", "axb"], ["'axb' is no shape"]),
        (["net.py:Nets"], ["no 'Nets'"]),
        (["net.py:Branches"], ["torch.export cannot export"]),
        (["mobilnet_v2"], ["no model 'mobilnet_v2'", "mobilenet_v2"]),
        (["none.pt2"], ["no such file: none.pt2"]),
        (["net.py:Net", "--plot", "a.jpg"], ["a.jpg", ".png or .svg"]),
        (["net.py:Net", "--plot", "none/a.png"], ["folder none does not exist"]),
        (["net.py:Net", "net.py:Net", "--plot", "a.png"], ["one MODEL"]),
        (["net.py:Net", "--by", "kind"], ["'kind'", "--help"]),
        ([], ["MODEL", "--help"]),
    ],
)
def test_mistakes(arguments: list[str], words: list[str], net: str, cli: Cli) -> None:
    error = cli("analyze", *arguments).error
    assert all(word in error for word in words), error


def test_without_matplotlib(net: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install 'tvmlcnn[plot]'" in cli("analyze", net, "--plot", "a.png").error
    assert cli("analyze", net, *SHAPE).code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a Linux kernel")
def test_a_full_disk_keeps_the_old_picture(
    net: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.svg").write_text("old")
    monkeypatch.setattr(
        "tempfile.mkstemp",
        lambda prefix, dir: (os.open("/dev/full", os.O_WRONLY), str(tmp_path / "gone")),
    )
    error = cli("analyze", net, *SHAPE, "--plot", "a.svg").error
    assert "cannot write a.svg" in error
    assert (tmp_path / "a.svg").read_text() == "old"


def test_help_is_light() -> None:
    program = (
        "import sys; sys.argv = ['tvmlcnn', 'analyze', '--help']\n"
        "from tvmlcnn.cli import main\n"
        "try: main()\n"
        "except SystemExit: print({'torch', 'tvm', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "--by [layer|type]" in done.stdout
    assert done.stdout.splitlines()[-1] == "set()"
