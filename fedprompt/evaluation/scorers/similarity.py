"""Output and answer mean the same: the cosine of their sentence embeddings (Reimers and Gurevych 2019, 1908.10084).

The encoder is the machine's own asset, so a study cannot name a folder. A cosine below zero counts as zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fedprompt.errors import ModelError
from fedprompt.evaluation.scorers.scorer import Resources, Sample, Scored, Scorer
from fedprompt.models.protocols import Encoder

__all__ = ["Similarity"]


@dataclass(frozen=True)
class Similarity:
    """The cosine between 0 and 1; give it a threshold to make it a yes or no."""

    name: str = "similarity"

    def score(self, output: str, answer: str) -> Scored:
        """Return None: without an encoder nothing can be said."""
        return Scored(None, "there is no encoder")

    def prepared(self, resources: Resources) -> Scorer:
        """Return a scorer with the machine's encoder.

        Raises:
            ModelError: the machine gives none.
            AssetError: the encoder is not ready.
        """
        if resources.encoder is None:
            raise ModelError(
                f"the scorer '{self.name}' needs the sentence encoder, which is missing; run 'fedprompt assets pull'",
                code="assets-not-ready",
            )
        return _Encoded(resources.encoder(), self.name)


@dataclass(frozen=True)
class _Encoded:
    encoder: Encoder
    name: str

    def score(self, output: str, answer: str) -> Scored:
        return self.score_all([Sample(output, answer)])[0]

    def score_all(self, samples: Sequence[Sample]) -> tuple[Scored, ...]:
        texts = sorted(
            {text for s in samples if s.output.strip() and s.answer.strip() for text in (s.output, s.answer)}
        )
        row = {text: place for place, text in enumerate(texts)}
        vectors = self.encoder.encode(texts).astype(np.float64) if texts else np.zeros((0, 1))
        found = []
        for sample in samples:
            if not sample.answer.strip():
                found.append(Scored(None, "the case has no answer to compare with"))
            elif not sample.output.strip():
                found.append(Scored(0.0, "the output is empty"))
            else:
                cosine = float(vectors[row[sample.output]] @ vectors[row[sample.answer]])
                found.append(Scored(min(1.0, max(0.0, cosine)), "compared by their meaning"))
        return tuple(found)
