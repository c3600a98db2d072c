"""What heads need at a site: the sentence encoder, the site's cases as its vectors, and the secret of the noise.

Invariant: the encoder is loaded when a head is first asked for, and each case is encoded once.
"""

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import ModelError
from fedprompt.evaluation.scorers.scorer import Resources
from fedprompt.evaluation.splits.cutting import Splits
from fedprompt.models.protocols import Encoder
from fedprompt.prompts.head import text_of
from fedprompt.study.schema import Study
from fedprompt.study.score import SplitName

__all__ = ["ForHeads"]


class ForHeads:
    """Implements ``verbs.verb.EncodedSide``; ``secret`` is what the noise follows from, and nobody else knows it."""

    def __init__(self, resources: Resources, splits: Splits, study: Study, secret: bytes) -> None:
        self._resources, self._splits, self._study, self.secret = resources, splits, study, secret
        self._encoded: dict[SplitName, NDArray[np.float32]] = {}

    def encoder(self) -> Encoder:
        """Return the bundled sentence encoder, loaded here for the first time.

        Raises:
            AssetError, ModelError: it is not there, or cannot be loaded.
        """
        if self._resources.encoder is None:
            raise ModelError("a head needs the sentence encoder, which is missing", code="assets-not-ready")
        return self._resources.encoder()

    def encoded(self, split: SplitName) -> NDArray[np.float32]:
        """Return [cases, width], the encoder's vectors of a split's cases.

        Raises:
            AssetError, ModelError: as :meth:`encoder`.
        """
        if split not in self._encoded:
            texts = [text_of(case.fields, self._study.fields) for case in self._splits.cases(split)]
            self._encoded[split] = self.encoder().encode(texts)
        return self._encoded[split]
