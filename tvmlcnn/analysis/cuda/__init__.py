"""Counting what networks execute on a GPU, from their machine code and with no GPU."""

from .network import MOST_INSTRUCTIONS, MOST_TRAFFIC, Called, NetworkCount, count_network

__all__ = ["MOST_INSTRUCTIONS", "MOST_TRAFFIC", "Called", "NetworkCount", "count_network"]
