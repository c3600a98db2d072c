"""Intervals of means over sites in closed form agree with draws, and with Jeffreys' interval at one site."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.evaluation.statistics.beta_means import beta_means
from fedprompt.evaluation.statistics.ranking import beta_summary


def test_at_one_site_it_is_jeffreys_interval() -> None:
    # Brown, Cai and DasGupta 2001, table 5: n = 10, x = 3 gives 0.093 to 0.606.
    (found,) = beta_means({"a": {"clinic": (3, 10)}}).values()
    assert (found.value, round(found.low, 3), round(found.high, 3)) == (0.3, 0.093, 0.606)


@pytest.mark.parametrize(
    "by_site",
    [
        {"a": (70.0, 100.0), "b": (80.0, 100.0), "c": (55.0, 90.0)},
        {"a": (30.0, 30.0), "b": (29.0, 30.0)},
        {"a": (1.0, 40.0), "b": (39.0, 40.0), "c": (20.5, 41.0), "d": (7.0, 300.0)},
    ],
)
def test_over_sites_it_is_what_very_many_draws_say(by_site: dict[str, tuple[float, float]]) -> None:
    drawn = beta_summary({"a": by_site}, np.random.default_rng(0), draws=400_000)["a"].mean
    found = beta_means({"a": by_site})["a"]
    assert found.value == pytest.approx(drawn.value)
    assert (found.low, found.high) == (pytest.approx(drawn.low, abs=1e-3), pytest.approx(drawn.high, abs=1e-3))


@given(st.dictionaries(st.text(max_size=3), st.tuples(st.integers(0, 50), st.integers(50, 90)), min_size=1, max_size=5))
def test_it_holds_the_mean_and_does_not_depend_on_the_order_of_sites(by_site: dict[str, tuple[int, int]]) -> None:
    found = beta_means({"a": by_site})["a"]
    other = beta_means({"a": dict(reversed(by_site.items()))})["a"]
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert (other.low, other.high) == (pytest.approx(found.low), pytest.approx(found.high))


@pytest.mark.parametrize("by_site", [{}, {"a": (1.0, 0.0)}, {"a": (3.0, 2.0)}, {"a": (-1.0, 2.0)}])
def test_what_is_no_count_is_refused(by_site: dict[str, tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="prompt a"):
        beta_means({"a": by_site})
