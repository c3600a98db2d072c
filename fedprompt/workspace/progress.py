"""How long work tells where it is: one value, handed to whoever asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Progress", "Report", "quiet"]


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` (any unit) of ``stage``; ``seconds_left`` for the whole job, None while unknown."""

    stage: str
    message: str
    done: float = 0.0
    total: float = 1.0
    seconds_left: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


Report = Callable[[Progress], None]
"""Hears where work is, and never ends it: that is a stop token's (``fedprompt.stopping``). What it raises is a fault of
its own, and ends the work as any error does."""


def quiet(progress: Progress) -> None:
    """Hear and say nothing."""
