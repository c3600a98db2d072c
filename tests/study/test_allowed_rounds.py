"""What a hub may ask of a site in rounds follows from the study that the site accepted."""

import pytest

from fedprompt.study.allowed_rounds import Among, cases_a_round, last_round, least_steps
from fedprompt.study.labels import KEPT
from fedprompt.study.schema import Study
from tests.scripted_sites import STUDY, study

FEDBUFF = {"strategy": {"name": "fedbuff", "options": {"buffer": 3}}}


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        ({"count": 4}, {"all": 4, "group": 0, "alone": 0}),
        ({"count": 4, "alone": True}, {"all": 4, "group": 0, "alone": 4}),
        # groups go on after the rounds of all, whose number patience may lower
        ({"count": 4, "groups": {"rounds": 2}}, {"all": 4, "group": 6, "alone": 0}),
        # four steps of three updates that may all be one site's, which may fail once a step: 4 x 3 + 4
        ({"count": 4, **FEDBUFF}, {"all": 16, "group": 0, "alone": 0}),
        ({"count": 4, "alone": True, **FEDBUFF}, {"all": 16, "group": 0, "alone": 4}),
        ({"count": 4, "groups": {"rounds": 2}, **FEDBUFF}, {"all": 16, "group": 24, "alone": 0}),
    ],
)
def test_no_round_is_past_those_that_the_study_says(rounds: dict[str, object], expected: dict[Among, int]) -> None:
    asked = study(rounds=rounds)
    assert {among: last_round(asked, among) for among in expected} == expected


def test_a_site_takes_no_fewer_steps_than_the_study_says_for_slow_ones() -> None:
    for least, expected in ((None, 5), (2, 2)):
        asked = study(tuning={"steps": 5}, rounds={"least_steps": least})
        assert (least_steps(asked), cases_a_round(asked)) == (expected, 8 * expected)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        # 2 steps of 8 cases are 16, and 1 is 8; a split of 30 has 15 in each of 2
        ({"privacy": {"min_cases": 17}}, "tuning.steps"),
        ({"tuning": {"batch": 4}}, "tuning.steps"),
        ({"tuning": {"steps": 1}}, "tuning.steps"),
        ({"rounds": {"least_steps": 1}}, "rounds.least_steps"),
    ],
)
def test_a_study_whose_rounds_draw_fewer_cases_than_may_leave_is_refused(
    changes: dict[str, dict[str, object]], place: str
) -> None:
    with pytest.raises(ValueError, match=rf"{place}.*draw at most \d+ cases.*min_cases"):
        study(**changes)
    # One that was accepted before stays readable; a site refuses its rounds.
    body = STUDY.model_dump(mode="json")
    for part, values in changes.items():
        body[part].update(values)
    assert Study.model_validate(body, context=KEPT).study == "small"


def test_templates_alone_need_no_steps() -> None:
    body = {**STUDY.model_dump(mode="json"), "soft": None, "privacy": {"min_cases": 1000}}
    assert Study.model_validate(body).soft is None
