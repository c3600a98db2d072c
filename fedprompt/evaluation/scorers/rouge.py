"""The longest common subsequence of words: ROUGE-L (Lin 2004, ACL workshop W04-1013, section 3), by rouge-score.

That package counts letters a to z and digits as words and nothing else, so a case whose answer has none is not judged.
"""

import re
from dataclasses import dataclass
from typing import Literal

from fedprompt.evaluation.scorers.package import package
from fedprompt.evaluation.scorers.scorer import Resources, Scored

__all__ = ["RougeL"]

MAX_CELLS = 4_000_000  # of the table of subsequences: a second or two
_WORDS = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class RougeL:
    """ROUGE-L of the output against the answer.

    Args:
        measure: F1, or the share of the output's words (precision) or of the answer's (recall).
        stem: words are compared by their stem (Porter 1980).
    """

    name: str = "rouge-l"
    measure: Literal["f1", "precision", "recall"] = "f1"
    stem: bool = False

    def prepared(self, resources: Resources) -> "RougeL":
        """Return itself once its package is there.

        Raises:
            ModelError: rouge-score is not installed.
        """
        package("rouge_score.rouge_scorer", scorer=self.name)
        return self

    def score(self, output: str, answer: str) -> Scored:
        """Return a value in [0, 1], or None where the answer has no words or both texts are very long."""
        found, wanted = (len(_WORDS.findall(text.lower())) for text in (output, answer))
        if not wanted:
            return Scored(None, "the case's answer has no words that ROUGE counts")
        if not found:
            return Scored(0.0, "the output has no words that ROUGE counts")
        if found * wanted > MAX_CELLS:
            return Scored(None, "output and answer are too long to compare")
        rouge = package("rouge_score.rouge_scorer", scorer=self.name).RougeScorer(["rougeL"], use_stemmer=self.stem)
        each = rouge.score(answer, output)["rougeL"]
        value = float({"f1": each.fmeasure, "precision": each.precision, "recall": each.recall}[self.measure])
        return Scored(min(1.0, value), "compared by the longest common subsequence of words")
