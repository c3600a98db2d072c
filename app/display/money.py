"""Amounts of money as people read them."""

from math import floor, log10

__all__ = ["money"]


def money(amount: float, currency: str) -> str:
    """Return an amount that may be a small part of a unit, in words: two places, or as many as show two digits."""
    places = 1 - floor(log10(amount)) if 0 < amount < 0.1 else 2
    return f"{amount:,.{places}f} {currency}"
