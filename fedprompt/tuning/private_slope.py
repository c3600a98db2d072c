"""One step's slope under differential privacy: every unit's slope clipped, summed, and noised before anybody sees it.

DP-SGD (Abadi et al. 2016, arXiv 1607.00133, algorithm 1) with Poisson sampling. A unit is a case, or a group of cases
whose slopes are averaged first (McMahan et al. 2018, arXiv 1710.06963). What is summed are whole numbers of grid steps
whose norm is at most ``bound`` of them, checked in whole numbers, and the noise is a Gaussian of ``WIDTH`` steps that
is rounded to the grid (``privacy.rounded_noise``). Invariant: one unit more or less changes the sum by a whole-number
vector of norm ``bound`` at most, so a step is the Poisson-sampled Gaussian mechanism with multiplier ``WIDTH / bound``,
which is at least the noise that was asked for; and nothing is refused because of who was sampled.

What this takes as given: a case's slope is a function of that case and the vectors. Computed beside others, its last
float32 digits may differ (1e-5 of its length was measured).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import TuningError
from fedprompt.models.protocols import CaseObjective, LossGradient, PerCase
from fedprompt.privacy.rounded_noise import WIDTH, RandomBytes, rounded_noise, sampled

__all__ = ["PrivateSteps", "clipped_to_grid", "private_slope"]

AT_ONCE = 1 << 24  # numbers of slopes that are held together, 64 MiB of float32; whole numbers add up the same in parts
Units = Sequence[Sequence[int]]
"""The rows of each unit: one row each, or those of a group."""


@dataclass(frozen=True)
class PrivateSteps:
    """How steps are noised.

    Attributes:
        rate: with which probability a step takes each unit.
        clip: no unit's slope is longer.
        noise: the width of the noise, in units of ``clip``.
        expected: what the noised sum is divided by: how many units a step takes on average, as everybody may know it.

    Raises:
        ValueError: a number is outside its range.
    """

    rate: float
    clip: float
    noise: float
    expected: float

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1 or not 0 < self.clip < math.inf or not 0 < self.expected < math.inf:
            raise ValueError("rate is above 0 and at most 1, clip and expected are above 0")
        if not 0 < self.noise <= WIDTH:
            raise ValueError(f"noise lies in (0, {WIDTH}]")

    @property
    def bound(self) -> int:
        """The longest slope in grid steps."""
        return math.floor(WIDTH / self.noise)

    @property
    def step(self) -> float:
        """How long a grid step is."""
        return self.clip / self.bound


def clipped_to_grid(slopes: NDArray[np.float32], steps: PrivateSteps) -> NDArray[np.int64]:
    """Return slopes ([units, size]) in whole grid steps, none longer than ``steps.bound``; zero where not finite."""
    values = slopes.astype(np.float64)
    values[~np.isfinite(values).all(axis=1)] = 0.0
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    scaled = values * (np.minimum(1.0, steps.clip / np.maximum(norms, 1e-300)) / steps.step)
    found = np.rint(scaled).astype(np.int64)
    long = _squares(found) > steps.bound**2
    found[long] = np.trunc(scaled[long]).astype(np.int64)  # towards zero, which never lengthens
    still = _squares(found) > steps.bound**2  # where the norm itself was rounded
    found[still] = np.trunc(scaled[still] * (1 - 1e-9)).astype(np.int64)
    found[_squares(found) > steps.bound**2] = 0
    return np.asarray(found, dtype=np.int64)


def private_slope(
    objective: CaseObjective, vectors: NDArray[np.float32], units: Units, steps: PrivateSteps, random: RandomBytes
) -> LossGradient:
    """Return the noised mean slope of a Poisson sample of units ([tokens, width] float32).

    Its ``loss`` is the plain mean over the sample, 0 over none: it never leaves a site.

    Args:
        objective: the cases, prepared.
        vectors: [tokens, width] float32, where the slope is taken.
        units: the rows of each unit; all of them may be taken.
        steps: how to sample, clip and noise.
        random: where sample and noise come from; nobody else may know it.
    """
    taken = [list(units[int(place)]) for place in sampled(len(units), steps.rate, random)]
    noise = rounded_noise(vectors.size, random)
    total, losses = np.zeros(vectors.size, dtype=np.int64), list[float]()
    for part in _parts(taken, max(1, AT_ONCE // vectors.size)):
        rows = [row for unit in part for row in unit]
        found = _each_apart(objective, vectors, rows)
        slopes = found.gradients.reshape(len(rows), -1)
        losses += [loss for loss in found.losses.tolist() if math.isfinite(loss)]
        if len(rows) != len(part):
            ends = np.cumsum([len(unit) for unit in part])
            slopes = np.stack([each.mean(axis=0) for each in np.split(slopes, ends[:-1])])
        total += clipped_to_grid(slopes, steps).sum(axis=0)
    gradient = (total + noise) * (steps.step / steps.expected)
    loss = math.fsum(losses) / len(losses) if losses else 0.0
    return LossGradient(loss, gradient.reshape(vectors.shape).astype(np.float32))


def _parts(units: Units, most: int) -> Iterator[Units]:
    """Yield units one after the other, of ``most`` rows together, or a larger one alone."""
    part: list[Sequence[int]] = []
    for unit in units:
        if part and sum(map(len, part)) + len(unit) > most:
            yield part
            part = []
        part.append(unit)
    if part:
        yield part


def _each_apart(objective: CaseObjective, vectors: NDArray[np.float32], rows: Sequence[int]) -> PerCase:
    """Return each case's loss and slope; where one is not finite, each is computed alone, so that it spoils no other's.

    A case whose slope cannot be computed has a slope that is not finite.
    """
    try:
        found = objective.per_case(vectors, rows)
        if np.isfinite(found.gradients).all():
            return found
    except TuningError:
        pass
    parts = [_alone(objective, vectors, row) for row in rows]
    return PerCase(np.concatenate([p.losses for p in parts]), np.concatenate([p.gradients for p in parts]))


def _alone(objective: CaseObjective, vectors: NDArray[np.float32], row: int) -> PerCase:
    try:
        return objective.per_case(vectors, [row])
    except TuningError:
        return PerCase(np.array([np.nan]), np.full((1, *vectors.shape), np.nan, dtype=np.float32))


def _squares(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray((values * values).sum(axis=1), dtype=np.int64)
