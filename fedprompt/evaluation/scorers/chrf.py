"""Character n-grams that output and answer share: chrF (Popovic 2015, WMT W15-3049), by sacrebleu.

``word_order: 2`` gives chrF++ (Popovic 2017, WMT W17-4770).
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from fedprompt.evaluation.scorers.package import package
from fedprompt.evaluation.scorers.scorer import Resources, Scored

__all__ = ["ChrF"]


@dataclass(frozen=True)
class ChrF:
    """chrF of one output against one answer, between 0 and 1.

    Args:
        word_order: longest word n-gram; 0 for chrF, 2 for chrF++.
        beta: how many times as much recall counts as precision.
        lowercase: capitals do not matter.
    """

    name: str = "chrf"
    word_order: Annotated[int, Field(ge=0, le=4)] = 0
    beta: Annotated[int, Field(ge=1, le=10)] = 2
    lowercase: bool = False

    def prepared(self, resources: Resources) -> "ChrF":
        """Return itself once its package is there.

        Raises:
            ModelError: sacrebleu is not installed.
        """
        package("sacrebleu.metrics", scorer=self.name)
        return self

    def score(self, output: str, answer: str) -> Scored:
        """Return a value in [0, 1], or None where there is no answer to compare with."""
        if not answer.strip():
            return Scored(None, "the case has no answer to compare with")
        if not output.strip():
            return Scored(0.0, "the output is empty")
        metric = package("sacrebleu.metrics", scorer=self.name).CHRF(
            word_order=self.word_order, beta=self.beta, lowercase=self.lowercase
        )
        value = metric.sentence_score(output, [answer]).score / 100
        return Scored(min(1.0, max(0.0, float(value))), "compared by character n-grams")
