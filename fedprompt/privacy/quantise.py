"""Small updates: float16, or int8 with one scale a row, and error feedback so that what rounding loses comes later.

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

__all__ = ["ARRAYS", "Feedback", "quantise", "restore", "with_feedback"]

ARRAYS: Mapping[Precision, Mapping[str, type[np.generic]]] = {
    "float32": {"delta": np.float32},
    "float16": {"delta": np.float16},
    "int8": {"codes": np.int8, "scales": np.float32},
}
"""What travels in each precision: ``delta`` [tokens, width], or ``codes`` likewise and ``scales`` [tokens, 1]."""

LEVELS = 127
SHORTER = 0.98


@dataclass(frozen=True, eq=False)
class Feedback:
    """``arrays``: what is sent; ``residual``: [tokens, width] float32, what is kept for the next update."""

    arrays: Mapping[str, NDArray[Any]]
    residual: NDArray[np.float32]


def quantise(values: NDArray[np.float32], precision: Precision) -> dict[str, NDArray[Any]]:
    """Return the arrays that stand for ``values`` ([tokens, width] float32, finite)."""
    if precision == "float32":
        return {"delta": values}
    if precision == "float16":
        most = float(np.finfo(np.float16).max)
        return {"delta": np.clip(values, -most, most).astype(np.float16)}
    scales = (np.abs(values).max(axis=1, keepdims=True) / np.float32(LEVELS)).astype(np.float32)
    steps = np.divide(values, scales, out=np.zeros(values.shape, np.float64), where=scales > 0)
    return {"codes": np.clip(np.rint(steps), -LEVELS, LEVELS).astype(np.int8), "scales": scales}


def restore(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Return the values that the arrays stand for: [tokens, width] float32."""
    if "codes" in arrays:
        with np.errstate(over="ignore"):  # a hostile scale makes infinity, which no bound on a norm lets pass
            return np.asarray(arrays["codes"].astype(np.float32) * arrays["scales"], dtype=np.float32)
    return arrays["delta"].astype(np.float32, copy=False)


def with_feedback(
    delta: NDArray[np.float32], residual: NDArray[np.float32] | None, precision: Precision, most: float
) -> Feedback:
    """Return what to send of ``delta`` plus what is left from before, and what is left now.

    Args:
        delta: [tokens, width] float32, this round's update.
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
