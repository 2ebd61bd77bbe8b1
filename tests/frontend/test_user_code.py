"""Running a user's file: what it finds, what it may do, and that it leaves no traces."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tvmlcnn.errors import UserError
from tvmlcnn.frontend import random_inputs, reference, resolve

NET = "import torch\ndef net():\n    return torch.nn.Linear(4, {})\n"
SHAPE = [(1, 4)]


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path: Path) -> object:
    """The process is as it was: paths, arguments, finders, and no module of the user's."""
    before = list(sys.path), list(sys.argv), list(sys.meta_path), sys.stdout
    yield
    assert (sys.path, sys.argv, sys.meta_path, sys.stdout) == before
    files = {name: str(getattr(m, "__file__", "")) for name, m in sys.modules.items()}
    assert not [name for name, file in files.items() if file.startswith(str(tmp_path))]


def write(folder: Path, **files: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)


@pytest.mark.parametrize("name", ["types", "json", "random", "colorsys", "torch", "numpy"])
def test_a_file_that_is_called_as_a_module_of_python_s(name: str, tmp_path: Path) -> None:
    """It is a model itself, and its neighbour's imports get Python's."""
    neighbour = f"import {name}\nassert {name}.__name__ == '{name}', {name}\n"
    other = "import wave, colorsys, json, random, types\ncolorsys.rgb_to_hsv, random.random\n"
    write(tmp_path, **{name: NET.format(5)}, net=neighbour + other + NET.format(6))
    assert resolve(f"{tmp_path}/{name}.py:net", SHAPE).module.out_features == 5
    assert resolve(f"{tmp_path}/net.py:net", SHAPE).module.out_features == 6


def test_folders_have_neighbours_of_the_same_name(tmp_path: Path) -> None:
    """Also as packages, and imported when the factory is called."""
    for size in (5, 6):
        folder = tmp_path / f"of_{size}"
        write(folder, sizes=f"SIZE = {size}", net="def net():\n    import torch\n"
              "    from sizes import SIZE\n    from blocks.inner import Block\n"
              "    return Block(4, SIZE)\n")  # fmt: skip
        write(folder / "blocks", __init__="", inner="from torch.nn import Linear as Block")
    assert resolve(f"{tmp_path}/of_5/net.py:net", SHAPE).module.out_features == 5
    assert resolve(f"{tmp_path}/of_6/net.py:net", SHAPE).module.out_features == 6


def test_modules_of_the_process_are_kept_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller has another module of the name; each keeps its own."""
    write(tmp_path / "caller", sizes="SIZE = 3")
    monkeypatch.syspath_prepend(tmp_path / "caller")
    import sizes

    write(tmp_path / "net", sizes="SIZE = 7", net="from sizes import SIZE\n" + NET.format("SIZE"))
    assert resolve(f"{tmp_path}/net/net.py:net", SHAPE).module.out_features == 7
    assert sys.modules.pop("sizes") is sizes
    assert sizes.SIZE == 3


def test_a_neighbour_that_is_imported_by_forward(tmp_path: Path) -> None:
    net = "import torch\nclass Net(torch.nn.Module):\n    def forward(self, x):\n"
    write(
        tmp_path, late="FACTOR = 3", net=net + "        import late\n        return x * late.FACTOR"
    )
    network = resolve(f"{tmp_path}/net.py:Net", SHAPE)
    with network.running():
        assert network.module(torch.ones(1)).item() == 3
    assert "late" not in sys.modules


ENDS = {
    "argparse_at_import": "import argparse\np = argparse.ArgumentParser()\n"
    "p.add_argument('data')\np.parse_args()\n" + NET.format(2),
    "exit_at_import": "import sys\nsys.exit('no GPU here')",
    "error_without_text": "class Odd(Exception):\n    def __str__(self): return 1 / 0\nraise Odd",
    "exit_in_factory": "def net():\n    raise SystemExit(3)",
    "error_in_factory": "def net():\n    raise KeyError('no such\\nlayer')",
}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "argparse_at_import",
            r"cannot import .*argparse_at_import.py: SystemExit: argparse_at_import.py: error: the "
            r"following arguments are required: data; keep what a script does, as argparse",
        ),
        ("exit_at_import", "SystemExit: no GPU here; keep what"),
        ("error_without_text", "error_without_text.py: Odd$"),
        ("exit_in_factory", r"calling net\(\) raised SystemExit; keep what a script does"),
        ("error_in_factory", r"calling net\(\) raised KeyError: "),
    ],
)
def test_code_that_ends_the_program(
    name: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, **{name: ENDS[name]})
    with pytest.raises(UserError, match=said) as raised:
        resolve(f"{tmp_path}/{name}.py:net", SHAPE)
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


def test_arguments_are_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What we were called with is not parsed by it, and what a script does is not done."""
    monkeypatch.setattr(sys, "argv", ["tvmlcnn", "compile", "net.py:net", "--width", "9"])
    text = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--width', default=3)\n"
    text += "WIDTH = int(p.parse_args().width)\n" + NET.format("WIDTH")
    write(tmp_path, net=text + "if __name__ == '__main__':\n    raise SystemExit\n")
    assert resolve(f"{tmp_path}/net.py:net", SHAPE).module.out_features == 3


def test_what_it_prints_is_not_our_result(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Python, by a child process, by C, and what Python keeps until later."""
    out = open(1, "w", closefd=False)  # noqa: SIM115
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "__stdout__", out)
    text = "import os, subprocess\nprint('loading')\nos.write(1, b'low ')\n"
    text += "subprocess.run(['echo', 'child'])\ndef net():\n    import ctypes, torch\n"
    text += (
        "    ctypes.CDLL(None).puts(b'from C')\n    import sys\n    sys.__stdout__.write('kept')\n"
    )
    text += "    return torch.nn.Linear(4, 2)\n"
    write(tmp_path, net=text)
    resolve(f"{tmp_path}/net.py:net", SHAPE)
    out, err = capfd.readouterr()
    assert out == ""
    assert all(word in err for word in ("loading", "low", "child", "from C", "kept"))
    print("ours", flush=True)
    assert capfd.readouterr().out == "ours\n"


def test_warnings_are_the_user_s_alone(tmp_path: Path) -> None:
    """Torch's, of its own deprecations, say nothing that the user of a file can mend."""
    text = "import warnings, torch\nwarnings.warn('mine')\ndef net():\n"
    text += "    warnings.warn_explicit('of torch', FutureWarning, 'a.py', 1, 'torch.nn.utils')\n"
    write(tmp_path, net=text + "    return torch.nn.Linear(4, 2)\n")
    with pytest.warns(UserWarning, match="mine") as caught:
        resolve(f"{tmp_path}/net.py:net", SHAPE)
    assert [str(each.message) for each in caught] == ["mine"]


def test_python_m_in_a_folder_of_such_names(tmp_path: Path) -> None:
    """The whole command, where Python itself would take them."""
    stdlib = ("types", "json", "random", "difflib", "signal", "copy", "inspect", "tempfile")
    write(tmp_path, **dict.fromkeys(stdlib, "raise SystemExit('the user s')"), net=NET.format(2))
    done = subprocess.run(
        [sys.executable, "-m", "tvmlcnn", "analyze", "net.py:net", "--input-shape", "1x4"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "parameters" in done.stdout


EXITS = {
    "at_import": "import os\nos._exit(0)\n",
    "of_its_own": "class Stop(BaseException): pass\nraise Stop('enough')\n",
    "in_forward": "class net(torch.nn.Module):\n    def forward(self, x): raise SystemExit\n",
    "in_forward_by_os": "import os\nclass net(torch.nn.Module):\n"
    "    def forward(self, x): os._exit(0)\n",
    "in_eval": "import sys\nclass net(torch.nn.Module):\n    def eval(self): sys.exit(0)\n",
    "in_a_property": "class net(torch.nn.Module):\n    @property\n    def labels(self): exit(0)\n",
}


@pytest.mark.parametrize("name", EXITS)
def test_an_exit_is_an_error_wherever_it_is(name: str, tmp_path: Path) -> None:
    """Else the command would end with 0, and without a file."""
    write(tmp_path, **{name: "import torch\n" + EXITS[name]})

    def run() -> None:
        network = resolve(f"{tmp_path}/{name}.py:net", SHAPE)
        with network.running():
            reference(network.module, random_inputs(SHAPE))

    with pytest.raises(UserError, match=r"SystemExit|Stop") as raised:
        run()
    assert "\n" not in str(raised.value)


def test_an_exit_of_a_module_that_is_given() -> None:
    class Ends(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            sys.exit("no GPU here")

    network = resolve(Ends(), SHAPE)
    said = r"the model \(test_user_code.py:\d+\) ends the program: SystemExit: no GPU here"
    with pytest.raises(UserError, match=said), network.running():
        reference(network.module, random_inputs(SHAPE))


def test_processes_that_it_forks_end(tmp_path: Path) -> None:
    text = "import os, torch\nchild = os.fork()\nif not child: os._exit(7)\n"
    text += "assert os.waitpid(child, 0)[1] == 7 << 8\n" + NET.format(2)
    write(tmp_path, net=text)
    assert resolve(f"{tmp_path}/net.py:net", SHAPE).module.out_features == 2


def test_the_working_folder_stays(tmp_path: Path) -> None:
    """Else what we write by a relative name would be elsewhere."""
    before = Path.cwd()
    write(tmp_path, net="import os\nos.chdir('/')\n" + NET.format(2))
    resolve(f"{tmp_path}/net.py:net", SHAPE)
    assert Path.cwd() == before


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("labels = ['cat', '\\ud800']", r"label 1 of the model is no text: '\\ud800'"),
        ("def eval(self): raise OSError('no disk')", r"made ready .*net.py:3\): OSError: no disk"),
        ("labels = property(lambda self: 1 / 0)", "made ready for inference .*ZeroDivisionError"),
    ],
)
def test_a_class_that_misbehaves(body: str, said: str, tmp_path: Path) -> None:
    write(tmp_path, net=f"import torch\nclass net(torch.nn.Linear):\n    {body}\n"
          "    def __init__(self): super().__init__(4, 2)\n")  # fmt: skip
    with pytest.raises(UserError, match=said):
        resolve(f"{tmp_path}/net.py:net", SHAPE)


def test_what_it_leaves_in_the_process(tmp_path: Path) -> None:
    """A thread that never ends, and what is printed at exit: the command ends, and prints JSON."""
    text = "import atexit, threading, time, torch\n@atexit.register\ndef late(): print('bye')\n"
    text += "threading.Thread(target=time.sleep, args=(600,)).start()\n"
    write(tmp_path, net=text + NET.format(2))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tvmlcnn",
            "analyze",
            "net.py:net",
            "--input-shape",
            "1x4",
            "--json",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"] == "net"
    assert "bye" in done.stderr


def test_our_imports_go_on_where_it_changes_the_path(tmp_path: Path) -> None:
    text = "import sys, torch\nclass net(torch.nn.Linear):\n"
    text += "    def __init__(self):\n        super().__init__(4, 2)\n        sys.path.clear()\n"
    text += (
        "    def forward(self, x):\n        sys.path.clear()\n        return super().forward(x)\n"
    )
    write(tmp_path, net=text)
    network = resolve(f"{tmp_path}/net.py:net", SHAPE)
    with network.running():
        reference(network.module, random_inputs(SHAPE))
        assert sys.path == []
        assert importlib.util.find_spec("wave")


@pytest.mark.parametrize(
    ("code", "exits"), [("raise KeyboardInterrupt", 130), ("atexit.register(os._exit, 3)", 0)]
)
def test_what_the_command_ends_with(code: str, exits: int, tmp_path: Path) -> None:
    write(tmp_path, net=f"import atexit, os\n{code}\n" + NET.format(2))
    command = [sys.executable, "-m", "tvmlcnn", "analyze", "net.py:net", "--input-shape", "1x4"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert (done.returncode, done.stderr.strip()) == (exits, "interrupted" if exits else "")
