"""How long work tells where it is: one value, handed to whoever asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Paused", "Progress", "Report", "quiet"]


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` (any unit) of ``stage``; ``seconds_left`` for the whole job, None while unknown."""

    stage: str
    message: str
    done: float = 0.0
    total: float = 1.0
    seconds_left: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


class Paused(BaseException):
    """Work has reached the point where it was to pause, and what is done is kept; no error, and no ``Exception``."""


Report = Callable[[Progress], None]


def quiet(progress: Progress) -> None:
    """Hear and say nothing."""
