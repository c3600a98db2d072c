"""What a hub keeps of a secure sum that is under way, so that a run which stopped goes on with the same cohort.

A site answers each step once. Who is in the cohort, what they sealed, the sum of the masked vectors and whose they are
must therefore be kept before the next step is asked. No masked vector is kept, only their sum.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Literal, Protocol

import numpy as np

from fedprompt.errors import FederationError
from fedprompt.privacy.secure_sums.masks import Whole

__all__ = ["InMemory", "SumKeeper", "SumStep", "pack_total", "unpack_total"]

SumStep = Literal["keys", "shares", "masked", "confirmed"]


class SumKeeper(Protocol):
    """Where the steps of sums are kept; filled by whoever knows the bank."""

    def kept(self, number: int, step: SumStep) -> Mapping[str, Any] | None:
        """Return what was kept of a step of a round's sum, None where it was not done."""
        ...

    def keep(self, number: int, step: SumStep, body: Mapping[str, Any]) -> None:
        """Keep what a step found, as JSON; durable when this returns."""
        ...


class InMemory:
    """For a run that is kept nowhere."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, SumStep], Mapping[str, Any]] = {}

    def kept(self, number: int, step: SumStep) -> Mapping[str, Any] | None:
        """Return what was kept."""
        return self._kept.get((number, step))

    def keep(self, number: int, step: SumStep, body: Mapping[str, Any]) -> None:
        """Keep it."""
        self._kept[number, step] = body


def pack_total(total: Whole) -> dict[str, Any]:
    """Return a sum of masked vectors ([size], uint32 or uint64) as JSON."""
    return {"bits": total.itemsize * 8, "total": base64.b64encode(total.tobytes()).decode()}


def unpack_total(body: Mapping[str, Any]) -> Whole:
    """Return the sum that :func:`pack_total` wrote.

    Raises:
        FederationError: what was kept is damaged.
    """
    try:
        dtype = {32: np.uint32, 64: np.uint64}[body["bits"]]
        return np.frombuffer(base64.b64decode(body["total"], validate=True), dtype).copy()
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise FederationError(
            "what was kept of a secure sum is damaged; restore the bank from a backup", code="damaged"
        ) from error
