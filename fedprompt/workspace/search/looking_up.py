"""Finding prompts by what a visitor types: words of name or text, the beginning of an id, or a tag. The store looks."""

import re
from dataclasses import replace

from fedprompt.bank.filters import Filter
from fedprompt.bank.tags import split_tag
from fedprompt.errors import BankError

__all__ = ["HOW", "LONGEST", "Filter", "typed_filter"]

LONGEST = 200
HOW = "Words of the name or text, the start of an id (p1:3f9c), or a tag (sentiment@staging, or @staging)."
_ID = re.compile(r"p1:[0-9a-f]{0,32}")


def typed_filter(text: str, wanted: Filter) -> Filter:
    """Return a filter narrowed to what was typed; without anything, as it is.

    What is neither an id's beginning nor a tag is words, each the beginning of one in the prompt's name or text.
    """
    text = text.strip()[:LONGEST]
    if _ID.fullmatch(text):
        return replace(wanted, begins=text)
    if "@" in text and _is_tag(text):
        return replace(wanted, tag=text.removeprefix("@"))
    return replace(wanted, words=text or None)


def _is_tag(text: str) -> bool:
    try:
        split_tag(f"any{text}" if text.startswith("@") else text)
    except BankError:
        return False
    return True
