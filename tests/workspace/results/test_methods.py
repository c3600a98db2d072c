"""Scores got by different methods never stand in one ranking."""

import pytest

from fedprompt.errors import FederationError
from fedprompt.study.score import Method, Score
from fedprompt.workspace.results.methods import Way, ruling_way
from fedprompt.workspace.rounds.federation_run import pooled_best

A, B = "p1:" + "a" * 32, "p1:" + "b" * 32


def made(prompt: str, right: int, method: Method = "likelihood") -> Score:
    return Score(
        prompt=prompt,
        split="validation",
        metric="accuracy",
        n=10,
        total=right,
        squares=right,
        groups=10,
        group_squares=1.0,
        method=method,
    )


def test_a_score_of_before_is_one_of_likelihoods() -> None:
    body = made(A, 5).model_dump(mode="json")
    del body["method"]
    assert Score.model_validate(body).method == "likelihood"


def test_the_pooled_best_is_refused_where_sites_used_different_methods() -> None:
    same = {"x": {A: made(A, 5), B: made(B, 6)}, "y": {A: made(A, 5), B: made(B, 6)}}
    assert pooled_best(same, [A, B]) == B
    mixed = {**same, "y": {A: made(A, 5, "constrained"), B: made(B, 6, "constrained")}}
    with pytest.raises(FederationError, match="got in 2 ways"):
        pooled_best(mixed, [A, B])


def test_other_judges_are_other_ways_too() -> None:
    mixed = {"x": {A: made(A, 5)}, "y": {A: made(A, 5).model_copy(update={"judged_by": "j1:" + "0" * 32})}}
    with pytest.raises(FederationError, match="one method and one judge"):
        pooled_best(mixed, [A])


PLAIN, SCHEMA, ASKED = ("likelihood", None), ("likelihood", "j1:a"), ("constrained", None)


@pytest.mark.parametrize(
    ("ways", "ruling"),
    [
        ([], None),
        ([ASKED], ASKED),
        ([ASKED, PLAIN], PLAIN),
        ([ASKED, PLAIN, ASKED], ASKED),
        ([SCHEMA, PLAIN], PLAIN),
        ([SCHEMA, PLAIN, SCHEMA], SCHEMA),
    ],
)
def test_what_most_scores_have_rules_and_plain_likelihood_where_they_tie(ways: list[Way], ruling: Way | None) -> None:
    assert ruling_way(ways) == ruling
