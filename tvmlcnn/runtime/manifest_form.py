"""What a manifest may say: types, bounds, counts of everything that its readers rely on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from .preprocessing import FILTERS, FITS

Form = Callable[[Any], bool]

DTYPES = {
    "bool": 1,
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "uint16": 2,
    "float16": 2,
    "int32": 4,
    "uint32": 4,
    "float32": 4,
    "int64": 8,
    "uint64": 8,
    "float64": 8,
}
"""The bytes of an element of each type."""
WEIGHT_BYTES = {**DTYPES, "bfloat16": 2}
"""The same of weights, which numpy need not know."""
_ALIGNMENT = 64  # of weights; see program.h
_LARGEST = 2**63 - 1  # PTRDIFF_MAX, of any size in memory
_MOST_AXES = 32  # of numpy before 2
_MOST_TENSORS = 2**16  # uint16_t Place.index of program.h
_DEEPEST = 16  # of what is only printed


def problem(manifest: Any, weight_bytes: int) -> str | None:
    """Return what is wrong with a manifest, in a few words; None where nothing is.

    Parameters
    ----------
    manifest : JSON value
    weight_bytes : int
        Of the section of weights.
    """
    if not isinstance(manifest, dict):
        return "it is no object"
    known = {**_FORMS, **_MAY_BE}
    for name in (*_FORMS, *manifest):
        if name not in manifest:
            return f"{name} is missing"
        if name not in known:
            return f"{name!r:.40} is unknown"
        if not known[name](manifest[name]):
            return f"{name} is not what it should be"
    return next(_relations(manifest, weight_bytes), None)


def _text(value: Any) -> bool:
    return type(value) is str


def _texts(value: Any) -> bool:
    return type(value) is list and set(map(type, value)) <= {str}


def _flag(value: Any) -> bool:
    return type(value) is bool


def _number(value: Any) -> bool:
    return type(value) in (int, float) and -_LARGEST <= value <= _LARGEST  # NaN is neither


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _LARGEST


def _positive(value: Any) -> bool:
    return _whole(value) and value > 0


def _maybe(form: Form) -> Form:
    return lambda value: value is None or form(value)


def _list(form: Form, least: int = 0, most: int = _LARGEST) -> Form:
    return lambda value: (
        type(value) is list and least <= len(value) <= most and all(map(form, value))
    )


def _table(form: Form) -> Form:
    return lambda value: type(value) is dict and all(map(form, value.values()))


def _object(**fields: Form) -> Form:
    """Have an object with these fields and no others."""
    return lambda value: (
        type(value) is dict
        and value.keys() == fields.keys()
        and all(form(value[name]) for name, form in fields.items())
    )


def _either(one: Form, other: Form) -> Form:
    """Have one of two forms."""
    return lambda value: one(value) or other(value)


def _gain(value: Any) -> bool:
    return _number(value) and value > 0


def _printable(value: Any, depth: int = 0) -> bool:
    """Have finite numbers, and no endless nesting."""
    if type(value) in (dict, list):
        items = value.values() if type(value) is dict else value
        return depth < _DEEPEST and all(_printable(item, depth + 1) for item in items)
    return value is None or _text(value) or _flag(value) or _number(value)


def _dtype(value: Any) -> bool:
    return _text(value) and value in DTYPES


def _dtype_of_weights(value: Any) -> bool:
    return _text(value) and value in WEIGHT_BYTES


def _shape(value: Any) -> bool:
    return (
        type(value) is list
        and len(value) <= _MOST_AXES
        and all(map(_whole, value))
        and math.prod(value) <= _LARGEST // max(DTYPES.values())
    )


def _named_number(value: Any) -> bool:
    return type(value) is list and len(value) == 2 and _text(value[0]) and _number(value[1])


def _target_of_tvm(value: Any) -> bool:
    return type(value) is dict and _text(value.get("kind")) and _printable(value)


def _check(value: Any) -> bool:
    if type(value) is not dict or not _printable(value):
        return False
    if "skipped" in value:
        return _text(value["skipped"])
    return _number(value.get("max_error")) and _text(value.get("where"))


def _byte(value: Any) -> bool:
    return _whole(value) and value <= 255


def _preprocessing(value: Any) -> bool:
    if type(value) is not dict:
        return False
    said = {"fit": "crop", "filter": "bilinear", "fill": 0} | value
    return _PREPROCESSING(said) and len(value["mean"]) == len(value["std"]) != 2


def _program(value: Any) -> bool:
    known = {"inputs": _SHAPES, "outputs": _SHAPES, "calls": _CALLS}
    return (
        type(value) is dict
        and {"inputs", "outputs"} <= value.keys() <= known.keys()
        and all(known[name](value[name]) for name in value)
    )


_SHAPES = _list(_shape, most=_MOST_TENSORS)
_TENSORS = _list(_object(name=_text, shape=_shape, dtype=_dtype), most=_MOST_TENSORS)
_CALL = {"function": _text, "rule": _text, "layers": _texts, "flops": _whole, "bytes": _whole}
_CALLS = _list(_either(_object(**_CALL), _object(**_CALL, gain=_gain)))
_PREPROCESSING = _object(
    crop_ratio=_number,
    mean=_list(_number, 1, 3),
    std=_list(_number, 1, 3),
    fit=FITS.__contains__,
    filter=FILTERS.__contains__,
    fill=_byte,
)
_QUANTIZATION = _object(
    dtype=_text,
    calibration=_text,
    random=_flag,
    examples=_positive,
    largest_weight=_positive,
    kept=_texts,
    fidelity=_object(
        examples=_positive,
        top1=_maybe(_number),
        top5=_maybe(_number),
        snr=_table(_number),
        worst=_list(_named_number),
    ),
)
_FORMS: dict[str, Form] = {
    "format": _positive,
    "model": _text,
    "source": _text,
    "weights_from": _maybe(_text),
    "random_weights": _flag,
    "target": _object(
        name=_text,
        machine=_text,
        features=_texts,
        tvm=_target_of_tvm,
        gpu_code=_texts,
        gpu_compiler=_maybe(_text),
    ),
    "threads": _maybe(_positive),
    "dtype": _text,
    "quantization": _maybe(_QUANTIZATION),
    "inputs": _TENSORS,
    "outputs": _TENSORS,
    "in_collection": _flag,
    "preprocessing": _maybe(_preprocessing),
    "labels": _maybe(_texts),
    "assumed": _texts,
    "kernels": _table(_whole),
    "records": _object(tuned=_whole, default=_whole, of=_whole),
    "calls": _CALLS,
    "programs": _list(_program, least=1),
    "check": _check,
    "versions": _table(_text),
    "weights": _list(_object(shape=_shape, dtype=_dtype_of_weights, offset=_whole)),
}
_MAY_BE: dict[str, Form] = {"frames": _object(resize=_flag)}
"""What only some files say."""


def _relations(manifest: dict[str, Any], weight_bytes: int) -> Iterator[str]:
    """Yield what does not fit to something else that the manifest says."""
    for program in manifest["programs"]:
        for kind in ("inputs", "outputs"):
            if len(program[kind]) != len(manifest[kind]):
                yield f"programs have other {kind} than it says"
    labels, outputs, how = manifest["labels"], manifest["outputs"], manifest["preprocessing"]
    if labels is not None and (not outputs or outputs[0]["shape"][-1:] != [len(labels)]):
        yield "labels are not as many as there are classes"
    if how is not None and (how["crop_ratio"] <= 0 or 0 in how["std"]):
        yield "preprocessing divides by zero"
    if "frames" in manifest and (how is None or not _takes_frames(manifest, len(how["mean"]))):
        yield "frames are no input"
    end = 0
    for weight in sorted(manifest["weights"], key=lambda each: each["offset"]):
        if weight["offset"] % _ALIGNMENT or weight["offset"] < end:
            yield f"weight at {weight['offset']} lies askew or in another"
        end = weight["offset"] + math.prod(weight["shape"]) * WEIGHT_BYTES[weight["dtype"]]
    if end > weight_bytes:
        yield "weights are missing"


def _takes_frames(manifest: dict[str, Any], channels: int) -> bool:
    """Tell whether the only input is pictures of bytes."""
    shapes = [shape for program in manifest["programs"] for shape in program["inputs"]]
    pictures = all(len(shape) == 4 and shape[3] == channels and 0 not in shape for shape in shapes)
    return [each["dtype"] for each in manifest["inputs"]] == ["uint8"] and pictures
