"""Updates that the hub keeps, so that a site's share can be taken out of the rounds later.

They are what the strategy was given: as they arrived, steps normalised. A round's updates are kept under the prompt
that they made, before the round is written, so that a round that was begun twice is never told from the wrong ones.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from fedprompt.errors import FederationError
from fedprompt.strategies.strategy import Update

__all__ = ["UpdateKeeper", "pack_updates", "unpack_updates"]


class UpdateKeeper(Protocol):
    """Where updates are kept; filled by whoever knows the bank."""

    def keep(self, number: int, prompt: str, updates: Sequence[Update]) -> None:
        """Keep the updates of which round ``number`` made ``prompt``; durable when this returns."""
        ...

    def kept(self, number: int, prompt: str) -> tuple[Update, ...] | None:
        """Return the updates of which round ``number`` made ``prompt``, None if they were not kept."""
        ...


def pack_updates(updates: Sequence[Update]) -> dict[str, Any]:
    """Return the updates as JSON: sites, cases, and the arrays in safetensors in base64, so that every bit comes back.

    About 5.4 bytes a number of an update.
    """
    from safetensors.numpy import save

    arrays = {str(place): np.ascontiguousarray(one.delta, dtype=np.float32) for place, one in enumerate(updates)}
    return {
        "sites": [one.site for one in updates],
        "cases": [one.cases for one in updates],
        "arrays": base64.b64encode(save(arrays)).decode() if arrays else "",
    }


def unpack_updates(body: Mapping[str, Any]) -> tuple[Update, ...]:
    """Return the updates that :func:`pack_updates` wrote.

    Raises:
        FederationError: they are damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(base64.b64decode(body["arrays"], validate=True)) if body["arrays"] else {}
        named = enumerate(zip(body["sites"], body["cases"], strict=True))
        return tuple(Update(site, arrays[str(place)], int(cases)) for place, (site, cases) in named)
    except (binascii.Error, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise FederationError("the kept updates are damaged; restore the bank from a backup", code="damaged") from error
