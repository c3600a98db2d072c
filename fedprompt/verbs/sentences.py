"""Numbers and ids as sentences about the ledger show them; an entry may be of another version, so anything is taken."""

__all__ = ["counted", "shortened"]

SHOWN_OF_ID = 11  # as the pages show it: p1: and eight digits


def shortened(identity: object) -> str:
    """Return the beginning of an id."""
    return str(identity)[:SHOWN_OF_ID]


def counted(number: object) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,}" if isinstance(number, int) else "an unknown number of"
