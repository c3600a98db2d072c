"""How many bytes and how much money, as people read them."""

from math import floor, log10

__all__ = ["money", "volume"]


def volume(number: float) -> str:
    """Return a number of bytes with its unit, in steps of a thousand."""
    for unit, decimals in (("bytes", 0), ("kB", 0), ("MB", 1)):
        if number < 1000:
            return f"{number:.{decimals}f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def money(amount: float, currency: str) -> str:
    """Return an amount that may be a small part of a unit, in words: two places, or as many as show two digits."""
    places = 1 - floor(log10(amount)) if 0 < amount < 0.1 else 2
    return f"{amount:,.{places}f} {currency}"
