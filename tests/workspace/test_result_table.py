"""The last table's numbers by hand, and its sentences whichever way they go."""

import pytest

from fedprompt.study.score import Comparison, Score
from fedprompt.workspace.federation_run import TestLook
from fedprompt.workspace.result_table import average, difference, entry, gain_sentence, headline, points

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
    assert found["mean"] == pytest.approx((0.75 + 0.5) / 2)
    assert found["worst"] == 0.5 and found["by_site"] == {"x": 0.75, "y": 0.5}
    assert 0 <= found["low"] < found["mean"] < found["high"] <= 1
    assert entry({"x": score(A, 75), "y": score(A, 10, n=20)}, 0) == found


def test_an_average_of_prompts_keeps_its_fraction() -> None:
    # Site x: 60 and 61 of 100 average 60.5; site y: 10 and 13 of 20 average 11.5.
    mixed = average([{"x": score(A, 60), "y": score(A, 10, n=20)}, {"x": score(B, 61), "y": score(B, 13, n=20)}])
    assert (mixed["x"].total, mixed["y"].total) == (60.5, 11.5)
    found = entry(mixed, 0)
    assert found["mean"] == pytest.approx((0.605 + 0.575) / 2)
    assert found["mean"] == pytest.approx(sum(found["by_site"].values()) / 2)
    assert found["low"] < found["mean"] < found["high"]


def test_a_metric_that_is_no_count_has_a_normal_interval() -> None:
    # Of 4 cases, sum 2 and squares 1.5: variance 1.5 / 4 - 0.25 = 0.125, of the mean 0.125 / 3; 1.96 standard errors.
    one = score(A, 2, n=4, metric="score").model_copy(update={"squares": 1.5})
    found = entry({"x": one}, 0)
    assert found["mean"] == 0.5
    assert found["high"] - 0.5 == pytest.approx(1.959964 * (0.125 / 3) ** 0.5, rel=1e-6)


def test_a_difference_is_paired_and_turns_with_its_pair() -> None:
    look = TestLook(
        {"x": {A: score(A, 80), B: score(B, 60)}, "y": {A: score(A, 50), B: score(B, 50)}},
        {"x": [pair(A, B, 25, 5)], "y": [pair(B, A, 10, 10)]},
    )
    found = difference(look, {"x": (A, B), "y": (A, B)}, 0)
    assert found["difference"] == pytest.approx((0.20 + 0.0) / 2)
    assert found["by_site"]["x"]["difference"] == pytest.approx(0.2) and found["by_site"]["x"]["distinguishable"]
    assert found["by_site"]["y"]["difference"] == 0 and not found["by_site"]["y"]["distinguishable"]
    assert found["by_site"]["y"]["p"] == 1.0 and found["by_site"]["x"]["n"] == 100
    back = difference(look, {"x": (B, A), "y": (B, A)}, 0)
    assert back["difference"] == pytest.approx(-found["difference"])
    assert (back["low"], back["high"]) == (pytest.approx(-found["high"]), pytest.approx(-found["low"]))


def test_a_prompt_does_not_differ_from_itself() -> None:
    look = TestLook({"x": {A: score(A, 80)}}, {"x": []})
    found = difference(look, {"x": (A, A)}, 0)
    assert (found["difference"], found["low"], found["high"], found["distinguishable"]) == (0, 0, 0, False)


def gain(change: float, low: float, high: float) -> dict[str, object]:
    return {"difference": change, "low": low, "high": high, "distinguishable": low > 0 or high < 0}


@pytest.mark.parametrize(
    ("kept", "found", "said"),
    [
        ("local_own", gain(0, 0, 0), "x keeps the prompt it tuned alone: joining neither gained nor cost it anything"),
        ("federated", gain(0.031, 0.01, 0.05), "joining gained x 3.1 points (1.0 to 5.0): better than the prompt it "),
        ("federated", gain(0.031, -0.01, 0.05), "joining gained x 3.1 points (-1.0 to 5.0): not yet distinguishable"),
        ("manual", gain(-0.02, -0.03, -0.01), "joining cost x 2.0 points (1.0 to 3.0): worse than the prompt it "),
        ("manual", gain(-0.02, -0.05, 0.01), "joining cost x 2.0 points (-1.0 to 5.0): not yet distinguishable"),
    ],
)
def test_what_joining_gained_is_said_with_its_interval(kept: str, found: dict[str, object], said: str) -> None:
    assert gain_sentence("x", kept, found).startswith(said)


def test_the_headline_claims_only_what_the_interval_shows() -> None:
    test = {"federated": {"mean": 0.9}, "manual": {"mean": 0.87}}
    assert headline(test, gain(0.03, 0.01, 0.05)).endswith("a difference of 3.0 points (1.0 to 5.0), so it is better")
    assert headline(test, gain(-0.03, -0.05, -0.01)).endswith("so it is worse")
    assert headline(test, gain(0.03, -0.01, 0.05)).endswith("not yet distinguishable")


def test_no_points_have_no_sign() -> None:
    assert [points(value) for value in (-0.0001, 0.0, 0.123, -0.05)] == ["0.0", "0.0", "12.3", "-5.0"]
