"""Scores got by different methods never stand in one ranking."""

import pytest

from fedprompt.errors import FederationError
from fedprompt.study.score import Score
from fedprompt.workspace.results.methods import Way, ruling_way
from fedprompt.workspace.rounds.federation_run import pooled_best
from tests.coded import coded
from tests.ten_cases import score_of

A, B = "p1:" + "a" * 32, "p1:" + "b" * 32


def test_a_score_of_before_is_one_of_likelihoods() -> None:
    body = score_of(A, 5).model_dump(mode="json")
    del body["method"]
    assert Score.model_validate(body).method == "likelihood"


def test_the_pooled_best_is_refused_where_sites_used_different_methods() -> None:
    same = {"x": {A: score_of(A, 5), B: score_of(B, 6)}, "y": {A: score_of(A, 5), B: score_of(B, 6)}}
    assert pooled_best(same, [A, B]) == B
    mixed = {**same, "y": {A: score_of(A, 5, method="constrained"), B: score_of(B, 6, method="constrained")}}
    with pytest.raises(FederationError, check=coded("mixed-methods")):
        pooled_best(mixed, [A, B])


def test_other_judges_are_other_ways_too() -> None:
    mixed = {"x": {A: score_of(A, 5)}, "y": {A: score_of(A, 5).model_copy(update={"judged_by": "j1:" + "0" * 32})}}
    with pytest.raises(FederationError, check=coded("mixed-methods")):
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
