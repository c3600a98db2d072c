"""DP-SGD's slope: sensitivity in whole numbers, whatever the cases' slopes are."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from fedprompt.errors import TuningError
from fedprompt.models.protocols import LossGradient, PerCase
from fedprompt.privacy.rounded_noise import WIDTH, from_secret
from fedprompt.tuning.private_slope import PrivateSteps, clipped_to_grid, private_slope

SHAPE = (2, 3)


class Slopes:
    """Cases with these slopes, wherever they are taken."""

    def __init__(self, slopes: NDArray[np.float32]) -> None:
        self.slopes = slopes.astype(np.float32)

    def __len__(self) -> int:
        return len(self.slopes)

    def per_case(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> PerCase:
        found = self.slopes[list(rows)].reshape(-1, *SHAPE)
        if len(rows) == 1 and not np.isfinite(found).all():
            raise TuningError("not a number")
        return PerCase(np.ones(len(rows)), found)

    def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
        raise AssertionError("the mean of a batch has no bound")

    def loglikelihoods(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        raise AssertionError


VECTORS = np.zeros(SHAPE, np.float32)


def noised(slopes: NDArray[np.float32], units: list[list[int]], steps: PrivateSteps) -> NDArray[np.int64]:
    """Return a step's slope in grid steps, everybody sampled."""
    found = private_slope(Slopes(slopes), VECTORS, units, steps, from_secret(b"k", b"s")).gradient
    return np.rint(found.reshape(-1).astype(np.float64) * steps.expected / steps.step).astype(np.int64)


@given(
    arrays(np.float32, (3, 6), elements=st.floats(width=32, allow_nan=True, allow_infinity=True)),
    st.floats(0.3, 50),
    st.floats(1e-3, 1e3),
)
def test_no_slope_is_longer_than_the_bound_in_whole_numbers(slopes, noise, clip) -> None:  # type: ignore[no-untyped-def]
    steps = PrivateSteps(1.0, clip, noise, 3.0)
    found = clipped_to_grid(slopes, steps)
    assert ((found.astype(object) ** 2).sum(axis=1) <= steps.bound**2).all()
    assert WIDTH / steps.bound >= noise  # never less noise than was asked for


def test_a_slope_within_the_bound_stays_as_it_is() -> None:
    steps = PrivateSteps(1.0, 2.0, 1.0, 1.0)
    slopes = np.array([[0.5, -1.0, 0.0, 0.25, 0.0, 0.0]], np.float32)
    assert np.abs(clipped_to_grid(slopes, steps) * steps.step - slopes).max() <= steps.step / 2
    long = clipped_to_grid(slopes * 100, steps) * steps.step
    assert np.linalg.norm(long) == pytest.approx(2.0, rel=1e-3) and long[0, 1] / long[0, 0] == pytest.approx(
        -2, rel=1e-2
    )


def test_one_case_more_moves_the_noised_sum_by_the_bound_at_most() -> None:
    steps = PrivateSteps(1.0, 1.0, 2.0, 10.0)
    slopes = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32) * 50
    slopes[3] = np.nan
    units = [[row] for row in range(8)]
    for left in range(8):  # the same noise: what differs is the case
        apart = noised(slopes, units, steps) - noised(slopes, units[:left] + units[left + 1 :], steps)
        assert (apart**2).sum() <= (steps.bound + 3) ** 2  # float32's rounding of what is handed on


def test_a_group_counts_as_one_however_many_cases_it_has() -> None:
    steps = PrivateSteps(1.0, 1.0, 2.0, 2.0)
    slopes = np.random.default_rng(1).normal(size=(9, 6)).astype(np.float32) * 50
    apart = noised(slopes, [[0], [1, 2, 3, 4, 5, 6, 7, 8]], steps) - noised(slopes, [[0]], steps)
    assert (apart**2).sum() <= (steps.bound + 3) ** 2
    small = np.full((2, 6), 0.01, np.float32)
    one, mean = noised(small, [[0]], steps), noised(small, [[0, 1]], steps)
    assert np.abs(one - mean).max() <= 1


def test_large_slopes_are_taken_a_few_at_a_time_and_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = PrivateSteps(1.0, 1.0, 2.0, 10.0)
    cases = Slopes(np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32))
    units = [[0, 1], [2], [3, 4, 5], [6], [7], [8]]
    asked: list[int] = []

    def heard(vectors: NDArray[np.float32], rows: Sequence[int]) -> PerCase:
        asked.append(len(rows))
        return Slopes.per_case(cases, vectors, rows)

    monkeypatch.setattr(cases, "per_case", heard)
    whole = private_slope(cases, VECTORS, units, steps, from_secret(b"k", b"s"))
    monkeypatch.setattr("fedprompt.tuning.private_slope.AT_ONCE", 3 * VECTORS.size)
    parts = private_slope(cases, VECTORS, units, steps, from_secret(b"k", b"s"))
    assert asked == [9, 3, 3, 3]
    assert parts.gradient.tobytes() == whole.gradient.tobytes() and parts.loss == whole.loss


def test_an_empty_sample_gives_noise_and_a_broken_case_adds_nothing() -> None:
    steps = PrivateSteps(1e-9, 1.0, 1.0, 1.0)
    found = private_slope(Slopes(np.ones((4, 6))), VECTORS, [[0], [1], [2], [3]], steps, from_secret(b"k", b"e"))
    assert found.loss == 0.0 and np.abs(found.gradient).max() > 0
    broken, none = np.full((1, 6), np.inf, np.float32), PrivateSteps(1.0, 1.0, 1.0, 1.0)
    assert (noised(broken, [[0]], none) == noised(broken, [], none)).all()


def test_numbers_out_of_range_are_refused() -> None:
    for bad in ((0.0, 1.0, 1.0, 1.0), (1.1, 1.0, 1.0, 1.0), (0.5, 0.0, 1.0, 1.0), (0.5, 1.0, 0.0, 1.0)):
        with pytest.raises(ValueError):
            PrivateSteps(*bad)
