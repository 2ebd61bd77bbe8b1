"""Attacks on what tvmlcnn takes from others: many inputs that are wrong, each judged.

``python -m tools.attack --seconds 60 --seed 1``; see ``--help``.
"""
