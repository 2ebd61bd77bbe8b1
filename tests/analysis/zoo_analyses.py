"""The zoo, each network analysed once, and the counts that the tests of the zoo rest on."""

import sys
from functools import cache
from pathlib import Path

from tvmlcnn.analysis import Analysis, analyze

sys.path.append(str(Path(__file__).parent.parent / "models"))

from test_zoo_figures import RELEASED
from zoo_counts import count

__all__ = ["RELEASED", "analysis_of", "count", "layers_of", "millions"]


@cache
def analysis_of(name: str) -> Analysis:
    return analyze(name)


def layers_of(name: str, prefix: str = ""):
    """The layers whose names begin with the prefix."""
    layers = [row.layer for row in analysis_of(name).rows]
    return [layer for layer in layers if layer.name.startswith(prefix)]


def millions(value: float, digits: int = 0) -> float:
    return round(value / 1e6, digits)
