"""Search for cliffs: random light networks, compiled, checked, and timed kernel by kernel.

``python -m tools.cliffs --networks 20 --seed 1``; see ``--help``.
"""
