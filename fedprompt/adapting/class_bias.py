"""A number for each label, learnt from few labelled cases: what a prompt says too often, and how common a label is.

Fixing a language model's answers by an offset for each label is contextual calibration (Zhao et al. 2021, arXiv
2102.09690); here it is the maximum a posteriori from labelled cases: multinomial logistic regression with the table
as its offset. Prior: each number is Normal(0, 1 / precision). Objective, in nats:

    - sum over cases of log p(answer)  +  precision / 2 * sum over labels of bias^2

It is strictly convex, so there is one minimum, and Newton's steps within a trust region (scipy's ``trust-exact``)
find it from zero. Invariants: the numbers sum to zero (a shared constant costs and gains nothing); without a case they
are zero; a label that never occurs gets a finite number.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from fedprompt.adapting.log_probabilities import normalised

__all__ = ["centred", "checked_answers", "fit_bias", "fit_bias_to"]

MOST_STEPS = 100


def fit_bias(table: NDArray[np.float64], answers: NDArray[np.int64], *, precision: float) -> NDArray[np.float64]:
    """Return [labels] float64, the numbers to add to each label's log-probability.

    Args:
        table: [cases, labels] log-probabilities.
        answers: [cases], each a label's place.
        precision: above 0; how strongly the numbers are pulled to zero, in cases' worth.

    Raises:
        ValueError: the shapes do not fit, an answer is no label, or the precision is not above 0.
    """
    labels = np.shape(table)[-1]
    true = checked_answers(answers, len(table), labels)
    return fit_bias_to(table, np.eye(labels)[true], precision=precision)


def fit_bias_to(table: NDArray[np.float64], shares: NDArray[np.float64], *, precision: float) -> NDArray[np.float64]:
    """Return [labels] as ``fit_bias`` does, for cases of which each label is an answer by its share.

    Args:
        table: [cases, labels] log-probabilities.
        shares: [cases, labels], each row on the simplex.
        precision: above 0.

    Raises:
        ValueError: the shapes do not fit, a share is below 0 or not finite, or the precision is not above 0.
    """
    known = normalised(table)
    if known.ndim != 2 or known.shape != shares.shape or not (np.isfinite(shares).all() and (shares >= 0).all()):
        raise ValueError(f"answers of shape {shares.shape} do not fit a table of shape {known.shape}")
    if not (np.isfinite(precision) and precision > 0):
        raise ValueError(f"the precision of a bias is above 0, not {precision}")
    cases, labels = known.shape
    if not cases:
        return np.zeros(labels)
    counts, whole = shares.sum(axis=0), shares.sum(axis=1, keepdims=True)

    def loss(bias: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logs = log_softmax(known + bias, axis=1)
        value = -(shares * logs).sum() + precision / 2 * bias @ bias
        return float(value), (whole * np.exp(logs)).sum(axis=0) - counts + precision * bias

    def curvature(bias: NDArray[np.float64]) -> NDArray[np.float64]:
        chances = softmax(known + bias, axis=1)
        weighed = whole * chances
        found: NDArray[np.float64] = np.diag(weighed.sum(axis=0)) - weighed.T @ chances + precision * np.eye(labels)
        return found

    found = minimize(
        loss, np.zeros(labels), jac=True, hess=curvature, method="trust-exact",
        options={"maxiter": MOST_STEPS, "gtol": 1e-8},
    )  # fmt: skip
    return centred(np.asarray(found.x, dtype=np.float64))


def centred(bias: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the same bias with a mean of zero: what it says does not change."""
    found: NDArray[np.float64] = bias - bias.mean()
    return found


def checked_answers(answers: NDArray[np.int64], cases: int, labels: int) -> NDArray[np.int64]:
    """Return the answers as int64.

    Raises:
        ValueError: there is not one a case, or one is no label.
    """
    found = np.asarray(answers)
    if found.shape != (cases,) or (cases and not np.issubdtype(found.dtype, np.integer)):
        raise ValueError(f"{cases} cases need as many answers, each a label's place; got shape {found.shape}")
    if cases and not (found.min() >= 0 and found.max() < labels):
        raise ValueError(f"an answer is no place among {labels} labels")
    return found.astype(np.int64)
