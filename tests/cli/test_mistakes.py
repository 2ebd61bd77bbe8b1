"""The library speaks of parameters, the command line of its options."""

from __future__ import annotations

import ast
import importlib
import pickle
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from conftest import ROOT

from tvmlcnn import UserError, cli
from tvmlcnn.cli import mistakes
from tvmlcnn.runtime.preprocessing import Preprocessing, read_image

LIBRARY = [
    path for name in ("tvmlcnn", "schedules", "targets") for path in (ROOT / name).rglob("*.py")
]


def commands() -> dict[str, click.Command]:
    modules = [
        importlib.import_module(f"tvmlcnn.cli.{m.name}") for m in pkgutil.iter_modules(cli.__path__)
    ]
    return {m.__name__.rpartition(".")[2]: m.command for m in modules if hasattr(m, "command")}


def texts(path: Path) -> Iterator[str]:
    """Yield a file's texts, but for the arguments that programs are called with."""
    tree = ast.parse(path.read_text())
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node, parent in parents.items():
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "X" for part in node.values]
            text = "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and not isinstance(parent, ast.JoinedStr):
            value = node.value
            text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        else:
            continue
        if not (isinstance(parent, ast.List | ast.Tuple) and text.startswith("-")):
            yield text


def calls() -> Iterator[tuple[Path, ast.Call]]:
    for path in LIBRARY:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield path, node


def test_options_are_named_behind_the_message() -> None:
    with pytest.raises(UserError, match="; give it an array") as seen:
        read_image("none.jpg", (1, 4, 8, 8), Preprocessing())
    known = commands()
    assert mistakes.message(seen.value, known["run"]).endswith("; give it an array (--input)")
    assert mistakes.message(seen.value, known["inspect"]) == str(seen.value)
    both = UserError("they go together", parameters=("tracker", "key"))
    assert mistakes.message(both, known["tune"]) == "they go together (--tracker, --key)"
    assert mistakes.message(both, known["device"]) == "they go together (--tracker, --key)"
    assert mistakes.message(UserError("a"), known["tune"]) == "a"


def test_an_error_of_another_process_keeps_its_parameters() -> None:
    error = pickle.loads(pickle.dumps(UserError("a", parameters=("key",))))
    assert (str(error), error.parameters) == ("a", ("key",))


def test_the_library_names_no_options() -> None:
    """Who calls it from Python has none; the texts of whole commands are in backticks."""
    found = [
        (path, text)
        for path in LIBRARY
        if "cli" not in path.relative_to(ROOT).parts
        for text in texts(path)
        if re.search(r"(?<![\w-])(--[a-z]|-o\b)", re.sub(r"`+[^`]+`+", "", text))
    ]
    assert found == []


def test_each_parameter_has_an_option() -> None:
    """Else the command line would leave it out."""
    known = commands().values()
    found = set()
    for path, call in calls():
        for keyword in call.keywords:
            if keyword.arg != "parameters" or not isinstance(keyword.value, ast.Tuple):
                continue
            for element in keyword.value.elts:
                if isinstance(element, ast.Constant):
                    found.add(element.value)
                    error = UserError("", parameters=(element.value,))
                    assert any(mistakes.message(error, c) for c in known), (path, element.value)
    assert found >= {"input_shape", "inputs", "output", "tracker", "weights"}
