"""Weights over prompts and a number for each label, learnt together from few labelled cases.

The pool is ``combining``'s: log-probabilities weighted on the simplex, as in pFedMoAP's mixture of others' prompts
(Luo et al. 2024, arXiv 2410.10114), here without a network that makes the weights. Prior: the weights are pulled to
``towards`` (what other sites found) by relative entropy, as a Dirichlet prior's counts do; the bias is Normal(0,
1 / precision). Objective, in nats:

    - sum over cases of log p(answer)  +  pull * KL(weights || towards)  +  precision / 2 * sum over labels of bias^2

It is convex in weights and bias together. Newton's steps within a trust region (scipy's ``trust-exact``; Conn, Gould
and Toint 2000, chapter 7) minimise it from ``towards`` and no bias, over the logarithms of the weights. The curvature
leaves out a term that is zero at the minimum, as Gauss and Newton's does. With a pull above zero every weight that may
move is above zero, so the one point without a slope is the minimum. Invariants: the weights lie on the simplex; a
member whose part of ``towards`` is zero keeps it; without a case the answer is ``towards`` and no bias; never worse on
the objective than where it starts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from fedprompt.adapting.class_bias import centred, checked_answers, fit_bias
from fedprompt.adapting.combining import pooled
from fedprompt.adapting.log_probabilities import normalised

__all__ = ["Mixture", "checked_weights", "fit_mixture", "mixture_loss"]

MOST_STEPS = 200


@dataclass(frozen=True)
class Mixture:
    """``weights`` [members] on the simplex, ``bias`` [labels] with a mean of zero; both float64."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]


def fit_mixture(
    tables: NDArray[np.float64],
    answers: NDArray[np.int64],
    towards: NDArray[np.float64],
    *,
    pull: float,
    precision: float,
) -> Mixture:
    """Return the weights and the bias that cost least.

    Args:
        tables: [members, cases, labels] log-probabilities.
        answers: [cases], each a label's place.
        towards: [members] on the simplex.
        pull: at least 0; what a nat away from ``towards`` costs, in nats of the cases' loss.
        precision: above 0; how strongly the bias is pulled to zero, in cases' worth.

    Raises:
        ValueError: shapes do not fit, an answer is no label, or a number is out of its range.
    """
    known, wanted = normalised(tables), checked_weights(towards)
    if known.ndim != 3 or known.shape[0] != len(wanted):
        raise ValueError(f"weights of shape {wanted.shape} do not fit tables of shape {known.shape}")
    true = checked_answers(answers, *known.shape[1:])
    if not (np.isfinite(pull) and pull >= 0 and np.isfinite(precision) and precision > 0):
        raise ValueError(f"pull {pull} and precision {precision}: both are finite, at least 0 and above 0")
    moving = np.flatnonzero(wanted)
    if not len(true):
        return Mixture(wanted, np.zeros(known.shape[2]))
    if len(moving) == 1:
        return Mixture(wanted, fit_bias(known[moving[0]], true, precision=precision))
    weights, bias = _minimum(known[moving], true, wanted[moving], pull, precision)
    found = np.zeros(len(wanted))
    found[moving] = weights
    return Mixture(found, centred(bias))


def mixture_loss(
    tables: NDArray[np.float64],
    answers: NDArray[np.int64],
    mixture: Mixture,
    towards: NDArray[np.float64],
    *,
    pull: float,
    precision: float,
) -> float:
    """Return the objective at a mixture, in nats; infinity where a weight is above zero and its ``towards`` is zero."""
    known, used = normalised(tables), mixture.weights > 0
    if (used & (towards <= 0)).any():
        return float("inf")
    shares = log_softmax(pooled(known, mixture.weights) + mixture.bias, axis=1)
    away = float((mixture.weights[used] * np.log(mixture.weights[used] / towards[used])).sum())
    cost = -float(shares[np.arange(len(answers)), answers].sum())
    return cost + pull * away + precision / 2 * float(mixture.bias @ mixture.bias)


def checked_weights(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights that sum to one exactly enough.

    Raises:
        ValueError: there are none, one is below 0 or not a number, or their sum is not 1.
    """
    found = np.asarray(weights, dtype=np.float64)
    if found.ndim != 1 or not len(found) or not (np.isfinite(found).all() and (found >= 0).all()):
        raise ValueError("weights are at least one number, none below 0")
    if abs(found.sum() - 1) > 1e-6:
        raise ValueError(f"weights sum to 1, not to {found.sum():.6f}")
    result: NDArray[np.float64] = found / found.sum()
    return result


def _minimum(
    tables: NDArray[np.float64], true: NDArray[np.int64], towards: NDArray[np.float64], pull: float, precision: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    members, cases, labels = tables.shape
    flat, start, rows = tables.reshape(members, -1), np.log(towards), np.arange(cases)

    def loss(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights, bias, shares = answered(at)
        away = log_softmax(start + at[:members]) - start
        value = -shares[rows, true].sum() + pull * weights @ away + precision / 2 * bias @ bias
        wrong = np.exp(shares)
        wrong[rows, true] -= 1
        slope = flat @ wrong.ravel() + pull * away
        return float(value), np.concatenate([weights * (slope - weights @ slope), wrong.sum(axis=0) + precision * bias])

    def curvature(at: NDArray[np.float64]) -> NDArray[np.float64]:
        weights, _, shares = answered(at)
        chances = np.exp(shares)
        # How much each label's log-probability moves with a weight's logarithm.
        moves = weights[:, None, None] * (tables - (weights @ flat).reshape(cases, labels))
        means = np.einsum("kcl,cl->kc", moves, chances)
        found = np.empty((members + labels, members + labels))
        weighed = (moves * chances).reshape(members, -1)
        found[:members, :members] = weighed @ moves.reshape(members, -1).T - means @ means.T
        found[:members, :members] += pull * (np.diag(weights) - np.outer(weights, weights))
        found[:members, members:] = weighed.reshape(members, cases, labels).sum(axis=1) - means @ chances
        found[members:, :members] = found[:members, members:].T
        found[members:, members:] = np.diag(chances.sum(axis=0) + precision) - chances.T @ chances
        return found

    def answered(at: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        weights, bias = softmax(start + at[:members]), at[members:]
        return weights, bias, log_softmax((weights @ flat).reshape(cases, labels) + bias, axis=1)

    found = minimize(
        loss, np.zeros(members + labels), jac=True, hess=curvature, method="trust-exact",
        options={"maxiter": MOST_STEPS, "gtol": 1e-6, "max_trust_radius": 10.0},
    )  # fmt: skip
    return softmax(start + found.x[:members]), np.asarray(found.x[members:], dtype=np.float64)
