"""Which one prompt to use, where few cases at home cannot tell: what donors found lends strength.

Empirical Bayes (Efron and Morris 1975, JASA 70:311-319; Morris 1983, JASA 78:47-55). For each prompt, a site's mean
paired difference with a baseline over n cases is d, with variance v / n around the site's true difference; over sites,
true differences are Normal(mu, t^2). Donors tell mu, t^2 and v (pooled over them). The site's expectation is

    s d + (1 - s) mu,    s = t^2 / (t^2 + v / n)

and the prompt with the highest is chosen, the first of equals. Invariants: without cases the donors' mean decides;
where donors say nothing of a prompt (t^2 is infinite) the site's own difference does, so that with nothing known at all
the choice is the best at home; adding the same number to all differences and means changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

__all__ = ["Donated", "choose", "donated_by", "expected"]

DEVIATIONS = np.linspace(0, 0.5, 101)  # of sites' true differences, of scores from 0 to 1


@dataclass(frozen=True)
class Donated:
    """What donors tell of each prompt's paired difference with a baseline, each [prompts] float64.

    ``mean``: mu. ``between``: t^2, the variance of a further site's true difference around it, infinite where nothing
    is known.
    ``within``: v, the variance of one case's difference at a site.

    Raises:
        ValueError: lengths differ, a mean is not finite, or a variance is below 0 or NaN.
    """

    mean: NDArray[np.float64]
    between: NDArray[np.float64]
    within: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or not self.mean.shape == self.between.shape == self.within.shape:
            raise ValueError("each prompt needs a mean and two variances")
        if not (np.isfinite(self.mean).all() and (self.between >= 0).all()):
            raise ValueError("means are finite, and variances at least 0")
        if not (np.isfinite(self.within).all() and (self.within >= 0).all()):
            raise ValueError("variances within a site are finite and at least 0")

    @classmethod
    def of(
        cls, mean: Sequence[float | None], between: Sequence[float | None], within: Sequence[float | None]
    ) -> "Donated":
        """Return what is known, with None for what is not; a prompt of which one number is unknown counts as unknown.

        Raises:
            ValueError: lengths differ, or a number is out of its range.
        """
        rows = [
            (0.0, np.inf, 0.0) if one is None or spread is None or noise is None else (one, spread, noise)
            for one, spread, noise in zip(mean, between, within, strict=True)
        ]
        found = np.array(rows, dtype=np.float64).reshape(-1, 3)
        return cls(found[:, 0], found[:, 1], found[:, 2])


def donated_by(totals: NDArray[np.float64], squares: NDArray[np.float64], cases: NDArray[np.int64]) -> Donated:
    """Return what donors tell, from the sums of their paired differences.

    The variance of a case is pooled over donors, with half a discordant case added so that prompts which always agreed
    are not taken to agree for certain. How much sites differ is not taken from one estimate: of few donors that is zero
    half the time, and then a site's own cases would have no say. Its posterior is used instead (uniform prior on the
    standard deviation t; Gelman 2006, Bayesian Analysis 1:515-534), one t for all prompts that differ from the
    baseline, and ``between`` is the variance of a further site's true difference around the mean: t^2, and what so
    few donors leave open of the mean. Of a prompt with fewer than two donors nothing is known.

    Args:
        totals: [donors, prompts], sums over a donor's cases of a prompt's score minus the baseline's.
        squares: [donors, prompts], sums of the squares of those differences.
        cases: [donors, prompts], over how many cases; 0 where a donor says nothing of a prompt.

    Raises:
        ValueError: shapes do not fit, or a number of cases is below 0.
    """
    counts = np.asarray(cases, dtype=np.float64)
    if counts.ndim != 2 or not totals.shape == squares.shape == counts.shape or (counts < 0).any():
        raise ValueError("sums and numbers of cases are [donors, prompts], and none of the latter is below 0")
    told, sizes = counts > 0, np.maximum(counts, 1.0)
    donors = told.sum(axis=0)
    means = np.where(told, totals / sizes, 0.0)
    spread = np.where(told, np.maximum(squares - totals * means, 0.0), 0.0).sum(axis=0)
    within = (spread + 0.5) / (counts.sum(axis=0) - donors + 1)
    precision = told / (DEVIATIONS[:, None, None] ** 2 + within / sizes)  # [deviations, donors, prompts]
    known = donors > 1
    whole = np.where(known, precision.sum(axis=1), 1.0)
    at = (precision * means).sum(axis=1) / whole
    logs = np.log(precision, out=np.zeros(precision.shape), where=told)
    fit = logs.sum(axis=1) - np.log(whole) - (precision * (means - at[:, None]) ** 2).sum(axis=1)
    differing = known & (np.where(told, squares, 0.0).sum(axis=0) > 0)
    chances = softmax(fit[:, differing].sum(axis=1) / 2)
    mean = chances @ at
    between = np.where(differing, chances @ (DEVIATIONS[:, None] ** 2 + 1 / whole + (at - mean) ** 2), 0.0)
    return Donated(np.where(known, mean, 0.0), np.where(known, between, np.inf), np.where(known, within, 0.0))


def expected(differences: NDArray[np.float64], n: int, donated: Donated) -> NDArray[np.float64]:
    """Return [prompts], the expected true difference with the baseline at this site.

    Args:
        differences: [prompts], mean paired differences over the site's cases, out of fold where a prompt was tuned on
            them; whatever they are, they do not count where ``n`` is 0 and something is known of a prompt.
        n: how many cases they are means of.
        donated: what donors tell.

    Raises:
        ValueError: there is not one finite difference for each prompt, or ``n`` is below 0.
    """
    found = np.asarray(differences, dtype=np.float64)
    if n < 0 or found.shape != donated.mean.shape or not np.isfinite(found).all():
        raise ValueError(f"{len(donated.mean)} prompts need a finite difference each, over at least 0 cases")
    unknown = np.isinf(donated.between)
    between = np.where(unknown, 0.0, donated.between)
    noise = donated.within / n if n else np.full(len(found), np.inf)
    whole = between + noise
    share = np.divide(between, whole, out=np.zeros(len(found)), where=whole > 0)
    share = np.where(unknown, 1.0, share)
    result: NDArray[np.float64] = share * found + (1 - share) * donated.mean
    return result


def choose(differences: NDArray[np.float64], n: int, donated: Donated) -> int:
    """Return the place of the prompt whose expected difference is highest, the first of equals; arguments as above.

    Raises:
        ValueError: there is no prompt, or what ``expected`` says.
    """
    if not len(donated.mean):
        raise ValueError("there is no prompt to choose")
    return int(np.argmax(expected(differences, n, donated)))
