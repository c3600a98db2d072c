"""Gaussian noise on a whole-number grid, drawn exactly: no floating-point number decides what comes out.

A value that is noised is a whole number of grid steps, and so is the noise: a Gaussian of width ``WIDTH`` steps,
rounded to the nearest step. Rounding after the noise is the same as rounding the noise, since the value is whole:
``round(f + y) = f + round(y)``. So the mechanism is the Gaussian one followed by rounding, which is post-processing,
and every statement about the Gaussian mechanism holds for it as it stands (Dwork and Roth 2014, propositions 2.1 and
A.1). What floating-point Gaussians leak in their last digits (Mironov 2012, CCS; Jin et al. 2022, arXiv 2112.05307)
is not there.

The distribution is a table of cumulative probabilities in whole numbers of 2^-128, and a draw is where 128 random
bits fall in it. What the table loses (rounding, and tails beyond 13 widths) is a distance of less than 2^-110 a draw.
"""

import secrets
from bisect import bisect_right
from collections.abc import Callable
from functools import cache
from hashlib import shake_256
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["WIDTH", "RandomBytes", "drawn_noise", "from_secret", "from_system", "rounded_noise", "sampled"]

RandomBytes = Callable[[int], bytes]
"""Returns so many random bytes."""

WIDTH = 4096
"""How many grid steps one standard deviation has."""

BITS = 128
EXTRA = 96  # bits beyond, in which the table is computed
TAILS = 13.3  # widths, beyond which 2^-130 lies
TERMS = 14  # of the integral over one step: the next is below 2^-130


def from_system(count: int) -> bytes:
    """Return bytes of the operating system's entropy (``secrets``)."""
    return secrets.token_bytes(count)


def from_secret(secret: bytes, label: bytes) -> RandomBytes:
    """Return a stream that follows from a secret and a label (SHAKE-256): the same ones give the same bytes.

    For runs that are to repeat, over cases that nobody has to hide. Each call goes on where the last one ended.
    """
    calls = 0

    def more(count: int) -> bytes:
        nonlocal calls
        calls += 1
        parts = (len(secret).to_bytes(8, "big"), secret, len(label).to_bytes(8, "big"), label, calls.to_bytes(8, "big"))
        return shake_256(b"fedprompt noise\0" + b"".join(parts)).digest(count)

    return more


def rounded_noise(size: int, random: RandomBytes) -> NDArray[np.int64]:
    """Return [size] whole numbers, independent Gaussians of width ``WIDTH`` rounded to the nearest."""
    table = _table()
    raw = np.frombuffer(random(16 * size), dtype=">u8").reshape(size, 2).astype(np.uint64)
    high, low = raw[:, 0], raw[:, 1]
    found = np.searchsorted(table.high, high, side="left").astype(np.int64)
    inside = found < len(table.high)
    ties = np.flatnonzero(inside & (table.high[np.minimum(found, len(table.high) - 1)] == high))
    for place in ties:  # about one draw in 10^15
        found[place] = bisect_right(table.whole, (int(high[place]) << 64) | int(low[place]))
    return found - table.offset


def drawn_noise(size: int, width: float, random: RandomBytes) -> NDArray[np.float64]:
    """Return [size] noise of standard deviation ``width``, on a grid of ``width / WIDTH``."""
    found: NDArray[np.float64] = rounded_noise(size, random).astype(np.float64) * (width / WIDTH)
    return found


def sampled(count: int, rate: float, random: RandomBytes) -> NDArray[np.int64]:
    """Return the places that a Poisson sample takes of ``count``: each by itself, with probability ``rate``."""
    most = min(1 << 64, int(rate * 2.0**64))
    if most >= 1 << 64:
        return np.arange(count, dtype=np.int64)
    found = np.frombuffer(random(8 * count), dtype=">u8") < np.uint64(most)
    return np.flatnonzero(found).astype(np.int64)


class _Table(NamedTuple):
    """``whole``: cumulative probabilities in 2^-128, rising; ``high``: their upper 64 bits; ``offset``: of value 0."""

    whole: list[int]
    high: NDArray[np.uint64]
    offset: int


@cache
def _table() -> _Table:
    """Return the cumulative table of the rounded Gaussian, its last entry left out, since every draw is below it."""
    half = _masses()
    both = [*half[:0:-1], *half]
    total = sum(both)
    whole = [(sum_ << BITS) // total for sum_ in accumulate(both)][:-1]
    return _Table(whole, np.array([one >> 64 for one in whole], dtype=np.uint64), len(half) - 1)


def _masses() -> list[int]:
    """Return the masses of 0, 1, 2 and so on, in units that add up as they are.

    The integral of the density over one step around ``x = k / WIDTH`` is ``density(x) * sum over even j of He_j(x) *
    h^j / (2^j (j + 1)!)`` with ``h = 1 / WIDTH`` (Taylor's series; the derivatives of the density are Hermite's
    polynomials). All in fixed point.
    """
    from mpmath import exp, mp, mpf  # 60 ms, which only whoever draws noise waits for

    one = 1 << (BITS + EXTRA)
    with mp.workprec(BITS + 2 * EXTRA):
        step = mpf(1) / WIDTH
        ratio, fall = int(exp(-step * step / 2) * one), int(exp(-step * step) * one)
    weights, factorial = [], 1
    for j in range(TERMS):
        factorial *= j + 1
        weights.append(one // (2**j * WIDTH**j * factorial) if j % 2 == 0 else 0)
    density, masses = one, []
    for k in range(int(TAILS * WIDTH) + 1):
        x = k * one // WIDTH
        before, here = one, x  # He_0, He_1
        total = weights[0]
        for j in range(2, TERMS):
            before, here = here, (x * here - (j - 1) * before * one) // one
            if weights[j]:
                total += weights[j] * here // one
        masses.append(density * total // one)
        density = density * ratio // one
        ratio = ratio * fall // one
    return masses
