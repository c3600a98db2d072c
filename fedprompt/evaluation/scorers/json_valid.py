"""The output is JSON (RFC 8259), whatever it says."""

from dataclasses import dataclass

from fedprompt.evaluation.scorers.json_text import read_json
from fedprompt.evaluation.scorers.scorer import Scored

__all__ = ["JsonValid"]


@dataclass(frozen=True)
class JsonValid:
    """1 if the whole output is JSON, else 0; ``fenced`` allows a Markdown code fence around it."""

    name: str = "json"
    fenced: bool = False

    def score(self, output: str, answer: str) -> Scored:
        """Return 1.0 or 0.0, or None where it nests too deeply; the answer plays no part."""
        found = read_json(output, self.fenced)
        if found.problem:
            return Scored(0.0 if found.judged else None, found.problem)
        return Scored(1.0, "the output is JSON")
