"""How common each label is at home, from texts without labels, and the bias that follows.

By Bayes, if texts of one label are alike everywhere and only the labels' shares differ, then p_home(label | text) is
proportional to p(label | text) * target(label) / source(label). The shares at home are the maximum likelihood of the
texts, found by expectation-maximisation (Saerens, Latinne and Decaestecker 2002, Neural Computation 14:21-41), and that
needs calibrated probabilities: a temperature and a bias, learnt from labelled cases, of donors where home has none
(bias-corrected temperature scaling; Alexandari, Kundaje and Shrikumar 2020, arXiv 1901.06852, section 3). Priors: the
inverse temperature is Normal(1, 1) and above zero, each number of the bias is Normal(0, 1); the shares are Dirichlet
around the source's, as if ``pull`` texts had been seen there, so that few texts move little. Answers are never pulled
to balanced classes.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from fedprompt.adapting.calibration import HIGHEST, LOWEST, Calibration
from fedprompt.adapting.class_bias import centred, checked_answers
from fedprompt.adapting.log_probabilities import normalised
from fedprompt.adapting.mixture import checked_weights

__all__ = ["fit_calibration", "shift_bias", "target_shares", "unlabelled_bias"]

SMALLEST_SHARE = 1e-4  # a label that donors never saw may still occur at home
MOST_STEPS = 1000
CLOSE_ENOUGH = 1e-9


def fit_calibration(table: NDArray[np.float64], answers: NDArray[np.int64]) -> Calibration:
    """Return the calibration under which the answers are likeliest, up to its prior; without a case, none.

    The objective is convex in the inverse temperature and the bias.

    Args:
        table: [cases, labels] log-probabilities.
        answers: [cases], each a label's place.

    Raises:
        ValueError: the shapes do not fit, or an answer is no label.
    """
    known = normalised(table)
    if known.ndim != 2:
        raise ValueError(f"a table is [cases, labels], not of shape {known.shape}")
    cases, labels = known.shape
    true = checked_answers(answers, cases, labels)
    rows = np.arange(cases)

    def loss(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        inverse, bias = at[0], at[1:]
        shares = log_softmax(inverse * known + bias, axis=1)
        value = -shares[rows, true].sum() + (inverse - 1) ** 2 / 2 + bias @ bias / 2
        wrong = np.exp(shares)
        wrong[rows, true] -= 1
        return float(value), np.concatenate([[(known * wrong).sum() + inverse - 1], wrong.sum(axis=0) + bias])

    start = np.concatenate([[1.0], np.zeros(labels)])
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[(1 / HIGHEST, 1 / LOWEST)] + [(None, None)] * labels,
        options={"maxiter": MOST_STEPS, "ftol": 1e-13, "gtol": 1e-7},
    )  # fmt: skip
    bias = centred(np.clip(found.x[1:], -25, 25))
    return Calibration(temperature=float(np.clip(1 / found.x[0], LOWEST, HIGHEST)), bias=tuple(bias.tolist()))


def target_shares(table: NDArray[np.float64], source: NDArray[np.float64], *, pull: float) -> NDArray[np.float64]:
    """Return [labels], the shares at home, on the simplex.

    Args:
        table: [cases, labels] calibrated log-probabilities of home's texts, never of test texts.
        source: [labels], the shares where the calibration was learnt, on the simplex.
        pull: at least 0; how many texts the source's shares count as.

    Raises:
        ValueError: shapes do not fit, or a number is out of its range.
    """
    before = _smoothed(source)
    known = normalised(table)
    if known.ndim != 2 or known.shape[1] != len(before):
        raise ValueError(f"shares of {len(before)} labels do not fit a table of shape {known.shape}")
    if not (np.isfinite(pull) and pull >= 0):
        raise ValueError(f"the pull to the source's shares is finite and at least 0, not {pull}")
    shares, ratio = before, np.exp(known) / before
    if not len(known):
        return shares
    for _ in range(MOST_STEPS):
        chances = ratio * shares
        counts = (chances / chances.sum(axis=1, keepdims=True)).sum(axis=0)
        moved = (counts + pull * before) / (len(known) + pull)
        done = np.abs(moved - shares).max() < CLOSE_ENOUGH
        shares = moved
        if done:
            break
    result: NDArray[np.float64] = shares / shares.sum()
    return result


def shift_bias(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [labels], what to add to calibrated log-probabilities where the shares are ``target``'s; its mean is zero.

    Raises:
        ValueError: the lengths differ, or they are not on the simplex.
    """
    before, after = _smoothed(source), _smoothed(target)
    if before.shape != after.shape:
        raise ValueError(f"{len(before)} and {len(after)} labels do not fit")
    return centred(np.log(after) - np.log(before))


def unlabelled_bias(
    table: NDArray[np.float64], calibration: Calibration, source: NDArray[np.float64], *, pull: float
) -> NDArray[np.float64]:
    """Return [labels], the bias for ``table``'s log-probabilities as they are, from texts without labels.

    A temperature changes no order of labels, so the calibrated answers are those of the table with the bias times the
    temperature; with no text at all it is the donors' calibration alone.

    Args:
        table: [cases, labels] log-probabilities of home's texts, not calibrated.
        calibration: of the donors, for the same members and weights.
        source: [labels], the donors' shares of labels.
        pull: how many texts the source's shares count as.

    Raises:
        ValueError: shapes do not fit, or a number is out of its range.
    """
    target = target_shares(calibration.of(table), source, pull=pull)
    return centred(calibration.temperature * (np.array(calibration.bias) + shift_bias(source, target)))


def _smoothed(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.maximum(checked_weights(shares), SMALLEST_SHARE)
    result: NDArray[np.float64] = found / found.sum()
    return result
