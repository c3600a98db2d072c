"""A strategy's state as text for a round's record: safetensors in base64, so that every bit comes back."""

import base64
import binascii

import numpy as np

from fedprompt.errors import FederationError
from fedprompt.strategies.strategy import State

__all__ = ["pack_state", "unpack_state"]


def pack_state(state: State) -> str:
    """Return the arrays (float64 by name) as text; empty where there are none."""
    from safetensors.numpy import save

    if not state:
        return ""
    arrays = {name: np.ascontiguousarray(array, dtype=np.float64) for name, array in sorted(state.items())}
    return base64.b64encode(save(arrays)).decode()


def unpack_state(text: str) -> State:
    """Return the arrays that :func:`pack_state` wrote.

    Raises:
        FederationError: the text is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if not text:
        return {}
    try:
        return load(base64.b64decode(text, validate=True))
    except (binascii.Error, SafetensorError) as error:
        raise FederationError(
            "a round's stored state is damaged; restore the bank from a backup", code="damaged"
        ) from error
