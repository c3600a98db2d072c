"""Rates as people read them: so many of 100, and differences in percentage points."""

import math

__all__ = ["of_100", "points"]


def of_100(part: float) -> int:
    """Return how many of 100 a part of 1 is, a half rounded up."""
    return math.floor(100 * part + 0.5 + 1e-9)


def points(value: float, *, signed: bool = False) -> str:
    """Return a difference of rates in points with a true minus; with a plus above zero where ``signed``."""
    shown = f"{100 * value:{'+' if signed else ''}.1f}"
    return "0.0" if float(shown) == 0 else shown.replace("-", "\N{MINUS SIGN}")
