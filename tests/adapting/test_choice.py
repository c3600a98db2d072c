"""Few cases at home are outweighed by what donors found, many are not, and with nothing known the best at home wins."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.adapting.choice import Donated, choose, donated_by, expected

NUMBERS = st.floats(-1, 1)
VARIANCES = st.floats(0, 1)


def known(mean: list[float], between: list[float], within: list[float]) -> Donated:
    return Donated(np.array(mean), np.array(between), np.array(within))


def test_the_site_s_difference_counts_by_how_much_sites_differ_and_how_little_cases_tell() -> None:
    donated = known([0.10, 0.0], [0.01, 0.01], [0.16, 0.16])
    # v / n = 0.16 / 16 = 0.01 = t^2, so s = 1/2: 0.5 x -0.1 + 0.5 x 0.1 = 0 and 0.5 x 0.06 = 0.03.
    assert expected(np.array([-0.1, 0.06]), 16, donated).tolist() == pytest.approx([0.0, 0.03])
    assert choose(np.array([-0.1, 0.06]), 16, donated) == 1
    # n = 4: s = 1/5, so -0.02 + 0.08 = 0.06 and 0.012; donors' favourite is kept.
    assert expected(np.array([-0.1, 0.06]), 4, donated).tolist() == pytest.approx([0.06, 0.012])
    assert choose(np.array([-0.1, 0.06]), 4, donated) == 0


def test_without_a_case_donors_decide_and_without_donors_the_cases() -> None:
    donated = known([0.0, 0.2], [0.1, 0.1], [0.2, 0.2])
    assert choose(np.array([1.0, -1.0]), 0, donated) == 1
    unknown = Donated.of([None, 0.2, None], [None, None, 0.1], [None, 0.2, 0.2])
    assert np.isinf(unknown.between).all()
    assert choose(np.array([0.1, 0.3, 0.3]), 1, unknown) == 1  # the first of equals
    assert choose(np.array([0.1, 0.3, 0.3]), 0, unknown) == 1


def test_donors_that_agree_leave_a_site_no_say_and_a_baseline_is_zero() -> None:
    donated = known([0.0, 0.05], [0.0, 0.0], [0.0, 0.3])
    assert expected(np.array([0.0, -1.0]), 50, donated).tolist() == [0.0, 0.05]


def test_donors_sums_become_a_mean_and_the_variance_of_a_case() -> None:
    # Two donors of 10 cases. Baseline: zeros. Second prompt: +4 and +4 of squares 4 and 4.
    found = donated_by(np.array([[0.0, 4.0], [0.0, 4.0]]), np.array([[0.0, 4.0], [0.0, 4.0]]), np.full((2, 2), 10))
    # Both donors say 0.4. Squares about the mean: 4 - 1.6 = 2.4 each, so (4.8 + 0.5) / 19.
    assert found.mean.tolist() == pytest.approx([0.0, 0.4])
    assert found.within.tolist() == pytest.approx([0.5 / 19, 5.3 / 19])
    # The baseline differs nowhere from itself. Two donors alike leave much open of how far a third may be.
    assert found.between[0] == 0 and 0.05**2 < found.between[1] < 0.5**2


def test_many_donors_tell_how_much_sites_differ() -> None:
    rng = np.random.default_rng(4)
    true = rng.normal(0.1, [[0.0, 0.2]], (400, 2))
    means = rng.normal(true, 0.02)
    # 100 cases of a variance of 0.04 each: squares are n (mean^2 + 0.04).
    apart = [donated_by(100 * m, 100 * (m**2 + 0.04), np.full((400, 1), 100)) for m in (means[:, :1], means[:, 1:])]
    assert [float(one.mean[0]) for one in apart] == pytest.approx([0.1, 0.1], abs=0.03)
    assert math.sqrt(apart[0].between[0]) < 0.02 and math.sqrt(apart[1].between[0]) == pytest.approx(0.2, abs=0.02)


def test_three_donors_that_agree_by_chance_leave_a_site_a_say() -> None:
    # At its own 48 cases a prompt is 20 points better; three donors of 48 cases saw none. Half of it or more is kept,
    # where a single estimate of how much sites differ would be zero, and keep nothing.
    found = donated_by(np.zeros((3, 1)), np.full((3, 1), 10.0), np.full((3, 1), 48))
    assert expected(np.array([0.2]), 48, found)[0] > 0.1


def test_one_donor_says_nothing_nor_one_without_cases() -> None:
    totals, squares = np.array([[80.0], [-80.0]]), np.array([[100.0], [100.0]])
    assert np.isinf(donated_by(totals[:1], squares[:1], np.full((1, 1), 100)).between).all()
    # A donor without cases of a prompt is no donor of it, whatever stands in its sums.
    assert np.isinf(donated_by(totals, squares, np.array([[0], [100]])).between).all()
    for cases in (np.full((2, 1), -1), np.array([100, 100])):
        with pytest.raises(ValueError, match="numbers of cases"):
            donated_by(totals, squares, cases)


def test_what_a_donor_says_nothing_of_counts_among_those_that_do() -> None:
    totals, squares, cases = np.full((3, 2), 4.0), np.full((3, 2), 5.0), np.full((3, 2), 20)
    cases[2, 1] = 0
    found = donated_by(totals, squares, cases)
    assert found.mean.tolist() == pytest.approx([0.2, 0.2])
    # 5 - 4 x 0.2 = 4.2 for each donor: (3 x 4.2 + 0.5) / (60 - 3 + 1) and (2 x 4.2 + 0.5) / (40 - 2 + 1).
    assert found.within.tolist() == pytest.approx([13.1 / 58, 8.9 / 39])
    assert found.between[1] > found.between[0]  # two donors leave more open


def test_where_donors_differ_in_nothing_all_prompts_are_alike() -> None:
    found = donated_by(np.zeros((3, 2)), np.zeros((3, 2)), np.full((3, 2), 20))
    assert found.mean.tolist() == [0.0, 0.0] and found.between.tolist() == [0.0, 0.0]
    assert choose(np.array([0.0, 0.0]), 5, found) == 0


@given(st.integers(0, 999))
def test_the_order_of_donors_and_prompts_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    totals, cases = rng.normal(0, 5, (4, 3)), rng.integers(0, 60, (4, 3))
    squares = totals**2 / np.maximum(cases, 1) + rng.uniform(1, 9, (4, 3))
    found, order = donated_by(totals, squares, cases), rng.permutation(3)
    again = donated_by(totals[::-1][:, order], squares[::-1][:, order], cases[::-1][:, order])
    for name in ("mean", "between", "within"):
        assert np.allclose(getattr(again, name), getattr(found, name)[order])


@pytest.mark.parametrize(
    ("mean", "between", "within"),
    [([0.0], [0.0, 1.0], [0.0]), ([math.nan], [0.0], [0.0]), ([0.0], [-1.0], [0.0]), ([0.0], [0.0], [math.inf])],
)
def test_numbers_out_of_their_range_are_refused(mean: list[float], between: list[float], within: list[float]) -> None:
    with pytest.raises(ValueError, match=r"variances"):
        known(mean, between, within)


def test_no_prompt_or_no_difference_is_refused() -> None:
    with pytest.raises(ValueError, match="no prompt"):
        choose(np.array([]), 3, Donated.of([], [], []))
    for differences, n in ((np.array([math.nan]), 3), (np.array([0.1]), -1), (np.array([0.1, 0.2]), 3)):
        with pytest.raises(ValueError, match="finite difference"):
            expected(differences, n, known([0.0], [0.1], [0.1]))


@given(st.lists(st.tuples(NUMBERS, NUMBERS, VARIANCES, VARIANCES), min_size=1, max_size=6), st.integers(0, 200))
def test_what_is_expected_lies_between_home_and_donors_and_a_shared_number_moves_all(
    rows: list[tuple[float, float, float, float]], n: int
) -> None:
    differences, mean, between, within = (np.array(column) for column in zip(*rows, strict=True))
    found = expected(differences, n, Donated(mean, between, within))
    low, high = np.minimum(differences, mean), np.maximum(differences, mean)
    assert ((found >= low - 1e-12) & (found <= high + 1e-12)).all()
    moved = expected(differences + 0.5, n, Donated(mean + 0.5, between, within))
    assert np.allclose(moved, found + 0.5)
    nothing = Donated(mean, np.full(len(mean), np.inf), within)
    assert choose(differences, n, nothing) == int(np.argmax(differences))
