"""Word n-grams of the output that the answer has: BLEU (Papineni et al. 2002, ACL P02-1040), by sacrebleu.

A case's own BLEU, smoothed (exponential, Chen and Cherry 2014, W14-3346) and with the effective order where a text
has fewer than four words. A mean of these is not the BLEU of a corpus; compare it only with other such means.
"""

from dataclasses import dataclass
from typing import Literal

from fedprompt.evaluation.scorers.package import package
from fedprompt.evaluation.scorers.scorer import Resources, Scored

__all__ = ["Bleu"]


@dataclass(frozen=True)
class Bleu:
    """Sentence BLEU of one output against one answer, between 0 and 1.

    Args:
        tokenize: how texts are cut into words: ``13a`` as in the WMT's script, ``intl`` for other scripts than Latin,
            ``zh`` for Chinese, ``char`` for characters, ``none`` where words are already apart.
        lowercase: capitals do not matter.
    """

    name: str = "bleu"
    tokenize: Literal["13a", "intl", "zh", "char", "none"] = "13a"
    lowercase: bool = False

    def prepared(self, resources: Resources) -> "Bleu":
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
        metric = package("sacrebleu.metrics", scorer=self.name).BLEU(
            tokenize=self.tokenize, lowercase=self.lowercase, effective_order=True
        )
        value = metric.sentence_score(output, [answer]).score / 100
        return Scored(min(1.0, max(0.0, float(value))), "compared by word n-grams")
