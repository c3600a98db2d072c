"""Words of which one's tokens begin another's: an answer is the longest word that the text begins with.

A longer word's likelihood is its beginning's times that of the rest, so compared as they stand the longer one could
never win. Each word therefore keeps only the texts in which no longer word goes on from it: its probability, less
those of the words that its tokens begin. Invariant: the words then stand for texts of which none counts twice, so that
their probabilities add up to one at most; words that begin no other keep theirs to the bit. Decision 29 says why.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import ModelError
from fedprompt.study.labels import likeness

__all__ = ["LEAST", "Nested", "apart", "longer_words", "may_nest", "untold"]

Token = TypeVar("Token", int, str)
LEAST = 1e-6  # of a word's probability is left to it at the least, so that its logarithm is a number


@dataclass(frozen=True)
class Nested:
    """What a tokenizer makes of some words, by their places.

    ``pairs``: (shorter, longer) where the one's tokens begin the other's; ``same``: pairs of equal tokens, which
    nothing tells apart.
    """

    pairs: tuple[tuple[int, int], ...] = ()
    same: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, paths: Sequence[tuple[Token, ...]]) -> "Nested":
        """Return what words with these tokens are to each other."""
        # In order, what begins any other begins the next one: most sets of words are done with here.
        if not any(after[: len(one)] == one for one, after in pairwise(sorted(paths))):
            return cls()
        places = range(len(paths))
        found = [(a, b) for a in places for b in places if a != b and paths[b][: len(paths[a])] == paths[a]]
        pairs = tuple((a, b) for a, b in found if len(paths[a]) < len(paths[b]))
        return cls(pairs, tuple((a, b) for a, b in found if a < b and len(paths[a]) == len(paths[b])))


def longer_words(paths: Sequence[tuple[Token, ...]]) -> tuple[tuple[int, ...], ...]:
    """Return for each word the places of those that its tokens begin, without any that begin with another of these."""
    pairs = set(Nested.of(paths).pairs)
    begun = [[b for a, b in sorted(pairs) if a == place] for place in range(len(paths))]
    return tuple(tuple(b for b in own if not any((c, b) in pairs for c in own)) for own in begun)


def apart(values: NDArray[np.float64], longer: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Return log-likelihoods [words] of texts that begin with a word and with none of its longer ones."""
    found = values.copy()
    for place, own in enumerate(longer):
        if own:
            left = 1.0 - float(np.exp(values[list(own)] - values[place]).sum())
            found[place] += np.log(max(left, 0.0) + LEAST)
    return found


def may_nest(words: Sequence[str]) -> bool:
    """Return whether some tokenizer may read one word as the beginning of another, told by their text."""
    plain = sorted(likeness(word) for word in words)
    return any(after.startswith(one) for one, after in pairwise(plain))


def untold(words: Sequence[str], nested: Nested) -> ModelError:
    """Return the error for words of equal tokens."""
    one, other = (words[place] for place in nested.same[0])
    return ModelError(
        f"the label words {one!r} and {other!r} are the same tokens for this model's tokenizer, so it cannot "
        "distinguish these labels; give one of them another word under 'words:'",
        code="same-tokens",
    )
