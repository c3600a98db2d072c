"""How many bytes, as people read it."""

__all__ = ["volume"]


def volume(number: float) -> str:
    """Return a number of bytes with its unit, in steps of a thousand."""
    for unit, decimals in (("bytes", 0), ("kB", 0), ("MB", 1)):
        if number < 1000:
            return f"{number:.{decimals}f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
