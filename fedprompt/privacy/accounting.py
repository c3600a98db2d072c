"""What noised answers add up to: epsilon for a delta, and how often a guess at who took part is right at most.

An event is a noised answer, or so many steps, over some units (cases, or groups). All events of a unit are composed as
privacy loss distributions (Koskela et al. 2020, arXiv 1906.03049; Doroshenko et al. 2022, arXiv 2207.04380) by
Google's ``dp-accounting``, rounded upwards; Gaussians without sampling are one Gaussian, whose delta has a closed form
(Balle and Wang 2018, arXiv 1805.06530, theorem 8). Adding or removing one unit is what is hidden, whoever asks, however
what is asked depends on earlier answers (Zhu, Dong and Wang 2022, arXiv 2106.08567).

Whoever guesses whether a unit took part, both being as likely, is right with probability ``(1 + delta(0)) / 2`` at
most: ``delta(0)`` is the total variation distance of the two worlds (Wasserman and Zhou 2010, JASA 105; Dong, Roth and
Su 2022, JRSS B 84, section 2).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr

__all__ = ["Event", "Spent", "epsilon_of", "least_noise", "rightly_guessed", "spent"]

FINE, COARSE = 1e-4, 1e-3  # steps of privacy loss: with which epsilon is told, and guesses
SEARCHED, CHECKED = 1000, 20_000  # steps up to epsilon with which noise is searched and checked
MOST_NOISE = 4096.0
CLOSE = 1e-3  # relative, of the noise that a search finds


@dataclass(frozen=True, order=True)
class Event:
    """A Gaussian mechanism, ``count`` times; each of a Poisson sample of ``rate`` where that is below 1.

    Attributes:
        noise: the noise's width, in units of the most that one unit changes what it is added to.
        rate: with which probability a unit is in the sample.
        count: how often, each with a sample and noise of its own.

    Raises:
        ValueError: a number is outside its range.
    """

    noise: float
    rate: float = 1.0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.noise < math.inf or not 0 < self.rate <= 1 or self.count < 0:
            raise ValueError(f"{self}: noise is above 0, rate is above 0 and at most 1, and count is 0 or more")


@dataclass(frozen=True)
class Spent:
    """What events add up to: ``epsilon`` at ``delta``, and ``guessed``, how often a guess is right at most."""

    epsilon: float
    delta: float
    guessed: float


def epsilon_of(events: Iterable[Event], delta: float) -> float:
    """Return the epsilon of all events together at ``delta``; infinite where no epsilon is small enough.

    Raises:
        ValueError: delta is not strictly between 0 and 1.
    """
    if not 0 < delta < 1:
        raise ValueError(f"delta {delta} does not lie between 0 and 1")
    found = _merged(events)
    about = _epsilon(found, delta, COARSE)
    return _epsilon(found, delta, max(FINE, about / CHECKED)) if math.isfinite(about) else about


def rightly_guessed(events: Iterable[Event]) -> float:
    """Return how often a guess whether a unit took part is right at most, in [0.5, 1]."""
    found = _merged(events)
    return 0.5 * (1 + min(1.0, max(0.0, _delta(found)))) if found else 0.5


def spent(events: Iterable[Event], delta: float) -> Spent:
    """Return what events add up to."""
    found = _merged(events)
    return Spent(epsilon_of(found, delta), delta, rightly_guessed(found))


@lru_cache(maxsize=256)
def least_noise(
    epsilon: float, delta: float, *, count: int, rate: float = 1.0, beside: tuple[Event, ...] = ()
) -> float | None:
    """Return the least noise with which ``count`` answers cost ``epsilon`` at most; None where no noise is enough.

    Args:
        epsilon: the budget.
        delta: with it.
        count: how many answers, or steps.
        rate: of the Poisson sample that each takes.
        beside: what the same units answer as well.
    """

    def cost(noise: float, interval: float) -> float:
        return _epsilon(_merged([*beside, Event(noise, rate, count)]), delta, interval)

    coarse, fine = max(COARSE, epsilon / SEARCHED), max(FINE, epsilon / CHECKED)
    if beside and _epsilon(_merged(beside), delta, fine) >= epsilon:
        return None
    low, high = 0.5, 1.0  # epsilon falls about as a power of the noise, so that its logarithm is searched
    while cost(high, coarse) > epsilon:
        low, high = high, 2 * high
        if low > MOST_NOISE:
            return None
    while cost(low, coarse) <= epsilon:
        low, high = low / 2, low
    while high / low > 1 + CLOSE:
        above, below = (math.log(cost(one, coarse) / epsilon) for one in (low, high))
        share = min(0.9, max(0.1, above / (above - below) if above > below else 0.5))
        middle = low * (high / low) ** share
        low, high = (low, middle) if cost(middle, coarse) <= epsilon else (middle, high)
    while cost(high, fine) > epsilon:
        high *= 1 + CLOSE
    return high


def _merged(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return the events in order, alike ones as one."""
    counts: dict[tuple[float, float], int] = {}
    for one in events:
        counts[one.noise, one.rate] = counts.get((one.noise, one.rate), 0) + one.count
    return tuple(Event(noise, rate, count) for (noise, rate), count in sorted(counts.items()) if count)


@cache
def _epsilon(events: tuple[Event, ...], delta: float, interval: float) -> float:
    if not events:
        return 0.0
    if (mean := _one_gaussian(events)) is not None:
        return _of_gaussian(mean, delta)
    return float(_composed(events, interval).get_epsilon(delta))


@cache
def _delta(events: tuple[Event, ...]) -> float:
    if (mean := _one_gaussian(events)) is not None:
        return float(2 * ndtr(mean / 2) - 1)
    return float(_composed(events, COARSE).get_delta(0.0))


def _one_gaussian(events: tuple[Event, ...]) -> float | None:
    """Return the distance of two Gaussians of width 1 that are as hard to tell apart; None where one is sampled."""
    return math.sqrt(sum(one.count / one.noise**2 for one in events)) if all(e.rate == 1 for e in events) else None


def _of_gaussian(mean: float, delta: float) -> float:
    """Return the least epsilon at which a Gaussian mechanism has this delta at most."""

    def over(epsilon: float) -> float:
        return float(ndtr(mean / 2 - epsilon / mean) - math.exp(epsilon + log_ndtr(-mean / 2 - epsilon / mean))) - delta

    if over(0.0) <= 0:
        return 0.0
    high = 1.0
    while over(high) > 0:
        high *= 2
    found = float(brentq(over, 0.0, high, xtol=1e-10, rtol=1e-12))
    return found + 1e-9


def _composed(events: tuple[Event, ...], interval: float) -> Any:
    from dp_accounting import dp_event  # half a second, which only studies with a budget wait for
    from dp_accounting.pld import PLDAccountant

    found = PLDAccountant(value_discretization_interval=interval)
    for one in events:
        gaussian = dp_event.GaussianDpEvent(one.noise)
        event = gaussian if one.rate == 1 else dp_event.PoissonSampledDpEvent(one.rate, gaussian)
        found.compose(event, one.count)
    return found
