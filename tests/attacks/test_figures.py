"""What attacks are measured by, and the solver that they share, on numbers worked out by hand."""

import numpy as np
import pytest

from benchmarks.attackers.equations import Equation, solve
from benchmarks.attackers.figures import Figure, auc, auc_over_sites, share
from fedprompt.evaluation.statistics.intervals import Estimate


def test_the_auc_counts_pairs_and_ties_by_half() -> None:
    # Of the four pairs 1 > 0, 1 = 1, 2 > 0 and 2 > 1 three are won and one is tied.
    assert auc(np.array([1.0, 2.0]), np.array([0.0, 1.0])) == 3.5 / 4


@pytest.mark.parametrize("sites", [2, 12])
def test_guesses_at_random_have_an_interval_around_a_half(sites: int) -> None:
    rng = np.random.default_rng(3)
    found = auc_over_sites([(rng.normal(size=48), rng.normal(size=48)) for _ in range(sites)], rng)
    assert found.low < 0.5 < found.high and found.high - found.low < 0.3


def test_a_share_has_wilsons_interval() -> None:
    # Wilson 1927 for 8 of 10: 0.490 to 0.943.
    found = share(8, 10)
    assert (found.value, round(found.low, 3), round(found.high, 3)) == (0.8, 0.49, 0.943)


def test_a_target_is_met_by_the_upper_end() -> None:
    def figure(high: float, target: float | None) -> Figure:
        return Figure("a", "b", "c", "AUC", Estimate(0.5, 0.4, high), 0.5, 48, target)

    assert (figure(0.6, 0.6).met, figure(0.61, 0.6).met, figure(0.9, None).met) == (True, False, None)


def test_as_many_exact_sums_as_candidates_tell_every_member() -> None:
    rng = np.random.default_rng(0)
    present = (np.arange(20) < 10).astype(np.float64)
    rows = rng.normal(size=(20, 20))
    found = solve([Equation(row, float(row @ present)) for row in rows], 20, 10)
    assert found == pytest.approx(present, abs=1e-3)


def test_no_sum_tells_nothing_and_one_tells_of_whom_it_is_about() -> None:
    assert solve([], 4, 2) == pytest.approx(np.full(4, 0.5))
    # One of the first two is there, both of them as likely as the other; the same then holds for the last two.
    assert solve([Equation(np.array([1.0, 1.0, 0.0, 0.0]), 1.0)], 4, 2) == pytest.approx(np.full(4, 0.5))
    assert solve([Equation(np.array([1.0, 1.0, 0.0, 0.0]), 2.0)], 4, 2) == pytest.approx([1, 1, 0, 0], abs=1e-3)
