"""Faults of boxes: given ones against a detector's, on arrays."""
