"""Robust strategies hold against sites that lie, whoever comes first, and say how many honest ones they need."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.errors import FederationError
from fedprompt.strategies.distances import EXACT, squared_distances
from fedprompt.strategies.median import median_of
from fedprompt.strategies.registry import strategy_named
from fedprompt.strategies.strategy import Update
from fedprompt.study.strategies import filled_options, least_sites
from tests.coded import coded

ROBUST = ("median", "trimmed-mean", "geometric-median", "multi-krum", "bulyan", "nearest-mixing", "flame")


def updates(rows: Sequence[Sequence[float]], cases: Sequence[int] | None = None) -> list[Update]:
    many = cases or [10] * len(rows)
    return [Update(f"s{n:05}", np.array([row], np.float32), many[n]) for n, row in enumerate(rows)]


def aggregate(name: str, given: Sequence[Update], **options: float) -> np.ndarray:
    start = np.zeros(given[0].delta.shape if given else (1, 1), np.float32)
    return strategy_named(name).aggregate(start, given, filled_options(name, options), {}).vectors


def test_the_median_by_hand() -> None:
    assert aggregate("median", updates([[1, 9], [3, 5], [100, 7]])).tolist() == [[3, 7]]
    assert aggregate("median", updates([[1, 9], [3, 5], [100, 7], [5, 6]])).tolist() == [[4, 6.5]]


def test_the_trimmed_mean_by_hand() -> None:
    # 1 and 100 are cut off, (3 + 5) / 2 is left; 5 and 9, (6 + 7) / 2.
    assert aggregate("trimmed-mean", updates([[1, 9], [3, 5], [100, 7], [5, 6]])).tolist() == [[4, 6.5]]
    assert aggregate("trimmed-mean", updates([[1], [2], [6]]), liars=0).tolist() == [[3]]


def test_the_geometric_median_of_three_points_is_their_fermat_point() -> None:
    # For an equilateral triangle it is the centre; for three on a line, the one in the middle.
    corners = [[0, 0], [2, 0], [1, 3**0.5]]
    found = aggregate("geometric-median", updates(corners), iterations=200)
    assert found == pytest.approx(np.array([[1, 3**-0.5]]), abs=1e-6)
    found = aggregate("geometric-median", updates([[0], [1], [10]]), iterations=200)
    assert found == pytest.approx(np.array([[1]]), abs=1e-2)


def test_krum_keeps_the_updates_that_have_near_neighbours() -> None:
    # n = 5, f = 1: two neighbours count. On a line at 0, 1, 2, 10, 100 the scores are 1 + 4, 1 + 1, 1 + 4, 64 + 81,
    # 8100 + 9604. Two are kept by default (n - f - 2): 1 with 2, then 0 with 5, before 2 with 5 by name. (1 + 0) / 2.
    rows = [[0], [1], [2], [10], [100]]
    assert aggregate("multi-krum", updates(rows)).tolist() == [[0.5]]
    assert aggregate("multi-krum", updates(rows), keep=1).tolist() == [[1]]


def test_bulyan_by_hand() -> None:
    # n = 7, f = 1: Krum chooses five. Of 0 1 2 3 4 50 60 by four neighbours 2 (10), of 0 1 3 4 50 60 by three 1 (14,
    # as has 3), of 0 3 4 50 60 by two 3 (10), of 0 4 50 60 by one 0 (16, as has 4), of 4 50 60 by one 50 (100, as has
    # 60). Chosen are 0 1 2 3 50; their median is 2 and the three nearest to it are 1 2 3.
    assert aggregate("bulyan", updates([[0], [1], [2], [3], [4], [50], [60]])).tolist() == [[2]]


def test_nearest_mixing_by_hand() -> None:
    # n = 5, f = 1: each is the mean of its four nearest. 0 1 2 3 -> 1.5 each; 100 -> (100 3 2 1) 26.5. Of these Krum
    # keeps two of the four that agree.
    assert aggregate("nearest-mixing", updates([[0], [1], [2], [3], [100]])).tolist() == [[1.5]]


def test_flame_leaves_out_a_minority_that_points_elsewhere_and_cuts_what_is_long() -> None:
    # Five go east, one of them ten times as far; two go west and are no group. The median length is 1.
    rows = [[1, 0], [1, 0.01], [1, -0.01], [1, 0], [10, 0], [-1, 0], [-1, 0.01]]
    found = aggregate("flame", updates(rows))
    assert found == pytest.approx(np.array([[1, 0]]), abs=1e-3)


@pytest.mark.parametrize("name", ROBUST)
def test_one_site_that_lies_moves_the_aggregate_no_further_than_the_honest_reach(name: str) -> None:
    rng = np.random.default_rng(7)
    honest = rng.normal(1.0, 0.1, (10, 6)).astype(np.float32)
    for lie in (1e6, -1e30, 3.0):
        rows = np.vstack([honest, np.full((1, 6), lie, np.float32)])
        # A huge claim of cases buys no say.
        found = aggregate(name, updates(rows.tolist(), [10] * 10 + [10**9]))
        assert (found >= honest.min(axis=0) - 0.1).all() and (found <= honest.max(axis=0) + 0.1).all(), name


@pytest.mark.parametrize("name", ROBUST)
@given(data=st.data())
def test_the_order_of_sites_changes_not_a_bit(name: str, data: st.DataObject) -> None:
    rows = data.draw(
        st.lists(st.tuples(*[st.floats(-1e3, 1e3, width=32)] * 3), min_size=7, max_size=9), label="updates"
    )
    given_updates = updates(rows)
    order = data.draw(st.permutations(given_updates), label="order")
    one, other = aggregate(name, given_updates), aggregate(name, order)
    assert one.tobytes() == other.tobytes()
    values = np.array(rows)
    assert (one >= values.min(axis=0) - 1e-2).all() and (one <= values.max(axis=0) + 1e-2).all()


@pytest.mark.parametrize("name", ROBUST)
def test_updates_that_agree_are_the_aggregate(name: str) -> None:
    assert aggregate(name, updates([[0.5, -2.0]] * 7)) == pytest.approx(np.array([[0.5, -2.0]]), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "liars", "least"),
    [("trimmed-mean", 2, 5), ("multi-krum", 1, 5), ("multi-krum", 2, 7), ("bulyan", 1, 7), ("nearest-mixing", 2, 7)],
)
def test_too_few_updates_are_refused_with_the_number_needed(name: str, liars: int, least: int) -> None:
    assert least_sites(name, {"liars": liars}) == least
    aggregate(name, updates([[1.0]] * least), liars=liars)
    with pytest.raises(FederationError, match=rf"\b{least}\b.*\b{least - 1}\b", check=coded("too-few-updates")):
        aggregate(name, updates([[1.0]] * (least - 1)), liars=liars)


@pytest.mark.parametrize("name", ROBUST)
def test_without_updates_there_is_nothing_to_aggregate(name: str) -> None:
    with pytest.raises(FederationError, match=r"\b0\b", check=coded("too-few-updates")):
        aggregate(name, [])


def test_the_median_agrees_with_numpys_over_blocks_of_any_size() -> None:
    rng = np.random.default_rng(1)
    for count in (1, 2, 63, 64, 65, 130):
        deltas = list(rng.normal(size=(count, 3, 5)).astype(np.float32))
        assert np.allclose(median_of(deltas), np.median(np.stack(deltas).astype(np.float64), axis=0), atol=1e-12)


@pytest.mark.parametrize("count", [9, EXACT + 40])
def test_distances_are_those_of_their_definition(count: int) -> None:
    rng = np.random.default_rng(2)
    rows = (100 + rng.normal(size=(count, 24))).astype(np.float32)
    rows[3] = 1e7  # one that lies must not blur the others
    found = squared_distances([row.reshape(2, 12) for row in rows])
    wanted = ((rows[:, None].astype(np.float64) - rows[None]) ** 2).sum(axis=2)
    near = np.delete(np.delete(np.arange(count), 3), 3)
    tolerance = 1e-9 if count <= EXACT else 1e-4
    assert np.allclose(found[np.ix_(near, near)], wanted[np.ix_(near, near)], rtol=tolerance, atol=tolerance)
    assert np.array_equal(found, found.T) and not found.diagonal().any()


def test_a_distance_that_cannot_be_held_is_infinite() -> None:
    rows = [np.full((1, 4), value, np.float32) for value in [0.0] * (EXACT + 1) + [3e38, -3e38]]
    found = squared_distances(rows)
    assert np.isinf(found[0, -1]) and np.isinf(found[-2, -1]) and found[0, 1] == 0
