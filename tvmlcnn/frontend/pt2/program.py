"""The JSON of a program, and of the lists of its tensors: each text in it has a rule.

torch ignores keys that it does not know. Numbers stay numbers: where torch writes Python of them,
it writes them as such. See ``torch/_export/serde/schema.py`` for what the keys mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .expressions import is_guard, is_size
from .may_run import MayRunError
from .operators import is_of_torch
from .structures import is_structure, is_structure_of_inputs

_PATH = re.compile(r"[^\"'\\\x00-\x1f\x7f]*")
_WORD = re.compile(r"\w*")
_SHOWN = 60  # characters of a text that is refused


def _is_name(text: str) -> bool:
    """Tell whether a text can be a name in Python, and nothing else."""
    return not text or text.isidentifier()


def _is_path(text: str) -> bool:
    """Tell whether a text stays one where it is written between quotes."""
    return _PATH.fullmatch(text) is not None


def _is_word(text: str) -> bool:
    return _WORD.fullmatch(text) is not None


def _is_number(text: str) -> bool:
    return text in ("Infinity", "-Infinity", "NaN")


_TEXTS: dict[str, Callable[[str], bool]] = {
    "name": _is_name,
    "as_name": _is_name,
    "forward_arg_names": _is_name,
    "field_names": _is_name,
    "target": is_of_torch,
    "as_operator": is_of_torch,
    "expr_str": is_size,
    "guards_code": is_guard,
    "in_spec": is_structure_of_inputs,
    "out_spec": is_structure,
    # Also of an input that is a text, which torch writes between quotes.
    "as_string": _is_path,
    "as_strings": _is_path,
    "as_float": _is_number,
    "as_floats": _is_number,
    "as_float_lists": _is_number,
    "real": _is_number,
    "imag": _is_number,
    "parameter_name": _is_path,
    "buffer_name": _is_path,
    "tensor_constant_name": _is_path,
    "user_input_name": _is_path,
    "fqn": _is_path,
    "type": _is_word,  # of a device
    "path_name": _is_word,
    "verifiers": _is_word,
    "torch_version": _is_path,
}
"""What a text under a key has to be; torch does not read texts under others."""

_KEYS: dict[str, Callable[[str], bool]] = {
    "tensor_values": _is_name,
    "sym_int_values": _is_name,
    "sym_bool_values": _is_name,
    "sym_float_values": _is_name,
    "range_constraints": _is_name,
    "opset_version": _is_word,
    "config": _is_path,
    "treespec_namedtuple_fields": _is_path,
}
"""What the keys of a dict whose keys are the program's own have to be."""

_METADATA: dict[str, Callable[[str], bool]] = {
    "stack_trace": lambda text: all(line.isprintable() for line in text.split("\n")),
    "nn_module_stack": _is_path,
}
"""What is kept of what a node says of itself: places in the source, and names of layers."""


def checked_program(content: Any) -> Any:
    """Return the JSON of a program, without what nothing here needs.

    Raises
    ------
    MayRunError
        If a text in it is none that torch writes there.
    """
    return _checked(content, "")


def checked_files(content: Any, what: str, prefix: str) -> dict[str, bool]:
    """Return the files of tensors that the JSON of a list names, and whether each is empty.

    Parameters
    ----------
    content : dict
        By name of a tensor, what its file is and holds.
    what : str
        What they are, in words.
    prefix : str
        What names of files of raw bytes begin with.

    Raises
    ------
    MayRunError
        If one is pickled, or a text is none that torch writes there.
    """
    _checked(content, "")
    files = {}
    for tensor in content["config"].values():
        if tensor["use_pickle"] is not False or not tensor["path_name"].startswith(prefix):
            raise MayRunError(f"has {what} that are pickled")
        sizes = [size["as_int"] for size in tensor["tensor_meta"]["sizes"]]
        files[tensor["path_name"]] = 0 in sizes
    return files


def _checked(value: Any, key: str) -> Any:
    """Return a value under a key, where all texts in it are as they have to be."""
    if isinstance(value, str):
        if not _TEXTS.get(key, _never)(value):
            shown = value if len(value) <= _SHOWN else f"{value[:_SHOWN]} …"
            raise MayRunError(f"says {shown!r} for {key!r}, which torch might run")
        return value
    if isinstance(value, list):
        return [_checked(item, key) for item in value]
    if not isinstance(value, dict):
        return value
    if key == "metadata":
        return {k: v for k, v in value.items() if k in _METADATA and _METADATA[k](v)}
    own = _KEYS.get(key)
    if own is None:
        return {name: _checked(item, name) for name, item in value.items()}
    for name in value:
        if not own(name):
            raise MayRunError(f"has the name {name[:_SHOWN]!r} in {key!r}, which torch might run")
    return {name: _checked(item, "") for name, item in value.items()}


def _never(text: str) -> bool:
    return False
