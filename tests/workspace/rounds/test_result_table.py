"""The last table's numbers by hand, and its sentences whichever way they go."""

import pytest

from fedprompt.study.score import Comparison, Score
from fedprompt.workspace.results.points import points
from fedprompt.workspace.rounds.looks import TestLook
from fedprompt.workspace.rounds.result_table import (
    Difference,
    ResultRow,
    SiteDifference,
    average,
    difference,
    entry,
    gain_sentence,
    headline,
)

A, B = "p1:" + "a" * 32, "p1:" + "b" * 32


def score(prompt: str, right: float, n: int = 100, metric: str = "accuracy") -> Score:
    body = {"split": "test", "groups": n, "group_squares": 0.0, "n": n, "metric": metric, "prompt": prompt}
    return Score.model_validate({**body, "total": right, "squares": right})


def pair(first: str, second: str, better: int, worse: int, n: int = 100) -> Comparison:
    body = {"split": "test", "groups": n, "group_squares": 0.0, "n": n, "first": first, "second": second}
    total, squares = better - worse, better + worse
    return Comparison.model_validate({**body, "better": better, "worse": worse, "total": total, "squares": squares})


def test_an_entrys_mean_is_over_sites_and_its_interval_holds_it() -> None:
    found = entry({"x": score(A, 75), "y": score(A, 10, n=20)}, 0)
    assert found.mean == pytest.approx((0.75 + 0.5) / 2)
    assert found.worst == 0.5 and found.by_site == {"x": 0.75, "y": 0.5}
    assert 0 <= found.low < found.mean < found.high <= 1
    assert entry({"x": score(A, 75), "y": score(A, 10, n=20)}, 0) == found


def test_an_average_of_prompts_keeps_its_fraction() -> None:
    # Site x: 60 and 61 of 100 average 60.5; site y: 10 and 13 of 20 average 11.5.
    mixed = average([{"x": score(A, 60), "y": score(A, 10, n=20)}, {"x": score(B, 61), "y": score(B, 13, n=20)}])
    assert (mixed["x"].total, mixed["y"].total) == (60.5, 11.5)
    found = entry(mixed, 0)
    assert found.mean == pytest.approx((0.605 + 0.575) / 2)
    assert found.mean == pytest.approx(sum(found.by_site.values()) / 2)
    assert found.low < found.mean < found.high


def test_a_metric_that_is_no_count_has_a_normal_interval() -> None:
    # Of 4 cases, sum 2 and squares 1.5: variance 1.5 / 4 - 0.25 = 0.125, of the mean 0.125 / 3; 1.96 standard errors.
    one = score(A, 2, n=4, metric="score").model_copy(update={"squares": 1.5})
    found = entry({"x": one}, 0)
    assert found.mean == 0.5
    assert found.high - 0.5 == pytest.approx(1.959964 * (0.125 / 3) ** 0.5, rel=1e-6)


def test_a_difference_is_paired_and_turns_with_its_pair() -> None:
    look = TestLook(
        {"x": {A: score(A, 80), B: score(B, 60)}, "y": {A: score(A, 50), B: score(B, 50)}},
        {"x": [pair(A, B, 25, 5)], "y": [pair(B, A, 10, 10)]},
    )
    found = difference(look, {"x": (A, B), "y": (A, B)}, 0)
    assert found.difference == pytest.approx((0.20 + 0.0) / 2)
    assert found.by_site["x"].difference == pytest.approx(0.2) and found.by_site["x"].distinguishable
    assert found.by_site["y"].difference == 0 and not found.by_site["y"].distinguishable
    assert found.by_site["y"].p == 1.0 and found.by_site["x"].n == 100
    back = difference(look, {"x": (B, A), "y": (B, A)}, 0)
    assert back.difference == pytest.approx(-found.difference)
    assert (back.low, back.high) == (pytest.approx(-found.high), pytest.approx(-found.low))


def graded(first: str, second: str, total: float, groups: int = 100, group_squares: float = 3.84) -> Comparison:
    """Return a comparison of scores between 0 and 1: 30 cases a little better, 10 much worse."""
    body = {"split": "test", "n": 100, "first": first, "second": second, "better": 30, "worse": 10, "squares": 4.0}
    return Comparison.model_validate({**body, "total": total, "groups": groups, "group_squares": group_squares})


def test_a_difference_of_graded_scores_is_of_their_values_and_not_of_who_won() -> None:
    # Of 100 cases the differences sum to -4: the mean is -0.04, though 30 are better and 10 worse. Their squares sum to
    # 4, so the residuals' to 4 - 0.16 = 3.84, and the mean's variance is 100 / 99 x 3.84 / 100^2 = 0.0003879.
    halves = {A: score(A, 46, metric="score"), B: score(B, 50, metric="score")}
    look = TestLook({"x": halves}, {"x": [graded(A, B, -4.0)]})
    found = difference(look, {"x": (A, B)}, 0)
    half = 1.959964 * 0.0003879**0.5
    assert found.difference == pytest.approx(-0.04)
    assert (found.low, found.high) == (
        pytest.approx(-0.04 - half, abs=1e-5),
        pytest.approx(-0.04 + half, abs=1e-5),
    )
    assert found.distinguishable
    assert found.by_site["x"].n == 100 and 0.03 < found.by_site["x"].p < 0.05  # 0.04 is 2.03 deviations
    back = difference(look, {"x": (B, A)}, 0)
    assert (back.difference, back.low) == (pytest.approx(0.04), pytest.approx(-found.high))
    # A site that keeps the very prompt differs by nothing, which halves the mean over the two sites.
    both = TestLook({"x": halves, "y": halves}, {"x": [graded(A, B, -4.0)], "y": []})
    assert difference(both, {"x": (A, B), "y": (B, B)}, 0).difference == pytest.approx(-0.02)


def test_cases_that_belong_together_widen_a_difference() -> None:
    # 25 only A gets right and 5 only B, by patient: 20 patients, whose residuals sum to more than single cases' do.
    alone, grouped = pair(A, B, 25, 5), pair(A, B, 25, 5).model_copy(update={"groups": 20, "group_squares": 60.0})
    scores = {"x": {A: score(A, 80), B: score(B, 60)}}
    narrow, wide = (difference(TestLook(scores, {"x": [one]}), {"x": (A, B)}, 0) for one in (alone, grouped))
    assert wide.difference == pytest.approx(narrow.difference)
    # 20 / 19 x 60 / 100^2 = 0.006316, of which the root is 0.0795.
    assert wide.high - wide.difference == pytest.approx(1.959964 * 0.006316**0.5, abs=1e-4)
    assert not wide.distinguishable or wide.low > 0


def test_a_single_group_of_graded_cases_says_nothing() -> None:
    look = TestLook({"x": {A: score(A, 46, metric="score")}}, {"x": [graded(A, B, -4.0, groups=1)]})
    found = difference(look, {"x": (A, B)}, 0)
    assert (found.difference, found.low, found.high) == (pytest.approx(-0.04), -1.0, 1.0)
    assert not found.distinguishable and found.by_site["x"].p == 1.0


def test_a_prompt_does_not_differ_from_itself() -> None:
    look = TestLook({"x": {A: score(A, 80)}}, {"x": []})
    found = difference(look, {"x": (A, A)}, 0)
    assert (found.difference, found.low, found.high, found.distinguishable) == (0, 0, 0, False)


def gain(change: float, low: float, high: float) -> SiteDifference:
    return SiteDifference(change, low, high, low > 0 or high < 0, p=0.5, n=100)


@pytest.mark.parametrize(
    ("kept", "found", "said"),
    [
        ("local_own", gain(0, 0, 0), "x keeps its own prompt, so it neither gains nor loses from joining"),
        ("federated", gain(0.031, 0.01, 0.05), "x gained 3.1 points (1.0 to 5.0) from joining"),
        (
            "federated",
            gain(0.031, -0.01, 0.05),
            "x: +3.1 points (\N{MINUS SIGN}1.0 to 5.0), not significant",
        ),
        ("manual", gain(-0.02, -0.03, -0.01), "x lost 2.0 points (1.0 to 3.0) from joining"),
        (
            "manual",
            gain(-0.02, -0.05, 0.01),
            "x: \N{MINUS SIGN}2.0 points (\N{MINUS SIGN}5.0 to 1.0), not significant",
        ),
    ],
)
def test_what_joining_gained_is_said_with_its_interval(kept: str, found: SiteDifference, said: str) -> None:
    assert gain_sentence("x", kept, found).startswith(said)


def test_the_headline_claims_only_what_the_interval_shows() -> None:
    test = {name: ResultRow(mean, mean, mean, mean, {}) for name, mean in (("federated", 0.9), ("manual", 0.87))}

    def against(change: float, low: float, high: float) -> Difference:
        return Difference(change, low, high, low > 0 or high < 0, {})

    assert headline(test, against(0.03, 0.01, 0.05)).endswith(
        "3.0 points (1.0 to 5.0), so the federated prompt is better"  # wording
    )
    assert headline(test, against(-0.03, -0.05, -0.01)).endswith("so the federated prompt is worse")  # wording
    assert headline(test, against(0.03, -0.01, 0.05)).endswith("not statistically significant")


def test_no_points_have_no_sign() -> None:
    assert [points(value) for value in (-0.0001, 0.0, 0.123, -0.05)] == ["0.0", "0.0", "12.3", "\N{MINUS SIGN}5.0"]
    assert [points(value, signed=True) for value in (-0.0001, 0.123, -0.05)] == ["0.0", "+12.3", "\N{MINUS SIGN}5.0"]
