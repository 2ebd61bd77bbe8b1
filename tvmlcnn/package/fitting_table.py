"""How a file resizes frames, as a table in C, for `tvmlcnn/runtime/c/fitting.h`."""

from __future__ import annotations

from tvmlcnn.frontend import Network


def fitting_table(network: Network) -> str | None:
    """Return the table of a network, None where it resizes nothing."""
    how = network.preprocessing
    if not network.resizes or how is None:
        return None
    _, rows, columns, channels = network.inputs[0].shape
    covered = [round(side / how.crop_ratio) for side in (rows, columns)]
    fields = (how.fit.upper(), how.filter.upper(), rows, columns, *covered, channels, how.fill)
    values = ", ".join(map(str, fields))
    return f'#include "fitting.h"\nconst Fitting tvmlcnn_fitting = {{{values}}};\n'
