"""How many channels a layer of a wider or narrower network has."""

from __future__ import annotations


def check_factor(option: str, factor: float, most: float = 4.0) -> None:
    """Raise ValueError unless a channel multiplier is above 0 and at most ``most``."""
    if not 0 < factor <= most:
        raise ValueError(f"{option}={factor} must be above 0 and at most {most:g}")


def round_channels(channels: float, multiple: int = 8) -> int:
    """Round a channel count to a multiple, and never down by more than a tenth.

    The rule of the MobileNet V2 and V3 definitions.
    """
    rounded = max(multiple, int(channels + multiple / 2) // multiple * multiple)
    return rounded if rounded >= 0.9 * channels else rounded + multiple
