"""The output is the answer; exact match as in SQuAD (Rajpurkar et al. 2016, arXiv 1606.05250).

Normalised, case, Unicode composition, white space, and quotes and full stops around the text do not count;
unlike there, articles do.
"""

from dataclasses import dataclass

from fedprompt.evaluation.cases import normalise
from fedprompt.evaluation.scorers.scorer import Scored

__all__ = ["Exact"]

EDGES = " \t\n\r.,;:!?\"'`\u201c\u201d\u2018\u2019"


@dataclass(frozen=True)
class Exact:
    """1 if the output equals the answer, else 0; ``normalised=False`` compares character by character."""

    name: str = "exact"
    normalised: bool = True

    def score(self, output: str, answer: str) -> Scored:
        """Return 1.0 or 0.0, or None where there is no answer to compare with."""
        if self.normalised:
            output, answer = (normalise(text).strip(EDGES) for text in (output, answer))
        if not answer:
            return Scored(None, "the case has no answer to compare with")
        if not output:
            return Scored(0.0, "the output is empty")
        same = output == answer
        return Scored(float(same), "the output is the answer" if same else "the output is not the answer")
