"""A regular expression is found in the output; with ``compare``, what it finds is the answer.

The pattern comes with the study and is bounded as ``bounded_pattern`` says.
"""

from dataclasses import dataclass

from fedprompt.evaluation.cases import normalise
from fedprompt.evaluation.scorers.bounded_pattern import PatternTimeout, SafePattern, finds
from fedprompt.evaluation.scorers.scorer import Scored

__all__ = ["Pattern"]


@dataclass(frozen=True)
class Pattern:
    """1 if the pattern is found in the output, else 0.

    Args:
        pattern: in the syntax of Python's ``regex`` package.
        whole: the pattern must be the whole output, not a part of it.
        ignore_case: capitals do not matter.
        compare: what is found (its first group, if it has one) must equal the answer, both normalised.
    """

    pattern: SafePattern
    name: str = "regex"
    whole: bool = False
    ignore_case: bool = False
    compare: bool = False

    def score(self, output: str, answer: str) -> Scored:
        """Return 1.0 or 0.0, or None where the search took too long or there is no answer to compare with."""
        if self.compare and not answer.strip():
            return Scored(None, "the case has no answer to compare with")
        try:
            found = finds(self.pattern, output, whole=self.whole, ignore_case=self.ignore_case)
        except PatternTimeout:
            return Scored(None, "the pattern took too long", passing=True)
        if found is None:
            return Scored(0.0, "the pattern does not match")
        if not self.compare:
            return Scored(1.0, "the pattern matches")
        taken = (found.group(1) if found.re.groups else found.group()) or ""
        same = normalise(taken) == normalise(answer)
        return Scored(float(same), "the match is the answer" if same else "the match is not the answer")
