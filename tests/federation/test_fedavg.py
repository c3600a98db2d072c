"""FedAvg is the mean of the updates weighted by cases, whoever comes first."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.errors import FederationError
from fedprompt.federation.strategies.fedavg import FedAvg
from fedprompt.federation.strategies.registry import register, strategy_named, strategy_names
from fedprompt.federation.strategies.strategy import Update

START = np.array([[1.0, 2.0]], np.float32)
VALUES = st.floats(-1e3, 1e3, width=32)


def update(site: str, cases: int, *values: float) -> Update:
    return Update(site, np.array([values], np.float32), cases)


def test_the_mean_is_weighted_by_cases() -> None:
    # 1 + (1 * 4 + 3 * 8) / 4 = 8 and 2 + (1 * 0 + 3 * -4) / 4 = -1
    found = FedAvg().aggregate(START, [update("a", 1, 4.0, 0.0), update("b", 3, 8.0, -4.0)], {})
    assert found.tolist() == [[8.0, -1.0]] and found.dtype == np.float32


def test_one_site_is_that_site() -> None:
    found = FedAvg().aggregate(START, [update("a", 7, 0.5, -0.25)], {})
    assert found.tolist() == [[1.5, 1.75]]


def test_a_site_without_cases_has_no_say() -> None:
    found = FedAvg().aggregate(START, [update("a", 5, 1.0, 1.0), update("b", 0, 9.0, 9.0)], {})
    assert found.tolist() == [[2.0, 3.0]]


@given(
    st.lists(st.tuples(st.integers(1, 999), VALUES, VALUES), min_size=1, max_size=6).flatmap(
        lambda rows: st.tuples(st.just(rows), st.permutations(range(len(rows))))
    )
)
def test_the_order_of_arrival_changes_not_a_bit(drawn: tuple[list[tuple[int, float, float]], list[int]]) -> None:
    rows, order = drawn
    updates = [update(f"site-{place}", *row) for place, row in enumerate(rows)]
    one = FedAvg().aggregate(START, updates, {})
    other = FedAvg().aggregate(START, [updates[place] for place in order], {})
    assert one.tobytes() == other.tobytes()
    # A mean lies among what it is the mean of; float32 rounds sums of thousands at the fourth decimal.
    for column in (0, 1):
        moved = [float(START[0, column]) + row[1 + column] for row in rows]
        assert min(moved) - 1e-3 <= one[0, column] <= max(moved) + 1e-3


def test_what_cannot_be_averaged_is_refused() -> None:
    with pytest.raises(FederationError, match="no site sent"):
        FedAvg().aggregate(START, [], {})
    with pytest.raises(FederationError, match="no site sent"):
        FedAvg().aggregate(START, [update("a", 0, 1.0, 1.0)], {})
    with pytest.raises(FederationError, match="site 'a' has another shape"):
        FedAvg().aggregate(START, [update("a", 1, 1.0)], {})
    with pytest.raises(FederationError, match="no option 'mu'"):
        FedAvg().aggregate(START, [update("a", 1, 1.0, 1.0)], {"mu": 0.1})


def test_strategies_are_found_by_name() -> None:
    assert strategy_named("fedavg").name == "fedavg" and "fedavg" in strategy_names()
    with pytest.raises(FederationError, match="unknown strategy 'fedag', did you mean 'fedavg'"):
        strategy_named("fedag")
    with pytest.raises(FederationError, match="is taken"):
        register(FedAvg())
