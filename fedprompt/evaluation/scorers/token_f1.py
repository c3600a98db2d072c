"""Words that output and answer share: F1 as in SQuAD (Rajpurkar et al. 2016, arXiv 1606.05250, section 6.1).

As in its script, capitals, punctuation, articles and white space do not count.
"""

import re
import string
from collections import Counter
from dataclasses import dataclass

from fedprompt.evaluation.scorers.scorer import Scored

__all__ = ["TokenF1"]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class TokenF1:
    """The harmonic mean of the shares of shared words in the output and in the answer."""

    name: str = "token-f1"

    def score(self, output: str, answer: str) -> Scored:
        """Return a value in [0, 1], or None where there is no answer to compare with."""
        if not answer.strip():
            return Scored(None, "the case has no answer to compare with")
        found, wanted = _words(output), _words(answer)
        if not found or not wanted:
            return Scored(float(found == wanted), "output or answer has no words that count")
        shared = (Counter(found) & Counter(wanted)).total()
        value = 2 * shared / (len(found) + len(wanted))
        if value in (0.0, 1.0):
            return Scored(value, "no word is the answer's" if value == 0 else "the words are the answer's")
        return Scored(value, "some words are the answer's")


def _words(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()
