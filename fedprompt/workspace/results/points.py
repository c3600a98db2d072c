"""Differences of rates as people read them: in percentage points."""

__all__ = ["points"]


def points(value: float, *, signed: bool = False) -> str:
    """Return a difference of rates in points with a true minus; with a plus above zero where ``signed``."""
    shown = f"{100 * value:{'+' if signed else ''}.1f}"
    return "0.0" if float(shown) == 0 else shown.replace("-", "\N{MINUS SIGN}")
