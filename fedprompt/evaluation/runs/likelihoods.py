"""What a label's log-likelihood is divided by, and what is taken off it, before the largest is the answer.

``normalise``: none, by ``tokens`` (Brown et al. 2020, arXiv 2005.14165, section 2.4) or by ``characters``, as
lm-evaluation-harness's ``acc_norm``. ``prior``: none, ``pmi`` (domain-conditional mutual information, Holtzman
et al. 2021, arXiv 2104.08315, eq. 3, the domain premise being the template with empty fields), or ``contextual``
(calibration by content-free inputs, Zhao et al. 2021, arXiv 2102.09690, section 5).
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

__all__ = ["CONTENT_FREE", "LabelReading", "Normalise", "Prior", "adjusted", "premises"]

Normalise = Literal["none", "tokens", "characters"]
Prior = Literal["none", "pmi", "contextual"]

CONTENT_FREE = ("N/A", "", "[MASK]")  # the three of Zhao et al.


class LabelReading(Protocol):
    """How label likelihoods are read, as a study's answer says it."""

    @property
    def normalise(self) -> Normalise:
        """What a log-likelihood is divided by."""

    @property
    def prior(self) -> Prior:
        """What is taken off it."""


def premises(answer: LabelReading) -> tuple[str, ...]:
    """Return the texts that stand in every field where the prior is measured; none where it is not."""
    return {"none": (), "pmi": ("",), "contextual": CONTENT_FREE}[answer.prior]


def adjusted(
    answer: LabelReading,
    values: NDArray[np.float64],
    lengths: NDArray[np.float64],
    words: Sequence[Sequence[str]],
    prior: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return the scores to compare, [cases, prompts, words] float64.

    Args:
        values: log-likelihoods, [cases, prompts, words].
        lengths: in tokens, same shape.
        words: each prompt's words.
        prior: log-likelihoods where a premise stands for the case, [premises, prompts, words].
    """
    if prior is not None and answer.prior == "pmi":
        values = values - prior[0][None]
    elif prior is not None and answer.prior == "contextual":
        share = log_softmax(prior, axis=-1)
        values = log_softmax(values, axis=-1) - (logsumexp(share, axis=0) - np.log(len(share)))[None]
    if answer.normalise == "tokens":
        return values / lengths
    if answer.normalise == "characters":
        sizes = np.array([[max(1, len(word.strip())) for word in own] for own in words], dtype=np.float64)
        found: NDArray[np.float64] = values / sizes[None]
        return found
    return values
