"""Which texts of a file may be shown: names of columns and labels, told from sentences by their form.

Invariant: what stands in a message, a draft or a page of a file's own text has passed ``plausible`` or ``label_like``.
A column whose name has not is called by its place: ``#2`` is the second.
"""

import re
import unicodedata

__all__ = ["at_place", "label_like", "place_of", "plausible", "same_name", "sentence_like", "shown_name"]

MAX_NAME = 60
MAX_NAME_WORDS = 3
MAX_LABEL = 40
MAX_LABEL_WORDS = 5
# Numbers, dates, times and telephone numbers: they stand in cells, seldom above them.
FIGURES = re.compile(r"[\d\s.,:;/()+%$\u20ac\u00a3-]*\d[\d\s.,:;/()+%$\u20ac\u00a3-]*")
SENTENCE_ENDS = (".", "!", "?", "\u2026", "\u3002", "\uff01", "\uff1f", "\u0964")
# A sentence goes on after a mark and a space; "no. of stars" does too, so one small letter is not enough.
WITHIN = re.compile(r"[.!?\u3002\uff01\uff1f]\s+[A-Z\u00c0-\u00de]|[\u3002\uff01\uff1f].")
CODE = ("{", "[", "<", "#!", "%PDF")
PLACE = re.compile(r"#([1-9]\d{0,5})")


def sentence_like(text: str) -> bool:
    """Return whether a text reads like a sentence, a number, a date or an address rather than like a name."""
    text = text.strip()
    return bool(
        len(text) > MAX_NAME
        or _words(text) > MAX_NAME_WORDS
        or text.endswith(SENTENCE_ENDS)
        or WITHIN.search(text)
        or FIGURES.fullmatch(text)
        or ("@" in text and "." in text)
        or "://" in text
        or text.startswith(CODE)
    )


def plausible(name: str) -> bool:
    """Return whether a text can be the name of a column, and so be shown."""
    return bool(name.strip()) and name.isprintable() and not sentence_like(name)


def label_like(text: str) -> bool:
    """Return whether a text can be a label by its form: short, few words, one line, no end of a sentence."""
    text = text.strip()
    return bool(
        text
        and len(text) <= MAX_LABEL
        and _words(text) <= MAX_LABEL_WORDS
        and text.isprintable()
        and not (_words(text) > 1 and text.endswith(SENTENCE_ENDS))
        and not WITHIN.search(text)
        and not ("@" in text and "." in text)
    )


def _words(text: str) -> int:
    """Return how many words a text has; scripts without spaces are counted by four characters a word."""
    dense = sum(unicodedata.east_asian_width(c) in "WF" or "\u0e00" <= c <= "\u0eff" for c in text)
    return len(text.split()) + max(dense - 1, 0) // 4


def at_place(place: int) -> str:
    """Return what the column at a 0-based place is called where it has no name that can be shown."""
    return f"#{place + 1}"


def place_of(name: str) -> int | None:
    """Return the 0-based place that ``#2`` and the like stand for, None for any other text."""
    found = PLACE.fullmatch(name)
    return int(found[1]) - 1 if found else None


def shown_name(name: str, place: int) -> str:
    """Return a column's name, or its place where the name might be a case's text."""
    return name if plausible(name) else at_place(place)


def same_name(first: str, second: str) -> bool:
    """Return whether two names are the same text, written with composed or with single characters."""
    return unicodedata.normalize("NFC", first.strip()) == unicodedata.normalize("NFC", second.strip())
