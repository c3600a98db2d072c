"""A chain of hashes: each is SHA-256 over the one before and the digest of an entry.

Whoever knows an earlier hash can follow the chain from digests alone, without the entries.
"""

import hashlib
from collections.abc import Sequence

__all__ = ["GENESIS", "MAX_TRAIL", "follow"]

GENESIS = "0" * 64
MAX_TRAIL = 50_000  # what fits into a message of the transport


def follow(known: str, trail: Sequence[str]) -> str:
    """Return the head that a chain has after ``known`` and these entries' own digests, 64 hexadecimal digits."""
    for own in trail:
        known = hashlib.sha256(f"{known}{own}".encode()).hexdigest()
    return known
