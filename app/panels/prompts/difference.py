"""Texts side by side with the words marked in which they differ from the first.

Invariant: a prompt's text may come from anyone, so all of it is escaped; the only markup is ours.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from html import escape

__all__ = ["Marked", "marked_html", "word_differences"]

Marked = tuple[tuple[str, bool], ...]
MAX_WORDS = 4000
_PIECES = re.compile(r"\{\w+\}|\w+|\s+|[^\w\s]")
_ADDED = "background:rgba(20,150,135,.20);border-radius:4px;padding:1px 2px;text-decoration:none"
_GONE = "background:rgba(214,104,84,.20);border-radius:4px;padding:1px 2px;text-decoration:none"
_BOX = (
    "white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.7;font-size:.875rem;"
    "font-family:'Source Code Pro',ui-monospace,monospace"
)
_CHIP = "border:1px solid rgba(128,140,150,.55);border-radius:5px;padding:0 4px;font-weight:600"


def word_differences(texts: Sequence[str]) -> tuple[Marked, ...]:
    """Return each text as (piece, differs) in order.

    In the first text a piece is marked that some other lacks at its place; in the others what the first
    lacks. Past 4,000 words a text is compared as a whole.
    """
    pieces = [_pieces(text) for text in texts]
    first = [False] * len(pieces[0]) if pieces else []
    marked: list[Marked] = []
    for other in pieces[1:]:
        flags = [False] * len(other)
        for kind, a, b, c, d in SequenceMatcher(None, pieces[0], other, autojunk=False).get_opcodes():
            if kind != "equal":
                first[a:b] = [True] * (b - a)
                flags[c:d] = [True] * (d - c)
        marked.append(tuple(zip(other, flags, strict=True)))
    head = (tuple(zip(pieces[0], first, strict=True)),) if pieces else ()
    return (*head, *marked)


def marked_html(marked: Marked, *, first: bool, tokens: int | None = None) -> str:
    """Return safe HTML of one text; ``tokens`` says how many tuned vectors stand in the ``{soft}`` slot."""
    style = _GONE if first else _ADDED
    parts = []
    for text, differs in _merged(marked):
        if text == "{soft}":
            label = f"{tokens} tuned vectors" if tokens else "soft slot"
            body = f'<span style="{_CHIP}">{label}</span>'
        elif text.startswith("{") and text.endswith("}") and len(text) > 2:
            body = f'<span style="{_CHIP}">{escape(text)}</span>'
        else:
            body = escape(text).replace("\n", "<span style='opacity:.45'>&#8629;</span>\n")
        parts.append(f'<mark style="color:inherit;{style}">{body}</mark>' if differs and text.strip() else body)
    return f'<div style="{_BOX}">{"".join(parts)}</div>'


def _merged(marked: Marked) -> list[tuple[str, bool]]:
    """Join neighbours of one kind, so that a changed phrase is one mark; variables stay apart."""
    merged: list[tuple[str, bool]] = []
    for text, differs in marked:
        variable = text.startswith("{") and len(text) > 2
        before = merged[-1] if merged else None
        if before is not None and before[1] == differs and not variable and not _is_variable(before[0]):
            merged[-1] = (before[0] + text, differs)
        else:
            merged.append((text, differs))
    return merged


def _is_variable(text: str) -> bool:
    return re.fullmatch(r"\{\w+\}", text) is not None


def _pieces(text: str) -> list[str]:
    found = _PIECES.findall(text)
    return found if len(found) <= MAX_WORDS else [text]
