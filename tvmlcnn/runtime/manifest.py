"""The manifest: what a compiled model says of itself."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from tvmlcnn.errors import UserError

from .checksum import WEIGHTS_SECTION, check_manifest
from .elf import ElfFile, read_elf
from .manifest_form import WEIGHT_BYTES, problem
from .preprocessing import Preprocessing

# 2: kernels take inputs at any address; 3: the file brings its threads; 4: several programs; 5: the
# file brings its runtime; 6: checksums of code and weights
FORMAT = 6
_MOST_FORMATS = 1 << 16
# The compiler writes characters themselves; alone such a half cannot be printed.
_HALF_CHARACTER = re.compile(rb"(?<!\\)(?:\\\\)*\\u[dD][89a-fA-F]")
MANIFEST_SECTION = ".tvmlcnn.manifest"
RANDOM_WEIGHTS = "the weights are random, and what it computes means nothing"
"""What a user is told of a network of the zoo that was compiled without weights."""


@dataclass(frozen=True)
class TensorSpec:
    """Name, shape and dtype of an input or output."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype} {'x'.join(map(str, self.shape)) or 'scalar'}"


@dataclass(frozen=True)
class Weight:
    """Where a weight lies in the section of weights."""

    shape: tuple[int, ...]
    dtype: str
    offset: int

    @property
    def end(self) -> int:
        """Offset of the first byte after the weight."""
        return self.offset + math.prod(self.shape) * WEIGHT_BYTES[self.dtype]


@dataclass(frozen=True)
class KernelCall:
    """A call of a kernel, and what of the network it computes.

    Attributes
    ----------
    function : str
        Name of the kernel; several calls may share one.
    rule : str
        The schedule rule that made it.
    layers : tuple of str
        Paths of the torch module's layers; ``PATH:OPERATOR`` for what a module computes besides
        its children. Empty for a change of layout.
    flops : int
        Floating point operations of the layers, a multiply-add counted as two.
    bytes : int
        Size of the tensors that are read and of those that are written.
    gain : float
        How many of these operations the target's cores do in the time of one in float32: more
        than one where a kernel multiplies codes, or numbers of 16 bits.
    """

    function: str
    rule: str
    layers: tuple[str, ...]
    flops: int
    bytes: int
    gain: float = 1.0


@dataclass(frozen=True)
class Program:
    """The network for one size of its inputs.

    Attributes
    ----------
    inputs, outputs : tuple of TensorSpec
    calls : tuple of KernelCall
        In the order in which they run.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    calls: tuple[KernelCall, ...]


@dataclass(frozen=True)
class Manifest:
    """A compiled model's description, read from its file.

    Attributes
    ----------
    json : dict
        The whole manifest, as it is in the file.
    programs : tuple of Program
        One for each size of the inputs.
    in_collection : bool
        Whether the network returns its outputs in a collection; else there is one.
    weights : tuple of Weight
    preprocessing : Preprocessing or None
        How a photo becomes the input, where the input is an image.
    labels : tuple of str or None
        Names of the classes, where the output is scores of classes.
    frames : bool
        Whether the input is pictures as a camera gives them: bytes, (N, height, width, channels).
    resizes : bool
        Whether these may be of any size.
    random_weights : bool
        The file is a network of the zoo without trained weights.
    """

    json: dict[str, Any]
    programs: tuple[Program, ...]
    in_collection: bool
    weights: tuple[Weight, ...]
    preprocessing: Preprocessing | None
    labels: tuple[str, ...] | None
    frames: bool
    resizes: bool
    random_weights: bool

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Of the first program."""
        return self.programs[0].inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Of the first program."""
        return self.programs[0].outputs

    @property
    def calls(self) -> tuple[KernelCall, ...]:
        """Of the first program."""
        return self.programs[0].calls

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Manifest:
        """Build from the JSON object of a file."""
        preprocessing, labels = data["preprocessing"], data["labels"]
        return cls(
            data,
            tuple(_program(data, number) for number in range(len(data["programs"]))),
            bool(data["in_collection"]),
            tuple(Weight(tuple(w["shape"]), w["dtype"], w["offset"]) for w in data["weights"]),
            None if preprocessing is None else Preprocessing.from_json(preprocessing),
            None if labels is None else tuple(labels),
            "frames" in data,
            "frames" in data and data["frames"]["resize"],
            data["random_weights"],
        )


def _program(data: dict[str, Any], number: int) -> Program:
    """Return a program; what it does not say itself is that of the first one."""
    own = data["programs"][number]

    def specs(kind: str) -> tuple[TensorSpec, ...]:
        return tuple(
            TensorSpec(spec["name"], tuple(shape), spec["dtype"])
            for spec, shape in zip(data[kind], own[kind], strict=True)
        )

    return Program(
        specs("inputs"),
        specs("outputs"),
        tuple(map(_kernel_call, own.get("calls", data["calls"]))),
    )


def _kernel_call(data: dict[str, Any]) -> KernelCall:
    layers = tuple(data["layers"])
    return KernelCall(
        data["function"],
        data["rule"],
        layers,
        data["flops"],
        data["bytes"],
        data.get("gain", 1.0),
    )


def read_manifest(path: str | Path) -> tuple[ElfFile, Manifest]:
    """Read the manifest of a compiled model of any machine, without loading the library.

    Raises
    ------
    UserError
        If the file is no compiled model, is cut short, was written in another format, if its
        manifest was changed, or says what cannot be.
    """
    elf = read_elf(path)
    if MANIFEST_SECTION not in elf.sections or WEIGHTS_SECTION not in elf.sections:
        raise UserError(f"{path} is a shared library, but not one that tvmlcnn compiled")
    text = elf.read(MANIFEST_SECTION)
    try:
        if _HALF_CHARACTER.search(text):
            raise ValueError("half a character")
        data = json.loads(text, parse_constant=_refuse)
        written = data["format"]
        if type(written) is not int or not 0 < written < _MOST_FORMATS:
            raise ValueError("no number of a format")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(
            f"{path} is damaged: its manifest cannot be read; compile it again"
        ) from error
    if written != FORMAT:
        age, mend = (
            ("newer", "update tvmlcnn") if written > FORMAT else ("older", "compile it again")
        )
        raise UserError(
            f"{path} has the {age} file format {written}, this tvmlcnn reads {FORMAT}; {mend}"
        )
    check_manifest(elf, text)
    weights = elf.sections[WEIGHTS_SECTION]
    if (found := problem(data, weights.size)) is not None:
        raise UserError(f"{path} is damaged: of its manifest, {found}; compile it again")
    return elf, Manifest.from_json(data)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
