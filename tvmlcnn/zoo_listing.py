"""What the zoo has, told from its source: importing it would import torch, which takes a second."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvmlcnn import plugins

if TYPE_CHECKING:
    from tvmlcnn.models import Entry

_ZOO = Path(__file__).parent / "models"
_SHOWN = ("input_shape", "top1", "source")


@dataclass(frozen=True)
class Listed:
    """What is shown of a network of the zoo; the attributes are those of `tvmlcnn.models.Entry`."""

    name: str
    options: Mapping[str, Any]
    input_shape: tuple[int, ...]
    top1: float | None
    source: str


def listing() -> Sequence[Listed | Entry]:
    """Return what `tvmlcnn.models.entries` has, by name, without torch where it can be done.

    It cannot where another package adds networks, or a file of the zoo computes what it registers.
    """
    if not plugins.are_installed(plugins.MODELS):
        try:
            return sorted(read(_ZOO), key=lambda listed: listed.name)
        except (OSError, LookupError, ValueError):  # no source, or nothing that is written out
            pass
    from tvmlcnn.models import entries

    return [entry for _, entry in sorted(entries().items())]


def read(folder: Path) -> list[Listed]:
    """Return the networks that the files of a folder register.

    Raises
    ------
    ValueError, LookupError
        If a value is not written out, there or in a dict at the top of a file of the folder.
    """
    trees = [ast.parse(path.read_bytes()) for path in sorted(folder.glob("*.py"))]
    statements = [statement for tree in trees for statement in tree.body]
    shared = dict(_dicts(statements))
    functions = [each for each in statements if isinstance(each, ast.FunctionDef)]
    (register,) = (function for function in functions if function.name == "register")
    defaults = {name: value for name, value in _defaults(register) if name in _SHOWN}
    found = []
    for function in functions:
        for decorator in function.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "register":
                given = {k: ast.literal_eval(v) for k, v in _keywords(decorator, shared)}
                options = {name: ast.literal_eval(value) for name, value in _defaults(function)}
                values = {k: ast.literal_eval(v) for k, v in defaults.items()} | given
                options["resolution"] = values["input_shape"][-1]  # which every network takes
                found.append(Listed(function.name, options, **values))
    return found


def _dicts(statements: Iterable[ast.stmt]) -> Iterator[tuple[str, dict[str, ast.expr]]]:
    """Yield the dicts that have a name."""
    for statement in statements:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.value, ast.Dict):
            pairs = zip(statement.value.keys, statement.value.values, strict=True)
            named = {str(k.value): v for k, v in pairs if isinstance(k, ast.Constant)}
            yield ast.unparse(statement.target), named


def _keywords(
    call: ast.Call, shared: Mapping[str, Mapping[str, ast.expr]]
) -> Iterator[tuple[str, ast.expr]]:
    """Yield the arguments that are shown, with those of ``**NAME``."""
    for keyword in call.keywords:
        if keyword.arg is None:
            pairs = shared[ast.unparse(keyword.value)]
        else:
            pairs = {keyword.arg: keyword.value}
        yield from ((name, value) for name, value in pairs.items() if name in _SHOWN)


def _defaults(function: ast.FunctionDef) -> Iterator[tuple[str, ast.expr]]:
    """Yield the parameters that have a default, with it."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    first = len(positional) - len(arguments.defaults)
    named = [*zip(positional[first:], arguments.defaults, strict=True)]
    for parameter, default in [
        *named,
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]:
        if default is not None:
            yield parameter.arg, default
