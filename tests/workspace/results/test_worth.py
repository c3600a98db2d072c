"""What joining is worth for a number of cases that nobody measured: the nearest number that somebody did."""

import pytest

from fedprompt.workspace.results.worth import CurvePoint, nearest

CURVE = tuple(CurvePoint(n=n, sites=8, alone=0.5, shared=0.6, gain=0.1) for n in (0, 4, 16, 64))


@pytest.mark.parametrize(
    ("n", "point"),
    [
        (0, 0),
        (1, 4),  # no case is like no other number
        (7, 4),  # 7 : 4 is less than 16 : 7
        (8, 4),  # the smaller of equals
        (9, 16),
        (20, 16),
        (5_000, 64),
    ],
)
def test_a_number_of_cases_is_told_by_the_nearest_that_was_measured(n: int, point: int) -> None:
    found = nearest(CURVE, n)
    assert found is not None and found.n == point


def test_without_a_measured_number_nothing_is_told() -> None:
    assert nearest((), 16) is None
    assert nearest(CURVE[1:], 0) is None and nearest(CURVE[:1], 16) is None
