"""A study with secure sums: which sites they are among, and what they exclude, each with its reason."""

from typing import Any

import pytest
from pydantic import ValidationError

from fedprompt.study.secure_sums import SecureSums
from tests.scripted_sites import MODEL, STUDY, study

KEYS = {name: f"k1:{place:032x}" for place, name in enumerate(("a", "b", "c", "d"))}


def test_true_means_the_defaults_and_a_study_without_them_keeps_its_digest() -> None:
    asked = study(rounds={"secure_sums": True})
    assert asked.rounds.secure_sums == SecureSums()
    assert study(rounds={"secure_sums": False}).digest(MODEL.info.digest) == STUDY.digest(MODEL.info.digest)
    assert "secure_sums" not in STUDY.model_dump(mode="json")["rounds"]
    assert asked.digest(MODEL.info.digest) != STUDY.digest(MODEL.info.digest)
    assert asked.alone().rounds.secure_sums is None


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"strategy": {"name": "median"}}, "secure_sums"),
        ({"strategy": {"name": "norm-bounded-mean"}}, "secure_sums"),
        ({"strategy": {"name": "fedbuff"}}, "secure_sums"),
        ({"keep_updates": True}, "secure_sums"),
        ({"groups": {}}, "secure_sums"),
        ({"alone": True}, "secure_sums"),
        ({"update": "int8"}, "update"),
        ({"quorum": 2, "secure_sums": {"sites": KEYS}}, "quorum"),
    ],
)
def test_what_needs_single_updates_is_refused(change: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError) as told:
        study(rounds={"secure_sums": True, **change})
    (error,) = told.value.errors()
    assert error["ctx"]["place"] == ("rounds", place)


def test_runs_without_some_sites_are_refused_since_sums_differ_by_those() -> None:
    with pytest.raises(ValidationError) as told:
        study(rounds={"secure_sums": True}, worth={})
    assert told.value.errors()[0]["ctx"]["place"] == ("rounds", "secure_sums")


@pytest.mark.parametrize(
    "sums",
    [
        {"sites": {"a": KEYS["a"], "b": KEYS["b"]}},  # two, and a sum is over three
        {"sites": {**KEYS, "e": KEYS["a"]}},  # one key twice
        {"sites": KEYS, "least": 5},
        {"sites": {"a": "k1:none"}},
        {"least": 2},
    ],
)
def test_sites_that_cannot_carry_a_sum_are_refused(sums: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        study(rounds={"secure_sums": sums})


def test_the_least_cohort_is_of_the_named_sites() -> None:
    assert SecureSums(sites=KEYS).least_of(100) == 3
    assert SecureSums().least_of(100) == 51
    assert SecureSums(least=90).least_of(100) == 90
