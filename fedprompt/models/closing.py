"""Words of which one's tokens begin another's are closed by what follows an answer, so that each can be the likeliest.

A longer word's likelihood is its beginning's times that of the rest, so it is never above its beginning's. With an
ending after both, the shorter one must be likely to stop where it stops. Invariant: either every word of a query has
the same ending or none has, and with it no word begins another. How to choose the ending: decision 29.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from fedprompt.errors import ModelError

__all__ = ["END_OF_TEXT", "END_OF_TURN", "LINE_BREAK", "Closing", "Ending", "begin_one_another", "ending_of", "untold"]

Token = TypeVar("Token", int, str)
LINE_BREAK, END_OF_TURN, END_OF_TEXT = "a line break", "the end of the turn", "the end of the text"


@dataclass(frozen=True)
class Ending:
    """What closes a word: ``text``, read as one with the word, then the control tokens ``ids``; ``name`` in words."""

    name: str
    text: str
    ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Closing:
    """What a tokenizer makes of a template's words, by their places among them.

    ``pairs``: (shorter, longer) where the one's tokens begin the other's; ``same``: pairs of equal tokens, which no
    ending tells apart; ``ending``: what every word is closed by, None where no word begins another or nothing helps.
    """

    pairs: tuple[tuple[int, int], ...] = ()
    same: tuple[tuple[int, int], ...] = ()
    ending: Ending | None = None

    @classmethod
    def of(cls, paths: Sequence[tuple[Token, ...]], ending: Ending | None) -> "Closing":
        """Return what words with these tokens are to each other."""
        if not begin_one_another(paths):
            return cls()
        places = range(len(paths))
        near = [(a, b) for a in places for b in places if a != b and paths[b][: len(paths[a])] == paths[a]]
        pairs = tuple((a, b) for a, b in near if len(paths[a]) < len(paths[b]))
        return cls(pairs, tuple((a, b) for a, b in near if a < b and len(paths[a]) == len(paths[b])), ending)


def begin_one_another(paths: Sequence[tuple[Token, ...]]) -> bool:
    """Return whether one of the words has the tokens that another begins with, or all of them."""
    # In order, what begins any other begins the next one.
    return any(after[: len(one)] == one for one, after in pairwise(sorted(paths)))


def ending_of(text: str) -> Ending:
    """Return the ending that a text after an answer makes."""
    return Ending(LINE_BREAK if text == "\n" else f"the text {text!r}", text)


def untold(words: Sequence[str], closing: Closing) -> ModelError:
    """Return the error for words that stay alike whatever follows them."""
    one, other = (words[place] for place in (*closing.same, *closing.pairs)[0])
    alike = "are the same tokens" if closing.same else "begin alike, and nothing that may follow is read apart from them"
    return ModelError(
        f"the label words {one!r} and {other!r} {alike} to this model's tokenizer, so it cannot tell these labels "
        "apart; give one of them another word under 'words:'"
    )
