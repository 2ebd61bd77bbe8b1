"""Compare a compiled file with torch, before anyone gets it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tvmlcnn import frontend
from tvmlcnn.errors import UserError
from tvmlcnn.input_form import size_of
from tvmlcnn.package import evaluate
from tvmlcnn.targets import FLOAT32, Device, ElementType

SKIPPED = {"skipped": "not asked for"}
"""What a report has where a file is not compared with torch."""


def checked(
    linked: Path,
    device: Device,
    element: ElementType,
    needed: list[str],
    expected: list[evaluate.Cases],
    each: list[frontend.Network],
) -> tuple[dict[str, Any], np.ndarray | None]:
    """Compare a linked file with torch, where its code can be run or emulated here.

    Parameters
    ----------
    linked : Path
    device : Device
    element : ElementType
        That the file computes in: how far results may be off depends on it.
    needed : list of str
        Features of a processor that the code uses.
    expected : list of Cases
        Inputs and torch's outputs for each variant of the network, by their kind.
    each : list of Network
        The variants.

    Returns
    -------
    check : dict
        Of all variants, under the kinds of their inputs; those of each but the first are called
        after its shapes too. Or why there is none, as ``"skipped"``.
    times : numpy.ndarray or None
        As `tvmlcnn.package.evaluate.evaluate` measured them.

    Raises
    ------
    UserError
        If results in fewer bits than float32's differ by more than the type's rounding explains.
    DiffersError
        If results in float32 differ.
    """
    python = evaluate.evaluator(device, needed)
    if isinstance(python, str):
        return {"skipped": python}, None
    cases, owners = {}, {}
    for network, found in zip(each, expected, strict=True):
        shapes = "" if network is each[0] else f" {', '.join(map(size_of, network.input_shapes))}"
        for kind, case in found.items():
            cases[kind + shapes], owners[kind + shapes] = case, network

    def doubt(case: str) -> frontend.Doubt:
        with owners[case].running():
            return frontend.doubt(owners[case], *cases[case], element.rounding)

    try:
        return evaluate.evaluate(linked, cases, python, element, doubt)
    except evaluate.DiffersError as error:
        if element == FLOAT32:
            raise
        raise UserError(
            f"the network is too sensitive for {element.name}, or goes beyond its range: {error}; "
            "compile it in another type",
            ("dtype",),
        ) from error
