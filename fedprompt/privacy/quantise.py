"""Small updates: float16, or int8 with a scale a row or block, and error feedback: what rounding loses comes later.

Error feedback (Seide et al. 2014, Interspeech, section 3.1; Karimireddy et al. 2019, arXiv 1901.09847, algorithm 1): a
site adds what was lost before to its next update and keeps what is lost now. So over the rounds the sum of what was
sent differs from the sum of what was meant by one residual, never more. Rounding is to the nearest: nothing is drawn.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.strategies.clipping import clip
from fedprompt.study.schema import Precision

__all__ = ["ARRAYS", "Feedback", "quantise", "restore", "scales_of", "with_feedback"]

ARRAYS: Mapping[Precision, Mapping[str, type[np.generic]]] = {
    "float32": {"delta": np.float32},
    "float16": {"delta": np.float16},
    "int8": {"codes": np.int8, "scales": np.float32},
}
"""What travels in each precision: ``delta``, or ``codes`` of its shape and ``scales`` [rows or blocks, 1]."""

LEVELS = 127
BLOCK = 512  # numbers of a flat update that share a scale
SHORTER = 0.98


@dataclass(frozen=True, eq=False)
class Feedback:
    """``arrays``: what is sent; ``residual``: float32 of the update's shape, what is kept for the next update."""

    arrays: Mapping[str, NDArray[Any]]
    residual: NDArray[np.float32]


def quantise(values: NDArray[np.float32], precision: Precision) -> dict[str, NDArray[Any]]:
    """Return the arrays that stand for ``values`` ([rows, width] or [size] float32, finite)."""
    if precision == "float32":
        return {"delta": values}
    if precision == "float16":
        most = float(np.finfo(np.float16).max)
        return {"delta": np.clip(values, -most, most).astype(np.float16)}
    rows = _rows(values)
    scales = (np.abs(rows).max(axis=1, keepdims=True) / np.float32(LEVELS)).astype(np.float32)
    steps = np.divide(rows, scales, out=np.zeros(rows.shape, np.float64), where=scales > 0)
    codes = np.clip(np.rint(steps), -LEVELS, LEVELS).astype(np.int8)
    return {"codes": _like(codes, values), "scales": scales}


def restore(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Return the values that the arrays stand for: [rows, width] or [size] float32."""
    if "codes" in arrays:
        with np.errstate(over="ignore"):  # a hostile scale makes infinity, which no bound on a norm lets pass
            codes = arrays["codes"]
            rows = np.asarray(_rows(codes).astype(np.float32) * arrays["scales"], dtype=np.float32)
            return _like(rows, codes)
    return arrays["delta"].astype(np.float32, copy=False)


def scales_of(codes: tuple[int, ...]) -> int:
    """Return how many scales codes of a shape have: one a row, or one a block of a flat array."""
    return codes[0] if len(codes) > 1 else -(-codes[0] // BLOCK)


def _rows(values: NDArray[Any]) -> NDArray[Any]:
    """Return [rows, width] as it is, and [size] as [blocks, BLOCK], noughts behind its end."""
    if values.ndim > 1:
        return values
    padded = np.zeros(scales_of(values.shape) * BLOCK, values.dtype)
    padded[: values.size] = values
    return padded.reshape(-1, BLOCK)


def _like(rows: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """Return rows of :func:`_rows` in the shape that they were made of."""
    return rows if values.ndim > 1 else rows.reshape(-1)[: values.size]


def with_feedback(
    delta: NDArray[np.float32], residual: NDArray[np.float32] | None, precision: Precision, most: float
) -> Feedback:
    """Return what to send of ``delta`` plus what is left from before, and what is left now.

    Args:
        delta: [rows, width] or [size] float32, this round's update.
        residual: the same shape, what earlier rounds left; None in the first.
        precision: how numbers travel. In float32 nothing is left but what clipping cuts, and that is dropped.
        most: the norm that what arrives never exceeds.
    """
    if precision == "float32":
        return Feedback({"delta": clip(delta, most)}, np.zeros_like(delta))
    wanted = delta if residual is None else delta + residual
    bound = most
    arrays = quantise(clip(wanted, bound), precision)
    # Rounding may lengthen what was just short enough; a little shorter, it fits.
    while float(np.linalg.norm(restore(arrays).astype(np.float64))) > most:
        bound *= SHORTER
        arrays = quantise(clip(wanted, bound), precision)
    # Only rounding is fed back. What clipping cuts is cut for good, or a long update would pile up behind the bound.
    return Feedback(arrays, clip(wanted, bound) - restore(arrays))
