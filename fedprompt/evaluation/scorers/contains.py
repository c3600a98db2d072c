"""The output holds the answer, as whole words unless told otherwise, so that "no" is not found in "know"."""

import re
from dataclasses import dataclass

from fedprompt.evaluation.cases import normalise
from fedprompt.evaluation.scorers.scorer import Scored

__all__ = ["Contains"]


@dataclass(frozen=True)
class Contains:
    """1 if the answer occurs in the output, else 0; both normalised unless ``normalised=False``."""

    name: str = "contains"
    normalised: bool = True
    whole_words: bool = True

    def score(self, output: str, answer: str) -> Scored:
        """Return 1.0 or 0.0, or None where there is no answer to look for."""
        if self.normalised:
            output, answer = normalise(output), normalise(answer)
        if not answer.strip():
            return Scored(None, "the case has no answer to look for")
        if not output.strip():
            return Scored(0.0, "the output is empty")
        word = re.escape(answer)
        found = re.search(rf"(?<!\w){word}(?!\w)" if self.whole_words else word, output) is not None
        return Scored(float(found), "the output holds the answer" if found else "the output does not hold the answer")
