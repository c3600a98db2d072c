"""What rounding lost of a site's last update: kept at the site, added to its next one, never sent.

A residual belongs to one run and to what comes after its round: round 1 begins with none, and so does another seed.
It is derived from private cases, so it stays in the site's folder, beside the reply that it is what is left of.
"""

import json

import numpy as np
from numpy.typing import NDArray

from fedprompt.privacy.quantise import with_feedback
from fedprompt.study.schema import Precision
from fedprompt.verbs.forms import Arrays
from fedprompt.verbs.tune import StepsTask

__all__ = ["pack_residual", "residual_for", "rounded"]


def rounded(
    task: StepsTask, delta: NDArray[np.float32], precision: Precision, most: float, kept: bytes | None, *, feeds: bool
) -> tuple[Arrays, bytes | None]:
    """Return the arrays that stand for an update, and what to keep for the next one.

    Args:
        task: what is answered.
        delta: the update, float32.
        precision: how numbers travel.
        most: the longest that it may be.
        kept: what the last one left.
        feeds: whether what rounding loses comes later; under a budget of privacy it does not.
    """
    before = residual_for(task, kept, delta.shape) if feeds else None
    sent = with_feedback(delta, before, precision, most)
    return sent.arrays, pack_residual(task, sent.residual) if feeds and precision != "float32" else None


def pack_residual(task: StepsTask, residual: NDArray[np.float32]) -> bytes:
    """Return the bytes to keep of a residual (float32) that answering ``task`` left."""
    from safetensors.numpy import save

    of = json.dumps({"seed": task.seed, "round": task.round})
    return save({"residual": np.ascontiguousarray(residual), "of": np.frombuffer(of.encode(), dtype=np.uint8)})


def residual_for(task: StepsTask, kept: bytes | None, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """Return the residual that ``task``'s update must carry, None where there is none for it.

    Args:
        task: what is answered now.
        kept: bytes of :func:`pack_residual`, or None.
        shape: of the update; a residual of another shape is of another study's slot.
    """
    from safetensors.numpy import load

    if kept is None:
        return None
    found = load(kept)
    of = json.loads(found["of"].tobytes())
    residual = found["residual"]
    same = of["seed"] == task.seed and of["round"] < task.round and residual.shape == shape
    return residual if same else None
