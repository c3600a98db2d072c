"""A mean over draws and cases has an interval for both."""

import numpy as np
import pytest

from fedprompt.evaluation.statistics.crossed import crossed_mean


def test_the_interval_is_of_both_variances() -> None:
    # Two draws of two cases. Draws' means 0.5 and 1: their variance 0.125, over 2 is 0.0625. Cases' means 1 and 0.5:
    # the same. So the mean's variance is 0.125 with 0.125^2 / (2 * 0.0625^2) = 2 degrees of freedom, t = 4.302653.
    found = crossed_mean(np.array([[1.0, 0.0], [1.0, 1.0]]))
    assert found.value == 0.75
    assert found.high - found.value == pytest.approx(4.302652729911275 * 0.125**0.5, rel=1e-9)
    assert found.value - found.low == pytest.approx(found.high - found.value)


def test_of_one_draw_the_cases_alone_are_a_sample() -> None:
    # Student's t for three cases: 0, 1, 1 have the mean 2/3 and the variance 1/3; t with 2 degrees is 4.302653.
    found = crossed_mean(np.array([[0.0, 1.0, 1.0]]))
    assert found.high - found.value == pytest.approx(4.302652729911275 / 3)


def test_what_never_differs_has_no_spread() -> None:
    found = crossed_mean(np.full((3, 5), 0.5))
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


def test_the_order_of_draws_and_cases_changes_nothing() -> None:
    table = np.random.default_rng(0).integers(-1, 2, size=(4, 9)).astype(float)
    one, other = crossed_mean(table), crossed_mean(table[::-1, ::-1])
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng, held = np.random.default_rng(1), 0
    for _ in range(400):
        table = 0.3 + rng.normal(size=(4, 1)) * 0.1 + rng.normal(size=(1, 60)) * 0.5 + rng.normal(size=(4, 60)) * 0.3
        found = crossed_mean(table)
        held += found.low <= 0.3 <= found.high
    assert held / 400 >= 0.94


@pytest.mark.parametrize("shape", [(0, 5), (2, 1), (4,)])
def test_too_little_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError):
        crossed_mean(np.zeros(shape))
