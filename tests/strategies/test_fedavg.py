"""FedAvg is the mean of the updates weighted by cases, whoever comes first."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.errors import FederationError
from fedprompt.strategies.fedavg import FedAvg
from fedprompt.strategies.registry import register, strategy_named, strategy_names
from fedprompt.strategies.strategy import Update
from tests.coded import coded

START = np.array([[1.0, 2.0]], np.float32)
VALUES = st.floats(-1e3, 1e3, width=32)


def update(site: str, cases: int, *values: float) -> Update:
    return Update(site, np.array([values], np.float32), cases)


def averaged(*updates: Update) -> np.ndarray:
    return FedAvg().aggregate(START, updates, {}, {}).vectors


def test_the_mean_is_weighted_by_cases() -> None:
    # 1 + (1 * 4 + 3 * 8) / 4 = 8 and 2 + (1 * 0 + 3 * -4) / 4 = -1
    found = averaged(update("a", 1, 4.0, 0.0), update("b", 3, 8.0, -4.0))
    assert found.tolist() == [[8.0, -1.0]] and found.dtype == np.float32


def test_one_site_is_that_site() -> None:
    assert averaged(update("a", 7, 0.5, -0.25)).tolist() == [[1.5, 1.75]]


def test_a_site_without_cases_has_no_say() -> None:
    assert averaged(update("a", 5, 1.0, 1.0), update("b", 0, 9.0, 9.0)).tolist() == [[2.0, 3.0]]


@given(
    st.lists(st.tuples(st.integers(1, 999), VALUES, VALUES), min_size=1, max_size=6).flatmap(
        lambda rows: st.tuples(st.just(rows), st.permutations(range(len(rows))))
    )
)
def test_the_order_of_arrival_changes_not_a_bit(drawn: tuple[list[tuple[int, float, float]], list[int]]) -> None:
    rows, order = drawn
    updates = [update(f"site-{place}", *row) for place, row in enumerate(rows)]
    one = averaged(*updates)
    other = averaged(*(updates[place] for place in order))
    assert one.tobytes() == other.tobytes()
    # A mean lies among what it is the mean of; float32 rounds sums of thousands at the fourth decimal.
    for column in (0, 1):
        moved = [float(START[0, column]) + row[1 + column] for row in rows]
        assert min(moved) - 1e-3 <= one[0, column] <= max(moved) + 1e-3


def test_updates_are_summed_as_they_come_and_let_go() -> None:
    alive: list[int] = []

    class Counted(np.ndarray):
        def __del__(self) -> None:
            if alive and self.base is None:
                alive[0] -= 1

    def stream() -> Iterator[Update]:
        alive.append(0)
        for place in range(50):
            alive[0] += 1
            assert alive[0] <= 3, "updates pile up"
            yield Update(f"{place:02}", np.ones((1, 2), np.float32).view(Counted).copy(), 1)

    assert FedAvg().aggregate(START, stream(), {}, {}).vectors.tolist() == [[2.0, 3.0]]


def test_what_cannot_be_averaged_is_refused() -> None:
    with pytest.raises(FederationError, check=coded("no-updates")):
        averaged()
    with pytest.raises(FederationError, check=coded("no-updates")):
        averaged(update("a", 0, 1.0, 1.0))
    with pytest.raises(FederationError, match="'a'", check=coded("wrong-shape")):
        averaged(update("a", 1, 1.0))
    with pytest.raises(FederationError, match="'a'", check=coded("two-updates")):
        averaged(update("a", 1, 1.0, 1.0), update("a", 1, 1.0, 1.0))


def test_strategies_are_found_by_name() -> None:
    assert strategy_named("fedavg").name == "fedavg" and "fedavg" in strategy_names()
    with pytest.raises(FederationError, match=r"'fedag'.*'fedavg'", check=coded("unknown-strategy")):
        strategy_named("fedag")
    with pytest.raises(FederationError, check=coded("strategy-name-taken")):
        register(FedAvg())
