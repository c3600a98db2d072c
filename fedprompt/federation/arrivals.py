"""What comes in where nobody waits, one arrival after the other, and where arrivals are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from fedprompt.strategies.strategy import Update

__all__ = ["Arrival", "Journal"]


@dataclass(frozen=True, eq=False)
class Arrival:
    """What came from a site: its ``turn``-th update, tuned from the prompt of step ``version``.

    Or, where ``update`` is None, that it did not come, and why (``reason``, a sentence).
    """

    site: str
    turn: int
    version: int
    seconds: float
    update: Update | None = None
    sent: int = 0
    received: int = 0
    why: Literal["failed", "refused", "untrue", "left-out"] = "failed"
    reason: str = ""


class Journal(Protocol):
    """Where arrivals are kept, in order; filled by whoever knows the bank."""

    def arrived(self) -> Sequence[Arrival]:
        """Return the arrivals already written."""
        ...

    def add(self, number: int, arrival: Arrival) -> None:
        """Keep the ``number``-th arrival, counted from 1; durable when this returns."""
        ...
