"""Reading an exported program: what torch writes is read, and nothing that a file brings is run."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pt2_structures import structure
from torch import nn

from tvmlcnn.errors import UserError
from tvmlcnn.frontend import resolve

Parts = dict[str, bytes]
PROGRAM, SAMPLES = "models/model.json", "data/sample_inputs/model.pt"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"


class Net(nn.Module):
    """Parameters, of which one is tied, buffers, a constant, and a part without gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.tied = nn.Conv2d(3, 4, 1)
        self.tied.weight = self.conv.weight
        self.norm = nn.BatchNorm2d(4)
        self.register_buffer("scale", torch.rand(4, 1, 1))
        self.register_buffer("shift", torch.rand(4, 1, 1), persistent=False)
        self.constant = torch.rand(1)

    def forward(self, x: torch.Tensor, *, flip: torch.Tensor) -> dict[str, object]:
        with torch.no_grad():
            factor = self.scale * self.constant
        y = self.norm(self.conv(x) + self.tied(x)) * factor + self.shift
        rows = torch.einsum("nchw,ncvw->nhv", y, y).reshape(x.shape[0], -1)
        return {"rows": rows, "both": [y, flip * torch.div(y, 3, rounding_mode="floor")]}


SHAPE = (2, 3, 6, 6)


def saved(path: Path, dynamic: bool = False) -> Net:
    net = Net().eval()
    batch = {0: torch.export.Dim("batch", min=1, max=9)} if dynamic else None
    program = torch.export.export(
        net,
        (torch.rand(SHAPE),),
        {"flip": torch.rand(1)},
        dynamic_shapes={"x": batch, "flip": None} if dynamic else None,
    )
    torch.export.save(program, path)
    return net


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """The parts of a file by their names."""
    path = tmp_path_factory.mktemp("pt2") / "net.pt2"
    saved(path, dynamic=True)
    with zipfile.ZipFile(path) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def written(path: Path, parts: Parts, compression: int = zipfile.ZIP_STORED) -> str:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(f"net/{name}", content)
    return str(path)


@pytest.mark.parametrize("dynamic", [False, True])
def test_what_torch_wrote(dynamic: bool, tmp_path: Path) -> None:
    net = saved(tmp_path / "net.pt2", dynamic)
    network = resolve(str(tmp_path / "net.pt2"), [SHAPE, (1,)] if dynamic else None)
    assert (network.input_shapes, network.keywords) == ((SHAPE, (1,)), ("flip",))
    x, flip = torch.rand(SHAPE), torch.rand(1)
    made, wanted = network.module(x, flip=flip), net(x, flip=flip)
    assert torch.equal(made["rows"], wanted["rows"])
    assert all(map(torch.equal, made["both"], wanted["both"]))


def test_weights_as_torch_2_8_has_them(parts: Parts, tmp_path: Path) -> None:
    """In one file, pickled: tensors alone are taken."""
    state = io.BytesIO()
    torch.save(Net().state_dict(keep_vars=True), state)
    others = {name: part for name, part in parts.items() if not name.startswith("data/weights/")}
    given = written(tmp_path / "net.pt2", others | {"data/weights/model.pt": state.getvalue()})
    module = resolve(given, [SHAPE, (1,)]).module
    assert torch.equal(module.scale, torch.load(io.BytesIO(state.getvalue()))["scale"])


class Runs:
    """Leaves a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return os.mkdir, (str(self.mark),)


def pickled(mark: Path) -> bytes:
    content = io.BytesIO()
    torch.save(((Runs(mark),), {"flip": torch.rand(1)}), content)
    return content.getvalue()


Change = Callable[[Parts, Path], Parts]


def in_program(change: Callable[[dict[str, Any], str], None]) -> Change:
    """Return a change of the program, which gets Python that leaves a file."""

    def changed(parts: Parts, mark: Path) -> Parts:
        program = json.loads(parts[PROGRAM])
        change(program["graph_module"], f"__import__('os').mkdir('{mark}')")
        return {PROGRAM: json.dumps(program).encode()}

    return changed


def in_list(name: str, file: str, **facts: object) -> Change:
    def changed(parts: Parts, mark: Path) -> Parts:
        content = json.loads(parts[name])
        next(iter(content["config"].values())).update(facts)
        of = Runs(mark)
        what = pickle.dumps(of) if "opaque" in file else pickled(mark)
        return {name: json.dumps(content).encode(), f"{name.rpartition('/')[0]}/{file}": what}

    return changed


def all_renamed(content: Any, name: str, other: str) -> Any:
    """Return JSON with another text, or key, in the place of one."""
    if isinstance(content, dict):
        return {
            (other if k == name else k): all_renamed(v, name, other) for k, v in content.items()
        }
    if isinstance(content, list):
        return [all_renamed(item, name, other) for item in content]
    return other if content == name else content


def renamed(name: str) -> Change:
    def changed(parts: Parts, mark: Path) -> Parts:
        other = f"x=__import__('os').mkdir('{mark}')"
        content = all_renamed(json.loads(parts[PROGRAM]), name, other)
        return {PROGRAM: json.dumps(content).encode()}

    return changed


def target(name: str) -> Change:
    def change(program: dict[str, Any], code: str) -> None:
        program["graph"]["nodes"][0] |= {
            "target": name,
            "inputs": [{"name": "", "arg": {"as_string": code}, "kind": 1}],
        }

    return in_program(change)


def of_root(key: str, value: Callable[[str], object]) -> Change:
    return in_program(
        lambda program, code: program["module_call_graph"][0]["signature"].update(
            {key: value(code)}
        )
    )


def guards(parts: Parts, mark: Path) -> Parts:
    program = json.loads(parts[PROGRAM])
    program["guards_code"] = [f"__import__('os').mkdir('{mark}') is None"]
    return {PROGRAM: json.dumps(program).encode()}


def sizes(program: dict[str, Any], code: str) -> None:
    for value in program["graph"]["tensor_values"].values():
        value["sizes"] = [{"as_expr": {"expr_str": code, "hint": {"as_int": 2}}}]


FACTORY = {"default_factory_module": "antigravity", "default_factory_name": "x", "dict_context": []}
KEY = {"__enum__": True, "fqn": "antigravity:Key", "name": "A"}

ATTACKS: dict[str, Change] = {
    "sample inputs": lambda parts, mark: {SAMPLES: pickled(mark)},
    "weights in one file": lambda parts, mark: {"data/weights/model.pt": pickled(mark)},
    "constants in one file": lambda parts, mark: {"data/constants/model.pt": pickled(mark)},
    "a pickled weight": in_list(WEIGHTS, "weight_0", use_pickle=True),
    "a pickled weight, by a number": in_list(WEIGHTS, "weight_0", use_pickle=1),
    "a pickled constant": in_list(CONSTANTS, "tensor_0", use_pickle=True),
    "an object": in_list(CONSTANTS, "custom_obj_0", path_name="custom_obj_0"),
    "an opaque object": in_list(CONSTANTS, "opaque_obj_0", path_name="opaque_obj_0"),
    "sizes": in_program(sizes),
    "guards": guards,
    "the name of a node": renamed("conv2d"),
    "the name of an input": renamed("x"),
    "the name of a buffer": renamed("scale"),
    "names of arguments": of_root("forward_arg_names", lambda code: [f"x={code}", "flip"]),
    "a keyword": of_root("in_spec", lambda code: structure("builtins.dict", json.dumps([code]))),
    "a factory": of_root("out_spec", lambda code: structure("collections.defaultdict", FACTORY)),
    "an enumeration": of_root(
        "out_spec", lambda code: structure("builtins.dict", json.dumps([KEY]))
    ),
    "a function": target("torch.os.mkdir"),
    "a function of a module": target("torch.hub.os.system"),
    "a library": target("torch.ops.load_library"),
    "a module": target("torch.ops.import_module"),
    "a method": target("_operator.methodcaller"),
    "a call": target("_operator.call"),
    "a file that is mapped": target("torch.ops.aten.from_file.default"),
    "a picture that is read": target("torch.ops.image.read_file.default"),
    "TorchScript's": target("torch.ops.aten.warn.default"),
}


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.filterwarnings("ignore")
def test_what_torch_would_run(name: str, parts: Parts, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    given = written(tmp_path / "net.pt2", parts | ATTACKS[name](parts, mark))
    with pytest.raises(UserError) as raised:
        resolve(given, [SHAPE, (1,)])
    assert raised.value.parameters == ("trust",)
    assert "\n" not in str(raised.value)
    assert not mark.exists()


@pytest.mark.filterwarnings("ignore")
def test_trust(parts: Parts, tmp_path: Path) -> None:
    """Lets torch read the file in its own way."""
    mark = tmp_path / "mark"
    given = written(tmp_path / "net.pt2", parts | ATTACKS["sample inputs"](parts, mark))
    with pytest.raises(UserError, match="only inputs that are tensors"):
        resolve(given, [SHAPE, (1,)], trust=True)
    assert mark.exists()


def test_what_is_not_the_program_s_is_left_out(parts: Parts, tmp_path: Path) -> None:
    """Compiled code beside it, which torch loads, and other programs."""
    more = {"data/aotinductor/model/code.so": b"\x7fELF", "models/other.json": b"{"}
    given = written(tmp_path / "net.pt2", parts | more)
    assert resolve(given, [SHAPE, (1,)]).input_shapes == (SHAPE, (1,))


@pytest.mark.parametrize("inner", [True, False])
def test_a_file_that_unpacks_to_far_more(inner: bool, parts: Parts, tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    if inner:
        written(path, {"data.pkl": bytes(1 << 24)}, zipfile.ZIP_DEFLATED)
        given = written(path, parts | {SAMPLES: path.read_bytes()})
    else:
        large = parts | {"data/weights/weight_0": bytes(1 << 24)}
        given = written(path, large, zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match=r"net\.pt2 .*unpack"):
        resolve(given, [SHAPE, (1,)])


@pytest.mark.parametrize(
    "damage",
    [
        lambda parts: {PROGRAM: parts[PROGRAM][:-9]},
        lambda parts: {PROGRAM: b"[" * 100_000},
        lambda parts: {PROGRAM: b'{"graph_module": 1' + b"0" * 5000 + b"}"},
        lambda parts: {PROGRAM: b"[]"},
        lambda parts: {WEIGHTS: b"{}"},
        lambda parts: {"archive_version": b"99"},
        lambda parts: {"data/weights/weight_0": b"short"},
        lambda parts: {"data/weights/weight_0": b""},
    ],
)
def test_a_damaged_file(damage: Callable[[Parts], Parts], parts: Parts, tmp_path: Path) -> None:
    given = written(tmp_path / "net.pt2", parts | damage(parts))
    with pytest.raises(UserError, match=r"net\.pt2 is no program of torch") as raised:
        resolve(given, [SHAPE, (1,)])
    assert "\n" not in str(raised.value)


def test_a_file_of_an_older_form(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.pt2", "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
    with pytest.raises(UserError, match=r"was written by torch 2\.7 or older"):
        resolve(str(tmp_path / "net.pt2"))
