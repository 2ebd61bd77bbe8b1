"""Who knows what: told by reading the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from conftest import ROOT

_FAMILIES = {"Cpu", "Gpu"}


def _files(*folders: str) -> list[Path]:
    """Return the files of folders; what is linked into one is in its own."""
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found
    assert len(found) == len({path.resolve() for path in found})
    return found


def _name(path: Path) -> tuple[str, ...]:
    """Return a module's name, in parts; schedules and targets are linked into the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts if parts[0] == "tvmlcnn" else ("tvmlcnn", *parts)


def _imports(path: Path) -> Iterator[str]:
    """Yield the whole names that a file imports, at its top or later."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = _name(path)[: -node.level] if node.level else ()
            module = [*package, *([node.module] if node.module else [])]
            yield from (".".join([*module, alias.name]) for alias in node.names)


def test_nothing_but_the_schedules_knows_a_rule() -> None:
    """Passes ask for a plan, and whoever schedules for a function's schedule."""
    rules = re.compile(r"tvmlcnn\.schedules\.(cpu|cuda)\b")
    found = [(path.name, name) for path in _files("tvmlcnn") for name in _imports(path)]
    assert any(name.startswith("tvmlcnn.schedules") for _, name in found)
    assert [(file, name) for file, name in found if rules.match(name)] == []


def test_only_targets_tell_kinds_of_devices_apart() -> None:
    """Whatever depends on the family is found by its name, in a dict."""
    assert [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in _files("tvmlcnn", "schedules")
        for node in ast.walk(ast.parse(path.read_text()))
        if _asks_for_a_kind(node)
    ] == []


def _asks_for_a_kind(node: ast.AST) -> bool:
    inner = list(ast.walk(node))
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "isinstance"
    ):
        return any(isinstance(part, ast.Name) and part.id in _FAMILIES for part in inner)
    if isinstance(node, (ast.Compare, ast.Match)):
        return any(
            isinstance(part, ast.Attribute)
            and part.attr in {"kind", "family"}
            and "device" in ast.unparse(part)
            for part in inner
        )
    return False


def test_sizes_of_elements_are_asked_of_the_element_type() -> None:
    """A byte count, a line's elements and a type's name written out hold for float32 only."""
    written_out = re.compile(r'\* 4\b|// 32|"float32"')
    assert [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in _files("schedules", "tvmlcnn/ops", "tvmlcnn/passes", "tvmlcnn/graph")
        for line in path.read_text().splitlines()
        if written_out.search(line)
    ] == []
