"""Why a value from elsewhere does not fit: the place in it and a sentence, neither longer than a line."""

from pydantic import ValidationError

__all__ = ["Unfit", "first_fault"]

MOST_PARTS, MOST_PART, MOST_REASON = 12, 60, 600


class Unfit(ValueError):
    """``place`` leads to what is wrong, ``reason`` says what; ``kind`` is pydantic's word for it, empty for a bound.

    Invariant: a text that was read shows in it by a key alone, cut and without what does not print.
    """

    def __init__(self, place: tuple[str | int, ...], reason: str, kind: str = "") -> None:
        self.place = tuple(part if isinstance(part, int) else _plain(part) for part in place[:MOST_PARTS])
        self.reason = reason if len(reason) <= MOST_REASON else f"{reason[:MOST_REASON]}..."
        self.kind = kind
        mark = " " if self.reason.startswith("is ") else ": "
        super().__init__(f"{self.field}{mark}{self.reason}" if self.place else self.reason)

    @property
    def field(self) -> str:
        """The place in one word, ``the whole`` where it is no part."""
        return ".".join(map(str, self.place)) or "the whole"


def first_fault(error: ValidationError) -> Unfit:
    """Return the first thing that a schema found wrong.

    What does not fit together is an error of the whole whose context names the part to change (``misfit``).
    """
    first = error.errors(include_url=False, include_input=False)[0]
    kind, reason = first["type"], str(first["msg"]).removeprefix("Value error, ")
    if kind == "extra_forbidden":
        reason = "is not a field of it; refused"
    elif kind == "missing":
        reason = "is missing"
    elif kind == "json_invalid":
        reason = "is not JSON"
    elif kind in ("model_type", "model_attributes_type"):  # pydantic's words name the class
        reason = "is not an object with fields"
    return Unfit(tuple(first["loc"] or first.get("ctx", {}).get("place", ())), reason, kind)


def _plain(part: str) -> str:
    cut = part if len(part) <= MOST_PART else f"{part[:MOST_PART]}..."
    return "".join(mark if mark.isprintable() else "?" for mark in cut)
