"""The order in which windows are drawn: a permutation for each pass over the text, without a table of it in memory.

A Feistel network over the next power of four, walked on until it falls among the windows (format-preserving encryption
by cycle walking, Black and Rogaway 2002). Invariant: which window stands at a place follows from the seed and the place
alone, so that a run goes on at any step without having counted to it.
"""

from hashlib import blake2b

__all__ = ["drawn", "window_at"]

ROUNDS = 4


def window_at(place: int, windows: int, seed: int) -> int:
    """Return the window at a place of an endless order: every window once, then every window once in another order."""
    turn, at = divmod(place, windows)
    half = max(1, ((windows - 1).bit_length() + 1) // 2)
    while True:
        at = _permuted(at, half, turn, seed)
        if at < windows:
            return at


def drawn(first: int, count: int, windows: int, seed: int) -> list[int]:
    """Return the windows at ``count`` places from ``first`` on."""
    return [window_at(place, windows, seed) for place in range(first, first + count)]


def _permuted(number: int, half: int, turn: int, seed: int) -> int:
    mask = (1 << half) - 1
    left, right = number >> half, number & mask
    for place in range(ROUNDS):
        key = seed.to_bytes(32, "little") + turn.to_bytes(8, "little") + bytes([place])
        mixed = int.from_bytes(blake2b(right.to_bytes(8, "little"), digest_size=8, key=key).digest(), "little")
        left, right = right, left ^ (mixed & mask)
    return (left << half) | right
