"""A template filled with one case: turns of plain text and soft slots, not yet tokens.

Invariant: nothing in ``pieces`` is a control token. Chat markers are added by the model's own chat template, around
the pieces, so a marker that occurs inside a case's text stays text.
"""

from dataclasses import dataclass
from enum import Enum

from fedprompt.prompts.tools import Tool

__all__ = ["SOFT", "Piece", "Rendered", "SoftSlot", "Turn"]


class SoftSlot(Enum):
    """The place where a soft prompt's vectors stand."""

    SLOT = "{soft}"


SOFT = SoftSlot.SLOT
Piece = str | SoftSlot


@dataclass(frozen=True)
class Turn:
    """One message (``role`` is ``system``, ``user`` or ``assistant``) or, with ``role`` None, a bare completion."""

    role: str | None
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Rendered:
    """What a model is asked to continue, and the tools that it is offered."""

    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()

    @property
    def has_soft(self) -> bool:
        """Whether a soft prompt is needed to run this."""
        return any(piece is SOFT for turn in self.turns for piece in turn.pieces)

    @property
    def is_chat(self) -> bool:
        """Whether the model's chat format is to be applied."""
        return self.turns[0].role is not None

    def text(self) -> str:
        """Return the text for people to read, the soft slot written ``{soft}``."""
        parts = []
        for turn in self.turns:
            body = "".join(piece.value if isinstance(piece, SoftSlot) else piece for piece in turn.pieces)
            parts.append(body if turn.role is None else f"[{turn.role}] {body}")
        return "\n".join(parts)
