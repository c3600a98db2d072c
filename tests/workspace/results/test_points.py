"""Rates as people read them."""

import pytest

from fedprompt.workspace.results.points import of_100


@pytest.mark.parametrize(
    ("part", "said"), [(0.365, 37), (0.285, 29), (0.3649, 36), (0.0, 0), (1.0, 100), (0.575, 58), (0.7383, 74)]
)
def test_a_half_of_100_is_rounded_up_also_where_binary_digits_lack_a_little(part: float, said: int) -> None:
    assert of_100(part) == said
