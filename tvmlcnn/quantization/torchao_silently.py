"""Imports torchao, which warns of its code for other machines that it cannot load here."""

from __future__ import annotations

import logging
import warnings

_former = logging.root.manager.disable
logging.disable(logging.WARNING)
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torchao.quantization.pt2e.quantize_pt2e  # noqa: F401
finally:
    logging.disable(_former)
