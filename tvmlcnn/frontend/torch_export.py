"""``torch.export``, which says nothing beside what it raises."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from typing import Any

import torch

# Where control flow depends on data it logs the graph so far, and prints it, which the error says
# in a line.
_TALKATIVE = logging.getLogger("torch.fx.experimental.symbolic_shapes")


def exported_program(
    module: torch.nn.Module, inputs: tuple[Any, ...], keywords: Mapping[str, Any]
) -> torch.export.ExportedProgram:
    """Return the program of a module, as it computes without gradients.

    What torch raises is passed on. It also warns of its own deprecations, which the user of the
    module can do nothing about.
    """
    with warnings.catch_warnings(), torch.no_grad(), _silenced(_TALKATIVE):
        warnings.simplefilter("ignore")
        with redirect_stderr(io.StringIO()):
            return torch.export.export(module, inputs, dict(keywords) or None)


@contextmanager
def _silenced(logger: logging.Logger) -> Iterator[None]:
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled
