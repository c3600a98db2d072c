"""What a label may be: text that any file of cases can hold as it stands, and that no reader takes for another label.

Invariant: two labels of a study, or two label words of a template, differ in more than case, Unicode form, invisible
characters or white space. Studies that were kept before this was asked stay readable (``KEPT``).
"""

import unicodedata
from collections.abc import Iterable
from typing import Any

__all__ = ["KEPT", "alike", "is_kept", "label_trouble", "likeness"]

KEPT = {"kept": True}  # the context of a study that is read from where it was kept, not from where it is written
_BREAKS = ("Cc", "Cs", "Zl", "Zp")
_TAGS = ("\U000e0020", "\U000e007f")  # of which the flags of England, Scotland and Wales are made


def is_kept(context: Any) -> bool:
    """Return whether a validation's context says that the study was kept before."""
    return isinstance(context, dict) and context.get("kept") is True


def label_trouble(label: str) -> str | None:
    """Return why a label cannot be one, and what to write instead, or None if it can."""
    bad = next((letter for letter in label if unicodedata.category(letter) in _BREAKS), None)
    if bad is not None:
        return (
            f"the label {label!r} has a line break or another control character (U+{ord(bad):04X}), which "
            f"files of cases cannot store reliably; write {_plain(label)!r}, here and in the cases"
        )
    if not any(_shows(letter) for letter in label):
        return f"the label {label!r} has no visible character; give it a name"
    bare = _bare(label)
    if bare != label:
        return (
            f"the label {label!r} starts or ends with white space or an invisible character, which other "
            f"programs may remove; write {bare!r}, here and in the cases"
        )
    return None


def alike(texts: Iterable[str]) -> tuple[str, str, str] | None:
    """Return the first two texts that are alike to a reader, and what alone they differ in; None if all differ."""
    seen: dict[str, str] = {}
    for text in texts:
        before = seen.setdefault(likeness(text), text)
        if before is not text and before != text:
            return before, text, _difference(before, text)
    return None


def likeness(text: str) -> str:
    """Return what is left of a text when case, Unicode form, invisible characters and white space do not count."""
    plain = "".join(letter for letter in text if not _hidden(letter))
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", plain).casefold())
    return " ".join(folded.split())


def _difference(one: str, other: str) -> str:
    def form(text: str) -> str:
        return unicodedata.normalize("NFKC", text)

    if one.casefold() == other.casefold():
        return "case"
    if form(one) == form(other):
        return "Unicode form"
    if one.split() == other.split():
        return "white space"
    if likeness(one) == likeness(other) and form(one).casefold() == form(other).casefold():
        return "case and Unicode form"
    return "invisible characters, white space, case or Unicode form"


def _hidden(letter: str) -> bool:
    return unicodedata.category(letter) == "Cf" and not _TAGS[0] <= letter <= _TAGS[1]


def _shows(letter: str) -> bool:
    return not (letter.isspace() or _hidden(letter) or unicodedata.category(letter) in _BREAKS)


def _bare(label: str) -> str:
    """Return a label without white space and invisible characters at its ends."""
    shown = [place for place, letter in enumerate(label) if _shows(letter)]
    return label[shown[0] : shown[-1] + 1] if shown else ""


def _plain(label: str) -> str:
    """Return a label with a space for each run of control characters."""
    spaced = "".join(" " if unicodedata.category(c) in _BREAKS else c for c in label)
    return _bare(" ".join(spaced.split())) or "another name"
