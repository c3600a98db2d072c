"""How many cases a level takes, read off a curve by hand."""

import math

import pytest

from fedprompt.evaluation.statistics.cases_needed import cases_needed


def test_between_two_points_the_curve_is_straight_over_the_logarithm() -> None:
    # By hand: halfway between .6 at 7 and .8 at 31 lies sqrt(8 * 32) - 1 = 15.
    assert cases_needed((7, 31), (0.6, 0.8), 0.7) == pytest.approx(15)
    assert cases_needed((7, 31), (0.6, 0.8), 0.8) == pytest.approx(31)
    # From none on: halfway between 0 and 15 is sqrt(1 * 16) - 1 = 3.
    assert cases_needed((0, 15), (0.2, 0.4), 0.3) == pytest.approx(3)


def test_what_the_fewest_cases_reach_needs_no_more_and_what_none_reaches_is_not_told() -> None:
    assert cases_needed((8, 16), (0.6, 0.7), 0.5) == 8
    assert cases_needed((8, 16), (0.6, 0.7), 0.7001) is None


def test_a_curve_that_falls_is_made_to_rise_before_it_is_read() -> None:
    # By hand: .7 and .6 become .65 and .65, so that .64 is reached between 8 and 16, at a part of .04 / .05 = .8.
    wanted = math.exp(math.log(9) + 0.8 * (math.log(17) - math.log(9))) - 1
    assert cases_needed((8, 16, 32, 64), (0.6, 0.7, 0.6, 0.8), 0.64) == pytest.approx(wanted)
    with pytest.raises(ValueError, match="rising"):
        cases_needed((8, 8), (0.6, 0.7), 0.5)
