"""Losses over the labels' scores that are no plain cross-entropy with the answers: shares as targets, an offset.

    - sum over labels of share * log softmax(scores + offset)

Shares are what another model answers (Hinton, Vinyals and Dean 2015, arXiv 1503.02531, section 2) or the answers
themselves. An offset of the logarithm of how common each label is takes that out of what is tuned: the scores learn
what texts say beyond it (logit adjustment: Menon et al. 2021, arXiv 2007.07314, equation 10; in federations FedLC,
arXiv 2209.00189, and FedRoD, arXiv 2107.00778, section 4). Invariant: with the answers as shares and no offset the loss
and its slopes are the plain ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from fedprompt.models.protocols import LabelSlopes

__all__ = ["ShareLoss", "prior_free_loss"]


@dataclass(frozen=True)
class ShareLoss:
    """Implements ``LabelLoss``; ``shares``: [cases, labels], each row on the simplex, ``offset``: [labels].

    Raises:
        ValueError: the shapes do not fit, a number is not finite, or a share is below 0.
    """

    shares: NDArray[np.float64]
    offset: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.shares.ndim != 2 or self.offset.shape != self.shares.shape[1:]:
            raise ValueError(f"an offset of shape {self.offset.shape} does not fit shares of {self.shares.shape}")
        if not (np.isfinite(self.offset).all() and np.isfinite(self.shares).all() and (self.shares >= 0).all()):
            raise ValueError("shares and offset are finite, and no share is below 0")

    def __call__(self, scores: NDArray[np.float64], rows: Sequence[int]) -> LabelSlopes:
        """Return the losses of the cases ``rows`` at ``scores`` ([cases, labels]), and their slopes."""
        wanted = self.shares[list(rows)]
        logs = log_softmax(scores + self.offset, axis=1)
        slopes: NDArray[np.float64] = np.exp(logs) * wanted.sum(axis=1, keepdims=True) - wanted
        return LabelSlopes(-(wanted * logs).sum(axis=1), slopes)


def prior_free_loss(answers: NDArray[np.int64], labels: int) -> ShareLoss:
    """Return the cross-entropy with the answers, the log share of each label among them added to its score.

    A label that never occurs counts as one case (Laplace's rule), as does each of the others beside its own.

    Args:
        answers: [cases], each a label's place.
        labels: how many there are.
    """
    counts = np.bincount(answers, minlength=labels) + 1.0
    return ShareLoss(np.eye(labels)[answers], np.log(counts / counts.sum()))
