"""What a prompt says where there is nothing to say, taken off its answers: calibration that needs no label.

Contextual calibration (Zhao et al. 2021, arXiv 2102.09690, section 5), by the mean of the probabilities that
content-free texts are given. It is what makes few-shot prompts usable, whose answers lean to the labels that were
shown last.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from fedprompt.adapting.class_bias import centred
from fedprompt.adapting.log_probabilities import normalised

__all__ = ["content_free_bias"]


def content_free_bias(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [labels], what makes the answers to content-free texts even; its mean is zero.

    Args:
        table: [texts, labels] log-probabilities of at least one content-free text.

    Raises:
        ValueError: there is no text, or a value is not a number.
    """
    known = normalised(table)
    if known.ndim != 2 or not len(known):
        raise ValueError("calibration needs at least one content-free text")
    return centred(-np.asarray(logsumexp(known, axis=0), dtype=np.float64))
