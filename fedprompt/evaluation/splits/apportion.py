"""Whole numbers from shares: a row by largest remainder, and a table whose rows and columns come out exact.

Source: Hamilton's method; for the table, iterative proportional fitting (Deming and Stephan 1940) and then
rounding of the running totals row by row. Invariant: every row and column sum is met exactly and no cell is
negative.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["apportion", "apportion_table"]


def apportion(total: int, weights: Sequence[float], caps: Sequence[int] | None = None) -> tuple[int, ...]:
    """Return whole numbers in proportion to the weights that sum to the total; ties go to the earlier place.

    Args:
        total: what is shared out.
        weights: shares, not negative, not all zero unless ``total`` is 0.
        caps: the most that each place may get; together at least ``total``.

    Raises:
        ValueError: no such numbers exist.
    """
    scale = math.fsum(weights)
    if total and scale <= 0:
        raise ValueError("nothing to share out by: all weights are zero")
    ideal = [total * weight / scale if scale > 0 else 0.0 for weight in weights]
    return _rounded(ideal, total, [total] * len(ideal) if caps is None else list(caps))


def apportion_table(shares: NDArray[np.float64], rows: Sequence[int], columns: Sequence[int]) -> NDArray[np.int64]:
    """Return a table of whole numbers with the given row and column sums, near the scaled shares.

    Args:
        shares: [rows, columns] float64, not negative.
        rows: wanted row sums.
        columns: wanted column sums, with the same total.

    Returns:
        [rows, columns] int64.

    Raises:
        ValueError: the two totals differ.
    """
    if sum(rows) != sum(columns):
        raise ValueError("row sums and column sums differ in total")
    want_rows, want_columns = np.asarray(rows, np.float64), np.asarray(columns, np.float64)
    # A little everywhere a column still needs something, so that fitting cannot get stuck on a zero.
    table = shares + 1e-6 * want_columns / max(want_columns.sum(), 1.0) * want_rows[:, None] + 0.0
    for _ in range(100):
        table = table * _ratio(want_rows, table.sum(axis=1))[:, None]
        table = table * _ratio(want_columns, table.sum(axis=0))[None, :]
    whole = np.zeros(table.shape, np.int64)
    running = np.zeros(table.shape[1])
    left = list(columns)
    for i, row in enumerate(table):
        running += row
        ideal = running - whole[:i].sum(axis=0)
        whole[i] = _rounded([float(x) for x in ideal], rows[i], left)
        left = [cap - int(given) for cap, given in zip(left, whole[i], strict=True)]
    return whole


def _ratio(wanted: NDArray[np.float64], have: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(wanted, have, out=np.zeros_like(wanted), where=have > 0)


def _rounded(ideal: Sequence[float], total: int, caps: Sequence[int]) -> tuple[int, ...]:
    """Round to whole numbers within [0, cap] that sum to the total, largest remainder first."""
    if sum(caps) < total:
        raise ValueError("the caps leave no room for the total")
    # Rounded at 9 digits, so that a tie is a tie whatever the floating point noise.
    wish = [round(min(max(x, 0.0), cap), 9) for x, cap in zip(ideal, caps, strict=True)]
    whole = [math.floor(x) for x in wish]
    while sum(whole) < total:
        open_places = [i for i in range(len(whole)) if whole[i] < caps[i]]
        whole[min(open_places, key=lambda i: (whole[i] - wish[i], i))] += 1
    while sum(whole) > total:
        filled = [i for i in range(len(whole)) if whole[i]]
        whole[max(filled, key=lambda i: (whole[i] - wish[i], i))] -= 1
    return tuple(whole)
