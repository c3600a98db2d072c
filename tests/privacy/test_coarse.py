"""No cell, bin or count over a few cases leaves; what is said of all cases stays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.privacy.coarse import (
    coarse_comparison,
    coarse_counts,
    coarse_score,
    rounded_comparison,
    rounded_score,
    rounded_up,
)
from fedprompt.study.score import BINS, CalibrationBin, Comparison, Score

LEAST = 5


def made(confusion: tuple[tuple[int, ...], ...], confidences: list[float], right: list[bool]) -> Score:
    n, total = len(right), float(sum(right))
    place = np.minimum((np.array(confidences) * BINS).astype(int), BINS - 1)
    bins = tuple(
        CalibrationBin(
            n=int((place == b).sum()),
            confidence=float(np.array(confidences)[place == b].sum()),
            right=int(np.array(right)[place == b].sum()),
        )
        for b in range(BINS)
    )
    return Score(
        prompt="p1:" + "a" * 32,
        split="validation",
        metric="accuracy",
        n=n,
        total=total,
        squares=total,
        groups=n,
        group_squares=total * (1 - total / n),
        confusion=confusion,
        bins=bins,
    )


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_a_bin_that_is_told_is_over_nobody_or_over_enough_and_none_is_lost(given: list[tuple[float, bool]]) -> None:
    score = made((), [confidence for confidence, _ in given], [right for _, right in given])
    bins = coarse_score(score, LEAST).bins
    if len(given) < LEAST:
        assert bins == ()
        return
    assert len(bins) == BINS and all(one.n == 0 or one.n >= LEAST for one in bins)
    assert sum(one.n for one in bins) == score.n and sum(one.right for one in bins) == score.total
    assert sum(one.confidence for one in bins) == pytest.approx(sum(c for c, _ in given), abs=0.005 * BINS)


def test_a_small_bin_joins_the_next_above_and_the_top_one_joins_what_is_below() -> None:
    # By hand: 2 cases at 0.05 and 4 at 0.25 are 6 at 0.25's place; 1 case at 0.95 joins them, since 0.55 has none.
    score = made((), [0.05] * 2 + [0.25] * 4 + [0.95], [True] * 7)
    bins = coarse_score(score, LEAST).bins
    assert [one.n for one in bins] == [0, 0, 7, 0, 0, 0, 0, 0, 0, 0]
    assert bins[2].confidence == pytest.approx(0.1 + 1.0 + 0.95)


def test_a_matrix_with_a_cell_of_a_few_cases_is_left_out() -> None:
    right = [True] * 15 + [False] * 5
    assert coarse_score(made(((10, 0), (5, 5)), [0.7] * 20, right), LEAST).confusion == ((10, 0), (5, 5))
    assert coarse_score(made(((10, 1), (4, 5)), [0.7] * 20, right), LEAST).confusion == ()


def test_what_is_said_of_all_cases_stays() -> None:
    score = made(((10, 1), (4, 5)), [0.7] * 20, [True] * 15 + [False] * 5)
    found = coarse_score(score, LEAST)
    assert (found.n, found.total, found.squares, found.group_squares) == (20, 15.0, 15.0, 3.75)


def test_graded_sums_have_two_places_and_sums_over_groups_three_digits() -> None:
    graded = made((), [0.5] * 20, [True] * 20).model_copy(
        update={"metric": "score", "total": 12.34567, "squares": 9.87654, "group_squares": 1.23456, "bins": ()}
    )
    found = coarse_score(graded, LEAST)
    assert (found.total, found.squares, found.group_squares) == (12.35, 9.88, 1.23)
    pair = Comparison(
        first="p1:" + "a" * 32,
        second="p1:" + "b" * 32,
        split="validation",
        n=20,
        total=1.23456,
        squares=2.34567,
        better=6,
        worse=5,
        groups=10,
        group_squares=3.45678,
    )
    assert coarse_comparison(pair, graded=True).model_dump(include={"total", "squares", "group_squares"}) == {
        "total": 1.23,
        "squares": 2.35,
        "group_squares": 3.46,
    }
    assert coarse_comparison(pair, graded=False).total == 1.23456


def test_counts_of_a_few_are_not_told() -> None:
    assert coarse_counts((35, 4, 5, 0), LEAST) == (35, 0, 5, 0)
    assert [rounded_up(count, LEAST) for count in (0, 1, 5, 6)] == [0, 5, 5, 10]


@pytest.mark.parametrize(("right", "told"), [(0, 0), (2, 0), (3, 6), (17, 18), (21, 24), (26, 24), (27, 30), (32, 30)])
def test_right_answers_are_told_as_a_multiple_with_what_that_adds_to_the_variance(right: int, told: int) -> None:
    score = made(((16, 0), (0, 16)), [0.7] * 32, [True] * right + [False] * (32 - right))
    found = rounded_score(score, 6)
    assert (found.total, found.squares, found.confusion, found.bins) == (told, told, (), ())
    assert found.group_squares == pytest.approx(told * (1 - told / 32) + 36 / 12)


def test_a_comparison_is_told_in_multiples_that_are_no_more_than_its_cases() -> None:
    pair = Comparison(
        first="p1:" + "a" * 32,
        second="p1:" + "b" * 32,
        split="validation",
        n=32,
        total=-12,
        squares=30,
        better=9,
        worse=21,
        groups=32,
        group_squares=25.5,
    )
    found = rounded_comparison(pair, 6)
    assert (found.better, found.worse, found.total, found.squares) == (8, 24, -16, 32)  # 9 would be 12, of 8 left
    assert found.group_squares == pytest.approx(32 - 16 * 16 / 32 + 36 / 6)
    alike = rounded_comparison(pair.model_copy(update={"total": 0, "squares": 2, "better": 1, "worse": 1}), 6)
    assert (alike.better, alike.worse, alike.group_squares) == (0, 0, 6.0)


def test_groups_widen_a_rounded_score_in_halves() -> None:
    score = made((), [0.7] * 32, [True] * 20 + [False] * 12)
    grouped = score.model_copy(update={"groups": 16, "group_squares": 1.2 * 7.5})
    assert rounded_score(grouped, 6).group_squares == pytest.approx(1.5 * 18 * (1 - 18 / 32) + 3)
