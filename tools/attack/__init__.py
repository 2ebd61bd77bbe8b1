"""Attacks on what tvmlcnn takes from others: many inputs that are wrong, each judged."""
