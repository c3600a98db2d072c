"""Reads text as nothing but text: what looks like a control token in it is spelt, never obeyed.

``split_special_tokens`` of transformers leaves whole what a tokenizer adds without calling it special, such as
``<think>``; here every added token with a sign in it is spelt out. Words and white space that a tokenizer adds are
how its model reads such text, and stay. Text that follows a control token of a chat format is read without the
space that some tokenizers (Metaspace, ``prepend_scheme`` first) put before the first word alone.
"""

import copy
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

__all__ = ["Marker", "PlainReader"]

WORDLY = frozenset("\u2581-'_")  # beside letters, marks, digits and white space: what a mere word is made of


@dataclass(frozen=True)
class Marker:
    """An added token that is no word: its id, and whether it takes in the white space before or after it."""

    id: int
    takes_before: bool
    takes_after: bool


class PlainReader:
    """Wraps a Hugging Face fast tokenizer; ``markers`` are its control tokens by their text."""

    def __init__(self, tokenizer: Any) -> None:
        added = {int(number): token for number, token in tokenizer.added_tokens_decoder.items()}
        self.markers = {
            str(token.content): Marker(number, bool(token.lstrip), bool(token.rstrip))
            for number, token in added.items()
            if _is_marker(str(token.content))
        }
        # A tokenizer's token for what it does not know may stand in any text.
        self._ids = {marker.id for marker in self.markers.values()} - {tokenizer.unk_token_id}
        kept = [token for token in added.values() if not token.special and str(token.content) in self.markers]
        self._first = _spelling(tokenizer.backend_tokenizer, kept) if kept else tokenizer.backend_tokenizer
        self._later = _unspaced(self._first)

    def read(self, texts: Sequence[str], *, later: bool = False) -> list[tuple[int, ...]]:
        """Return each text's tokens; ``later`` texts follow a control token instead of beginning a text."""
        backend = self._later if later else self._first
        backend.no_padding()
        backend.no_truncation()
        backend.encode_special_tokens = True
        found = [tuple(one.ids) for one in backend.encode_batch_fast(list(texts), add_special_tokens=False)]
        return [
            ids if self._ids.isdisjoint(ids) else self._cut(text, later) for text, ids in zip(texts, found, strict=True)
        ]

    def _cut(self, text: str, later: bool) -> tuple[int, ...]:
        """Read a text in which the vocabulary itself holds a marker (Unigram), cut after each one's first character."""
        whole = (self._later if later else self._first).encode(text, add_special_tokens=False)
        hits = [start + 1 for token, (start, _) in zip(whole.ids, whole.offsets, strict=True) if token in self._ids]
        cuts = sorted({at for at in hits if at < len(text)})
        if not cuts:
            return tuple(whole.ids)
        parts = [text[start:stop] for start, stop in pairwise((0, *cuts, len(text)))]
        return tuple(token for place, part in enumerate(parts) for token in self._cut(part, later or place > 0))


def _is_marker(content: str) -> bool:
    """Return whether an added token is more than a word, a number or white space."""
    return len(content) > 1 and any(
        not (letter.isspace() or letter in WORDLY or unicodedata.category(letter)[0] in "LMN") for letter in content
    )


def _spelling(backend: Any, tokens: Sequence[Any]) -> Any:
    """Return a copy of a tokenizer in which some added tokens count as special, so that they are spelt as those are."""
    from tokenizers import AddedToken

    made = copy.deepcopy(backend)
    made.add_special_tokens([AddedToken(token.content, normalized=token.normalized, special=True) for token in tokens])
    return made


def _unspaced(backend: Any) -> Any:
    """Return a tokenizer that puts no space before a text where this one does so at the first word alone."""
    from tokenizers import Tokenizer

    body = json.loads(backend.to_str()) if "prepend_scheme=first" in repr(backend.pre_tokenizer) else {}
    step = body.get("pre_tokenizer") or {}
    steps = [one for one in (step, *step.get("pretokenizers", ())) if one.get("prepend_scheme") == "first"]
    if not steps:
        return backend
    for one in steps:
        one["prepend_scheme"] = "never"
    return Tokenizer.from_str(json.dumps(body))
