"""The label that the model preferred is the answer; this is what ``accuracy`` counts."""

from dataclasses import dataclass

from fedprompt.evaluation.scorers.scorer import Scored

__all__ = ["Choice"]


@dataclass(frozen=True)
class Choice:
    """1 if the predicted label is the answer, to the character, else 0."""

    name: str = "choice"

    def score(self, output: str, answer: str) -> Scored:
        """Return 1.0 or 0.0, or None where no label was predicted or the case has none."""
        if not answer:
            return Scored(None, "the case has no label")
        if not output:
            return Scored(None, "no label was predicted")
        same = output == answer
        return Scored(float(same), "the predicted label is correct" if same else "another label was predicted")
